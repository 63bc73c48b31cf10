"""An answer is wrong only where Consul's own word leaves no doubt, and always there."""

import pytest

from fixtures.dns.resolver import Answer, How, configuration
from fixtures.dns.witness import SPREAD_S, Heard, Look, Memory, State, Truth, View, states, truth

HERE, THERE = "10.0.0.1", "10.0.0.2"
ADDRESSES = {"one": HERE, "two": THERE}
UP, DOWN = State(True, (7,)), State(False, (9,))


def look(*replicas: View, leader: View | None = None, at: float = 0.0) -> Look:
    views = {f"u{number}": view for number, view in enumerate(replicas)}
    return Look(at, at + 0.1, views, replicas[0] if leader is None else leader)


def both(one: State, two: State) -> View:
    return {"one": one, "two": two}


STEADY = look(both(UP, UP), both(UP, UP))


def test_what_every_replica_said_throughout_is_owed() -> None:
    assert truth(ADDRESSES, STEADY, STEADY, ()) == Truth(frozenset({HERE, THERE}), frozenset({HERE, THERE}))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (look(both(UP, UP), both(UP, DOWN)), STEADY),
        (look(both(UP, UP), {"one": UP}), STEADY),
        (STEADY, look(both(UP, UP), both(UP, DOWN))),
        (STEADY, look(both(UP, State(True, (8,))), both(UP, State(True, (8,))))),
        (look(both(UP, DOWN), both(UP, DOWN)), STEADY),
    ],
    ids=["a replica lags", "a replica does not know it yet", "one turns", "it changed and changed back", "all turned"],
)
def test_what_was_changing_is_neither_owed_nor_denied(before: Look, after: Look) -> None:
    word = truth(ADDRESSES, before, after, ())
    assert (word, word.certain) == (Truth(frozenset({HERE}), frozenset({HERE, THERE})), False)


def test_what_no_replica_lists_is_denied() -> None:
    down = look(both(UP, DOWN), both(UP, DOWN))
    assert truth(ADDRESSES, down, down, ()).possible == {HERE}
    gone = look({"one": UP}, {"one": UP})
    assert truth(ADDRESSES, gone, gone, ()).possible == {HERE}


def test_a_replica_that_lags_for_too_long_excuses_nothing() -> None:
    lagging = look(both(UP, UP), both(UP, DOWN))
    assert truth(ADDRESSES, lagging, lagging, {"two"}).owed == {HERE, THERE}


def test_without_replicas_only_an_old_word_of_the_leader_counts() -> None:
    alone = look(leader=both(UP, DOWN))
    assert truth(ADDRESSES, alone, alone, ()) == Truth(frozenset(), frozenset({HERE, THERE}))
    assert truth(ADDRESSES, alone, alone, {"one", "two"}) == Truth(frozenset({HERE}), frozenset({HERE}))


def test_two_instances_on_one_address_are_one_record() -> None:
    same = {"one": HERE, "two": HERE}
    mixed = look(both(UP, DOWN), both(UP, DOWN))
    assert truth(same, mixed, mixed, ()) == Truth(frozenset({HERE}), frozenset({HERE}))


def test_a_warning_may_be_answered_or_not() -> None:
    warned = look(both(UP, State(None, (3,))), both(UP, State(None, (3,))))
    word = truth(ADDRESSES, warned, warned, {"two"})
    assert word == Truth(frozenset({HERE}), frozenset({HERE, THERE}))


def test_the_leaders_word_is_old_enough_after_the_bound_and_young_again_after_a_change() -> None:
    memory = Memory()
    memory.keep(look(both(UP, UP), at=10.0), ADDRESSES)
    assert not memory.settled("one", 10.1 + SPREAD_S - 0.01)
    assert memory.settled("one", 10.1 + SPREAD_S)
    memory.keep(look(both(UP, DOWN), at=12.0), ADDRESSES)
    assert memory.settled("one", 10.1 + SPREAD_S)
    assert not memory.settled("two", 10.1 + SPREAD_S)


def answer(*records: str, rcode: str = "NOERROR") -> Answer:
    return Answer("u1/a1", "127.0.0.11", "web.service.consul", "A", How.UDP, rcode, records)


@pytest.mark.parametrize(
    ("said", "faulty"),
    [
        (answer(HERE), ""),
        (answer(HERE, THERE), ""),
        (answer(THERE), f"missing: {HERE}"),
        (answer(rcode="NXDOMAIN"), f"missing: {HERE}"),
        (answer(rcode="no answer (ETIMEDOUT)"), f"missing: {HERE}"),
        (answer(HERE, "192.168.56.3"), "no passing instance: 192.168.56.3"),
    ],
)
def test_an_answer_lacks_nothing_owed_and_holds_nothing_else(said: Answer, faulty: str) -> None:
    heard = Heard((said,), Truth(frozenset({HERE}), frozenset({HERE, THERE})))
    assert bool(heard.wrong) == bool(faulty)
    assert faulty in repr(heard)


def test_consuls_health_answer_becomes_a_view() -> None:
    def entry(name: str, *checks: str) -> dict[str, object]:
        made = [{"Status": status, "ModifyIndex": 20 + number} for number, status in enumerate(checks)]
        return {"Service": {"ID": name, "ModifyIndex": 5}, "Checks": made}

    view = states([entry("a", "passing", "passing"), entry("b", "warning", "critical"), entry("c", "warning")])
    assert view == {"a": State(True, (5, 20, 21)), "b": State(False, (5, 20, 21)), "c": State(None, (5, 20))}


def test_a_resolver_has_the_habits_that_its_resolv_conf_names() -> None:
    text = "# made\nsearch lan\nnameserver 10.0.0.1\nnameserver 10.0.0.2\noptions timeout:1 ndots:0 rotate\n"
    found = configuration(text)
    assert (found.servers, found.timeout_s, found.attempts) == (("10.0.0.1", "10.0.0.2"), 1.0, 2)
    four = "".join(f"nameserver 10.0.0.{number}\n" for number in range(1, 5))
    assert configuration(four).servers == ("10.0.0.1", "10.0.0.2", "10.0.0.3")
