"""What a run prints at its end: the causes of what failed, a line for each requirement, what to run again, the verdict.

A run in which every requirement passed prints its verdict alone; `-v` prints the whole table, and what took longest.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from .causes import Cause
from .document import name_and_version
from .model import SYMBOLS, RequirementResult, Status, Verdict
from .report import Report
from .verdict import EXIT_OK

SLOWEST = 10
"""Tests that are listed with `-v`."""
MOST_CAUSES, MOST_UNEXPLAINED, MOST_LINES, MOST_AGAIN = 5, 5, 40, 6
"""Causes, failed tests that none explains, requirements, and tests to be run again that are printed."""
LONGEST = 120
"""Characters of a requirement's reason."""
OF_WHOLE_RUNS = {"--gate": False, "--baseline": True, "--history": True, "--history-keep": True}
"""{option: whether it has a value}: a part of a run is not a gate, nor compared, nor a night of the history."""
_COLOURS = {
    Status.PASS: {"green": True},
    Status.FAIL: {"red": True, "bold": True},
    Status.ERROR: {"red": True},
    Status.NOT_PROVED: {"yellow": True},
    Status.KNOWN_ISSUE: {"yellow": True},
    Status.NOT_APPLICABLE: {"light": True},
}
_QUIET = (Status.PASS, Status.NOT_APPLICABLE)
_GUESSES = {"guess": "a guess: ", "inferred": "", "seen": ""}


class Terminal(Protocol):
    """What is used of pytest's terminal reporter."""

    def section(self, title: str, sep: str = "=", **markup: bool) -> None: ...

    def write(self, content: str, **markup: Any) -> None: ...

    def write_line(self, line: str, **markup: bool) -> None: ...


def print_report(terminal: Terminal, report: Report, places: Sequence[str], *, verbose: bool = False) -> None:
    """Print causes, requirements, the lines of baseline and history, and how to run what failed again.

    `places`: the folders and tests that the command line names.
    """
    _print_causes(terminal, report)
    _print_requirements(terminal, report, verbose=verbose)
    if verbose:
        terminal.section("slowest tests", sep="-")
        for test in sorted(report.results, key=lambda test: -test.duration_s)[:SLOWEST]:
            terminal.write_line(f"  {test.duration_s:6.2f} s  {test.nodeid.removeprefix('suites/')[:88]}")
    for title, lines in (("baseline", report.since), ("history", report.trend)):
        if lines:
            terminal.section(title, sep="-")
        for line in lines:
            terminal.write_line(line)
    failed = [result.nodeid for result in report.results if result.outcome in ("failed", "error")]
    if failed:
        options = [option for option in report.options if option not in places]
        terminal.write_line(f"again: {again_command(failed, options)}")


def _print_causes(terminal: Terminal, report: Report) -> None:
    causes, unexplained = report.explanation.causes, report.explanation.unexplained
    if not causes and not unexplained:
        return
    terminal.section(f"{name_and_version(report.document)}: causes", sep="-")
    for number, cause in enumerate(causes[:MOST_CAUSES], 1):
        terminal.write_line(f"{number}. {_GUESSES[cause.certainty]}{cause.text}", bold=True)
        for line in cause_lines(cause):
            terminal.write_line(f"   {line}")
    if len(causes) > MOST_CAUSES:
        terminal.write_line(f"and {len(causes) - MOST_CAUSES} more causes, all in the report")
    for line in unexplained[:MOST_UNEXPLAINED]:
        terminal.write_line(f"unexplained: {line[:LONGEST]}", red=True)
    if len(unexplained) > MOST_UNEXPLAINED:
        terminal.write_line(f"and {len(unexplained) - MOST_UNEXPLAINED} unexplained, all in the report", red=True)


def cause_lines(cause: Cause) -> list[str]:
    """What is told of a cause below its sentence, a line each."""
    counts = f"{len(cause.tests)} failed test{'s' if len(cause.tests) != 1 else ''}"
    counts += f", and {cause.unproved} that prove nothing" if cause.unproved else ""
    lines = [f"explains {', '.join(cause.requirements)} ({counts})"]
    lines += [f"seen: {line}" for line in cause.evidence[:2]]
    lines += [f"against it: {line}" if place == 0 else line for place, line in enumerate(cause.against[:2])]
    lines += [f"look: {cause.command}"] if cause.command else []
    lines += [f"known: {cause.issue}"] if cause.issue else []
    return lines


def _print_requirements(terminal: Terminal, report: Report, *, verbose: bool) -> None:
    judged = report.verdict.requirements
    shown = [result for result in judged if verbose or result.status not in _QUIET]
    if not shown:
        return
    terminal.section(f"{name_and_version(report.document)}: requirements", sep="-")
    suite = ""
    idle = [] if verbose else [result for result in shown if not result.planned]
    shown = [result for result in shown if result not in idle]
    for result in shown if verbose else shown[:MOST_LINES]:
        if verbose and result.requirement.suite != suite:
            suite = result.requirement.suite
            terminal.write_line(suite, bold=True)
        _print_requirement(terminal, result)
    if not verbose and len(shown) > MOST_LINES:
        terminal.write_line(f"and {len(shown) - MOST_LINES} more requirements, all in the report")
    for reason in dict.fromkeys(result.reason for result in idle):
        names = ", ".join(result.requirement.id for result in idle if result.reason == reason)
        terminal.write_line(f"  ? not proved, {reason}: {names}")


def _print_requirement(terminal: Terminal, result: RequirementResult) -> None:
    terminal.write(f"  {result.requirement.id:<8}", bold=True)
    terminal.write(f"{SYMBOLS[result.status]} {result.status.value:<15}", **_COLOURS[result.status])
    text = result.reason or result.requirement.statement
    terminal.write_line(f"{result.passed:>4}/{result.planned:<4} {text[:LONGEST]}")


def again_command(failed: Sequence[str], options: Sequence[str]) -> str:
    """The command that runs these failed tests again: their functions, or the folders of these when they are many.

    `options`: the run's own; those of whole runs are left out (OF_WHOLE_RUNS).
    """
    functions = list(dict.fromkeys(nodeid.partition("[")[0] for nodeid in failed))
    folders = list(dict.fromkeys(nodeid.partition("::")[0].rpartition("/")[0] for nodeid in functions))
    chosen = functions if len(functions) <= MOST_AGAIN else folders
    return shlex.join(["./run", *chosen, *_of_any_run(options)])


def _of_any_run(options: Sequence[str]) -> list[str]:
    """The options without those of whole runs and their values."""
    kept: list[str] = []
    words = iter(options)
    for word in words:
        name, _, value = word.partition("=")
        if name not in OF_WHOLE_RUNS:
            kept.append(word)
        elif OF_WHOLE_RUNS[name] and not value:
            next(words, None)
    return kept


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
