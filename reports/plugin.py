"""The pytest plugin that leads from a run to its verdict and its report.

The one module of `reports` that knows pytest: it classifies how tests end, carries that over from xdist's workers,
and has the verdict decided (reports/verdict.py), written (reports/writers/) and printed (reports/terminal.py).
"""

from __future__ import annotations

import contextlib
import inspect
import os
import shutil
import time
import traceback
from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from . import described
from .causes import Explanation
from .choices import Choices, choose
from .compare import compare, summarized
from .document import document
from .earlier import Earlier
from .edges import EDGES, Findings, fold
from .explaining import explain
from .gate import without_run
from .model import NotProved, Requirement, Verdict, Violated
from .plan import Plan, read_plan
from .released import differences, digest
from .report import Report
from .requirements import CATALOGUE, in_suites, load
from .results import PHASE, PhaseCollector
from .scrub import scrub
from .terminal import print_report, print_verdict
from .verdict import EXIT_OK, EXIT_UNUSABLE, Ended, decide
from .writers import Writers
from .written import uncollected

LONGEST_REASON = 480
"""Characters of an exception's first line that are kept as the reason of an outcome."""

MOST_LINES = 24
"""Lines of an exception that are kept for the causes."""


@dataclass
class RunReport:
    """What is known of a run while it goes on, in the process that reports.

    Once they are known, others fill in `flatnet` (fixtures/session/version.py), and `cluster`, `facts`, `seed`,
    `subnets` and `disruptive` (fixtures/cluster/nodes.py).
    """

    out: Path
    folder: Path
    requirements: dict[str, Requirement]
    choices: Choices
    catalogue: Mapping[str, Any]
    """Digest of the catalogue, and whether it is the released one, as verdict.json has them."""
    baseline: Earlier | None = None
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    began: float = field(default_factory=time.monotonic)
    flatnet: dict[str, str | None] = field(default_factory=lambda: {"version": "unknown", "revision": None})
    """The version and git revision of Flatnet, as verdict.json shows them."""
    cluster: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None
    disruptive: bool = True
    subnets: dict[str, str] = field(default_factory=dict)
    facts: dict[str, bool | int | str] | None = None
    """Facts of the inventory; None until a cluster is up."""
    phases: PhaseCollector = field(default_factory=PhaseCollector)
    uncollected: list[str] = field(default_factory=list)
    """Files that could not be collected."""
    finished: Report | None = None
    """The finished run; None before its end, and when it came to no verdict."""


REPORT = pytest.StashKey[RunReport]()
_REQUIREMENTS = pytest.StashKey[dict[str, Requirement]]()
ELSEWHERE = pytest.StashKey[Collection[str]]()
"""Ids of tests that are a part of their requirements on other clusters only; who finds them deselects them as well."""
_DESELECTED = pytest.StashKey[list[pytest.Item]]()


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is an xdist worker."""
    return hasattr(config, "workerinput")


def runs_suites(config: pytest.Config) -> bool:
    """Whether the arguments of the run lie in suites/. Only such a run comes to a verdict."""
    places = [config.invocation_params.dir / str(argument).split("::")[0] for argument in config.args]
    return any(in_suites(config.rootpath, place.resolve()) for place in places)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Refuse a gate that would run no test, and so end with 0. Raises UsageError, one line."""
    refused = without_run(config.option) if config.getoption("gate", False) else None
    if refused is not None:
        raise pytest.UsageError(refused)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Choose the run's folder before Allure and JUnit read their options. Raises UsageError, one line."""
    option = config.option
    if is_worker(config):
        # xdist gives its workers the command line, not what was chosen here.
        option.allure_report_dir = config.workerinput.get("flatnet_allure_results")  # type: ignore[attr-defined]
        return
    if option.collectonly or not runs_suites(config):
        return
    for name, plugin in (("allure_report_dir", "allure_pytest"), ("xmlpath", "junitxml")):
        if not hasattr(option, name):
            raise pytest.UsageError(f"-p no:{plugin}: the report needs this plugin of pytest's; load it again")
    try:
        requirements = _requirements(config)
        choices = choose(option, [str(argument) for argument in config.args], config.rootpath, requirements)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    out = (config.getoption("out", None) or config.rootpath / "reports" / "out").absolute()
    folder = out / f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}-{os.getpid()}"
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise pytest.UsageError(f"--out {out}: {error.strerror}; choose a folder that you may write to") from None
    if option.allure_report_dir is None:
        option.allure_report_dir = str(folder / "allure-results")
    if option.xmlpath is None:
        option.xmlpath = str(folder / "junit.xml")
    released = differences(config.rootpath, requirements) is None
    catalogue = {"sha256": digest(requirements), "released": released}
    config.stash[REPORT] = RunReport(out, folder, requirements, choices, catalogue, disruptive=choices.disruptive)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of xdist where the run's folder and Allure's results are."""
    run = node.config.stash.get(REPORT, None)
    node.workerinput["flatnet_allure_results"] = node.config.getoption("allure_report_dir", None)
    if run is not None:
        node.workerinput["flatnet_folder"] = str(run.folder)


def _requirements(config: pytest.Config) -> dict[str, Requirement]:
    """{id: Requirement}, read once in each process: workers of xdist have no RunReport."""
    if _REQUIREMENTS not in config.stash:
        config.stash[_REQUIREMENTS] = load(config.rootpath / CATALOGUE)
    return config.stash[_REQUIREMENTS]


def _ids(item: pytest.Item) -> list[str]:
    """Ids of the requirements that a test proves."""
    return [str(requirement) for marker in item.iter_markers("requirement") for requirement in marker.args]


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Keep what is left out: it is planned, and will not be proved."""
    for item in items:
        item.config.stash.setdefault(_DESELECTED, []).append(item)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Write down what is planned, before any test can end the process."""
    config = session.config
    if is_worker(config):
        folder = config.workerinput.get("flatnet_folder")  # type: ignore[attr-defined]
    else:
        folder = config.stash[REPORT].folder if REPORT in config.stash else None
    left_out = config.stash.get(_DESELECTED, [])
    if folder is None or not (session.items or left_out):
        return
    selected = {item.nodeid: _ids(item) for item in session.items}
    deselected = {item.nodeid: _ids(item) for item in left_out}
    if config.getoption("gate", False):
        plan = Plan(selected, deselected)
        deselected |= uncollected(config.rootpath, plan.suites(), [*selected, *deselected])
    disturbing = [item.nodeid for item in left_out if item.get_closest_marker("disruptive") is not None]
    Plan(selected, deselected, disturbing, config.stash.get(ELSEWHERE, ())).write(Path(folder))


class InternalAssertion(Exception):
    """An assertion of Flatnet's own code did not hold, so the instrument is broken; the network is not accused."""


