"""Three phases of a test become one result; a phase that the plugin did not record is an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from reports.edges import EDGES, Party
from reports.model import TestResult
from reports.results import MATRIX, PHASE, PROBES, SEVERITY, PhaseCollector

TEST = "suites/dns/test_x.py::test_a"


def phase(when: str, outcome: str, reason: str = "", *requirements: str) -> tuple[str, Mapping[str, Any]]:
    return PHASE, {"when": when, "outcome": outcome, "reason": reason, "requirements": requirements}


def collected(*phases: tuple[str, str, Sequence[tuple[str, Any]]]) -> TestResult:
    """The result of one test whose phases are given as (when, outcome, properties)."""
    collector = PhaseCollector()
    for when, outcome, properties in phases:
        collector.add(TEST, when, outcome, 0.5, properties)
    (result,) = collector.results({})
    assert result.nodeid == TEST
    return result


def recorded(*outcomes: str) -> TestResult:
    """The result of a test whose setup, call and teardown the plugin recorded with these outcomes."""
    whens = ("setup", "call", "teardown")
    return collected(
        *(
            (when, outcome, [phase(when, outcome, f"{when} {outcome}")])
            for when, outcome in zip(whens, outcomes, strict=True)
        )
    )


def test_the_severest_phase_decides_and_gives_the_reason() -> None:
    for number, severe in enumerate(SEVERITY):
        for mild in SEVERITY[:number]:
            result = recorded("passed", severe, mild)
            assert (result.outcome, result.reason) == (severe, f"call {severe}")
            if severe != "passed":
                result = recorded("passed", mild, severe)
                assert (result.outcome, result.reason) == (severe, f"teardown {severe}")


def test_of_phases_as_severe_the_first_gives_the_reason() -> None:
    assert recorded("passed", "error", "error").reason == "call error"


def test_a_test_that_passed_in_setup_and_teardown_only_has_not_passed() -> None:
    result = collected(("setup", "passed", []), ("teardown", "passed", []))
    assert (result.outcome, result.reason) == ("error", "it began and never ended")


def test_a_skip_in_the_setup_is_the_result() -> None:
    result = collected(("setup", "skipped", [phase("setup", "skipped", "no IPv6")]), ("teardown", "passed", []))
    assert (result.outcome, result.reason) == ("skipped", "no IPv6")


def test_what_the_plugin_recorded_takes_precedence() -> None:
    result = collected(("call", "failed", [phase("call", "not-proved", "unseen", "DNS-1", "DNS-2")]))
    assert (result.outcome, result.reason) == ("not-proved", "unseen")
    assert result.requirements == ("DNS-1", "DNS-2")


@pytest.mark.parametrize("properties", [[], [phase("setup", "passed")], [("foreign", {"when": "call"})]])
def test_a_failed_phase_that_was_not_recorded_is_an_error(properties: list[tuple[str, Any]]) -> None:
    result = collected(("call", "failed", properties))
    assert (result.outcome, result.reason) == ("error", "the process that ran it was lost")


def test_a_recorded_failure_stays_a_failure() -> None:
    assert recorded("passed", "failed", "passed").outcome == "failed"


def test_seconds_of_all_phases_are_added() -> None:
    assert recorded("passed", "passed", "passed").duration_s == 1.5


def test_probes_and_edges_are_taken_once_at_the_end() -> None:
    """Properties are attached to the test, so that every phase's report repeats those of the phases before it."""
    edges = [{"source": "u1/a1"}]
    attached = [(PROBES, {"answered": 4}), (MATRIX, edges)]
    collector = PhaseCollector()
    collector.add(TEST, "call", "passed", 0.5, [*attached, phase("call", "passed")])
    assert collector.matrices == [] and collector.results({})[0].probes == {}
    collector.add(TEST, "teardown", "passed", 0.5, [("foreign", {"answered": 5}), *attached])
    assert collector.matrices == [(TEST, edges)] and collector.results({})[0].probes == {"answered": 4}


def test_edges_and_lines_are_findings_and_the_tests_outcome_settles_them() -> None:
    lost = ["u1/a1", "u2/a2", "icmp", "answered", "lost", False, {"last": "u1's NIC eth0"}]
    handed = (EDGES, {"edges": [lost], "parties": {"u1/a1": ["u1", "10.32.0.1"]}})
    told = {"when": "call", "outcome": "failed", "reason": "one", "lines": ["one", "two"], "requirements": ["NET-1"]}
    collector = PhaseCollector()
    collector.add(TEST, "call", "failed", 0.5, [(PHASE, told)])
    collector.add(TEST, "teardown", "passed", 0.5, [handed])
    collector.add("other", "call", "passed", 0.5, [phase("call", "passed")])
    collector.add("other", "teardown", "passed", 0.5, [handed])
    found = collector.findings({})
    assert [(test.result.outcome, test.lines) for test in found.tests] == [("failed", ("one", "two")), ("passed", ())]
    assert [test.edges[0].holds for test in found.tests] == [False, True]
    assert found.tests[0].edges[0].clue.last == "u1's NIC eth0"
    assert found.parties == {"u1/a1": Party("u1", "10.32.0.1")}


def test_requirements_are_those_that_the_process_told_else_those_planned() -> None:
    collector = PhaseCollector()
    collector.add("told", "call", "passed", 0.0, [phase("call", "passed", "", "DNS-1")])
    collector.add("lost", "call", "failed", 0.0, [])
    collector.add("not planned", "call", "failed", 0.0, [])
    results = collector.results({"told": ["DNS-9"], "lost": ["DNS-2"]})
    assert [(result.nodeid, result.requirements) for result in results] == [
        ("told", ("DNS-1",)),
        ("lost", ("DNS-2",)),
        ("not planned", ()),
    ]
