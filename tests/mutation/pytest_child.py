"""What runs in a forked process: pytest over some tests, with the module under test as it is or as a mutant."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest
from hypothesis import Phase, settings

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = (
    "-q", "-x", "--tb=no", "--disable-plugin-autoload", "--noconftest", "-p", "tests.unit.conftest",
    "-p", "no:unraisableexception", "-p", "no:threadexception", "-o", "cache_dir=reports/out/.cache/mutation",
)  # fmt: skip
"""Unit tests need no fixture of the suites, whose plugins would be imported again for each mutant."""

EXAMPLES = 30
"""Of each property: fewer than in a test run, since every mutant pays for them."""


class Substitute(importlib.abc.MetaPathFinder):
    """Has one module imported from a given code object instead of its file."""

    def __init__(self, name: str, path: Path, code: CodeType) -> None:
        self._name, self._path, self._code = name, path, code

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> Any:
        if fullname != self._name:
            return None
        code = self._code

        class Loader(importlib.machinery.SourceFileLoader):
            def get_code(self, fullname: str) -> CodeType:
                return code

        return importlib.util.spec_from_file_location(fullname, self._path, loader=Loader(fullname, str(self._path)))


class Chosen:
    """A pytest plugin that runs the given tests only, in the given order; None: all of them."""

    def __init__(self, tests: Sequence[str] | None) -> None:
        self._tests = tests

    def pytest_configure(self) -> None:
        """Examples of hypothesis are the same in every run, and are not made smaller when they fail."""
        phases = (Phase.explicit, Phase.generate)
        settings.register_profile(
            "mutation", deadline=None, derandomize=True, database=None, phases=phases, max_examples=EXAMPLES
        )
        settings.load_profile("mutation")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self._tests is None:
            return
        places = {test: place for place, test in enumerate(self._tests)}
        items[:] = sorted((item for item in items if item.nodeid in places), key=lambda item: places[item.nodeid])


class Lines:
    """A pytest plugin that notes for each test which lines of one file it runs, how long it takes, and failures."""

    def __init__(self, path: Path) -> None:
        self._file = str(path)
        self._now: set[int] = set()
        self.lines: dict[str, list[int]] = {}
        self.seconds: dict[str, float] = {}
        self.failed: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._now = set()
        began = time.process_time()
        sys.settrace(self._enter)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            self.lines[item.nodeid] = sorted(self._now)
            self.seconds[item.nodeid] = time.process_time() - began

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)

    def _enter(self, frame: FrameType, event: str, argument: object) -> Any:
        if frame.f_code.co_filename != self._file:
            return None
        self._now.add(frame.f_lineno)
        return self._step

    def _step(self, frame: FrameType, event: str, argument: object) -> Any:
        self._now.add(frame.f_lineno)
        return self._step


def run_pytest(files: Sequence[str], plugins: Sequence[object]) -> int:
    """Run pytest in this process, with its output thrown away; pytest's exit code."""
    sys.dont_write_bytecode = False  # or each process would compile the tests again
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    return int(pytest.main([*OPTIONS, *files], plugins=list(plugins)))


def third_party() -> Iterator[str]:
    """Names of loaded modules that are not the checkout's own, nor pytest plugins: the parent can load them once."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and not Path(file).is_relative_to(ROOT) and not name.startswith("__"):
            yield name


def observed(path: Path, files: Sequence[str]) -> Mapping[str, object]:
    """Run the tests with the module as it is: exit code, and per test the lines it runs and the seconds it takes."""
    lines = Lines(path)
    code = run_pytest(files, [Chosen(None), lines])
    return {
        "code": code,
        "failed": lines.failed,
        "lines": lines.lines,
        "seconds": lines.seconds,
        "modules": list(third_party()),
    }
