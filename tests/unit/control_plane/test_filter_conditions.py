"""How many of a way's packets meet a condition: none, some, all, or it is not understood."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from fixtures.control_plane.filter_conditions import (
    Address,
    Bridged,
    Condition,
    Flags,
    Interface,
    Share,
    State,
    Transport,
    Way,
    network,
    share_of_all,
    some,
    unknown,
)

NONE, SOME, ALL, UNKNOWN = Share
SUBNET, NODE = IPv4Network("10.32.0.0/24"), IPv4Network("192.168.56.4/32")
WAY = Way("routed", "udp", "fn-a", sources=(SUBNET,), destinations=(NODE,))
BRIDGED = Way("bridged", "tcp", "fn-a", "fn-a", "vx-a", "", True, (SUBNET,), (SUBNET,))


@pytest.mark.parametrize(
    ("names", "interface", "matches"),
    [
        ({"fn-a"}, "fn-a", True),
        ({"fn-a"}, "fn-ab", False),
        ({"fn-a"}, "", False),
        ({"fn-+"}, "fn-a", True),
        ({"fn-*"}, "fn-a", True),
        ({"fn-*"}, "xn-a", False),
        ({"fn-*"}, "fna", False),
        ({"+"}, "", True),
        ({""}, "fn-a", False),
        ({"docker0", "fn-a"}, "fn-a", True),
        (set(), "fn-a", False),
    ],
)
def test_an_interface_has_one_of_the_names_or_begins_so(names: set[str], interface: str, matches: bool) -> None:
    way = Way("", "udp", interface)
    assert Interface("incoming", frozenset(names)).share(way) is (ALL if matches else NONE)
    assert Interface("incoming", frozenset(names), negated=True).share(way) is (NONE if matches else ALL)


@pytest.mark.parametrize(
    ("where", "name"), [("incoming", "fn-a"), ("outgoing", ""), ("incoming_port", "vx-a"), ("outgoing_port", "")]
)
def test_each_place_has_its_interface(where: str, name: str) -> None:
    way = Way("", "udp", "fn-a", "", "vx-a", "")
    assert Interface(where, frozenset({name})).share(way) is ALL
    assert Interface(where, frozenset({"other"})).share(way) is NONE


@pytest.mark.parametrize(
    ("networks", "share"),
    [
        (["10.32.0.0/24"], ALL),
        (["10.0.0.0/8"], ALL),
        (["10.32.0.66/32"], SOME),
        (["10.32.1.0/24"], NONE),
        (["10.32.1.0/24", "10.32.0.0/16"], ALL),
        (["10.32.1.0/24", "10.32.0.7/32"], SOME),
    ],
)
def test_an_address_is_compared_with_all_that_packets_can_have(networks: list[str], share: Share) -> None:
    named = tuple(map(IPv4Network, networks))
    assert Address("sources", named).share(WAY) is share
    assert Address("sources", named, negated=True).share(WAY) is {ALL: NONE, NONE: ALL, SOME: SOME}[share]
    assert Address("destinations", named).share(WAY) is NONE


def test_several_destinations_are_met_only_together() -> None:
    way = Way("", "udp", "fn-a", destinations=(NODE, IPv4Network("192.168.56.5/32")))
    assert Address("destinations", (NODE,)).share(way) is SOME
    assert Address("destinations", way.destinations).share(way) is ALL


def test_a_way_is_narrowed_to_what_a_rule_names_of_it() -> None:
    one, other, foreign = (IPv4Network(text) for text in ("10.32.0.66/32", "10.32.0.128/25", "172.17.0.0/16"))
    named, rest = Address("sources", (one, foreign, other)), Address("sources", (other, foreign), negated=True)
    assert [(way.packets, way.sources, way.destinations) for way in named.within(WAY)] == [
        ("routed from 10.32.0.66/32", (one,), (NODE,)),
        ("routed from 10.32.0.128/25", (other,), (NODE,)),
    ]
    assert [(way.packets, way.sources) for way in rest.within(WAY)] == [
        ("routed from others than 10.32.0.128/25", (IPv4Network("10.32.0.0/25"),))
    ]
    (narrowed,) = Address("destinations", (one,)).within(BRIDGED)
    assert (narrowed.packets, narrowed.destinations, narrowed.sources) == (
        "bridged to 10.32.0.66/32", (one,), (SUBNET,)
    )  # fmt: skip


def test_what_is_left_of_several_networks_has_none_of_them() -> None:
    halves = (IPv4Network("10.32.0.0/26"), IPv4Network("10.32.0.128/25"))
    way = Way("x", "udp", "", sources=(SUBNET, IPv4Network("10.40.0.0/24")))
    (left,) = Address("sources", halves, negated=True).within(way)
    assert set(left.sources) == {IPv4Network("10.32.0.64/26"), IPv4Network("10.40.0.0/24")}


@pytest.mark.parametrize(
    ("condition", "routed", "bridged"),
    [
        pytest.param(Transport(frozenset({"udp"})), ALL, NONE, id="udp"),
        pytest.param(Transport(frozenset({"17", "6"})), ALL, ALL, id="udp or tcp"),
        pytest.param(Transport(frozenset({"1"})), NONE, NONE, id="icmp"),
        pytest.param(Transport(frozenset({"tcp"}), negated=True), ALL, NONE, id="not tcp"),
        pytest.param(State(frozenset({"new", "related"})), ALL, ALL, id="new or related"),
        pytest.param(State(frozenset({"established"})), NONE, NONE, id="established"),
        pytest.param(State(frozenset({"invalid"}), negated=True), ALL, ALL, id="not invalid"),
        pytest.param(State(frozenset({"new"}), negated=True), NONE, NONE, id="not new"),
        pytest.param(Bridged(), NONE, ALL, id="bridged"),
        pytest.param(Bridged(negated=True), ALL, NONE, id="not bridged"),
        pytest.param(Flags(frozenset({"syn", "rst"}), frozenset({"syn"})), NONE, ALL, id="syn without rst"),
        pytest.param(Flags(frozenset({"syn", "ack"}), frozenset({"syn", "ack"})), NONE, NONE, id="syn and ack"),
        pytest.param(Flags(frozenset({"ack"}), frozenset()), NONE, ALL, id="no ack"),
        pytest.param(Flags(frozenset({"syn"}), frozenset({"syn"}), negated=True), NONE, NONE, id="not syn"),
        pytest.param(some("--dport 80"), SOME, SOME, id="port 80"),
        pytest.param(unknown("-m mark"), UNKNOWN, UNKNOWN, id="mark"),
    ],
)
def test_first_packets_of_udp_and_tcp_meet_conditions(condition: Condition, routed: Share, bridged: Share) -> None:
    assert (condition.share(WAY), condition.share(BRIDGED)) == (routed, bridged)


@pytest.mark.parametrize(
    ("shares", "together"),
    [
        ([], ALL),
        ([ALL, ALL], ALL),
        ([ALL, SOME], SOME),
        ([SOME, UNKNOWN, ALL], UNKNOWN),
        ([UNKNOWN, NONE], NONE),
        ([SOME, NONE], NONE),
    ],
)
def test_conditions_are_met_together(shares: list[Share], together: Share) -> None:
    conditions: dict[Share, Condition] = {
        ALL: Bridged(),
        NONE: Bridged(negated=True),
        SOME: some("port"),
        UNKNOWN: unknown("mark"),
    }
    assert share_of_all([conditions[share] for share in shares], BRIDGED) is together


@pytest.mark.parametrize(
    ("text", "networks"),
    [
        ("10.0.0.1", ["10.0.0.1/32"]),
        ("10.0.0.0/8", ["10.0.0.0/8"]),
        ("10.1.2.3/255.0.0.0", ["10.0.0.0/8"]),
        ("10.0.0.1-10.0.0.3", ["10.0.0.1/32", "10.0.0.2/31"]),
    ],
)
def test_networks_are_read(text: str, networks: list[str]) -> None:
    assert network(text) == tuple(map(IPv4Network, networks))
