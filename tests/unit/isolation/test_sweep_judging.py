"""What a sweep across subnets says: what leaks, and what was not proved."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest

from fixtures.isolation.sweep_judging import describe_leaks, find_leaks, uncontrolled, unproved_sweep
from fixtures.probes.delivery import Endpoint
from fixtures.probes.ports import bits
from fixtures.probes.sweep import Carrier, Lane, Seen, Swept

PORTS = (22, 443, 5432, 65535)
ALL = bits(PORTS)
NAMES = [f"{node}/{subnet}{node[1]}" for node in ("u1", "u2") for subnet in "ab"]
ENDS = {name: Endpoint(name, name[:2], f"/{name}", f"10.0.{'ab'.index(name[3])}.{name[1]}") for name in NAMES}
SUBNETS = {name: name[3] for name in NAMES}


def lane(way: str, carrier: Carrier = Carrier.TCP, own_port: int = 0, ports: tuple[int, ...] = PORTS) -> Lane:
    source, destination = way.split()
    return Lane(ENDS[source], ENDS[destination], carrier, ports, own_port)


def blocked(made: Lane, **seen: object) -> Swept:
    return Swept(made, replace(Seen(left=bits(made.ports)), **seen))  # type: ignore[arg-type]


def delivered(made: Lane) -> Swept:
    return Swept(made, Seen(left=bits(made.ports), arrived=bits(made.ports), interface="eth0"))


WAYS = ("u1/a1 u1/b1", "u1/a1 u2/b2", "u2/a2 u1/b1", "u2/a2 u2/b2", "u1/b1 u1/a1")
QUIET = [blocked(lane(way)) for way in WAYS]
CONTROLS = [
    delivered(lane(way, carrier))
    for way in ("u1/a1 u2/a2", "u2/a2 u1/a1", "u1/b1 u2/b2", "u2/b2 u1/b1")
    for carrier in Carrier
]


def told(*leaking: Swept) -> str:
    ways = {one.lane for one in leaking}
    attempts = [*leaking, *(one for one in QUIET if one.lane not in ways)]
    return describe_leaks(find_leaks(attempts, SUBNETS), attempts)


def test_what_arrives_nowhere_is_no_leak() -> None:
    assert find_leaks(QUIET, SUBNETS) == [] and describe_leaks([], QUIET) == ""


def test_one_port_of_some_pairs_is_told_with_the_node() -> None:
    leaks = [blocked(lane(way), arrived=bits([443]), interface="eth0") for way in ("u2/a2 u1/b1", "u2/a2 u2/b2")]
    assert told(*leaks) == "u2/a2 → u1/b1: TCP 443 arrived at u1/b1, on eth0 (2 of 5 pairs: from u2)"


def test_two_ports_of_one_pair() -> None:
    leak = blocked(lane("u1/a1 u2/b2", Carrier.UDP), arrived=bits([22, 5432]), interface="eth1")
    assert told(leak).startswith("u1/a1 → u2/b2: UDP 22 and 5432 arrived at u2/b2, on eth1 (1 of 5 pairs")


def test_every_port() -> None:
    leak = blocked(lane("u1/a1 u2/b2"), arrived=ALL, interface="eth0")
    assert told(leak).startswith("u1/a1 → u2/b2: every TCP port (4 tried) arrived at u2/b2, on eth0")


def test_a_hole_for_a_source_port_is_told_as_one() -> None:
    leak = blocked(lane("u2/a2 u1/b1", Carrier.UDP, 53), arrived=ALL, interface="eth0")
    assert told(leak).startswith("u2/a2 → u1/b1: from UDP source port 53, to every port tried (4), arrived at u1/b1")
    some = blocked(lane("u2/a2 u1/b1", Carrier.UDP, 53), arrived=bits([22]), interface="eth0")
    assert told(some).startswith("u2/a2 → u1/b1: from UDP source port 53, to 22, arrived")


def test_a_source_port_is_not_told_where_any_source_port_passes() -> None:
    whole = blocked(lane("u2/a2 u1/b1"), arrived=bits([443]), interface="eth0")
    by_source = blocked(lane("u2/a2 u1/b1", Carrier.TCP, 53), arrived=bits([443]), interface="eth0")
    assert told(whole, by_source).count("\n") == 0 and "source port" not in told(whole, by_source)
    more = replace(by_source, seen=replace(by_source.seen, arrived=bits([443, 22])))
    assert "from TCP source port 53" in told(whole, more)
    other = blocked(lane("u2/a2 u2/b2", Carrier.TCP, 53), arrived=bits([443]), interface="eth0")
    assert "from TCP source port 53" in told(whole, other), "another pair"


def test_protocols_have_names() -> None:
    made = lane("u1/a1 u2/b2", Carrier.IP, ports=(47, 132, 200))
    one = blocked(made, arrived=bits([132]), interface="eth0")
    assert told(one).startswith("u1/a1 → u2/b2: IP protocol 132 (SCTP) arrived at u2/b2, on eth0")
    assert "IP protocol 132 (SCTP), 200 arrived" in told(replace(one, seen=replace(one.seen, arrived=bits([132, 200]))))
    assert "every other IP protocol (3 tried) arrived" in told(replace(one, seen=replace(one.seen, arrived=one.tried)))


@pytest.mark.parametrize(("where", "leaks"), [("u2/b2", True), ("u2/a2", False)])
def test_a_packet_that_somebody_else_of_the_other_subnet_gets_is_a_leak(where: str, leaks: bool) -> None:
    one = blocked(lane("u1/a1 u1/b1"), elsewhere=((where, False, 3, 443, "eth0"),))
    assert bool(find_leaks([one], SUBNETS)) is leaks
    assert not leaks or told(one).startswith("u1/a1 → u1/b1: TCP 443 arrived at u2/b2, on eth0")


def test_many_leaks_are_cut() -> None:
    leaks = [
        blocked(lane(way, Carrier.UDP, own), arrived=bits([22]), interface="eth0")
        for way in WAYS
        for own in range(1, 15)
    ]
    assert len(told(*leaks).splitlines()) == 13


def test_a_whole_proof_has_no_gap() -> None:
    assert unproved_sweep(QUIET, CONTROLS, CONTROLS) == []


def test_nothing_attempted_proves_nothing() -> None:
    assert unproved_sweep([], CONTROLS, CONTROLS) == ["nothing was attempted"]
    empty = [*QUIET, blocked(lane("u1/a1 u2/b2", ports=()))]
    assert unproved_sweep(empty, CONTROLS, CONTROLS) == ["u1/a1 → u2/b2: no TCP port was tried"]


def test_a_port_that_was_not_seen_leaving_proves_nothing() -> None:
    gap = [*QUIET, blocked(lane("u1/a1 u2/b2"), left=ALL & ~bits([443]))]
    assert unproved_sweep(gap, CONTROLS, CONTROLS) == ["u1/a1 → u2/b2: TCP 443 was not seen leaving"]
    refused = [*QUIET, blocked(lane("u1/a1 u2/b2"), left=0, errno=errno.ENETUNREACH)]
    assert "was not seen leaving (Network is unreachable)" in unproved_sweep(refused, CONTROLS, CONTROLS)[0]


@pytest.mark.parametrize("when", ["before", "after"])
def test_every_end_needs_a_control_by_the_same_protocol(when: str) -> None:
    missing = [one for one in CONTROLS if (one.lane.destination.name, one.lane.carrier) != ("u1/b1", Carrier.TCP)]
    before, after = (missing, CONTROLS) if when == "before" else (CONTROLS, missing)
    assert unproved_sweep(QUIET, before, after) == [f"u1/b1 received no TCP control of its own subnet {when}"]
    sender = [one for one in CONTROLS if (one.lane.destination.name, one.lane.carrier) != ("u2/a2", Carrier.TCP)]
    before, after = (sender, CONTROLS) if when == "before" else (CONTROLS, sender)
    assert unproved_sweep(QUIET, before, after) == [f"u2/a2 received no TCP control of its own subnet {when}"]


def test_a_control_that_was_not_seen_leaving_is_none() -> None:
    ghost = [replace(one, seen=replace(one.seen, left=0)) for one in CONTROLS]
    assert len(unproved_sweep(QUIET, CONTROLS, ghost)) == 4


def test_protocols_that_no_control_carried() -> None:
    one, other = lane("u1/a1 u2/a2", Carrier.IP, ports=(47, 132)), lane("u1/b1 u2/b2", Carrier.IP, ports=(47, 200))
    assert uncontrolled([blocked(one, arrived=bits([47])), blocked(other)]) == {"protocols": "132 (SCTP), 200"}
    assert uncontrolled([delivered(one)]) == {"protocols": "none"}
    assert uncontrolled([]) == {} and uncontrolled(CONTROLS[:1]) == {}, "of UDP and TCP there is nothing to tell"


# -- over IPv6 ---------------------------------------------------------------------------

ENDS6 = {name: replace(end, address=f"fd00::{number}") for number, (name, end) in enumerate(ENDS.items(), 1)}
BEHIND = Lane(ENDS6["u1/a1"], ENDS6["u2/b2"], Carrier.HEADERS, (1, 2, 10))
OTHER6 = Lane(ENDS6["u1/a1"], ENDS6["u2/b2"], Carrier.IP, (0, 132))


def test_extension_headers_are_told_by_what_they_are() -> None:
    one = blocked(BEHIND, arrived=bits([10]), interface="eth0")
    assert told(one).startswith("u1/a1 → u2/b2 over IPv6: destination options before TCP arrived at u2/b2, on eth0")
    many = blocked(replace(BEHIND, ports=tuple(range(1, 9))), arrived=bits(range(1, 6)), interface="eth0")
    assert "a routing header of type 4 before UDP … (5 in all) arrived at" in told(many)
    every = replace(one, seen=replace(one.seen, arrived=one.tried))
    assert "every packet with extension headers (3 tried) arrived" in told(every)
    assert "IP protocol 0 (hop-by-hop options) arrived" in told(blocked(OTHER6, arrived=bits([0]), interface="eth0"))


def test_a_packet_with_extension_headers_that_did_not_leave_proves_nothing() -> None:
    after = [delivered(replace(BEHIND, source=ENDS6[one], destination=ENDS6[other]))
             for one, other in (("u2/a2", "u1/a1"), ("u1/b1", "u2/b2"))]  # fmt: skip
    gap = [blocked(BEHIND, left=bits([1, 2]), errno=errno.EMSGSIZE)]
    assert unproved_sweep(gap, after, after) == [
        "u1/a1 → u2/b2 over IPv6: IPv6 extension header (destination options before TCP) was not seen leaving "
        "(Message too long)"
    ]
    assert unproved_sweep([blocked(BEHIND)], after[:1], after) == [
        "u2/b2 received no IPv6 extension header control of its own subnet before"
    ]
    assert unproved_sweep([blocked(BEHIND)], after, after) == []


def test_what_no_control_carried_is_told_by_kind_and_family() -> None:
    assert uncontrolled([blocked(BEHIND, arrived=bits([1, 2])), delivered(OTHER6)]) == {
        "packets with extension headers over IPv6": "destination options before TCP",
        "protocols over IPv6": "none",
    }
