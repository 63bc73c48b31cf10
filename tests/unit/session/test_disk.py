"""A disk that is full while a run goes on."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from fixtures.session.disk import UNWRITABLE, unwritable_is_one_line
from fixtures.session.run import Unusable

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[3]

FULL = 'raise OSError(errno.ENOSPC, "No space left on device", "/place/result.json")'
LINE = "/place/result.json: No space left on device; make room for it, then run again"
HOOKS = {
    "while tests run": "def pytest_runtest_logreport(report):",
    "when the session ends": "def pytest_sessionfinish(session):",
    "when the cluster is brought up": "@pytest.hookimpl(tryfirst=True)\ndef pytest_runtestloop(session):",
    "in the end of an old hook": "@pytest.hookimpl(hookwrapper=True)\ndef pytest_runtest_logfinish():\n    yield",
    "when tests are collected": "def pytest_collection_finish(session):",
}


@pytest.mark.parametrize("when", HOOKS)
def test_a_full_disk_is_one_line_and_exit_code_3(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeconftest(
        f'import errno, pytest\npytest_plugins = ["fixtures.session.disk"]\n{HOOKS[when]}\n    {FULL}\n'
    )
    pytester.makepyfile("def test_it(): pass")
    done = pytester.runpytest_subprocess("-W", "error")
    output = done.stdout.str() + done.stderr.str()
    assert done.ret == 3, output
    assert output.count(LINE) == 1, output
    assert "Traceback" not in output and "INTERNALERROR" not in output


def test_a_full_disk_of_a_worker_is_one_line_too(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeconftest(
        'import errno\npytest_plugins = ["fixtures.session.disk"]\ndef pytest_collection_finish(session):\n'
        f'    if hasattr(session.config, "workerinput"):\n        {FULL}\n'
    )
    pytester.makepyfile("def test_it(): pass")
    done = pytester.runpytest_subprocess("-n", "2")
    output = done.stdout.str() + done.stderr.str()
    assert done.ret == 3 and output.count(LINE) >= 1, output
    assert "Traceback" not in output and "INTERNALERROR" not in output


def test_an_error_of_another_kind_is_not_told_as_a_full_disk() -> None:
    with pytest.raises(FileNotFoundError), unwritable_is_one_line():
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "/place")


@pytest.mark.parametrize("number", UNWRITABLE)
def test_a_file_without_a_name_is_told_too(number: int) -> None:
    told = r"^a file of the run: nothing goes; make room for it, then run again$"
    with pytest.raises(Unusable, match=told), unwritable_is_one_line():
        raise OSError(number, "nothing goes")