def classify(error: BaseException) -> str:
    """`failed` (a requirement is violated), `not-proved`, or `error` (the instrument failed)."""
    if isinstance(error, NotProved):
        return "not-proved"
    if isinstance(error, AssertionError | pytest.fail.Exception):
        return "failed"
    return "error"


def _as_internal(error: BaseException, root: Path) -> InternalAssertion | None:
    """The error that a failed assertion is when no suite raised it; None when a suite did, or a claim of its own."""
    if isinstance(error, Violated):
        return None
    places = [(Path(frame.f_code.co_filename), line) for frame, line in traceback.walk_tb(error.__traceback__)]
    place, line = [found for found in places if "_pytest" not in found[0].parts][-1]  # where pytest.fail was called
    if in_suites(root, place):
        return None
    where = place.relative_to(root) if place.is_relative_to(root) else place
    text = (str(error).strip() or "it has no message").splitlines()[0]
    return InternalAssertion(f"{where}:{line}: an assertion of the instrument failed, so nothing is proved: {text}")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Turn an assertion that failed outside suites into an error before anybody classifies it (Allure: broken)."""
    try:
        return (yield)
    except (AssertionError, pytest.fail.Exception) as error:
        internal = _as_internal(error, item.config.rootpath) if in_suites(item.config.rootpath, item.path) else None
        if internal is None:
            raise
        raise internal from error


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Record how the phase ended: outcome, reason and requirements."""
    report = yield
    outcome, reason = str(report.outcome), ""
    lines: list[str] = []
    if report.outcome == "failed" and call.excinfo is None:
        reason = str(report.longrepr)  # it was expected to fail, and passed
    elif call.excinfo is not None and report.outcome != "passed":
        if hasattr(report, "wasxfail"):
            outcome = "not-proved"
            reason = "expected to fail, so its failure says nothing; --known-issues is the place for what is accepted"
        elif report.outcome == "skipped":
            reason = str(call.excinfo.value)
        else:
            outcome = classify(call.excinfo.value)
            if outcome == "failed" and call.when != "call":
                outcome = "error"
            text = str(call.excinfo.value).strip() or call.excinfo.typename
            lines = [line[:LONGEST_REASON] for line in text.splitlines() if line.strip()][:MOST_LINES]
            reason = lines[0]
    phase = {"when": report.when, "outcome": outcome, "reason": reason, "lines": lines, "requirements": _ids(item)}
    report.user_properties.append((PHASE, phase))
    return report


