"""The pytest plugin that turns a run into a verdict.

The one module of `reports` that knows pytest. It classifies how tests end, carries that
across xdist, and at the end writes the run's folder and says the verdict.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import allure
import pytest

from . import known_issues
from .model import NotProved, Requirement, Status, Verdict
from .requirements import CATALOGUE, CatalogueError, in_suites, load
from .results import KEY, Ledger
from .verdict import EXIT_FAILED, EXIT_NOTHING, EXIT_OK, EXIT_UNUSABLE, Scope, judge
from .writers import documents as writers
from .writers.matrix import draw
from .writers.page import Page, plain

SLOWEST = 10
_KEPT_CODES = (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR)
_NOT_GOOD = ("failed", "error", "not-proved")


@dataclass
class RunInfo:
    """One run's report; `cluster` and `facts` are filled by the life cycle once the cluster is known."""

    out: Path
    folder: Path
    catalogue: dict[str, Requirement]
    gate: bool
    disruptive: bool
    known: tuple[known_issues.KnownIssue, ...]
    baseline: Mapping[str, Any] | None
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    began: float = field(default_factory=time.monotonic)
    cluster: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, bool | int | str] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    verdict: Verdict | None = None
    document: dict[str, Any] = field(default_factory=dict)
    worse: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    uncollected: list[str] = field(default_factory=list)
    """Files that could not be collected."""


RUN = pytest.StashKey[RunInfo]()
_CATALOGUE = pytest.StashKey[dict[str, Requirement]]()
_DESELECTED = pytest.StashKey[list[pytest.Item]]()


@dataclass(frozen=True)
class _Plan:
    """What was collected: {test id: requirements}. Tests left out by -k and the like are planned, and not run."""

    selected: Mapping[str, list[str]]
    deselected: Mapping[str, list[str]]
    disturbing: Collection[str]
    """Those of the deselected that disturb the cluster."""

    def counts(self, *, disruptive: bool) -> Counter[str]:
        """{requirement: tests planned}; without `disruptive`, those that disturb are not planned at all."""
        left_out = [names for test, names in self.deselected.items() if disruptive or test not in self.disturbing]
        return Counter(name for names in (*self.selected.values(), *left_out) for name in names)


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def runs_suites(config: pytest.Config) -> bool:
    """Whether the run's arguments lie in suites/ (Flatnet's own tests give no verdict)."""
    places = [config.invocation_params.dir / str(argument).split("::")[0] for argument in config.args]
    return any(in_suites(config.rootpath, place.resolve()) for place in places)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Decide where the report goes before Allure and JUnit look at their options."""
    if _is_worker(config) or config.option.collectonly or not runs_suites(config):
        return
    option = config.option
    chosen = {name: config.getoption(name, None) for name in ("out", "gate", "disruptive", "known_issues", "baseline")}
    out = (chosen["out"] or config.rootpath / "reports" / "out").absolute()
    folder = out / f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}-{os.getpid()}"
    if chosen["gate"] and any("::" in str(argument) for argument in config.args):
        raise pytest.UsageError("--gate judges the whole catalogue: give it folders, not single tests")
    try:
        known = known_issues.load(chosen["known_issues"], date.today()) if chosen["known_issues"] else ()
        baseline = json.loads(chosen["baseline"].read_text()) if chosen["baseline"] else None
        catalogue = _catalogue(config)
    except (CatalogueError, known_issues.KnownIssuesError) as error:
        raise pytest.UsageError(str(error)) from None
    except (OSError, ValueError) as error:
        raise pytest.UsageError(f"--baseline {chosen['baseline']}: {error}") from None
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise pytest.UsageError(f"--out {out}: {error.strerror}; choose a folder that you may write to") from None
    if option.allure_report_dir is None:
        option.allure_report_dir = str(folder / "allure-results")
    if option.xmlpath is None:
        option.xmlpath = str(folder / "junit.xml")
    config.stash[RUN] = RunInfo(
        out, folder, catalogue, bool(chosen["gate"]), chosen["disruptive"] is not False, known, baseline
    )


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker where the run's folder is."""
    info = node.config.stash.get(RUN, None)
    if info is not None:
        node.workerinput["flatnet_folder"] = str(info.folder)


def _catalogue(config: pytest.Config) -> dict[str, Requirement]:
    """The catalogue, read once a process: xdist's workers have no run of their own."""
    if _CATALOGUE not in config.stash:
        config.stash[_CATALOGUE] = load(config.rootpath / CATALOGUE)
    return config.stash[_CATALOGUE]


