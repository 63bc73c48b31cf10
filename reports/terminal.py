"""The verdict on the terminal: a table of requirements, the slowest tests, and the last line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from .document import name_and_version
from .model import SYMBOLS, Status, Verdict
from .report import Report
from .verdict import EXIT_OK

SLOWEST = 10
"""Tests that are listed."""
_COLOURS = {
    Status.PASS: {"green": True},
    Status.FAIL: {"red": True, "bold": True},
    Status.ERROR: {"red": True},
    Status.NOT_PROVED: {"yellow": True},
    Status.KNOWN_ISSUE: {"yellow": True},
    Status.NOT_APPLICABLE: {"light": True},
}


class Terminal(Protocol):
    """What is used of pytest's terminal reporter."""

    def section(self, title: str, sep: str = "=", **markup: bool) -> None: ...

    def write(self, content: str, **markup: Any) -> None: ...

    def write_line(self, line: str, **markup: bool) -> None: ...


def print_requirements(terminal: Terminal, report: Report) -> None:
    """Print a line for each requirement, for each of the slowest tests, and those of baseline and history."""
    terminal.section(f"{name_and_version(report.document)}: requirements", sep="-")
    suite = ""
    for result in report.verdict.requirements:
        if result.requirement.suite != suite:
            suite = result.requirement.suite
            terminal.write_line(suite, bold=True)
        terminal.write(f"  {result.requirement.id:<8}", bold=True)
        terminal.write(f"{SYMBOLS[result.status]} {result.status.value:<15}", **_COLOURS[result.status])
        text = result.reason or result.requirement.statement
        terminal.write_line(f"{result.passed:>4}/{result.planned:<4} {text[:68]}")
    terminal.section("slowest tests", sep="-")
    for test in sorted(report.results, key=lambda test: -test.duration_s)[:SLOWEST]:
        terminal.write_line(f"  {test.duration_s:6.2f} s  {test.nodeid.removeprefix('suites/')[:88]}")
    for title, lines in (("baseline", report.since), ("history", report.trend)):
        if lines:
            terminal.section(title, sep="-")
        for line in lines:
            terminal.write_line(line)


def print_verdict(terminal: Terminal, verdict: Verdict, notes: Sequence[str], page: Path, folder: Path) -> None:
    """Print notes and the last line: the verdict, and where its page is, as seen from `folder`."""
    for note in notes:
        terminal.write_line(f"note: {note}", yellow=True)
    counts = {status: sum(result.status is status for result in verdict.requirements) for status in Status}
    numbers = ", ".join(f"{number} {status.value}" for status, number in counts.items() if number)
    numbers = numbers or "no requirement was judged"
    shown = page.relative_to(folder) if page.is_relative_to(folder) else page
    colour = {"green": True} if verdict.verdict == "conformant" else {"red": verdict.exit_code != EXIT_OK}
    terminal.write_line(f"verdict: {verdict.verdict} ({numbers}) · {shown}", bold=True, **colour)
