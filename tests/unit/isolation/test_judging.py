"""What crosses between subnets is found in receptions and neighbour tables, and nothing else is."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from fixtures.isolation.judging import (
    MOST_SHOWN,
    Reception,
    describe_frames_outside,
    describe_misplaced,
    frames_outside,
    free_address,
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


def test_nothing_found_has_no_description() -> None:
    assert describe_frames_outside([], 20) == ""


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


# -- the subnet that was asked for ----------------------------------------------------------

BOTH = {"a": IPv4Network("10.32.0.0/24"), "b": IPv4Network("10.32.1.0/24")}


@pytest.mark.parametrize(
    ("addresses", "got"),
    [
        (["10.32.1.70"], ""),
        (["10.32.1.70", "10.32.1.71"], ""),
        (["10.32.0.70"], "10.32.0.70 of subnet a"),
        (["10.32.1.70", "10.32.0.70"], "10.32.0.70 of subnet a"),
        (["10.40.0.1", "10.32.0.70"], "10.40.0.1 of no subnet, 10.32.0.70 of subnet a"),
        ([], "no overlay address"),
    ],
)
def test_an_address_of_another_subnet_than_was_asked_for_is_told(addresses: list[str], got: str) -> None:
    told = f"u1/b1 asked for subnet b (10.32.1.0/24) and got {got}" if got else ""
    assert describe_misplaced("u1/b1", "b", addresses, BOTH) == told


def test_subnets_may_lie_within_each_other() -> None:
    nested = {"whole": IPv4Network("10.32.0.0/16"), "b": IPv4Network("10.32.1.0/24")}
    assert describe_misplaced("u1/b1", "b", ["10.32.1.70"], nested) == ""