def _requirements(item: pytest.Item) -> list[str]:
    return [str(name) for marker in item.iter_markers("requirement") for name in marker.args]


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Remember what was left out: it was not proved."""
    for item in items:
        item.config.stash.setdefault(_DESELECTED, []).append(item)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Write down what is planned, before anything can crash."""
    config = session.config
    if _is_worker(config):
        folder = config.workerinput.get("flatnet_folder")  # type: ignore[attr-defined]
    else:
        folder = config.stash[RUN].folder if RUN in config.stash else None
    left_out = config.stash.get(_DESELECTED, [])
    if folder is None or not (session.items or left_out):
        return
    planned = {
        "selected": {item.nodeid: _requirements(item) for item in session.items},
        "deselected": {item.nodeid: _requirements(item) for item in left_out},
        "disturbing": [item.nodeid for item in left_out if item.get_closest_marker("disruptive") is not None],
    }
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    draft = place / f"planned.{os.getpid()}"
    draft.write_text(json.dumps(planned))
    draft.rename(place / "planned.json")


def classify(error: BaseException) -> str:
    """failed (a promise is broken), not-proved, or error (the instrument)."""
    if isinstance(error, NotProved):
        return "not-proved"
    if isinstance(error, AssertionError | pytest.fail.Exception):
        return "failed"
    return "error"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Record how the phase ended, in Flatnet's words."""
    report = yield
    outcome, reason = report.outcome, ""
    if report.outcome == "failed" and call.excinfo is None:
        reason = str(report.longrepr)  # it was expected to fail, and passed
    elif call.excinfo is not None and report.outcome != "passed":
        if hasattr(report, "wasxfail"):
            outcome = "not-proved"  # type: ignore[assignment]
            reason = "expected to fail, so its failure says nothing; --known-issues is the place for what is accepted"
        elif report.outcome == "skipped":
            reason = str(call.excinfo.value)
        else:
            outcome = classify(call.excinfo.value)  # type: ignore[assignment]
            if outcome == "failed" and call.when != "call":
                outcome = "error"  # type: ignore[assignment]
            text = str(call.excinfo.value).strip() or call.excinfo.typename
            reason = next(line for line in text.splitlines() if line.strip())[:300]
    entry = {"when": report.when, "outcome": outcome, "reason": reason, "requirements": _requirements(item)}
    report.user_properties.append((KEY, entry))
    return report


def pytest_report_teststatus(report: pytest.TestReport | pytest.CollectReport) -> tuple[str, str, Any] | None:
    """Letters of their own for what is neither passed nor failed."""
    for name, value in getattr(report, "user_properties", ()):
        if name == KEY and value["when"] == getattr(report, "when", None):
            if value["outcome"] == "not-proved":
                return "not-proved", "N", ("NOT PROVED", {"yellow": True})
            if value["outcome"] == "error":
                return "error", "E", ("ERROR", {"red": True})
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Give the test its place in the report: promise, requirement, text."""
    names = _requirements(item)
    if not names or not item.config.option.allure_report_dir:
        return
    promise = Path(str(item.path)).parent.name
    allure.dynamic.epic(promise)
    catalogue = _catalogue(item.config)
    for name in names:
        allure.dynamic.feature(f"{name} {catalogue[name].statement}" if name in catalogue else name)
        allure.dynamic.story(name)
        allure.dynamic.tag(name)
        allure.dynamic.label("requirement", name)
    function = getattr(item, "function", None)
    allure.dynamic.description(inspect.getdoc(function) or "")


class _Recorder:
    """Hooks of the process that has the last word (the controller under xdist)."""

    def __init__(self, config: pytest.Config, info: RunInfo) -> None:
        self._config = config
        self._info = info

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._info.ledger.add(report.nodeid, str(report.when), report.outcome, report.duration, report.user_properties)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._info.uncollected.append(report.nodeid)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Generator[None, object, object]:
        info = self._info
        _decide(info, session, _planned(info.folder), int(exitstatus))
        page = Page(info.folder, info.document, info.catalogue) if info.ledger.results({}) else None
        result = yield
        problem = page.finish() if page is not None else None
        if page is None:
            (info.folder / "index.html").write_text(plain(info.document, info.catalogue), encoding="utf-8")
        if problem is not None:
            info.notes.append(f"index.html is the plain one: {problem}")
        _link_latest(info)
        terminal = self._config.pluginmanager.getplugin("terminalreporter")
        if terminal is not None:
            _say(terminal, info)
        return result

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._info.verdict is not None and self._info.ledger.results({}):
            _table(terminalreporter, self._info)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Start recording, in the process that reports."""
    info = session.config.stash.get(RUN, None)
    if info is not None:
        session.config.pluginmanager.register(_Recorder(session.config, info), "flatnet-recorder")


