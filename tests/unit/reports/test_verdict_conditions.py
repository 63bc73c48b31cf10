"""Each condition of the verdict by itself: a case that ends differently when the condition is turned round."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest

from reports.model import Requirement, Status, TestResult, Verdict
from reports.verdict import EXIT_FAILED, EXIT_GATE, EXIT_OK, EXIT_UNUSABLE, Scope, judge

MUST = Requirement("ONE-1", "The first promise is kept.", "must", "x", "one")
SECOND_MUST = Requirement("ONE-2", "The second promise is kept.", "must", "x", "one")
SHOULD = Requirement("ONE-3", "The third promise is kept.", "should", "x", "one")
DISTURBING = Requirement("TWO-1", "The fourth promise is kept.", "must", "x", "two", disruptive=True)
SCOPE = Scope(frozenset({"one"}))


def result(number: int, outcome: str, *requirements: str) -> TestResult:
    return TestResult(f"test_{number}", requirements, outcome, reason=f"test_{number} {outcome}")


def verdict(
    *results: TestResult,
    catalogue: Collection[Requirement] = (MUST,),
    planned: Mapping[str, int] | None = None,
    scope: Scope = SCOPE,
    known: Mapping[str, Collection[str]] | None = None,
) -> Verdict:
    if planned is None:
        planned = {entry.id: sum(entry.id in result.requirements for result in results) for entry in catalogue}
    return judge({entry.id: entry for entry in catalogue}, results, planned, {}, scope, known)


def test_probes_of_all_tests_are_added() -> None:
    tests = [
        TestResult("test_1", (MUST.id,), "passed", probes={"answered": 3}),
        TestResult("test_2", (), "failed", probes={"answered": 1, "lost": 2}),
    ]
    assert verdict(*tests).probes == {"answered": 4, "lost": 2}


def ends(made: Verdict) -> tuple[str, int]:
    return made.verdict, made.exit_code


@pytest.mark.parametrize(("gate", "code"), [(False, EXIT_OK), (True, EXIT_GATE)])
def test_a_run_is_no_gate_unless_that_was_asked_for(gate: bool, code: int) -> None:
    made = verdict(
        result(1, "passed", "ONE-1"), catalogue=(MUST, SECOND_MUST), scope=Scope(frozenset({"one"}), gate=gate)
    )
    assert ends(made) == ("not-proved", code)


@pytest.mark.parametrize("outcome", ["not-proved", "skipped", None])
@pytest.mark.parametrize("gate", [False, True])
def test_a_run_in_which_no_requirement_passed_does_not_end_with_0(outcome: str | None, gate: bool) -> None:
    results = [result(1, outcome, "ONE-1")] if outcome else []
    assert ends(verdict(*results, scope=Scope(frozenset({"one"}), gate=gate))) == ("not-proved", EXIT_GATE)
    known = verdict(result(1, "failed", "ONE-1"), known={"ONE-1": ["test_1"]}, scope=Scope(frozenset({"one"}), gate))
    assert ends(known) == ("not-proved", EXIT_GATE)


def test_one_pass_of_two_is_enough_and_none_is_not() -> None:
    both = (MUST, SHOULD)
    assert ends(verdict(result(1, "passed", "ONE-1"), catalogue=both)) == ("conformant", EXIT_OK)
    assert ends(verdict(catalogue=(SHOULD,))) == ("not-proved", EXIT_GATE)


@pytest.mark.parametrize(
    ("unproved", "expected"), [(SECOND_MUST, ("not-proved", EXIT_OK)), (SHOULD, ("conformant", EXIT_OK))]
)
def test_an_unproved_requirement_counts_if_it_is_a_must(unproved: Requirement, expected: tuple[str, int]) -> None:
    passed, missing = result(1, "passed", "ONE-1"), result(2, "not-proved", unproved.id)
    assert ends(verdict(passed, missing, catalogue=(MUST, unproved))) == expected


@pytest.mark.parametrize("requirements", [("ONE-2",), ("ELSE-1",), ()])
@pytest.mark.parametrize(
    ("outcome", "expected"),
    [("error", ("error", EXIT_UNUSABLE)), ("failed", ("not-conformant", EXIT_FAILED))],
)
def test_an_error_or_failure_counts_whether_or_not_its_requirement_is_judged(
    requirements: tuple[str, ...], outcome: str, expected: tuple[str, int]
) -> None:
    passed, bad = result(1, "passed", "ONE-1"), result(2, outcome, *requirements)
    assert ends(verdict(passed, bad, catalogue=(MUST, SECOND_MUST))) == expected


def test_an_accepted_failure_is_a_known_issue_with_its_first_reason() -> None:
    failed = [result(number, "failed", "ONE-1") for number in (1, 2, 3)]
    (judged,) = verdict(*failed, known={"ONE-1": ["test_1", "test_2", "test_3"]}).requirements
    assert (judged.status, judged.reason) == (Status.KNOWN_ISSUE, "test_1 failed")
    (judged,) = verdict(*failed, known={"ONE-1": ["test_1", "test_2"]}).requirements
    assert (judged.status, judged.reason) == (Status.FAIL, "test_3 failed")


def test_what_ran_without_having_been_planned_is_judged_by_how_it_ended() -> None:
    (judged,) = verdict(result(1, "passed", "ONE-1"), planned={}).requirements
    assert judged.status is Status.PASS


@pytest.mark.parametrize(
    ("outcomes", "planned", "reason"),
    [
        (["passed"], 2, "1 of 2 tests were not run"),
        (["failed"], 2, "1 of 2 tests were not run"),
        (["passed", "failed"], 4, "2 of 4 tests were not run"),
        (["passed", "skipped"], 2, "skipped, although it applies: test_1 skipped"),
        (["failed", "skipped"], 2, "skipped, although it applies: test_1 skipped"),
    ],
)
def test_a_planned_test_that_is_missing_proves_nothing(outcomes: list[str], planned: int, reason: str) -> None:
    results = [result(number, outcome, "ONE-1") for number, outcome in enumerate(outcomes)]
    known = {"ONE-1": [result.nodeid for result in results]}
    (judged,) = verdict(*results, planned={"ONE-1": planned}, known=known).requirements
    assert (judged.status, judged.reason) == (Status.NOT_PROVED, reason)


@pytest.mark.parametrize(
    ("entry", "disruptive", "reason"),
    [
        (DISTURBING, False, "its proof disturbs the cluster; run with --disruptive"),
        (DISTURBING, True, "suites/two was not run"),
        (MUST, False, "no test was collected for it"),
        (MUST, True, "no test was collected for it"),
    ],
)
def test_why_no_test_proved_a_requirement(entry: Requirement, disruptive: bool, reason: str) -> None:
    scope = Scope(frozenset({"one"}), gate=True, disruptive=disruptive)
    (judged,) = verdict(catalogue=(entry,), scope=scope).requirements
    assert (judged.status, judged.reason) == (Status.NOT_PROVED, reason)


def test_a_run_disturbs_unless_it_was_told_not_to() -> None:
    assert SCOPE.disruptive
