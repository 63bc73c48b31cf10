"""An ARP claim that was believed is found, and one that no kernel would have believed proves nothing."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Any

import pytest
from scapy.layers.inet6 import (
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

from fixtures.isolation.claim_judging import (
    DIRECTED,
    FORMS,
    STAND_IN_MAC,
    Form,
    NeighbourTable,
    Station,
    Target,
    Victim,
    ages_s,
    believed,
    claim,
    describe_diverted,
    diverted_neighbours,
    ready,
    ready_throughout,
    unproved_claims,
)
from fixtures.isolation.judging import MOST_SHOWN
from lab.inventory import Family

OWN_MAC, TARGET = "02:00:00:00:00:0a", Target("10.32.0.1", "02:00:00:00:00:01")
STATIONS = [
    Station("u1/a1", "u1", "a", "02:00:00:00:00:01"),
    Station("u2/a2", "u2", "a", "02:00:00:00:00:02"),
    Station("u1/b1", "u1", "b", "02:00:00:00:00:03"),
]


def entry(address: str, mac: str | None, device: str = "eth0", updated: int = 0) -> dict[str, Any]:
    made = {"dst": address, "dev": device, "updated": updated}
    return made if mac is None else {**made, "lladdr": mac}


def table(*entries: dict[str, Any], node: str = "u1", container: str = "u1/a1") -> NeighbourTable:
    return NeighbourTable(container, node, "a", IPv4Network("10.32.0.0/24"), "eth0", entries)


# -- frames ----------------------------------------------------------------------------


def test_every_form_is_tried() -> None:
    assert sorted(form.name for groups in FORMS.values() for group in groups for form in group) == sorted(
        form.name for form in Form
    )
    assert {form for everybody, _ in FORMS.values() for form in everybody} == set(Form) - DIRECTED


@pytest.mark.parametrize(
    ("form", "operation", "to", "asked_for", "target_mac"),
    [
        (Form.GRATUITOUS_REQUEST, 1, "ff:ff:ff:ff:ff:ff", "10.32.0.9", "00:00:00:00:00:00"),
        (Form.GRATUITOUS_REPLY, 2, "ff:ff:ff:ff:ff:ff", "10.32.0.9", OWN_MAC),
        (Form.DIRECTED_REQUEST, 1, TARGET.mac, TARGET.address, "00:00:00:00:00:00"),
        (Form.DIRECTED_REPLY, 2, TARGET.mac, TARGET.address, TARGET.mac),
    ],
    ids=lambda value: value.name if isinstance(value, Form) else None,
)
def test_a_claim_is_such_that_a_kernel_believes_it(
    form: Form, operation: int, to: str, asked_for: str, target_mac: str
) -> None:
    """Linux takes a packet for gratuitous when its two addresses are one and, in a reply, its two MACs are."""
    frame = claim(form, "10.32.0.9", OWN_MAC, TARGET if form in DIRECTED else None)
    assert (frame[Ether].src, frame[Ether].dst) == (OWN_MAC, to)
    said = Ether(bytes(frame))[ARP]
    assert (said.op, said.hwsrc, said.psrc) == (operation, OWN_MAC, "10.32.0.9")
    assert (said.pdst, said.hwdst) == (asked_for, target_mac)


def test_a_directed_claim_needs_a_target() -> None:
    with pytest.raises(ValueError, match="no target"):
        claim(Form.DIRECTED_REPLY, "10.32.0.9", OWN_MAC)


# -- neighbour tables that were changed --------------------------------------------------


def test_an_entry_that_leads_to_another_subnet_is_reported() -> None:
    changed = table(entry("10.32.0.2", "02:00:00:00:00:02"), entry("10.32.0.9", "02:00:00:00:00:03"))
    assert diverted_neighbours([changed], STATIONS) == [
        "u1/a1 sends to u1/b1, in another subnet, what is for 10.32.0.9: its neighbour table has 02:00:00:00:00:03"
    ]


@pytest.mark.parametrize(
    "harmless",
    [
        entry("10.32.0.2", "02:00:00:00:00:02"),
        entry("10.32.1.9", "02:00:00:00:00:03"),
        entry("10.32.0.9", "02:00:00:00:00:03", device="eth1"),
        entry("10.32.0.9", "02:00:00:00:00:99"),
        entry("10.32.0.9", None),
        entry("fe80::1", "02:00:00:00:00:03", device="eth1"),
    ],
    ids=["the neighbour itself", "not a neighbour", "on another interface", "not of the fleet", "incomplete", "IPv6"],
)
def test_an_entry_that_diverts_nothing_is_not_reported(harmless: dict[str, Any]) -> None:
    assert diverted_neighbours([table(harmless)], STATIONS) == []


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_stations_with_one_mac_the_one_on_the_same_node_is_meant(order: int) -> None:
    mac = "02:42:0a:20:00:02"
    stations = [Station("u1/a1", "u1", "a", mac), Station("u2/b2", "u2", "b", mac)][::order]
    changed = entry("10.32.0.2", mac)
    assert diverted_neighbours([table(changed, node="u1")], stations) == []
    assert diverted_neighbours([table(changed, node="u2")], stations) != []


def test_every_table_is_read() -> None:
    changed, clean = table(entry("10.32.0.9", "02:00:00:00:00:03")), table()
    assert len(diverted_neighbours([clean, changed, changed], STATIONS)) == 2


def test_the_description_says_which_claims_were_sent_and_how_many_entries_changed() -> None:
    assert describe_diverted([], "claims") == ""
    lines = [f"line {number}" for number in range(MOST_SHOWN + 2)]
    shown = describe_diverted(lines, "claims by ARP").splitlines()
    assert shown[0] == f"line 0 (after claims by ARP; {MOST_SHOWN + 2} entries were changed)"
    assert shown[1:-1] == lines[1:MOST_SHOWN]
    assert shown[-1] == "… and 2 more"
    assert describe_diverted(lines[:MOST_SHOWN], "x").splitlines()[1:] == lines[1:MOST_SHOWN]


# -- claims that a kernel would have believed ----------------------------------------------

VICTIM = Victim("u1/a1", "10.32.0.2")


def test_ages_are_those_of_entries_on_the_way_to_a_neighbour() -> None:
    entries = [
        entry("10.32.0.2", "02:00:00:00:00:02", updated=7),
        entry("10.32.0.3", None, updated=8),
        entry("10.32.0.4", "02:00:00:00:00:04", "eth1", updated=9),
        entry("10.32.1.5", "02:00:00:00:00:05", updated=9),
    ]
    assert ages_s([table(*entries), table(container="u1/a9")]) == {VICTIM: 7}


@pytest.mark.parametrize(("age_s", "believes"), [(0, False), (1, False), (2, True), (300, True)])
def test_a_young_entry_ignores_claims(age_s: int, believes: bool) -> None:
    """Linux keeps an entry for 1 s against claims, and ages are rounded down."""
    assert ready({VICTIM: age_s}) == ({VICTIM} if believes else set())


@pytest.mark.parametrize(
    ("before", "after", "counts"),
    [
        ({VICTIM: 2}, {VICTIM: 2}, True),
        ({VICTIM: 2}, {VICTIM: 3}, True),
        ({VICTIM: 1}, {VICTIM: 2}, False),
        ({VICTIM: 30}, {VICTIM: 0}, False),
        ({VICTIM: 30}, {VICTIM: 29}, False),
        ({VICTIM: 30}, {}, False),
        ({}, {VICTIM: 30}, False),
    ],
    ids=["same second", "older", "too young", "changed meanwhile", "changed long ago", "gone", "new"],
)
def test_only_an_entry_that_was_past_its_locktime_throughout_tests_a_claim(
    before: dict[Victim, int], after: dict[Victim, int], counts: bool
) -> None:
    assert ready_throughout(before, after) == ({VICTIM} if counts else set())


def test_a_changed_stand_in_is_a_claim_that_was_believed() -> None:
    stand_ins = {"10.32.0.9": Form.DIRECTED_REPLY, "10.32.0.8": Form.DIRECTED_REQUEST}
    tables = [
        table(entry("10.32.0.9", "02:00:00:00:00:02"), entry("10.32.0.8", STAND_IN_MAC)),
        table(entry("10.32.0.7", "02:00:00:00:00:02"), entry("10.32.0.8", "02:00:00:00:00:02"), container="u1/a3"),
        table(entry("10.32.0.9", None), container="u1/a5"),
    ]
    assert believed(tables, stand_ins) == {("u1/a1", Form.DIRECTED_REPLY), ("u1/a3", Form.DIRECTED_REQUEST)}


def test_claims_that_came_in_time_to_a_container_that_believes_claims_prove_something() -> None:
    assert unproved_claims({VICTIM}, {VICTIM}, {"u1/a1"}) == []


def test_what_no_kernel_would_have_believed_proves_nothing() -> None:
    other = Victim("u2/a2", "10.32.0.1")
    assert unproved_claims({other, VICTIM}, {other}, {"u1/a1"}) == [
        "u1/a1 had no neighbour entry for 10.32.0.2 that was older than 1 s when it was claimed, "
        "so its kernel ignored a directed reply",
        "u2/a2 believed no ARP claim of its own neighbours either, so those of another subnet prove nothing",
    ]
    assert unproved_claims(set(), set(), set()) == ["nobody was claimed to"]


# -- neighbour discovery -------------------------------------------------------------------

TARGET6 = Target("fd00:10:32:0:1::1", "02:00:00:00:00:01")
CLAIMED6 = "fd00:10:32:0:2::9"
NONCE = bytes(range(12))


@pytest.mark.parametrize(
    ("form", "to", "flags"),
    [
        (Form.UNSOLICITED, None, (0, 1)),
        (Form.UNSOLICITED_MILD, None, (0, 0)),
        (Form.SOLICITED, TARGET6, (1, 1)),
        (Form.SOLICITED_MILD, TARGET6, (1, 0)),
    ],
    ids=lambda value: value.name if isinstance(value, Form) else None,
)
def test_an_advertisement_is_such_that_a_kernel_takes_it(form: Form, to: Target | None, flags: tuple[int, int]) -> None:
    """Kernels drop what has passed a router, and solicited advertisements that are for a group (RFC 4861 §7.1.2)."""
    frame = Ether(bytes(claim(form, CLAIMED6, OWN_MAC, to) / Raw(NONCE)))
    packet = frame[IPv6]
    assert (frame.src, frame.dst) == (OWN_MAC, to.mac if to else "33:33:00:00:00:01")
    assert (packet.src, packet.dst, packet.hlim) == (CLAIMED6, to.address if to else "ff02::1", 255)
    said = frame[ICMPv6ND_NA]
    assert (said.tgt, said.R, (said.S, said.O)) == (CLAIMED6, 0, flags)
    assert frame[ICMPv6NDOptDstLLAddr].lladdr == OWN_MAC
    assert options_of(bytes(packet)[40 + 24 :]) == [2, 253] and bytes(packet).endswith(NONCE)


def test_a_solicitation_makes_known_who_asks() -> None:
    frame = Ether(bytes(claim(Form.SOLICITATION, CLAIMED6, OWN_MAC, TARGET6) / Raw(NONCE)))
    assert (frame.src, frame.dst, frame[IPv6].src, frame[IPv6].dst) == (OWN_MAC, TARGET6.mac, CLAIMED6, TARGET6.address)
    assert (frame[ICMPv6ND_NS].tgt, frame[ICMPv6NDOptSrcLLAddr].lladdr) == (TARGET6.address, OWN_MAC)
    assert frame[IPv6].hlim == 255 and options_of(bytes(frame[IPv6])[40 + 24 :]) == [1, 253]


def options_of(data: bytes) -> list[int]:
    """The types of the options, which have to be whole: else a kernel drops the packet (RFC 4861 §4.6)."""
    found = []
    while data:
        assert data[1] > 0 and len(data) >= data[1] * 8
        found.append(data[0])
        data = data[data[1] * 8 :]
    return found


@pytest.mark.parametrize("form", [Form.SOLICITED, Form.SOLICITED_MILD, Form.SOLICITATION])
def test_a_directed_claim_of_ipv6_needs_a_target(form: Form) -> None:
    with pytest.raises(ValueError, match="no target"):
        claim(form, CLAIMED6, OWN_MAC)


def table6(*entries: dict[str, Any]) -> NeighbourTable:
    return NeighbourTable("u1/a1", "u1", "a", IPv6Network("fd00:10:32::/64"), "eth0", entries)


def test_a_diverted_neighbour_of_ipv6_is_reported_and_a_link_local_one_is_not_one() -> None:
    changed = table6(entry(CLAIMED6, "02:00:00:00:00:03"), entry("fe80::3", "02:00:00:00:00:03"))
    assert diverted_neighbours([changed], STATIONS) == [
        f"u1/a1 sends to u1/b1, in another subnet, what is for {CLAIMED6}: its neighbour table has 02:00:00:00:00:03"
    ]
    assert ages_s([table6(entry("fd00:10:32:0:2:0:0:9", OWN_MAC, updated=3))]) == {Victim("u1/a1", CLAIMED6): 3}


def test_an_entry_of_ipv6_has_only_to_be_there() -> None:
    victim, six = Victim("u1/a1", CLAIMED6), Family.V6
    assert ready({victim: 0}, six) == {victim} and ready({}, six) == set()
    assert ready_throughout({victim: 30}, {victim: 0}, six) == {victim}, "only its state was changed"
    assert ready_throughout({victim: 30}, {}, six) == ready_throughout({}, {victim: 30}, six) == set()


def test_what_proves_nothing_over_ipv6() -> None:
    victim = Victim("u1/a1", CLAIMED6)
    assert unproved_claims({victim}, set(), set(), Family.V6) == [
        f"u1/a1 had no neighbour entry for {CLAIMED6} when it was claimed, so its kernel ignored advertisements",
        "u1/a1 believed no IPv6 claim of its own neighbours either, so those of another subnet prove nothing",
    ]
    assert unproved_claims({victim}, {victim}, {"u1/a1"}, Family.V6) == []