def pytest_unconfigure(config: pytest.Config) -> None:
    """A run that came to no verdict leaves no folder."""
    info = config.stash.get(RUN, None)
    if info is not None and not info.document:
        shutil.rmtree(info.folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            info.out.rmdir()


def _planned(folder: Path) -> _Plan:
    place = folder / "planned.json"
    return _Plan(**json.loads(place.read_text())) if place.exists() else _Plan({}, {}, ())


def _decide(info: RunInfo, session: pytest.Session, plan: _Plan, code: int) -> None:
    results = info.ledger.results(plan.selected)
    counts = plan.counts(disruptive=info.disruptive)
    tests = [*plan.selected, *plan.deselected]
    folders = {nodeid.split("/")[1] for nodeid in tests if nodeid.startswith("suites/") and nodeid.count("/") > 1}
    covered, idle = known_issues.cover(info.known, results)
    scope = Scope(frozenset(folders), info.gate, info.disruptive)
    verdict = judge(info.catalogue, results, counts, info.facts, scope, covered)
    problems = [f"known issues: {line}" for line in idle]
    problems += [f"{name} could not be collected" for name in info.uncollected]
    if unknown := sorted(set(counts) - set(info.catalogue)):
        problems.append(f"tests name requirements that suites/catalogue.yaml lacks: {', '.join(unknown)}")
    if code == pytest.ExitCode.TESTS_FAILED and not (problems or any(one.outcome in _NOT_GOOD for one in results)):
        problems.append("pytest counts a failure that no test reported")
    info.notes += problems
    judged = {one.requirement.id for one in verdict.requirements}
    info.notes += [
        f"{one.nodeid} proves no requirement that is judged here; {one.outcome}: {one.reason}"
        for one in results
        if one.outcome in _NOT_GOOD and not judged.intersection(one.requirements)
    ]
    if problems and verdict.exit_code != EXIT_FAILED:
        verdict = replace(verdict, verdict="error", exit_code=EXIT_UNUSABLE)
    if code in _KEPT_CODES:
        word = verdict.verdict if verdict.verdict == "not-conformant" else "error"
        verdict = replace(verdict, verdict=word, exit_code=code)
    elif not results and not problems:
        verdict = replace(verdict, verdict="not-proved", exit_code=EXIT_NOTHING)
    session.exitstatus = verdict.exit_code
    info.verdict = verdict
    info.document = writers.document(verdict, info.cluster, info.started.isoformat(), time.monotonic() - info.began)
    info.worse = writers.regressions(info.document, info.baseline) if info.baseline else []
    info.folder.mkdir(parents=True, exist_ok=True)
    (info.folder / "verdict.json").write_text(json.dumps(info.document, indent=1) + "\n")
    (info.folder / "summary.md").write_text(writers.summary(verdict, info.document, info.worse), encoding="utf-8")
    writers.write_allure_facts(Path(session.config.option.allure_report_dir), info.cluster)
    if info.ledger.matrices:
        nodeid, rows = max(info.ledger.matrices, key=lambda pair: len(pair[1]))
        (info.folder / "matrix.svg").write_text(draw(rows, title=nodeid), encoding="utf-8")


def _link_latest(info: RunInfo) -> None:
    draft = info.out / f".latest.{os.getpid()}"
    draft.unlink(missing_ok=True)
    draft.symlink_to(info.folder.name)
    draft.rename(info.out / "latest")


_COLOURS = {
    Status.PASS: {"green": True},
    Status.FAIL: {"red": True, "bold": True},
    Status.ERROR: {"red": True},
    Status.NOT_PROVED: {"yellow": True},
    Status.KNOWN_ISSUE: {"yellow": True},
    Status.NOT_APPLICABLE: {"light": True},
}


def _table(terminal: Any, info: RunInfo) -> None:
    assert info.verdict is not None
    terminal.section("requirements", sep="-")
    suite = ""
    for one in info.verdict.requirements:
        if one.requirement.suite != suite:
            suite = one.requirement.suite
            terminal.write_line(suite, bold=True)
        terminal.write(f"  {one.requirement.id:<8}", bold=True)
        terminal.write(f"{writers.SYMBOLS[one.status]} {one.status.value:<15}", **_COLOURS[one.status])
        text = one.reason or one.requirement.statement
        terminal.write_line(f"{one.passed:>4}/{one.planned:<4} {text[:68]}")
    results = sorted(info.ledger.results({}), key=lambda result: -result.duration_s)[:SLOWEST]
    terminal.section("slowest tests", sep="-")
    for result in results:
        terminal.write_line(f"  {result.duration_s:6.2f} s  {result.nodeid.removeprefix('suites/')[:88]}")
    for line in info.worse:
        terminal.write_line(f"worse than the baseline: {line}", red=True)


def _say(terminal: Any, info: RunInfo) -> None:
    verdict = info.verdict
    assert verdict is not None
    counts = {status: sum(one.status is status for one in verdict.requirements) for status in Status}
    text = ", ".join(f"{number} {status.value}" for status, number in counts.items() if number)
    for note in info.notes:
        terminal.write_line(f"note: {note}", yellow=True)
    place = info.folder / "index.html"
    shown = os.path.relpath(place, Path.cwd()) if place.is_relative_to(Path.cwd()) else place
    colour = {"green": True} if verdict.verdict == "conformant" else {"red": verdict.exit_code != EXIT_OK}
    terminal.write_line(f"verdict: {verdict.verdict} ({text}) · {shown}", bold=True, **colour)
