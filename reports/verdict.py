"""From the results of tests to the status of requirements to one verdict: pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from .known_issues import KnownIssue, match_failures
from .model import Requirement, RequirementResult, Status, TestResult, Verdict
from .plan import Plan
from .requirements import CATALOGUE, Facts, unmet

EXIT_OK, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_UNUSABLE, EXIT_USAGE, EXIT_NOTHING, EXIT_GATE = range(7)
"""DESIGN §8. When the instrument failed and no requirement did, the code is EXIT_UNUSABLE.

The first six have the same numbers and meanings as pytest's own ExitCode (its INTERNAL_ERROR is EXIT_UNUSABLE).
"""
_TROUBLE = ("failed", "error", "not-proved")
"""Outcomes of a test that need an explanation."""


@dataclass(frozen=True)
class Scope:
    """Which requirements a run judges."""

    suites: frozenset[str]
    """Folders of suites/ that were run; their requirements are judged."""
    gate: bool = False
    """Judge every requirement, and insist on every `must` that applies."""
    disruptive: bool = True
    """Whether proofs that disturb the cluster were allowed."""


@dataclass(frozen=True)
class Ended:
    """How a run of pytest ended."""

    exit_code: int
    """pytest's own (pytest.ExitCode)."""
    results: Sequence[TestResult]
    plan: Plan
    uncollected: Sequence[str] = ()
    """Files that could not be collected."""


def decide(
    requirements: Mapping[str, Requirement],
    ended: Ended,
    facts: Facts | None,
    known: Sequence[KnownIssue],
    *,
    gate: bool,
    disruptive: bool,
) -> tuple[Verdict, list[str]]:
    """(the verdict of a run, notes that explain it).

    `requirements` is {id: Requirement}; `facts` is None when no cluster came up. Trouble that no test reported (a file
    that was not collected, a known issue that is over, an unknown requirement) makes the verdict `error`, unless a
    requirement failed. A run that ended before its first test judges no requirement.
    """
    results, counts = ended.results, ended.plan.counts(disruptive=disruptive)
    accepted, unused = match_failures(known, results)
    scope = Scope(ended.plan.suites(), gate, disruptive)
    verdict = judge(requirements, results, counts, facts, scope, accepted)
    if verdict.exit_code == EXIT_GATE and not gate and ended.plan.deselected:
        # Whoever chose some of a requirement's tests (-k) asked about these. The verdict is of the whole requirement.
        chosen = replace(ended.plan, deselected={}).counts(disruptive=disruptive)
        verdict = replace(verdict, exit_code=judge(requirements, results, chosen, facts, scope, accepted).exit_code)
    problems = [f"known issues: {sentence}" for sentence in unused]
    problems += [f"{file} could not be collected" for file in ended.uncollected]
    if unknown := sorted(set(counts) - set(requirements)):
        problems.append(f"tests name requirements that {CATALOGUE} lacks: {', '.join(unknown)}")
    explained = problems or any(result.outcome in _TROUBLE for result in results)
    if ended.exit_code == EXIT_FAILED and not explained:
        problems.append("pytest counts a failure that no test reported")
    if problems and verdict.exit_code != EXIT_FAILED:
        verdict = replace(verdict, verdict="error", exit_code=EXIT_UNUSABLE)
    if ended.exit_code in (EXIT_INTERRUPTED, EXIT_UNUSABLE, EXIT_USAGE):
        word = verdict.verdict if verdict.verdict == "not-conformant" else "error"
        judged = verdict.requirements if results else ()
        verdict = replace(verdict, verdict=word, exit_code=ended.exit_code, requirements=judged)
    elif not results and not problems:
        verdict = replace(verdict, verdict="not-proved", exit_code=EXIT_NOTHING)
    return verdict, problems + _notes_on_strays(verdict, results)


def _notes_on_strays(verdict: Verdict, results: Sequence[TestResult]) -> list[str]:
    """A note for each test that ended badly and belongs to no requirement of the verdict."""
    judged = {result.requirement.id for result in verdict.requirements}
    return [
        f"{result.nodeid} proves no requirement that is judged here; {result.outcome}: {result.reason}"
        for result in results
        if result.outcome in _TROUBLE and not judged.intersection(result.requirements)
    ]


