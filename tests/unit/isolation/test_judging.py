"""What crosses between subnets is found in receptions and neighbour tables, and nothing else is."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import pytest

from fixtures.isolation.judging import (
    MOST_SHOWN,
    NeighbourTable,
    Reception,
    Station,
    describe_diverted,
    describe_frames_outside,
    diverted_neighbours,
    frames_outside,
    free_address,
    locked_entries,
    unproved_receptions,
)
from reports.model import NotProved

SUBNETS = {"u1/a1": "a", "u2/a2": "a", "u1/b1": "b", "u2/b2": "b"}


def reception(sender: str, *received_by: str, left: bool = True) -> Reception:
    return Reception(sender, "UDP to 255.255.255.255, on eth0", left, frozenset(received_by))


EVERYBODY = [
    reception("u1/a1", "u2/a2"),
    reception("u2/a2", "u1/a1"),
    reception("u1/b1", "u2/b2"),
    reception("u2/b2", "u1/b1"),
]


# -- frames that leave their subnet ---------------------------------------------------


def test_frames_that_stay_in_their_subnet_are_not_reported() -> None:
    assert frames_outside(EVERYBODY, SUBNETS) == []
    assert unproved_receptions(EVERYBODY, SUBNETS) == []


def test_a_frame_received_in_another_subnet_is_reported_with_its_receivers_there() -> None:
    receptions = [*EVERYBODY, reception("u1/a1", "u2/a2", "u2/b2", "u1/b1")]
    assert frames_outside(receptions, SUBNETS) == [
        "u1/a1 sent UDP to 255.255.255.255, on eth0: received in another subnet by u1/b1, u2/b2"
    ]


def test_the_description_counts_all_and_shows_some() -> None:
    lines = [f"line {number}" for number in range(MOST_SHOWN + 2)]
    shown = describe_frames_outside(lines, 20).splitlines()
    assert shown[0] == f"line 0 ({MOST_SHOWN + 2} of 20 frames left their subnet)"
    assert shown[1:-1] == lines[1:MOST_SHOWN]
    assert shown[-1] == "… and 2 more"


def test_a_description_that_shows_all_says_of_no_more() -> None:
    lines = [f"line {number}" for number in range(MOST_SHOWN)]
    assert describe_frames_outside(lines, 20).splitlines()[1:] == lines[1:]
    assert describe_diverted(lines).splitlines() == lines
    assert describe_diverted([*lines, "one more"]).splitlines() == [*lines, "… and 1 more"]


def test_nothing_found_has_no_description() -> None:
    assert describe_frames_outside([], 20) == ""
    assert describe_diverted([]) == ""


def test_a_frame_that_was_not_seen_leaving_proves_nothing() -> None:
    assert unproved_receptions([*EVERYBODY, reception("u1/a1", left=False)], SUBNETS) == [
        "u1/a1 sent UDP to 255.255.255.255, on eth0: it was not seen leaving"
    ]


def test_a_container_that_received_nothing_of_its_own_subnet_proves_nothing() -> None:
    receptions = [*EVERYBODY[1:], reception("u1/b1", "u2/a2")]
    assert unproved_receptions(receptions, SUBNETS) == [
        "u2/a2 received no frame of its own subnet, so its recorder proves nothing"
    ]


def test_nothing_sent_proves_nothing() -> None:
    assert unproved_receptions([], {}) == ["nothing was sent"]


# -- neighbour tables that were poisoned ----------------------------------------------


STATIONS = [
    Station("u1/a1", "u1", "a", "02:00:00:00:00:01"),
    Station("u2/a2", "u2", "a", "02:00:00:00:00:02"),
    Station("u1/b1", "u1", "b", "02:00:00:00:00:03"),
]


def entry(address: str, mac: str | None, device: str = "eth0") -> dict[str, Any]:
    made = {"dst": address, "dev": device}
    return made if mac is None else {**made, "lladdr": mac}


def table(*entries: dict[str, Any], node: str = "u1") -> NeighbourTable:
    return NeighbourTable("u1/a1", node, "a", IPv4Network("10.32.0.0/24"), "eth0", entries)


def test_an_entry_that_leads_to_another_subnet_is_reported() -> None:
    believed = table(entry("10.32.0.2", "02:00:00:00:00:02"), entry("10.32.0.9", "02:00:00:00:00:03"))
    assert diverted_neighbours([believed], STATIONS) == [
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
    ],
    ids=["the neighbour itself", "not a neighbour", "on another interface", "not of the fleet", "incomplete"],
)
def test_an_entry_that_diverts_nothing_is_not_reported(harmless: dict[str, Any]) -> None:
    assert diverted_neighbours([table(harmless)], STATIONS) == []


def test_an_ipv6_destination_on_another_interface_is_not_read() -> None:
    assert diverted_neighbours([table(entry("fe80::1", "02:00:00:00:00:03", device="eth1"))], STATIONS) == []


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_stations_with_one_mac_the_one_on_the_same_node_is_meant(order: int) -> None:
    mac = "02:42:0a:20:00:02"
    stations = [Station("u1/a1", "u1", "a", mac), Station("u2/b2", "u2", "b", mac)][::order]
    believed = entry("10.32.0.2", mac)
    assert diverted_neighbours([table(believed, node="u1")], stations) == []
    assert diverted_neighbours([table(believed, node="u2")], stations) != []


def test_every_table_is_read() -> None:
    poisoned, clean = table(entry("10.32.0.9", "02:00:00:00:00:03")), table()
    assert len(diverted_neighbours([clean, poisoned, poisoned], STATIONS)) == 2


# -- a free address ---------------------------------------------------------------------


NETWORK = IPv4Network("10.32.0.0/29")


def test_the_highest_free_host_address_is_chosen() -> None:
    assert free_address("a", NETWORK, set()) == "10.32.0.6"
    assert free_address("a", NETWORK, {"10.32.0.6", "10.32.0.5"}) == "10.32.0.4"


def test_the_lowest_host_address_is_one_too() -> None:
    assert free_address("a", NETWORK, {f"10.32.0.{number}" for number in range(2, 7)}) == "10.32.0.1"


def test_neither_the_network_nor_its_broadcast_address_is_chosen() -> None:
    with pytest.raises(NotProved, match=r"^subnet a 10\.32\.0\.0/29 has no free address"):
        free_address("a", NETWORK, {f"10.32.0.{number}" for number in range(1, 7)})


@pytest.mark.parametrize(("age_s", "locked"), [(0, True), (1, True), (2, False), (300, False)])
def test_a_young_entry_ignores_claims(age_s: int, locked: bool) -> None:
    """Linux keeps an entry for 1 s against claims, and ages are rounded down."""
    known = table({"dst": "10.32.0.2", "dev": "eth0", "lladdr": "02:00:00:00:00:02", "updated": age_s})
    expected = [f"u1/a1: 10.32.0.2 changed {age_s} s ago"] if locked else []
    assert locked_entries([known]) == expected


@pytest.mark.parametrize(("address", "device"), [("10.32.0.2", "eth1"), ("10.32.1.2", "eth0")])
def test_only_entries_on_the_way_to_a_neighbour_are_waited_for(address: str, device: str) -> None:
    assert locked_entries([table({"dst": address, "dev": device, "updated": 0})]) == []
