"""An answer is wrong exactly where Consul's entries leave no doubt."""

from __future__ import annotations

import pytest

from fixtures.control_plane.observation import InstanceState, Observation, ServerView
from fixtures.dns.expectation import Expectation, JudgedAnswers, expectation
from fixtures.dns.messages import Answer, DnsTransport

HERE, THERE = "10.0.0.1", "10.0.0.2"
BOTH = frozenset({HERE, THERE})
ADDRESSES = {"one": HERE, "two": THERE}
UP, DOWN = InstanceState(True, (7,)), InstanceState(False, (9,))


def observed(*replicas: ServerView, leader: ServerView | None = None) -> Observation:
    views = {f"u{number}": view for number, view in enumerate(replicas)}
    return Observation(0.0, 0.1, views, replicas[0] if leader is None else leader)


def both(one: InstanceState, two: InstanceState) -> ServerView:
    return {"one": one, "two": two}


STEADY = observed(both(UP, UP), both(UP, UP))


def test_what_every_replica_listed_throughout_is_required() -> None:
    assert expectation(ADDRESSES, STEADY, STEADY, ()) == Expectation(BOTH, BOTH)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (observed(both(UP, UP), both(UP, DOWN)), STEADY),
        (observed(both(UP, UP), {"one": UP}), STEADY),
        (STEADY, observed(both(UP, UP), both(UP, DOWN))),
        (STEADY, observed(both(UP, InstanceState(True, (8,))), both(UP, InstanceState(True, (8,))))),
        (observed(both(UP, DOWN), both(UP, DOWN)), STEADY),
    ],
    ids=[
        "a replica lags",
        "a replica does not have it yet",
        "one replica changes",
        "it changed and changed back",
        "all replicas changed",
    ],
)
def test_what_was_changing_is_permitted_and_not_required(before: Observation, after: Observation) -> None:
    found = expectation(ADDRESSES, before, after, ())
    assert found == Expectation(frozenset({HERE}), BOTH)
    assert not found.exact


def test_what_no_replica_lists_is_not_permitted() -> None:
    down = observed(both(UP, DOWN), both(UP, DOWN))
    assert expectation(ADDRESSES, down, down, ()).permitted == {HERE}
    gone = observed({"one": UP}, {"one": UP})
    assert expectation(ADDRESSES, gone, gone, ()).permitted == {HERE}


def test_a_replica_that_lags_for_too_long_excuses_nothing() -> None:
    lagging = observed(both(UP, UP), both(UP, DOWN))
    assert expectation(ADDRESSES, lagging, lagging, {"two"}).required == BOTH
    leader_says_down = observed(both(UP, UP), both(UP, DOWN), leader=both(UP, DOWN))
    assert expectation(ADDRESSES, leader_says_down, leader_says_down, {"two"}).permitted == {HERE}


def test_without_replicas_only_an_old_entry_of_the_leader_counts() -> None:
    alone = observed(leader=both(UP, DOWN))
    assert expectation(ADDRESSES, alone, alone, ()) == Expectation(frozenset(), BOTH)
    assert expectation(ADDRESSES, alone, alone, {"one", "two"}) == Expectation(frozenset({HERE}), frozenset({HERE}))


def test_without_a_leader_the_replicas_alone_count() -> None:
    led_by_nobody = Observation(0.0, 0.1, {"u1": both(UP, DOWN)}, None)
    found = expectation(ADDRESSES, led_by_nobody, led_by_nobody, ())
    assert found == Expectation(frozenset({HERE}), frozenset({HERE}))
    changed = Observation(0.0, 0.1, {"u1": both(DOWN, DOWN)}, None)
    assert expectation(ADDRESSES, led_by_nobody, changed, {"one"}) == Expectation(frozenset(), frozenset())


def test_a_server_that_came_back_between_the_observations_is_an_error_of_the_instrument() -> None:
    with pytest.raises(KeyError):
        expectation(ADDRESSES, observed(both(UP, UP)), STEADY, ())


def test_two_instances_on_one_address_are_one_record() -> None:
    same = {"one": HERE, "two": HERE}
    mixed = observed(both(UP, DOWN), both(UP, DOWN))
    assert expectation(same, mixed, mixed, ()) == Expectation(frozenset({HERE}), frozenset({HERE}))


def test_an_instance_that_warns_is_permitted_and_not_required() -> None:
    warned = observed(both(UP, InstanceState(None, (3,))), both(UP, InstanceState(None, (3,))))
    assert expectation(ADDRESSES, warned, warned, {"two"}) == Expectation(frozenset({HERE}), BOTH)


def answer(*records: str, rcode: str = "NOERROR") -> Answer:
    return Answer("u1/a1", "127.0.0.11", "web.service.consul", "A", DnsTransport.UDP, rcode, records)


def judged(*answers: Answer, required: frozenset[str] = frozenset({HERE})) -> JudgedAnswers:
    return JudgedAnswers(answers, Expectation(required, BOTH))


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (answer(HERE), ""),
        (answer(HERE, THERE), ""),
        (answer(THERE), f"misses the passing instances at {HERE}"),
        (answer(rcode="NXDOMAIN"), f"misses the passing instances at {HERE}"),
        (answer(rcode="no answer (ETIMEDOUT)"), f"misses the passing instances at {HERE}"),
        (answer(HERE, "192.168.56.3"), "gets addresses without a passing instance: 192.168.56.3"),
        (answer("192.168.56.3"), f"at {HERE} and gets addresses without a passing instance: 192.168.56.3"),
    ],
)
def test_an_answer_contains_what_is_required_and_nothing_that_is_not_permitted(given: Answer, fault: str) -> None:
    found = judged(answer(HERE), given)
    assert len(found.wrong) == bool(fault)
    assert all(line.startswith("u1/a1 ") and line.endswith(str(given)) for line in found.wrong)
    assert fault in str(found)


def test_the_description_names_answers_only_where_none_is_wrong() -> None:
    assert str(judged(answer(HERE))).splitlines() == [
        str(answer(HERE)),
        f"according to Consul an answer contains {HERE} and, since Consul's entries were changing, perhaps {THERE}",
    ]
    exact = JudgedAnswers((answer(HERE), answer()), Expectation(frozenset({HERE}), frozenset({HERE})))
    assert str(exact).splitlines() == [*exact.wrong, f"according to Consul an answer contains {HERE}"]
    assert str(Expectation(frozenset(), frozenset())) == "according to Consul an answer contains no address"


def test_a_partial_answer_may_leave_out_addresses_but_not_all_of_them() -> None:
    assert judged(answer(THERE)).faults_even_if_partial == ()
    assert judged(answer(), required=frozenset()).faults_even_if_partial == ()
    assert judged(answer()).faults_even_if_partial == (("u1/a1", f"u1/a1 gets no address: {answer()}"),)
    ((asker, excess),) = judged(answer(HERE, "10.9.9.9")).faults_even_if_partial
    assert asker == "u1/a1"
    assert "gets addresses without a passing instance: 10.9.9.9" in excess


def test_all_or_none_of_the_answers_contain_addresses() -> None:
    mixed = judged(answer(HERE), answer(HERE, THERE))
    assert mixed.all_contain([HERE]) and not mixed.all_contain([HERE, THERE])
    assert mixed.none_contains(["10.9.9.9"]) and not mixed.none_contains([THERE])
