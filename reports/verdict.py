"""From tests' results to requirements' status to one verdict: pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from .model import Requirement, RequirementResult, Status, TestResult, Verdict
from .requirements import Facts, unmet

EXIT_OK, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_UNUSABLE, EXIT_USAGE, EXIT_NOTHING, EXIT_GATE = range(7)
"""DESIGN §8. `error` without a failure is the instrument's trouble: 3."""


@dataclass(frozen=True)
class Scope:
    """What a run set out to judge."""

    suites: frozenset[str]
    """Folders that were run; their requirements are judged."""
    gate: bool = False
    """Judge the whole catalogue, and insist on every applicable `must`."""
    disruptive: bool = True


def judge(
    catalogue: Mapping[str, Requirement],
    results: Sequence[TestResult],
    planned: Mapping[str, int],
    facts: Facts,
    scope: Scope,
    known: Mapping[str, Collection[str]] | None = None,
) -> Verdict:
    """The verdict of a run.

    `planned` is {requirement id: tests collected}, `known` {requirement id: test ids whose
    failure is an accepted known issue}. Nothing planned and something missing are never a pass.
    """
    judged = tuple(
        _requirement(entry, results, planned.get(entry.id, 0), facts, scope, (known or {}).get(entry.id, ()))
        for entry in catalogue.values()
        if scope.gate or entry.suite in scope.suites
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
    unproved = [one for one in judged if one.requirement.level == "must" and one.status is Status.NOT_PROVED]
    if unproved or not any(one.status is Status.PASS for one in judged):
        return "not-proved", EXIT_GATE if scope.gate else EXIT_OK
    return "conformant", EXIT_OK


def _requirement(
    entry: Requirement,
    results: Sequence[TestResult],
    planned: int,
    facts: Facts,
    scope: Scope,
    known: Collection[str],
) -> RequirementResult:
    mine = [result for result in results if entry.id in result.requirements]
    by_outcome = Counter(result.outcome for result in mine)
    status, reason = _status(entry, mine, planned, facts, scope, known)
    return RequirementResult(
        requirement=entry,
        status=status,
        planned=planned,
        passed=by_outcome["passed"],
        failed=by_outcome["failed"],
        errors=by_outcome["error"],
        reason=reason,
        tests=tuple(sorted(result.nodeid for result in mine)),
    )


def _status(
    entry: Requirement,
    mine: Sequence[TestResult],
    planned: int,
    facts: Facts,
    scope: Scope,
    known: Collection[str],
) -> tuple[Status, str]:
    failed = [result for result in mine if result.outcome == "failed"]
    inapplicable = unmet(entry, facts)
    if inapplicable is not None and not failed:
        return Status.NOT_APPLICABLE, inapplicable
    for result in failed:
        if result.nodeid not in known:
            return Status.FAIL, result.reason
    for outcome, status in (("error", Status.ERROR), ("not-proved", Status.NOT_PROVED)):
        for result in mine:
            if result.outcome == outcome:
                return status, result.reason
    if planned == 0 and not mine:
        return Status.NOT_PROVED, _why_none(entry, scope)
    passed = [result for result in mine if result.outcome == "passed"]
    skipped = [result for result in mine if result.outcome == "skipped"]
    if not passed and not failed:
        return Status.NOT_PROVED, skipped[0].reason if skipped else "collected, but never run"
    missing = planned - len(passed) - len(failed) - len(skipped)
    if missing > 0:
        return Status.NOT_PROVED, f"{missing} of {planned} tests were not run"
    if failed:
        return Status.KNOWN_ISSUE, failed[0].reason
    return Status.PASS, ""


def _why_none(entry: Requirement, scope: Scope) -> str:
    if entry.disruptive and not scope.disruptive:
        return "its proof disturbs the cluster; run with --disruptive"
    if entry.suite not in scope.suites:
        return f"suites/{entry.suite} was not run"
    return "no test was collected for it"
