"""What a delivery reports: exchanged or not, reached or not, hops, and how it prints."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fixtures.probes.agent import formats
from fixtures.probes.delivery import NUMBERS, Attempt, Delivery, Edge, Endpoint, Frame, Header, Step, Transport
from reports.model import NotProved, Outcome
from tests.unit.probes.canned import NAT, A, B, C, good, sighting

UDP, TCP, ICMP = Transport.UDP, Transport.TCP, Transport.ICMP
ANSWERED = good(UDP).judged()


@pytest.mark.parametrize(
    ("kind", "outgoing", "to_us"),
    [
        (formats.TO_HOST, False, True),
        (formats.BROADCAST, False, True),
        (formats.MULTICAST, False, True),
        (formats.OTHER_HOST, False, False),
        (formats.OUTGOING, True, False),
        (formats.LOOPBACK, False, True),
    ],
)
def test_a_sighting_is_outgoing_or_to_us(kind: int, outgoing: bool, to_us: bool) -> None:
    seen = sighting(Step.REQUEST, A, kind, None)
    assert (seen.outgoing, seen.to_us) == (outgoing, to_us)


@pytest.mark.parametrize(
    ("edge", "text"),
    [
        (Edge(A, B, UDP), "u1/a1->u2/a2-udp"),
        (Edge(A, B, TCP, 80), "u1/a1->u2/a2-tcp port 80"),
        (Edge(A, B, UDP, 80, "10.9.9.9"), "u1/a1->u2/a2-udp at 10.9.9.9 port 80"),
        (Edge(A, B, ICMP, frame=Frame("eth0", bytes, "to the router")), "u1/a1->u2/a2-icmp (to the router)"),
    ],
)
def test_an_edge_prints_as_a_person_writes_it(edge: Edge, text: str) -> None:
    assert str(edge) == text


def test_an_edge_dials_its_destination_unless_it_names_another_address() -> None:
    assert Edge(A, B, UDP).dialled == B.address and Edge(A, B, UDP).own_port == 0
    assert Edge(A, B, UDP, address=NAT).dialled == NAT


def test_headers_print_ports_and_for_an_echo_its_identifier() -> None:
    header = Header(UDP, "10.0.0.1", "10.0.0.2", 7, 9, b"")
    assert str(header) == "10.0.0.1:7 > 10.0.0.2:9"
    assert str(header._replace(transport=ICMP)) == "10.0.0.1 > 10.0.0.2 id 0x0007 seq 9"


def test_a_socket_is_not_connected_until_it_says_so() -> None:
    assert not Attempt(at=1.0).connected


def test_protocol_numbers() -> None:
    assert NUMBERS == {ICMP: 1, UDP: 17, TCP: 6}


@pytest.mark.parametrize(
    ("outcome", "answered_by", "reply", "exchanged"),
    [
        (Outcome.ANSWERED, B.name, True, True),
        (Outcome.REWRITTEN, B.name, True, True),
        (Outcome.REWRITTEN, B.name, False, False),
        (Outcome.REWRITTEN, C.name, True, False),
        (Outcome.DELIVERED, B.name, True, False),
        (Outcome.MISDELIVERED, B.name, True, False),
    ],
)
def test_what_counts_as_exchanged(outcome: Outcome, answered_by: str, reply: bool, exchanged: bool) -> None:
    reply_arrived = ANSWERED.reply_arrived if reply else None
    made = replace(ANSWERED, outcome=outcome, answered_by=answered_by, reply_arrived=reply_arrived)
    assert made.exchanged is exchanged
    if exchanged:
        assert made.or_not_proved() is made
    else:
        with pytest.raises(NotProved, match="the exchange failed, so it proves nothing: u1/a1->u2/a2-udp"):
            made.or_not_proved()


UNREACHED = Delivery(Edge(A, B, UDP), Outcome.LOST)


@pytest.mark.parametrize(
    ("step", "endpoint", "kind", "reached"),
    [
        (Step.REQUEST, B, formats.TO_HOST, True),
        (Step.REQUEST, B, formats.OTHER_HOST, True),
        (Step.SYN, B, formats.TO_HOST, True),
        (Step.RESET, B, formats.TO_HOST, False),
        (Step.ANSWER, B, formats.TO_HOST, False),
        (Step.REQUEST, B, formats.OUTGOING, False),
        (Step.REQUEST, A, formats.TO_HOST, False),
    ],
)
def test_what_counts_as_reached(step: Step, endpoint: Endpoint, kind: int, reached: bool) -> None:
    seen = sighting(step, endpoint, kind, None)
    assert replace(UNREACHED, sightings=(seen,)).reached is reached


def test_what_arrived_has_reached_the_destination() -> None:
    assert ANSWERED.arrived is not None and not ANSWERED.sightings and ANSWERED.reached
    assert not UNREACHED.reached


def test_hops_are_counted_by_the_ttl_where_both_ends_saw_it() -> None:
    assert ANSWERED.left is not None and ANSWERED.arrived is not None
    assert replace(ANSWERED, arrived=ANSWERED.arrived._replace(ttl=61)).hops == 3
    assert replace(ANSWERED, arrived=None).hops is None and replace(ANSWERED, left=None).hops is None


def test_a_delivery_prints_what_each_end_saw() -> None:
    lines = repr(replace(ANSWERED, detail="late")).splitlines()
    assert lines[0] == "u1/a1->u2/a2-udp port 20777: answered, late"
    assert [line.split()[:2] for line in lines[1:]] == [
        ["u1/a1", "sent"], ["u2/a2", "saw"], ["u2/a2", "answered"], ["u1/a1", "got"],
    ]  # fmt: skip
    assert lines[2].endswith("10.32.0.11:41234 > 10.32.0.22:20777")
    assert repr(UNREACHED).splitlines()[0] == "u1/a1->u2/a2-udp: lost"
    assert repr(UNREACHED).count("nothing") == 4
    assert ANSWERED.reply_left is not None and ANSWERED.reply_sent == ANSWERED.reply_left.header is not None
    assert ANSWERED.reply_arrived is not None and ANSWERED.reply_seen == ANSWERED.reply_arrived.header is not None
    assert UNREACHED.seen_by_receiver is UNREACHED.reply_sent is UNREACHED.reply_seen is None
