"""The verdict as a pure function: nothing that goes wrong can improve it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.model import Requirement, Status, TestResult, Verdict
from reports.results import PHASE, PROBES, PhaseCollector
from reports.verdict import Scope, judge

CATALOGUE = {
    requirement.id: requirement
    for requirement in (
        Requirement("ONE-1", "The first promise is kept.", "must", "x", "one"),
        Requirement("ONE-2", "The second promise is kept.", "should", "x", "one"),
        Requirement("ONE-3", "The third promise is kept.", "must", "x", "one", ("nomad",)),
        Requirement("TWO-1", "The fourth promise is kept.", "must", "x", "two", disruptive=True),
    )
}
ONE = Scope(frozenset({"one"}))
SEVERITY = ("conformant", "not-proved", "error", "not-conformant")
OUTCOMES = ("passed", "skipped", "not-proved", "error", "failed")

results = st.lists(
    st.builds(
        TestResult,
        nodeid=st.integers(0, 10**6).map(lambda number: f"suites/one/test_it.py::test_{number}"),
        requirements=st.lists(st.sampled_from([*CATALOGUE, "ONE-9"]), max_size=2, unique=True).map(tuple),
        outcome=st.sampled_from(OUTCOMES),
        probes=st.dictionaries(st.sampled_from(["answered", "lost"]), st.integers(1, 9)),
    ),
    max_size=6,
    unique_by=lambda result: result.nodeid,
)
scopes = st.builds(
    Scope, st.sets(st.sampled_from(["one", "two"]), min_size=1).map(frozenset), st.booleans(), st.booleans()
)
facts = st.fixed_dictionaries({"nomad": st.booleans()})


def planned(tests: Sequence[TestResult]) -> dict[str, int]:
    return dict(Counter(name for test in tests for name in test.requirements))


def verdict(
    tests: Sequence[TestResult], scope: Scope = ONE, facts_: dict[str, bool] | None = None, plan: int = 0
) -> Verdict:
    counts = {name: number + plan for name, number in planned(tests).items()}
    return judge(CATALOGUE, tests, counts, facts_ or {}, scope)


def result(name: str, outcome: str, *requirements: str) -> TestResult:
    return TestResult(f"suites/one/test_it.py::{name}", requirements, outcome, reason=f"{name} {outcome}")


@given(results, scopes, facts, st.data())
def test_a_failure_never_improves_the_verdict(
    tests: list[TestResult], scope: Scope, facts_: dict[str, bool], data: st.DataObject
) -> None:
    worse = data.draw(st.sampled_from(["failed", "error", "not-proved"]))
    names = data.draw(st.lists(st.sampled_from(list(CATALOGUE)), max_size=2, unique=True))
    before = verdict(tests, scope, facts_)
    after = verdict([*tests, result("one_more", worse, *names)], scope, facts_)
    assert SEVERITY.index(after.verdict) >= SEVERITY.index(before.verdict)
    if worse == "failed":
        assert (after.verdict, after.exit_code) == ("not-conformant", 1)


@given(results, scopes, facts, st.data())
def test_a_pass_turned_into_anything_else_never_improves_the_verdict(
    tests: list[TestResult], scope: Scope, facts_: dict[str, bool], data: st.DataObject
) -> None:
    passed = [test for test in tests if test.outcome == "passed"]
    if not passed:
        return
    chosen = data.draw(st.sampled_from(passed))
    other = replace(chosen, outcome=data.draw(st.sampled_from(OUTCOMES)))
    before = verdict(tests, scope, facts_)
    after = verdict([other if test is chosen else test for test in tests], scope, facts_)
    lost = judge(CATALOGUE, [test for test in tests if test is not chosen], planned(tests), facts_, scope)
    assert SEVERITY.index(after.verdict) >= SEVERITY.index(before.verdict)
    assert SEVERITY.index(lost.verdict) >= SEVERITY.index(before.verdict)


@given(results, scopes, facts)
def test_conformant_means_that_every_must_was_proved(
    tests: list[TestResult], scope: Scope, facts_: dict[str, bool]
) -> None:
    made = verdict(tests, scope, facts_)
    musts = [found for found in made.requirements if found.requirement.level == "must"]
    if made.verdict == "conformant":
        assert made.exit_code == 0 and any(found.status is Status.PASS for found in made.requirements)
        assert {found.status for found in musts} <= {Status.PASS, Status.NOT_APPLICABLE}
    for found in made.requirements:
        if found.status is Status.PASS:
            mine = [test for test in tests if found.requirement.id in test.requirements]
            assert {test.outcome for test in mine} == {"passed"}
    assert (made.exit_code == 1) is any(test.outcome == "failed" for test in tests)
    passed = any(found.status is Status.PASS for found in made.requirements)
    assert passed or made.exit_code != 0
    assert scope.gate or made.exit_code != 6 or not passed


@given(results, st.sampled_from(list(CATALOGUE)))
def test_an_accepted_failure_is_no_worse_than_a_failure_and_no_better_than_a_pass(
    tests: list[TestResult], name: str
) -> None:
    failing = [*tests, result("it", "failed", name)]
    passing = [*tests, result("it", "passed", name)]
    known = {name: {failing[-1].nodeid}}
    made = [
        judge(CATALOGUE, some, planned(some), {}, Scope(frozenset({"one", "two"})), accepted)
        for some, accepted in ((passing, {}), (failing, known), (failing, {}))
    ]
    order = [SEVERITY.index(found.verdict) for found in made]
    assert order == sorted(order)


@pytest.mark.parametrize(
    ("tests", "plan", "status", "reason"),
    [
        ([], 0, Status.NOT_PROVED, "no test was collected for it"),
        ([], 2, Status.NOT_PROVED, "collected, but never run"),
        (["passed"], 1, Status.PASS, ""),
        (["passed"], 3, Status.NOT_PROVED, "2 of 3 tests were not run"),
        (["passed", "skipped"], 2, Status.NOT_PROVED, "skipped, although it applies: test_1 skipped"),
        (["skipped", "skipped"], 2, Status.NOT_PROVED, "skipped, although it applies: test_0 skipped"),
        (["passed", "not-proved"], 2, Status.NOT_PROVED, "test_1 not-proved"),
        (["passed", "not-proved", "error"], 3, Status.ERROR, "test_2 error"),
        (["passed", "error", "failed"], 3, Status.FAIL, "test_2 failed"),
    ],
)
def test_the_status_of_a_requirement(tests: list[str], plan: int, status: Status, reason: str) -> None:
    made = [result(f"test_{number}", outcome, "ONE-1") for number, outcome in enumerate(tests)]
    found = judge(CATALOGUE, made, {"ONE-1": plan}, {}, ONE).requirements[0]
    assert (found.status, found.reason, found.planned) == (status, reason, plan)
    counted = Counter(tests)
    assert (found.passed, found.failed, found.errors) == (counted["passed"], counted["failed"], counted["error"])


def test_what_does_not_apply_is_not_missed_and_yet_a_failure_of_it_counts() -> None:
    nomad = verdict([result("it", "passed", "ONE-1")]).requirements[2]
    assert (nomad.status, nomad.reason) == (Status.NOT_APPLICABLE, "the inventory declares no nomad")
    assert verdict([result("it", "failed", "ONE-3")]).requirements[2].status is Status.FAIL
    assert verdict([result("it", "error", "ONE-3")]).requirements[2].status is Status.ERROR
    assert verdict([result("it", "skipped", "ONE-3")]).requirements[2].status is Status.NOT_APPLICABLE
    assert verdict([], facts_={"nomad": True}).requirements[2].status is Status.NOT_PROVED


def test_while_the_facts_are_not_known_nothing_is_said_not_to_apply() -> None:
    statuses = [found.status for found in judge(CATALOGUE, [], {}, None, ONE).requirements]
    assert statuses == [Status.NOT_PROVED, Status.NOT_PROVED, Status.NOT_PROVED]


def test_why_nothing_proved_it() -> None:
    gate = judge(CATALOGUE, [], {}, {}, Scope(frozenset({"one"}), gate=True, disruptive=False))
    reasons = {found.requirement.id: found.reason for found in gate.requirements}
    assert reasons["TWO-1"] == "its proof disturbs the cluster; run with --disruptive" and gate.exit_code == 6
    gate = judge(CATALOGUE, [], {}, {}, Scope(frozenset({"one"}), gate=True))
    assert {found.requirement.id: found.reason for found in gate.requirements}["TWO-1"] == "suites/two was not run"


def phase(when: str, outcome: str, word: str | None = None) -> tuple[str, str, list[tuple[str, object]]]:
    entry = {"when": when, "outcome": word or outcome, "reason": "why", "requirements": ["ONE-1"]}
    return when, outcome, [(PHASE, entry), (PROBES, {"lost": 1})]


@pytest.mark.parametrize(
    ("phases", "outcome"),
    [
        ([phase("setup", "passed"), phase("call", "passed"), phase("teardown", "passed")], "passed"),
        ([phase("setup", "passed"), phase("call", "failed"), phase("teardown", "failed", "error")], "failed"),
        ([phase("setup", "passed"), phase("call", "passed"), phase("teardown", "failed", "error")], "error"),
        ([phase("setup", "failed", "error"), phase("teardown", "passed")], "error"),
        ([phase("setup", "skipped"), phase("teardown", "passed")], "skipped"),
        ([phase("setup", "passed"), phase("teardown", "passed")], "error"),
        ([phase("setup", "passed")], "error"),
        ([phase("call", "failed"), phase("call", "passed"), phase("teardown", "passed")], "failed"),
        ([phase("call", "rerun", "error"), phase("call", "passed"), phase("teardown", "passed")], "error"),
    ],
)
def test_phases_become_one_result(phases: list[tuple[str, str, list[tuple[str, object]]]], outcome: str) -> None:
    collector = PhaseCollector()
    for when, word, properties in phases:
        collector.add("it", when, word, 0.5, properties)
    (found,) = collector.results({})
    assert found.outcome == outcome and found.duration_s == 0.5 * len(phases)
    assert found.probes == ({"lost": 1} if phases[-1][0] == "teardown" else {})


def test_a_test_whose_process_was_lost_is_an_error() -> None:
    collector = PhaseCollector()
    collector.add("it", "???", "failed", 0, [])
    (found,) = collector.results({"it": ["ONE-1"]})
    assert (found.outcome, found.requirements) == ("error", ("ONE-1",))
