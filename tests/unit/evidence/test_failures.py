"""Failed tests on the terminal: causes and requirements; their messages only for who asks for them."""

from __future__ import annotations

import pytest

from tests.unit.reports.small_suites import ROOT, SmallSuites

pytest_plugins = ["pytester"]

MANY = """
import pytest
from fixtures.session.marks import requirement

LONG = "x" * 3000

@requirement("ONE-1")
@pytest.mark.parametrize("pair", ["a->b", "a->c", "b->a", "b->c"])
def test_pairs(pair):
    \"\"\"A promise.\"\"\"
    assert [pair] == [LONG], f"{pair}: lost\\n  seen leaving a\\n  never seen at b"

@requirement("ONE-2")
def test_alone():
    \"\"\"A promise.\"\"\"
    assert 1 == 2
"""


@pytest.fixture
def suites(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> SmallSuites:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PATH", str(pytester.path))
    made = SmallSuites(pytester)
    plugins = ["fixtures.session.options", "reports.plugin", "fixtures.evidence.failures"]
    made.write("conftest.py", f"pytest_plugins = {plugins}")
    made.write("suites/one/test_it.py", MANY)
    return made


def test_a_run_prints_no_message_of_a_test_by_itself(suites: SmallSuites) -> None:
    done = suites.run()
    assert done.verdict == ("not-conformant", 1)
    assert "never seen at b" not in done.output and "xxx" not in done.output
    assert "FAILED suites/" not in done.output and "Traceback" not in done.output
    assert "ONE-1   ✗ fail              0/4    a->b: lost" in done.output
    assert "again: ./run suites/one/test_it.py::test_pairs suites/one/test_it.py::test_alone" in done.output
    assert "5 failed" in done.output and len(done.output.splitlines()) < 100


def test_the_report_has_every_failure_whole(suites: SmallSuites) -> None:
    latest = suites.run().folder / "reports/out/latest"
    assert (latest / "junit.xml").read_text().count("never seen at b") >= 4
    traces = [place.read_text() for place in (latest / "allure-results").glob("*-result.json")]
    assert sum("never seen at b" in text for text in traces) == 4


@pytest.mark.parametrize("option", ["-v", "--tb=short"])
def test_who_asks_for_messages_gets_all_of_them(suites: SmallSuites, option: str) -> None:
    done = suites.run("suites", option)
    assert done.output.count("E       never seen at b") == 4
    assert "assert 1 == 2" in done.output  # it has no message, so the values are all there is
