"""From the end of a run of pytest to verdict, exit code and notes (reports.verdict.decide)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from reports.known_issues import KnownIssue
from reports.model import Requirement, Status, TestResult
from reports.plan import Plan
from reports.verdict import Ended, decide

REQUIREMENTS = {
    requirement.id: requirement
    for requirement in (
        Requirement("ONE-1", "The first promise is kept.", "must", "x", "one"),
        Requirement("TWO-1", "The second promise is kept.", "must", "x", "two", disruptive=True),
    )
}
INTERRUPTED, INTERNAL_ERROR, USAGE_ERROR = 2, 3, 4
"""Exit codes of pytest."""


def result(outcome: str, *requirements: str, name: str = "test_it") -> TestResult:
    return TestResult(f"suites/one/test_it.py::{name}", requirements, outcome, reason=f"because of {outcome}")


def ended(*results: TestResult, code: int = 0, uncollected: tuple[str, ...] = ()) -> Ended:
    plan = Plan(selected={found.nodeid: found.requirements for found in results})
    return Ended(code, results, plan, uncollected)


def decided(
    end: Ended, *, known: tuple[KnownIssue, ...] = (), gate: bool = False, **facts: Any
) -> tuple[str, int, list[str]]:
    """(verdict, exit code, notes)"""
    verdict, notes = decide(REQUIREMENTS, end, facts, known, gate=gate, disruptive=True)
    return verdict.verdict, verdict.exit_code, notes


PASSED = result("passed", "ONE-1")
FAILED = result("failed", "ONE-1")
ISSUE = KnownIssue(
    requirement="ONE-1", owner="jane", expires=date(2999, 1, 1), link="#1", reason="the router is replaced in May"
)


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (ended(PASSED), ("conformant", 0, [])),
        (ended(FAILED, code=1), ("not-conformant", 1, [])),
        (ended(result("error", "ONE-1"), code=1), ("error", 3, [])),
        (ended(result("not-proved", "ONE-1"), code=1), ("not-proved", 6, [])),
        (ended(result("skipped", "ONE-1")), ("not-proved", 6, [])),
        (ended(), ("not-proved", 5, [])),
        (ended(code=5), ("not-proved", 5, [])),
        (ended(PASSED, code=INTERRUPTED), ("error", 2, [])),
        (ended(PASSED, code=INTERNAL_ERROR), ("error", 3, [])),
        (ended(PASSED, code=USAGE_ERROR), ("error", 4, [])),
        (ended(FAILED, code=INTERRUPTED), ("not-conformant", 2, [])),
        (ended(code=INTERRUPTED), ("error", 2, [])),
        (ended(code=INTERNAL_ERROR), ("error", 3, [])),
        (ended(PASSED, code=1), ("error", 3, ["pytest counts a failure that no test reported"])),
        (ended(PASSED, code=5), ("conformant", 0, [])),
        (
            ended(PASSED, uncollected=("suites/one/test_x.py",)),
            ("error", 3, ["suites/one/test_x.py could not be collected"]),
        ),
        (
            ended(PASSED, code=1, uncollected=("suites/one/test_x.py",)),
            ("error", 3, ["suites/one/test_x.py could not be collected"]),
        ),
        (ended(uncollected=("suites/one/test_x.py",)), ("error", 3, ["suites/one/test_x.py could not be collected"])),
        (
            ended(FAILED, code=1, uncollected=("suites/one/test_x.py",)),
            ("not-conformant", 1, ["suites/one/test_x.py could not be collected"]),
        ),
        (
            ended(PASSED, result("passed", "ONE-9", "ONE-8", name="test_x")),
            ("error", 3, ["tests name requirements that suites/catalogue.yaml lacks: ONE-8, ONE-9"]),
        ),
    ],
)
def test_the_end_of_a_run(end: Ended, expected: tuple[str, int, list[str]]) -> None:
    assert decided(end) == expected


@pytest.mark.parametrize("outcome", ["failed", "error", "not-proved"])
def test_a_test_without_a_requirement_of_the_verdict_is_named_when_it_ends_badly(outcome: str) -> None:
    *_, notes = decided(ended(PASSED, result(outcome, "TWO-1", name="test_x"), code=1))
    assert notes == [
        f"suites/one/test_it.py::test_x proves no requirement that is judged here; {outcome}: because of {outcome}"
    ]


@pytest.mark.parametrize("outcome", ["passed", "skipped"])
def test_a_test_without_a_requirement_of_the_verdict_is_not_named_otherwise(outcome: str) -> None:
    assert decided(ended(PASSED, result(outcome, name="test_x"))) == ("conformant", 0, [])


@pytest.mark.parametrize(
    ("outcome", "gate", "code"),
    [("passed", False, 0), ("passed", True, 6), ("skipped", False, 6), ("not-proved", False, 6)],
)
def test_chosen_tests_that_pass_end_with_0_although_the_requirement_is_not_proved(
    outcome: str, gate: bool, code: int
) -> None:
    chosen = result(outcome, "ONE-1")
    plan = Plan(selected={chosen.nodeid: ["ONE-1"]}, deselected={"suites/one/test_it.py::test_more": ["ONE-1"]})
    verdict, _ = decide(REQUIREMENTS, Ended(0, [chosen], plan), {}, (), gate=gate, disruptive=True)
    assert (verdict.verdict, verdict.exit_code) == ("not-proved", code)
    assert verdict.requirements[0].status is Status.NOT_PROVED


@pytest.mark.parametrize("code", [INTERRUPTED, INTERNAL_ERROR, USAGE_ERROR])
@pytest.mark.parametrize("gate", [False, True])
def test_a_run_that_ended_before_its_first_test_judges_no_requirement(code: int, gate: bool) -> None:
    plan = Plan(selected={PASSED.nodeid: PASSED.requirements})
    verdict, _ = decide(REQUIREMENTS, Ended(code, [], plan), None, (), gate=gate, disruptive=True)
    assert (verdict.verdict, verdict.exit_code, verdict.requirements) == ("error", code, ())
    begun, _ = decide(REQUIREMENTS, Ended(code, [PASSED], plan), None, (), gate=gate, disruptive=True)
    assert begun.requirements[0].status is Status.PASS


def test_an_accepted_failure_is_no_failure_of_the_run() -> None:
    end = ended(FAILED, result("passed", "TWO-1", name="test_x"), code=1)
    verdict, notes = decide(REQUIREMENTS, end, {}, (ISSUE,), gate=True, disruptive=True)
    assert [found.status for found in verdict.requirements] == [Status.KNOWN_ISSUE, Status.PASS]
    assert (verdict.verdict, verdict.exit_code, notes) == ("conformant", 0, [])


def test_a_known_issue_without_a_failure_is_an_error() -> None:
    note = "known issues: ONE-1 (*): no failure matches it any more; remove it"
    assert decided(ended(PASSED), known=(ISSUE,)) == ("error", 3, [note])


def test_the_gate_judges_every_requirement() -> None:
    assert decided(ended(PASSED), gate=True) == ("not-proved", 6, [])
    assert decided(ended(PASSED, result("passed", "TWO-1", name="test_x")), gate=True) == ("conformant", 0, [])


def test_proofs_that_may_not_disturb_are_not_planned() -> None:
    plan = Plan(
        selected={PASSED.nodeid: ["ONE-1"]},
        deselected={"suites/one/test_it.py::test_loud": ["ONE-1"]},
        disturbing=["suites/one/test_it.py::test_loud"],
    )
    verdicts = [
        decide(REQUIREMENTS, Ended(0, [PASSED], plan), {}, (), gate=False, disruptive=allowed)[0].verdict
        for allowed in (False, True)
    ]
    assert verdicts == ["conformant", "not-proved"]
