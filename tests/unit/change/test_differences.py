"""Differences of a node's state, and which of them were declared."""

from __future__ import annotations

import pytest

from fixtures.change.differences import ORDER, Declared, Difference, compare_states, differences
from fixtures.change.state import State

BEFORE: State = {
    "versions": {"engine": ("20.10.24",), "kernel": ("6.1",)},
    "filter": {"nft ip filter FORWARD": ("policy ACCEPT", "-A FORWARD -j ONE", "-A FORWARD -j TWO")},
}


def with_chain(*lines: str) -> State:
    return {**BEFORE, "filter": {"nft ip filter FORWARD": lines}}


def test_equal_states_have_no_difference() -> None:
    assert differences("u2", BEFORE, BEFORE) == []


def test_a_value_that_changed() -> None:
    after: State = {**BEFORE, "versions": {"engine": ("26.1.5",), "kernel": ("6.1",)}}
    (found,) = differences("u2", BEFORE, after)
    assert found == Difference("u2", "versions", "engine", "20.10.24", "26.1.5")
    assert str(found) == "u2: versions: engine: 20.10.24 → 26.1.5"


def test_a_rule_that_is_gone_and_one_that_is_new() -> None:
    (gone,) = differences("u2", BEFORE, with_chain("policy ACCEPT", "-A FORWARD -j TWO"))
    assert str(gone) == "u2: filter: nft ip filter FORWARD: gone: -A FORWARD -j ONE"
    (new,) = differences("u2", BEFORE, with_chain("policy ACCEPT", "-A FORWARD -j ONE", "-A FORWARD -j TWO", "-j LOG"))
    assert str(new) == "u2: filter: nft ip filter FORWARD: new: -j LOG"


def test_a_policy_that_changed_is_one_difference() -> None:
    (found,) = differences("u2", BEFORE, with_chain("policy DROP", "-A FORWARD -j ONE", "-A FORWARD -j TWO"))
    assert (found.before, found.after) == ("policy ACCEPT", "policy DROP")


def test_rules_in_another_order() -> None:
    (found,) = differences("u2", BEFORE, with_chain("policy ACCEPT", "-A FORWARD -j TWO", "-A FORWARD -j ONE"))
    assert found.after is not None and found.after.startswith(ORDER) and found.before is not None


def test_a_rule_that_is_there_twice_now() -> None:
    (found,) = differences("u2", BEFORE, with_chain("policy ACCEPT", *["-A FORWARD -j ONE"] * 2, "-A FORWARD -j TWO"))
    assert (found.before, found.after) == (None, "-A FORWARD -j ONE")


def test_a_key_and_a_section_that_come_or_go() -> None:
    without = {"versions": BEFORE["versions"]}
    assert [one.after for one in differences("u2", BEFORE, without)] == [None] * 3
    assert [one.before for one in differences("u2", without, BEFORE)] == [None] * 3
    empty: State = {"filter": {"nft ip filter NEW": ()}}
    assert [one.after for one in differences("u2", {}, empty)] == ["(empty)"]


@pytest.mark.parametrize(
    ("entry", "matches"),
    [
        (Declared("u2", "versions", "engine", "20.10.24", "26.1.5"), True),
        (Declared("*", "versions", "engine"), True),
        (Declared("u?", "versions", "eng*", "20.*", "26.*"), True),
        (Declared("u1", "versions", "engine"), False),
        (Declared("u2", "links", "engine"), False),
        (Declared("u2", "versions", "kernel"), False),
        (Declared("u2", "versions", "engine", "19.*"), False),
        (Declared("u2", "versions", "engine", "*", "27.*"), False),
        (Declared("u2", "versions", "engine", None), False),
        (Declared("u2", "versions", "engine", "*", None), False),
    ],
)
def test_what_a_declaration_means(entry: Declared, matches: bool) -> None:
    assert entry.matches(Difference("u2", "versions", "engine", "20.10.24", "26.1.5")) is matches


def test_a_rule_with_characters_of_patterns_means_itself() -> None:
    rule = "-A DOCKER ! -i fn-a -m comment --comment [x] -j DROP"
    assert Declared("u2", "filter", "c", None, rule).matches(Difference("u2", "filter", "c", None, rule))
    assert not Declared("u2", "filter", "c", None, "*").matches(Difference("u2", "filter", "c", "x", "y"))
    assert Declared("u2", "filter", "c").matches(Difference("u2", "filter", "c", None, rule))


def test_what_is_declared_is_not_accused_and_what_was_declared_and_not_seen_is_told() -> None:
    after: State = {
        **with_chain("policy ACCEPT", "-A FORWARD -j TWO"),
        "versions": {"engine": ("26",), "kernel": ("6.1",)},
    }
    meant, other = Declared("*", "versions", "engine"), Declared("u1", "links", "eth0")
    found = compare_states({"u1": BEFORE, "u2": BEFORE}, {"u1": BEFORE, "u2": after}, [meant, other])
    assert [one.what for one in found.found] == ["engine", "nft ip filter FORWARD"]
    assert [one.what for one in found.undeclared] == ["nft ip filter FORWARD"] and found.missing == (other,)
    assert found.describe() == "not declared: u2: filter: nft ip filter FORWARD: gone: -A FORWARD -j ONE"
    assert found.report().splitlines() == [
        "u1: 0 differences",
        "  equal: 2 versions, 1 filter",
        "u2: 2 differences",
        "  declared      versions: engine: 20.10.24 → 26",
        "  not declared  filter: nft ip filter FORWARD: gone: -A FORWARD -j ONE",
        "  equal: 1 versions, 0 filter",
        "declared, and not seen: u1: links: eth0: * → *",
    ]


def test_several_undeclared_differences_are_counted_by_node() -> None:
    found = compare_states({"u1": BEFORE, "u2": BEFORE}, {"u1": {}, "u2": with_chain()}, [])
    assert "(8 differences: 5 on u1, 3 on u2)" in found.describe().splitlines()[0]
    assert len(found.describe().splitlines()) == 8


def test_what_cannot_be_compared_is_left_out() -> None:
    assert compare_states({"u2": BEFORE}, {"u2": with_chain()}, [], [("u2", "filter")]).found == ()
    assert compare_states({"u2": BEFORE}, {"u2": with_chain()}, [], [("u1", "filter")]).found != ()


def test_a_long_text_is_cut_for_a_person() -> None:
    assert len(str(Difference("u2", "filter", "c", None, "x" * 500))) < 200
