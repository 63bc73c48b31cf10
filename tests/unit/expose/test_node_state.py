"""What expose and hide change is told from what changes by itself."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from fixtures.expose.node_state import ExposeCycle, NodeState, leads_into, parse_node_state

NETWORK = IPv4Network("10.32.0.0/24")
BEFORE = NodeState(frozenset({"default via 192.168.56.1 dev eth0"}), frozenset({"default", "192.168.56.0/24"}))
EXPOSED = NodeState(BEFORE.lines | {"10.32.0.0/24 dev br-a scope link"}, BEFORE.routes | {"10.32.0.0/24"})


def cycle(
    *,
    exposed: NodeState = EXPOSED,
    exposed_again: NodeState | None = None,
    hidden: NodeState = BEFORE,
) -> ExposeCycle:
    return ExposeCycle("u1", "a", NETWORK, BEFORE, exposed, exposed_again or exposed, hidden)


def with_routes(*routes: str) -> NodeState:
    return NodeState(EXPOSED.lines, BEFORE.routes | frozenset(routes))


# -- reading ---------------------------------------------------------------------------


def test_lines_are_stripped_and_empty_ones_left_out() -> None:
    state = parse_node_state("  inet 10.32.0.65/24 scope global br-a \n\n   \ndefault via 192.168.56.1\n", ["default"])
    assert state.lines == {"inet 10.32.0.65/24 scope global br-a", "default via 192.168.56.1"}
    assert state.routes == {"default"}


@pytest.mark.parametrize(
    ("line", "later"),
    [
        (":INPUT ACCEPT [12:3456]", ":INPUT ACCEPT [99:123456]"),
        ("valid_lft 86399sec preferred_lft 86399sec", "valid_lft 80000sec preferred_lft 80000sec"),
        ("# Completed on Mon Jan  1 00:00:00 2024", "# Completed on Mon Jan  1 00:00:09 2024"),
        ("[3:4] -A FORWARD -j ACCEPT", "[5:6] -A FORWARD -j ACCEPT"),
    ],
    ids=["counter of a chain", "lifetime", "comment", "counter of a rule"],
)
def test_counters_and_times_are_no_state(line: str, later: str) -> None:
    assert parse_node_state(line, []) == parse_node_state(later, [])


def test_what_stands_before_a_counter_is_kept() -> None:
    assert parse_node_state(":INPUT ACCEPT [12:3456]", []).lines == {":INPUT ACCEPT"}


@pytest.mark.parametrize(
    ("line", "later"),
    [
        (":INPUT ACCEPT [1:2]", ":INPUT DROP [1:2]"),
        ("-A FORWARD -j ACCEPT", "-A FORWARD -j DROP"),
        ("-A FORWARD -m comment --comment x # y", "-A FORWARD -m comment --comment x # z"),
    ],
)
def test_rules_are_state(line: str, later: str) -> None:
    assert parse_node_state(line, []) != parse_node_state(later, [])


def test_changes_name_what_was_added_and_removed() -> None:
    before = NodeState(frozenset({"kept", "gone", "also gone"}), frozenset())
    after = NodeState(frozenset({"kept", "new", "also new"}), frozenset())
    assert after.changes_since(before) == "+ also new; + new; - also gone; - gone"
    assert after.changes_since(after) == ""


# -- judging ---------------------------------------------------------------------------


def test_one_route_that_hide_takes_back_is_right() -> None:
    right = cycle()
    assert right.findings == []
    assert right.name == "u1, subnet a"
    assert right.changes == "expose: + 10.32.0.0/24 dev br-a scope link\nhide: - 10.32.0.0/24 dev br-a scope link"


def test_routes_to_elsewhere_are_not_counted() -> None:
    assert cycle(exposed=with_routes("10.32.0.0/24", "10.99.0.0/24", "default")).findings == []


@pytest.mark.parametrize(
    ("routes", "told"),
    [
        ((), "u1, subnet a: expose added 0 routes to 10.32.0.0/24: none"),
        (
            ("10.32.0.7", "10.32.0.6", "10.32.0.5", "10.32.0.0/24"),
            "u1, subnet a: expose added 4 routes to 10.32.0.0/24: 10.32.0.0/24, 10.32.0.5, 10.32.0.6, 10.32.0.7",
        ),
    ],
)
def test_none_or_several_routes_are_found(routes: tuple[str, ...], told: str) -> None:
    assert cycle(exposed=with_routes(*routes)).findings == [told]


def test_an_expose_that_adds_something_when_repeated_is_found() -> None:
    again = NodeState(EXPOSED.lines | {"-A FORWARD -j ACCEPT"}, EXPOSED.routes)
    assert cycle(exposed_again=again).findings == ["u1, subnet a: expose, repeated, changed: + -A FORWARD -j ACCEPT"]


def test_a_hide_that_leaves_something_is_found() -> None:
    left = NodeState(BEFORE.lines | {"10.32.0.0/24 dev br-a"}, BEFORE.routes)
    assert cycle(hidden=left).findings == [
        "u1, subnet a: hide did not restore the state before expose: + 10.32.0.0/24 dev br-a"
    ]


def test_everything_wrong_is_told() -> None:
    assert len(cycle(exposed=BEFORE, exposed_again=EXPOSED, hidden=EXPOSED).findings) == 3


@pytest.mark.parametrize(
    ("destination", "leads"),
    [
        ("10.32.0.0/24", True),
        ("10.32.0.0/16", True),
        ("10.32.0.77", True),
        ("10.32.1.0/24", False),
        ("default", False),
        ("fe80::/64", False),
        ("::/0", False),
    ],
)
def test_a_route_leads_into_a_network_that_it_shares_addresses_with(destination: str, leads: bool) -> None:
    assert leads_into(destination, NETWORK) is leads