def pytest_report_teststatus(report: pytest.TestReport | pytest.CollectReport) -> tuple[str, str, Any] | None:
    """Give outcomes that pytest does not have a letter of their own."""
    for name, value in getattr(report, "user_properties", ()):
        if name == PHASE and value["when"] == getattr(report, "when", None):
            if value["outcome"] == "not-proved":
                return "not-proved", "N", ("NOT PROVED", {"yellow": True})
            if value["outcome"] == "error":
                return "error", "E", ("ERROR", {"red": True})
    return None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Give the test its name and place in Allure's report, once Allure's own hook has given it those of the code."""
    try:
        return (yield)
    finally:
        if (ids := _ids(item)) and item.config.option.allure_report_dir:
            known = _requirements(item.config)
            described.tell(
                described.Test(
                    nodeid=item.nodeid,
                    promise=Path(str(item.path)).parent.name,
                    docstring=inspect.getdoc(getattr(item, "function", None)) or item.name,
                    parameters=item.callspec.params if hasattr(item, "callspec") else {},
                    requirements=[known[name] for name in ids if name in known],
                    folder=Path(item.config.option.allure_report_dir).parent,
                )
            )


class _Recorder:
    """Hooks of the process that reports (under xdist, the controller)."""

    def __init__(self, config: pytest.Config, run: RunReport) -> None:
        self._config = config
        self._run = run

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._run.phases.add(report.nodeid, str(report.when), report.outcome, report.duration, report.user_properties)
        # Whoever writes properties down after us (JUnit's file) is spared thousands of edges.
        report.user_properties[:] = [(name, value) for name, value in report.user_properties if name != EDGES]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._run.uncollected.append(report.nodeid)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Generator[None, object, object]:
        verdict, notes = _decide(self._run, int(exitstatus))
        session.exitstatus = verdict.exit_code
        run, findings = self._run, self._run.phases.findings({}, self._run.subnets)
        explanation, unexplained = explain(findings, list(run.cluster.get("nodes", ())), run.choices.known)
        notes += unexplained
        finished = _report(run, verdict, explanation, findings, Path(self._config.option.allure_report_dir))
        options = [scrub(str(argument)) for argument in self._config.invocation_params.args]
        self._run.finished = replace(finished, options=options)
        writers = Writers(self._run.finished)
        result = yield
        notes += writers.finish()
        if self._run.choices.history is not None:
            notes += self._run.choices.history.keep_run(self._run.folder)
        if verdict.exit_code == EXIT_OK and not (self._run.folder / "verdict.json").is_file():
            verdict = replace(verdict, verdict="error", exit_code=EXIT_UNUSABLE)  # what a gate reads is missing
            session.exitstatus = verdict.exit_code
        terminal = self._config.pluginmanager.getplugin("terminalreporter")
        if terminal is not None:
            print_verdict(terminal, verdict, notes, self._run.folder / "index.html", Path.cwd())
        return result

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._run.finished is not None and self._run.finished.results:
            verbose = self._config.get_verbosity() > 0
            print_report(terminalreporter, self._run.finished, self._config.args, verbose=verbose)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Begin to record, in the process that reports."""
    run = session.config.stash.get(REPORT, None)
    if run is not None:
        _link_latest(run)
        session.config.pluginmanager.register(_Recorder(session.config, run), "flatnet-recorder")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the folder of a run that came to no verdict."""
    run = config.stash.get(REPORT, None)
    if run is not None and run.finished is None:
        shutil.rmtree(run.folder, ignore_errors=True)
        if (latest := run.out / "latest").is_symlink() and not latest.exists():
            latest.unlink()
        with contextlib.suppress(OSError):
            run.out.rmdir()


def _decide(run: RunReport, exit_code: int) -> tuple[Verdict, list[str]]:
    """(the verdict, notes that explain it), from pytest's exit code and what was recorded."""
    plan = read_plan(run.folder)
    ended = Ended(exit_code, run.phases.results(plan.selected), plan, run.uncollected)
    gate, known = run.choices.gate, run.choices.known
    return decide(run.requirements, ended, run.facts, known, gate=gate, disruptive=run.disruptive)


def _report(
    run: RunReport, verdict: Verdict, explanation: Explanation, findings: Findings, allure_results: Path
) -> Report:
    run.folder.mkdir(parents=True, exist_ok=True)
    data = document(
        verdict,
        flatnet=run.flatnet,
        cluster=run.cluster,
        started=run.started.isoformat(),
        duration_s=time.monotonic() - run.began,
        seed=run.seed,
        gate=run.choices.gate,
        catalogue=run.catalogue,
        explanation=explanation,
    )
    comparison = None
    if run.baseline is not None and run.cluster:
        comparison = compare(data, fold(findings.tests), run.baseline, run.requirements)
        data["baseline"] = summarized(comparison)
    return Report(
        folder=run.folder,
        allure_results=allure_results,
        document=data,
        verdict=verdict,
        requirements=run.requirements,
        results=run.phases.results({}),
        matrices=tuple(run.phases.matrices),
        findings=findings,
        explanation=explanation,
        comparison=comparison,
        trend=run.choices.history.told(data) if run.choices.history is not None else (),
        allure_history=run.choices.history.allure if run.choices.history is not None else None,
    )


def _link_latest(run: RunReport) -> None:
    """Make `latest` beside the run's folder lead to it."""
    draft = run.out / f".latest.{os.getpid()}"
    draft.unlink(missing_ok=True)
    draft.symlink_to(run.folder.name)
    draft.rename(run.out / "latest")
