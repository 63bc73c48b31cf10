"""What of a steady state does not hold, from canned deliveries and answers."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from fixtures.resilience.deviations import (
    ALIVE,
    SHOWN,
    Comparison,
    SteadyState,
    absent_members,
    answered_edges,
    deviations,
    given_up,
    quorum_problem,
    rightly_answered,
)
from reports.model import Outcome

from .edges import delivery, edge

FAILED = 4
"""Serf's status of a member that was given up."""


@dataclass(frozen=True)
class Said:
    asker: str
    addresses: frozenset[str]

    def __str__(self) -> str:
        return f"{self.asker} got {', '.join(sorted(self.addresses)) or 'nothing'}"


def said(asker: str, *addresses: str) -> Said:
    return Said(asker, frozenset(addresses))


def steady(*edges: str, askers: tuple[str, ...] = ()) -> SteadyState:
    return SteadyState(frozenset(edges), frozenset(askers))


THERE, BACK = str(edge("a1", "a3")), str(edge("a3", "a1"))


# -- edges ---------------------------------------------------------------------


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.ANSWERED])
def test_an_edge_holds_only_when_its_probe_was_answered_unaltered(outcome: Outcome) -> None:
    deliveries = [delivery("a1", "a3"), delivery("a3", "a1", outcome)]
    assert answered_edges(deliveries) == {THERE}
    assert deviations(steady(THERE), deliveries, [], []) == []
    first, listed = deviations(steady(THERE, BACK), deliveries, [], [])
    assert first == f"1 of 2 edges that held before do not, such as {BACK}: {outcome}"
    assert listed == str(deliveries[1])


def test_an_edge_that_did_not_hold_before_is_not_asked_for() -> None:
    assert deviations(steady(THERE), [delivery("a1", "a3"), delivery("a3", "a1", Outcome.LOST)], [], []) == []


def test_an_edge_that_was_not_probed_does_not_hold() -> None:
    assert deviations(steady(THERE, BACK), [delivery("a1", "a3")], [], []) == [
        f"1 of 2 edges that held before do not, such as {BACK}: not probed"
    ]
    (both,) = deviations(steady(THERE, BACK), [], [], [])
    assert both == f"2 of 2 edges that held before do not, such as {THERE}: not probed"
    first, *_ = deviations(steady(THERE, BACK), [delivery("a1", "a3", Outcome.LOST)], [], [])
    assert first.startswith(f"2 of 2 edges that held before do not, such as {THERE}: lost")


def test_only_some_of_many_broken_edges_are_listed() -> None:
    pairs = [("a1", "a2"), ("a1", "a3"), ("a1", "a4"), ("a2", "a1"), ("a2", "a3")]
    broken = [delivery(*pair, Outcome.LOST) for pair in pairs]
    found = deviations(steady(*(str(lost.edge) for lost in broken)), broken, [], [])
    first = str(broken[0]).partition("\n")[0]
    assert found[0] == f"5 of 5 edges that held before do not, such as {first}"
    assert found[1:] == [str(lost) for lost in broken[:3]]


# -- names ---------------------------------------------------------------------

RIGHT = {"10.32.0.11", "10.32.0.13"}


def test_only_exactly_the_right_addresses_are_a_right_answer() -> None:
    answers = [said("u1", *RIGHT), said("u2", "10.32.0.11"), said("u3", *RIGHT, "10.32.0.99"), said("u1/a1")]
    assert rightly_answered(answers, RIGHT) == {"u1"}
    everyone = steady(askers=("u1", "u2", "u3", "u1/a1"))
    assert deviations(everyone, [], answers, RIGHT) == [
        f"{answer}, not 10.32.0.11, 10.32.0.13" for answer in answers[1:]
    ]


def test_nobody_is_rightly_answered_where_no_address_is_expected() -> None:
    assert rightly_answered([said("u1"), said("u2", "10.9.9.9")], set()) == frozenset()


def test_an_asker_that_was_misled_before_is_not_asked_for() -> None:
    assert deviations(steady(askers=("u1",)), [], [said("u1", *RIGHT), said("u2")], RIGHT) == []


def test_an_asker_that_was_not_asked_deviates() -> None:
    assert deviations(steady(askers=("u1", "u2")), [], [said("u1", *RIGHT)], RIGHT) == ["u2 was not asked"]


def test_addresses_where_none_is_right_deviate() -> None:
    assert deviations(steady(askers=("u1",)), [], [said("u1", "10.32.0.9")], []) == ["u1 got 10.32.0.9, not nothing"]


def test_only_some_of_many_misled_askers_are_listed() -> None:
    askers = tuple(f"u{number}" for number in range(SHOWN + 2))
    answers = [said(asker) for asker in askers]
    found = deviations(steady(askers=askers), [], answers, RIGHT)
    assert len(found) == SHOWN + 1 and found[-1] == "… and 2 more askers"
    assert len(deviations(steady(askers=askers[:SHOWN]), [], answers, RIGHT)) == SHOWN


def test_edges_come_before_names() -> None:
    found = deviations(steady(THERE, askers=("u1",)), [], [said("u1")], RIGHT)
    assert [line.partition(" ")[0] for line in found] == ["1", "u1"]


def test_an_observation_without_deviation_is_steady() -> None:
    assert Comparison().steady and str(Comparison()) == "all holds"
    seen = Comparison(("one", "two"))
    assert not seen.steady and str(seen) == "one\ntwo"


# -- members -------------------------------------------------------------------


def test_members_that_are_not_listed_as_alive_are_absent() -> None:
    statuses = {"u1": ALIVE, "u2": FAILED}
    assert absent_members("u1", statuses, ["u3", "u2", "u1"]) == "Consul on u1: u2, u3 not alive"
    assert absent_members("u1", {**statuses, "u2": ALIVE, "u9": FAILED}, ["u1", "u2"]) == ""


def test_an_agent_that_does_not_answer_lists_nobody() -> None:
    assert absent_members("u1", {}, ["u1"]) == "Consul on u1: u1 not alive"


@pytest.mark.parametrize(("status", "expected"), [(None, False), (1, False), (FAILED, True), (0, True)])
def test_a_member_is_given_up_when_it_is_listed_and_not_alive(status: int | None, expected: bool) -> None:
    assert given_up(status) is expected


@pytest.mark.parametrize(
    ("voters", "leaders", "problem"),
    [
        ({"u1", "u2"}, {"u1"}, ""),
        ({"u1", "u2", "u3"}, {"u3"}, ""),
        ({"u1"}, {"u1"}, "Consul on u1: voters u1; leader u1"),
        ({"u1", "u2"}, set(), "Consul on u1: voters u1, u2; leader none"),
        ({"u1", "u2"}, {"u2", "u1"}, "Consul on u1: voters u1, u2; leader u1, u2"),
        (set(), set(), "Consul on u1: voters none; leader none"),
    ],
)
def test_a_quorum_is_healthy_when_all_servers_vote_and_one_leads(
    voters: set[str], leaders: set[str], problem: str
) -> None:
    assert quorum_problem("u1", voters, leaders, ["u1", "u2"]) == problem
