"""A container that takes one of another subnet for a router is found; one that takes nobody proves nothing."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.layers.inet6 import (
    ICMPv6ND_RA,
    ICMPv6ND_Redirect,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptPrefixInfo,
    IPv6,
)
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from fixtures.isolation.judging import MOST_SHOWN
from fixtures.isolation.router_judging import (
    LIFETIME_S,
    ROUTER,
    Markers,
    Message,
    Told,
    advertisement,
    describe_turned,
    redirect,
    taken_networks,
    takes_routers,
    unproved_turns,
)

MAC, OTHER = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
NONCE = bytes(range(12))
MARKS = Markers(0xF1A7)
SUBNETS = {"u1/a1": "a", "u2/a2": "a", "u1/b1": "b"}
ADVERTISED = [Told(name, Message.ADVERTISEMENT, None, MARKS.network(number)) for number, name in enumerate(SUBNETS)]
REDIRECTED = [
    Told("u1/b1", Message.REDIRECT, "u1/a1", MARKS.address(2)),
    Told("u2/a2", Message.REDIRECT, "u1/a1", MARKS.address(1)),
]
TOLD = [*ADVERTISED, *REDIRECTED]
BOTH = {Message.ADVERTISEMENT: True, Message.REDIRECT: True}


def test_markers_are_for_documentation_and_of_one_container_each() -> None:
    assert (MARKS.network(0), MARKS.network(9)) == ("2001:db8:f1a7:1::/64", "2001:db8:f1a7:a::/64")
    assert (MARKS.address(0), MARKS.address(9)) == ("2001:db8:f1a7:ffff::1", "2001:db8:f1a7:ffff::a")
    assert (MARKS.whole, MARKS.redirected) == ("2001:db8:f1a7::/48", "2001:db8:f1a7:ffff::/64")


def test_an_advertisement_is_such_that_a_kernel_takes_it_and_makes_no_default_router() -> None:
    frame = Ether(bytes(advertisement(MAC, MARKS.network(0)) / Raw(NONCE)))
    assert (frame.src, frame.dst, frame[IPv6].dst, frame[IPv6].hlim) == (MAC, "33:33:00:00:00:01", "ff02::1", 255)
    assert frame[IPv6].src == "fe80::ff:fe00:a", "link-local, or it is dropped (RFC 4861 §6.1.2)"
    said, network = frame[ICMPv6ND_RA], frame[ICMPv6NDOptPrefixInfo]
    assert (said.routerlifetime, said.chlim, said.M, said.O, said.reachabletime, said.retranstimer) == (0,) * 6
    assert (network.prefix, network.prefixlen, network.L, network.A) == ("2001:db8:f1a7:1::", 64, 1, 0)
    assert network.validlifetime == network.preferredlifetime == LIFETIME_S
    assert (len(bytes(frame[IPv6])) - 40 - 16) % 8 == 0 and bytes(frame).endswith(NONCE), "only whole options"


def test_a_redirect_is_such_that_a_kernel_takes_it() -> None:
    frame = Ether(bytes(redirect((MAC, OTHER), "fd00::1", MARKS.address(0)) / Raw(NONCE)))
    assert (frame.src, frame.dst) == (MAC, OTHER)
    assert (frame[IPv6].src, frame[IPv6].dst, frame[IPv6].hlim) == (ROUTER, "fd00::1", 255)
    said = frame[ICMPv6ND_Redirect]
    assert (said.tgt, said.dst, frame[ICMPv6NDOptDstLLAddr].lladdr) == ("fe80::ff:fe00:a", MARKS.address(0), MAC)
    assert (len(bytes(frame[IPv6])) - 40 - 40) % 8 == 0


def test_networks_that_were_taken_are_routes() -> None:
    routes: list[dict[str, Any]] = [{"dst": MARKS.network(1), "dev": "eth0"}, {"dst": "default", "gateway": "fd00::2"}]
    assert taken_networks(routes, {MARKS.network(0), MARKS.network(1)}) == {MARKS.network(1)}


@pytest.mark.parametrize(
    ("accept_ra", "accept_redirects", "forwarding", "takes"),
    [
        ("1", "1", "0", (True, True)),
        ("1", "1", "1", (False, False)),
        ("2", "0", "1", (True, False)),
        ("2", "0", "0", (True, False)),
        ("0", "1", "0", (False, True)),
    ],
)
def test_what_a_kernel_takes_is_set(
    accept_ra: str, accept_redirects: str, forwarding: str, takes: tuple[bool, bool]
) -> None:
    found = takes_routers({"accept_ra": accept_ra, "accept_redirects": accept_redirects, "forwarding": forwarding})
    assert (found[Message.ADVERTISEMENT], found[Message.REDIRECT]) == takes


def test_who_takes_a_container_of_another_subnet_for_a_router_is_told() -> None:
    taken = {"u1/a1": {MARKS.network(1), MARKS.network(2), MARKS.address(1), MARKS.address(2)}, "u2/a2": set()}
    assert describe_turned(TOLD, taken, SUBNETS).splitlines() == [
        "u1/a1 takes u1/b1, in another subnet, for a router: it has a route to 2001:db8:f1a7:3::/64 from its router "
        "advertisement (2 routes turned)",
        "u1/a1 takes u1/b1, in another subnet, for a router: it sends what is for 2001:db8:f1a7:ffff::3 there, after "
        "its ICMPv6 redirect",
    ]
    assert describe_turned(TOLD, {"u1/a1": {MARKS.network(1), MARKS.address(1)}}, SUBNETS) == ""
    assert describe_turned(TOLD, {}, SUBNETS) == ""


def test_many_routes_that_turned_are_cut() -> None:
    many = {f"u1/x{number}": {MARKS.network(2)} for number in range(MOST_SHOWN + 2)}
    shown = describe_turned(TOLD, many, SUBNETS | dict.fromkeys(many, "a")).splitlines()
    assert len(shown) == MOST_SHOWN + 1 and shown[-1] == "… and 2 more"


def test_who_takes_its_own_neighbours_for_routers_proves_something() -> None:
    taken = {"u1/a1": {MARKS.network(1), MARKS.address(1)}}
    assert unproved_turns(TOLD, taken, SUBNETS, {"u1/a1": BOTH}) == []


@pytest.mark.parametrize(
    ("taken", "missing"),
    [
        (set(), ["router advertisement", "ICMPv6 redirect"]),
        ({MARKS.network(1)}, ["ICMPv6 redirect"]),
        ({MARKS.address(1)}, ["router advertisement"]),
        ({MARKS.network(1), MARKS.address(2)}, ["ICMPv6 redirect"]),
    ],
    ids=["nothing", "no redirect", "no advertisement", "of another subnet"],
)
def test_who_takes_nobody_proves_nothing(taken: set[str], missing: list[str]) -> None:
    reasons = unproved_turns(TOLD, {"u1/a1": taken}, SUBNETS, {"u1/a1": BOTH})
    assert [reason.partition(" of its own neighbours either")[0] for reason in reasons] == [
        f"u1/a1 took no {name}" for name in missing
    ]


def test_a_kernel_that_is_set_to_take_nobody_needs_no_proof() -> None:
    deaf = dict.fromkeys(Message, False)
    assert unproved_turns(TOLD, {}, SUBNETS, {"u1/a1": deaf}) == []
    (reason,) = unproved_turns(TOLD, {}, SUBNETS, {"u1/a1": {**deaf, Message.REDIRECT: True}})
    assert "took no ICMPv6 redirect" in reason and "kernel is set to" in reason


def test_nobody_told_anything_proves_nothing() -> None:
    assert unproved_turns([], {}, SUBNETS, {}) == ["nobody was told anything"]
