"""An address that several hold is found, by ARP and by what engines and overlay list."""

from __future__ import annotations

import pytest

from fixtures.no_nat.judging import (
    ArpJudgement,
    ArpQuestion,
    Departed,
    Holding,
    deaf_askers,
    held_twice,
    judge_arp,
    still_answered,
)

OWNER, NEIGHBOUR, ADDRESS = "u1/a1", "u2/a2", "10.32.0.11"
OWN, OTHER, ROUTER = "02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:99"
PROBE = ArpQuestion(OWNER, OWNER, ADDRESS)
REQUEST = ArpQuestion(NEIGHBOUR, OWNER, ADDRESS)


def judged(question: ArpQuestion, *answers: str, routed: bool = False) -> ArpJudgement:
    return judge_arp({question: set(answers)}, {OWNER: OWN}, {OWN: OWNER, OTHER: NEIGHBOUR}, routed=routed)


@pytest.mark.parametrize("routed", [False, True])
def test_the_owner_alone_answers_its_neighbour(routed: bool) -> None:
    assert judged(REQUEST, OWN, routed=routed) == ArpJudgement((), ())


@pytest.mark.parametrize("routed", [False, True])
def test_an_owner_that_asks_for_itself_needs_no_answer(routed: bool) -> None:
    assert judged(PROBE, routed=routed) == ArpJudgement((), ())
    assert judged(PROBE, OWN, routed=routed) == ArpJudgement((), ())


@pytest.mark.parametrize("routed", [False, True])
def test_an_owner_that_does_not_answer_its_neighbour_is_named(routed: bool) -> None:
    assert judged(REQUEST, routed=routed) == ArpJudgement((), ("u1/a1 at 10.32.0.11",))


def test_another_answer_is_a_conflict() -> None:
    assert judged(REQUEST, OWN, OTHER).conflicts == (
        "10.32.0.11 of u1/a1, asked for by u2/a2, is claimed by 02:00:00:00:00:02 (u2/a2)",
    )
    assert judged(PROBE, OTHER).conflicts == (
        "10.32.0.11 of u1/a1, asked for by u1/a1, is claimed by 02:00:00:00:00:02 (u2/a2)",
    )


def test_all_claimants_are_named_known_or_not() -> None:
    (conflict,) = judged(REQUEST, ROUTER, OTHER).conflicts
    assert conflict.endswith("is claimed by 02:00:00:00:00:02 (u2/a2), 02:00:00:00:00:99 (not of the fleet)")


def test_a_router_may_answer_for_a_neighbour_if_it_alone_does() -> None:
    assert judged(REQUEST, ROUTER, routed=True) == ArpJudgement((), ())
    assert judged(REQUEST, ROUTER, routed=False).conflicts
    assert judged(REQUEST, ROUTER, OWN, routed=True).conflicts


def test_a_router_may_not_answer_the_owner_itself() -> None:
    assert judged(PROBE, ROUTER, routed=True).conflicts


def test_every_question_is_judged_by_itself() -> None:
    other = ArpQuestion(OWNER, NEIGHBOUR, "10.32.0.12")
    answers = {PROBE: {OTHER}, REQUEST: {OWN}, other: set[str]()}
    judgement = judge_arp(answers, {OWNER: OWN, NEIGHBOUR: OTHER}, {}, routed=False)
    assert len(judgement.conflicts) == 1
    assert judgement.unanswered == ("u2/a2 at 10.32.0.12",)


# -- held twice ---------------------------------------------------------------------------


def test_an_address_of_one_container_is_not_held_twice() -> None:
    assert held_twice([Holding("10.32.0.1", "u1/a"), Holding("10.32.0.2", "u1/b")]) == []
    assert held_twice([]) == []


def test_an_address_of_several_containers_is_held_twice() -> None:
    holdings = [Holding("10.32.0.1", "u1/a"), Holding("10.32.0.2", "u1/b"), Holding("10.32.0.1", "u2/c")]
    assert held_twice(holdings) == ["10.32.0.1 is held twice: by u1/a and u2/c"]


def test_a_container_that_is_listed_twice_holds_its_address_once() -> None:
    assert held_twice([Holding("10.32.0.1", "u1/a"), Holding("10.32.0.1", "u1/a")]) == []


def test_a_container_may_have_several_addresses() -> None:
    assert held_twice([Holding("10.32.0.1", "u1/a"), Holding("10.32.1.1", "u1/a")]) == []


def test_every_address_that_is_held_twice_is_named_with_all_its_holders() -> None:
    holdings = [Holding(address, f"u{node}/x") for address in ("10.32.0.1", "10.32.0.2") for node in (1, 2, 3)]
    assert held_twice(holdings) == [
        "10.32.0.1 is held twice: by u1/x and u2/x and u3/x",
        "10.32.0.2 is held twice: by u1/x and u2/x and u3/x",
    ]


GONE = Departed("u2/gone-1", "10.32.0.70", "02:42:0a:20:00:46")


def test_a_removed_container_that_is_answered_for_is_told() -> None:
    assert still_answered([GONE], {"u2/gone-1": {GONE.mac, "02:00:00:00:00:01"}}, set()) == {
        GONE: "10.32.0.70 is still answered for by 02:42:0a:20:00:46, u2/gone-1's interface, although it was removed"
    }


@pytest.mark.parametrize(
    ("answers", "held"),
    [
        ({"u2/gone-1": set()}, set()),
        ({}, set()),
        ({"u2/gone-1": {"02:00:00:00:00:01"}}, set()),
        ({"u2/gone-1": {GONE.mac}}, {GONE.address}),
    ],
    ids=["nobody answers", "not asked", "another MAC answers", "another container has the address now"],
)
def test_other_answers_say_nothing_of_a_removed_container(answers: dict[str, set[str]], held: set[str]) -> None:
    assert still_answered([GONE], answers, held) == {}


def test_who_runs_and_is_not_answered_for_makes_silence_no_proof() -> None:
    """Those who ask for removed containers hear nobody answer for containers that stay, either."""
    stays = ArpQuestion("u1/a1", "u2/a2", "fd00:10:32:0:2::")
    said = "for u2/a2 at fd00:10:32:0:2::, asked for by u1/a1"
    assert deaf_askers([stays], {"u2/a2": set()}) == [said] and deaf_askers([stays], {"u2/gone-1": {GONE.mac}}) == [
        said
    ]
    assert deaf_askers([stays], {"u2/a2": {"02:00:00:00:00:01"}}) == []
