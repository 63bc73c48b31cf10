"""Runs the tests of a module against each of its mutants, each in a forked process."""

from __future__ import annotations

import ast
import contextlib
import gc
import importlib
import json
import math
import os
import resource
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any

from tests.mutation.mutants import Mutant, mutants
from tests.mutation.pytest_child import ROOT, Chosen, Substitute, observed, run_pytest

WAIT_FACTOR, WAIT_S = 10, 10
"""A mutant may use so many times the processor seconds that its tests take without it, and so many more."""
IDLE_FACTOR = 10
"""And so many times that by the clock: other processes share the machine, and a mutant may sleep without end."""
TESTS_PASSED, TESTS_FAILED, IMPORT_FAILED = 0, 1, 2
"""Exit codes of pytest."""


@dataclass
class Report:
    """What became of the mutants of one module."""

    module: str
    killed: list[Mutant] = field(default_factory=list)
    survived: list[Mutant] = field(default_factory=list)
    untested: list[Mutant] = field(default_factory=list)
    """Survived since no test runs their line."""
    timed_out: list[Mutant] = field(default_factory=list)

    @property
    def total(self) -> int:
        return len(self.killed) + len(self.survived) + len(self.untested) + len(self.timed_out)

    @property
    def rate(self) -> float:
        """Percentage of mutants that a test noticed; one that never ends is noticed too."""
        return 100.0 * (len(self.killed) + len(self.timed_out)) / self.total if self.total else 0.0


class Unusable(Exception):
    """The tests do not pass without any mutant, or there are none; says which."""


def default_tests(module: Path) -> list[str]:
    """`tests/unit/<package>/test_<module>*.py` of `<…>/<package>/<module>.py`, or else that whole folder."""
    package = module.parent.name if module.parent.name != "agent" else module.parent.parent.name
    folder = ROOT / "tests" / "unit" / package
    named = sorted(folder.glob(f"test_{module.stem}*.py"))
    return [str(path.relative_to(ROOT)) for path in named] or [str(folder.relative_to(ROOT))]


def check(module: Path, tests: Sequence[str], jobs: int, tell: Callable[[str], object]) -> Report:
    """Test every mutant of `module`. Raises Unusable."""
    module = module.resolve()
    name = ".".join(module.relative_to(ROOT).with_suffix("").parts)
    source = module.read_text()
    known = _observe(module, tests)
    if known["failed"] or known["code"] != 0:
        raise Unusable(f"{', '.join(tests)}: {known['failed'] or 'no test ran'}; these must pass before any mutant")
    _load(known["modules"])
    gc.freeze()  # no process needs to look through what this one has loaded
    lines: dict[str, set[int]] = {test: set(found) for test, found in known["lines"].items()}
    seconds: dict[str, float] = known["seconds"]
    everywhere = set().union(*lines.values())
    inside = _lines_of_functions(source)
    report = Report(str(module.relative_to(ROOT)))
    running: dict[int, tuple[Mutant, float]] = {}
    for mutant in mutants(source):
        if mutant.line in inside and mutant.line not in everywhere:
            report.untested.append(mutant)
            continue
        chosen = sorted((test for test in lines if mutant.line in lines[test]), key=seconds.__getitem__)
        chosen = chosen or sorted(lines, key=seconds.__getitem__)  # executed when the module is imported
        files = list(dict.fromkeys(test.partition("::")[0] for test in chosen))
        limit = math.ceil(WAIT_FACTOR * sum(seconds[test] for test in chosen) + WAIT_S)
        code = compile(mutant.tree, str(module), "exec")
        pid = _forked(limit, partial(_judge, name, module, code, files, chosen))
        running[pid] = mutant, time.monotonic() + limit * IDLE_FACTOR
        while len(running) >= jobs:
            _collect(running, report, tell)
    while running:
        _collect(running, report, tell)
    return report


def _lines_of_functions(source: str) -> set[int]:
    """Lines inside functions: they run when a test runs them, the others when the module is imported."""
    found: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            found.update(range(node.body[0].lineno, (node.end_lineno or node.lineno) + 1))
    return found


def _judge(name: str, path: Path, code: CodeType, files: Sequence[str], chosen: Sequence[str]) -> int:
    sys.meta_path.insert(0, Substitute(name, path, code))
    return run_pytest(files, [Chosen(chosen)])


def _observe(module: Path, tests: Sequence[str]) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile("r") as file:

        def write() -> int:
            Path(file.name).write_text(json.dumps(observed(module, tests)))
            return 0

        os.waitpid(_forked(3600, write), 0)
        text = file.read()
    if not text:
        raise Unusable(f"{', '.join(tests)}: pytest ended without a result; run them by themselves first")
    found: dict[str, Any] = json.loads(text)
    return found


def _load(names: Sequence[str]) -> None:
    """Have what every mutant's process would import loaded once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)


def _forked(cpu_s: int, do: Callable[[], int]) -> int:
    """The id of a process that does this and ends with the code it gives."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 5))
        code = do()
    finally:
        os._exit(code)


def _collect(running: dict[int, tuple[Mutant, float]], report: Report, tell: Callable[[str], object]) -> None:
    """Wait until one of the mutants has ended or is over its time."""
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid in running:
            break
        for late in _late(running):
            os.killpg(late, signal.SIGKILL)
        time.sleep(0.01)
    mutant, _ = running.pop(pid)
    code = os.waitstatus_to_exitcode(status)
    with contextlib.suppress(ProcessLookupError):  # what it left running
        os.killpg(pid, signal.SIGKILL)
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        report.timed_out.append(mutant)
    elif code == TESTS_PASSED:
        report.survived.append(mutant)
    elif code in (TESTS_FAILED, IMPORT_FAILED):
        report.killed.append(mutant)
    else:
        raise Unusable(f"pytest ended with {code} on a mutant of line {mutant.line}: {mutant.change}")
    tell("." if code else "S")


def _late(running: dict[int, tuple[Mutant, float]]) -> Iterator[int]:
    now = time.monotonic()
    return (pid for pid, (_, until) in running.items() if now > until)