def judge(
    catalogue: Mapping[str, Requirement],
    results: Sequence[TestResult],
    planned: Mapping[str, int],
    facts: Facts | None,
    scope: Scope,
    known: Mapping[str, Collection[str]] | None = None,
) -> Verdict:
    """The verdict of a run.

    `catalogue` is {id: Requirement}, `planned` {requirement id: tests collected}, `known` {requirement id: ids of
    tests whose failure is an accepted known issue}. A requirement does not pass when no test was planned for it, or
    when a planned test did not run or was skipped. Without `facts` (None) nothing is said not to apply.
    """
    known = known or {}
    judged = tuple(
        _result(requirement, results, planned.get(requirement.id, 0), facts, scope, known.get(requirement.id, ()))
        for requirement in catalogue.values()
        if scope.gate or requirement.suite in scope.suites
    )
    probes: Counter[str] = Counter()
    for result in results:
        probes.update(result.probes)
    word, code = _overall(judged, results, scope)
    return Verdict(word, code, judged, dict(probes))


def _overall(judged: Sequence[RequirementResult], results: Sequence[TestResult], scope: Scope) -> tuple[str, int]:
    statuses = {result.status for result in judged}
    known = {result.requirement.id for result in judged}
    stray = {result.outcome for result in results if not known.intersection(result.requirements)}
    if Status.FAIL in statuses or "failed" in stray:
        return "not-conformant", EXIT_FAILED
    if Status.ERROR in statuses or "error" in stray:
        return "error", EXIT_UNUSABLE
    musts = {result.status for result in judged if result.requirement.level == "must"}
    if Status.PASS not in statuses:
        return "not-proved", EXIT_GATE
    if Status.NOT_PROVED in musts:
        return "not-proved", EXIT_GATE if scope.gate else EXIT_OK
    return "conformant", EXIT_OK


def _result(
    requirement: Requirement,
    results: Sequence[TestResult],
    planned: int,
    facts: Facts | None,
    scope: Scope,
    known: Collection[str],
) -> RequirementResult:
    its_results = [result for result in results if requirement.id in result.requirements]
    by_outcome = Counter(result.outcome for result in its_results)
    status, reason = _status(requirement, its_results, planned, facts, scope, known)
    return RequirementResult(
        requirement=requirement,
        status=status,
        planned=planned,
        passed=by_outcome["passed"],
        failed=by_outcome["failed"],
        errors=by_outcome["error"],
        reason=reason,
        tests=tuple(sorted(result.nodeid for result in its_results)),
    )


def _status(
    requirement: Requirement,
    its_results: Sequence[TestResult],
    planned: int,
    facts: Facts | None,
    scope: Scope,
    known: Collection[str],
) -> tuple[Status, str]:
    failed = [result for result in its_results if result.outcome == "failed"]
    inapplicable = None if facts is None else unmet(requirement, facts)
    if inapplicable is not None and not any(result.outcome in ("failed", "error") for result in its_results):
        return Status.NOT_APPLICABLE, inapplicable
    for result in failed:
        if result.nodeid not in known:
            return Status.FAIL, result.reason
    for outcome, status in (("error", Status.ERROR), ("not-proved", Status.NOT_PROVED)):
        for result in its_results:
            if result.outcome == outcome:
                return status, result.reason
    if planned == 0 and not its_results:
        return Status.NOT_PROVED, _why_none(requirement, scope)
    passed = [result for result in its_results if result.outcome == "passed"]
    skipped = [result for result in its_results if result.outcome == "skipped"]
    if skipped:  # by the inventory's declaration it applies, so the skip has another reason
        return Status.NOT_PROVED, f"skipped, although it applies: {skipped[0].reason}"
    if not passed and not failed:
        return Status.NOT_PROVED, "collected, but never run"
    missing = planned - len(passed) - len(failed)
    if missing > 0:
        return Status.NOT_PROVED, f"{missing} of {planned} tests were not run"
    if failed:
        return Status.KNOWN_ISSUE, failed[0].reason
    return Status.PASS, ""


def _why_none(requirement: Requirement, scope: Scope) -> str:
    if requirement.disruptive and not scope.disruptive:
        return "its proof disturbs the cluster; run with --disruptive"
    if requirement.suite not in scope.suites:
        return f"suites/{requirement.suite} was not run"
    return "no test was collected for it"
