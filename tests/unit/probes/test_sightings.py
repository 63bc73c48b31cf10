"""From recorded bytes to sightings: every packet that scapy can build, and garbage, fragments and cut-off ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6, IPv6ExtHdrDestOpt
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet

from fixtures.probes.agent.formats import RECORD, request_payload
from fixtures.probes.delivery import Edge, Header, Sighting, Step, Transport
from fixtures.probes.frames import OWN_PORT, craft
from fixtures.probes.judge import judge
from fixtures.probes.sightings import Sightings
from lab.errors import HarnessError
from tests.unit.probes.canned import INDEX, MESH, NAT, OUTGOING, TO_US, A, B, answer_of, good

EDGES = [Edge(A, B, transport) for transport in Transport for _ in range(3)]
MAC = ("02:00:00:00:00:01", "02:00:00:00:00:02")
ASKED = request_payload(MESH, INDEX)
PORT = 20777
LAYERS: dict[Transport, Packet] = {
    Transport.ICMP: ICMP(id=OWN_PORT, seq=PORT),
    Transport.UDP: UDP(sport=OWN_PORT, dport=PORT),
    Transport.TCP: TCP(sport=OWN_PORT, dport=PORT, flags="PA"),
}


def record(packet: Packet | bytes, *, kind: int = TO_US, at: float = 1.5, keep: int | None = None) -> bytes:
    """One record as the agent writes it; `keep` bytes of the packet."""
    data = bytes(packet)[:keep]
    return RECORD.pack(at, 0, kind, len(data)) + data


def read(*records: bytes, endpoint: str = B.name, sightings: Sightings | None = None) -> dict[int, list[Sighting]]:
    sightings = Sightings(MESH, EDGES) if sightings is None else sightings
    sightings.add(endpoint, ["eth0"], b"".join(records))
    sightings.assign_untagged()
    return dict(sightings.by_edge)


def ip(source: str = A.address, destination: str = B.address, **fields: Any) -> Packet:
    return IP(src=source, dst=destination, **fields)


def probe(transport: Transport, payload: bytes = ASKED, **fields: Any) -> Packet:
    return ip(**fields) / LAYERS[transport] / payload


def header(transport: Transport, payload: bytes = ASKED) -> Header:
    return Header(transport, A.address, B.address, OWN_PORT, PORT, payload)


@pytest.mark.parametrize("transport", Transport)
@pytest.mark.parametrize("options", [0, 1, 10])
@pytest.mark.parametrize("kind", [TO_US, OUTGOING, 3])
def test_a_packet_of_scapys_is_read_as_it_was_built(transport: Transport, options: int, kind: int) -> None:
    packet = probe(transport, ttl=61, options=[IPOption_NOP()] * options)
    (seen,) = read(record(packet, kind=kind))[INDEX]
    assert seen == Sighting(Step.REQUEST, B.name, "eth0", kind, 61, 1.5, header(transport))
    assert (seen.outgoing, seen.to_us) == (kind == OUTGOING, kind == TO_US)


addresses = st.ip_addresses(v=4).map(str)


@given(st.sampled_from(list(Transport)), addresses, addresses, st.integers(0, 65535), st.binary(max_size=8))
def test_a_crafted_frame_comes_back(transport: Transport, here: str, there: str, port: int, more: bytes) -> None:
    frame = craft(transport, interface="eth0", macs=MAC, addresses=(here, there), port=port, description="").make(ASKED)
    packet = IP(frame[14:])
    assert bytes(packet) == frame[14:]
    (seen,) = read(record(frame[14:] + more))[INDEX]  # the padding of a short frame does not belong to the payload
    assert seen.header == Header(transport, here, there, OWN_PORT, port, ASKED)


def test_answers_are_told_from_requests() -> None:
    echo = ip(B.address, A.address) / ICMP(type=0, id=1, seq=2) / ASKED
    answer = ip(B.address, A.address) / UDP(sport=PORT, dport=OWN_PORT) / answer_of(B)
    first, second = read(record(echo), record(answer), endpoint=A.name)[INDEX]
    assert (first.step, second.step) == (Step.ANSWER, Step.ANSWER)
    assert second.header == Header(Transport.UDP, B.address, A.address, PORT, OWN_PORT, answer_of(B))


@pytest.mark.parametrize("transport", Transport)
@pytest.mark.parametrize("options", [0, 2])
def test_what_was_cut_off_can_not_be_judged(transport: Transport, options: int) -> None:
    packet = probe(transport, options=[IPOption_NOP()] * options)
    found = read(record(packet, keep=len(bytes(packet)) - 1))
    (seen,) = found[INDEX]
    assert seen.header is None
    exchange = good(transport)
    with pytest.raises(HarnessError, match="cut off"):
        judge(
            exchange.edge,
            exchange.attempt,
            exchange.sent,
            [*exchange.sightings, seen],
            exchange.served,
            exchange.identities,
        )


FOREIGN: dict[str, Packet | bytes] = {
    "another mesh": probe(Transport.UDP, request_payload(b"else", INDEX)),
    "an edge that there is not": probe(Transport.UDP, request_payload(MESH, len(EDGES))),
    "no tag": probe(Transport.UDP, b"x" * 16),
    "an empty datagram": probe(Transport.UDP, b""),
    "a later fragment": probe(Transport.UDP, frag=1),
    "another protocol": ip(proto=47) / ASKED,
    "another protocol, as long as UDP": ip(proto=132) / (bytes(8) + ASKED),
    "VLAN": bytes(Dot1Q(vlan=0x545, prio=2) / probe(Transport.UDP)),
    "a whole frame": bytes(Ether() / probe(Transport.UDP)),
    "ARP": bytes(ARP(pdst=B.address)),
    "IPv6 with an extension header": bytes(IPv6() / IPv6ExtHdrDestOpt() / UDP() / ASKED),
    "nothing": b"",
    "half a header": bytes(probe(Transport.UDP))[:12],
    "no more than a header": bytes(probe(Transport.UDP))[:20],
    "half a TCP header": bytes(probe(Transport.TCP))[:30],
}


@pytest.mark.parametrize("foreign", FOREIGN)
def test_what_is_not_a_probe_is_not_a_sighting(foreign: str) -> None:
    good_one = record(probe(Transport.UDP))
    found = read(good_one, record(FOREIGN[foreign]), good_one)
    assert [len(seen) for seen in found.values()] == [2]


def test_an_icmpv6_echo_is_a_probe() -> None:
    (seen,) = read(record(IPv6(src="fe80::1", dst="fe80::2", hlim=255) / ICMPv6EchoRequest(id=1, seq=2, data=ASKED)))[
        INDEX
    ]
    assert seen.header == Header(Transport.ICMP, "fe80::1", "fe80::2", 1, 2, ASKED) and seen.ttl == 255


@given(st.lists(st.binary(max_size=90), max_size=4))
def test_garbage_is_not_a_sighting(garbage: Sequence[bytes]) -> None:
    assert not read(*map(record, garbage))


@given(st.sampled_from(list(Transport)), st.integers(0, 2**32), st.integers(1, 6))
def test_broken_packets_break_nothing(transport: Transport, seed: int, times: int) -> None:
    dice = random.Random(seed)
    data = bytearray(bytes(probe(transport)))
    for _ in range(times):
        data[dice.randrange(len(data))] = dice.randrange(256)
    for seen in read(record(bytes(data[: dice.randrange(len(data) + 1)]))).values():
        assert all(sighting.step in Step for sighting in seen)


def dialled() -> Sightings:
    """Sightings of a mesh that knows the sockets of A: the first UDP and the first TCP edge."""
    sightings = Sightings(MESH, EDGES)
    for index in (3, 6):
        sightings.flows[A.name, EDGES[index].transport, A.address, OWN_PORT, B.address, PORT] = index
    return sightings


def test_a_handshake_belongs_to_its_edge_even_when_it_was_rewritten() -> None:
    sightings = dialled()
    syn = TCP(sport=OWN_PORT, dport=PORT, flags="S", seq=1000)
    sightings.add(A.name, ["eth0"], record(ip() / syn, kind=OUTGOING))
    rewritten = TCP(sport=1024, dport=PORT, flags="S", seq=1000)
    reset = TCP(sport=PORT, dport=1024, flags="RA", seq=0, ack=1001)
    found = read(
        record(ip(NAT) / rewritten),
        record(ip(B.address, NAT) / reset, kind=OUTGOING),
        record(ip() / TCP(sport=OWN_PORT, dport=PORT, flags="S", seq=77)),  # somebody else's
        record(ip(B.address, NAT) / TCP(sport=PORT, dport=1024, flags="SA", seq=5, ack=1001)),
        sightings=sightings,
    )
    assert list(found) == [6]
    assert [(sighting.step, sighting.endpoint) for sighting in found[6]] == [
        (Step.SYN, A.name),
        (Step.SYN, B.name),
        (Step.RESET, B.name),
    ]
    assert (
        found[6][1].header == Header(Transport.TCP, NAT, B.address, 1024, PORT, b"") and found[6][2].origin == B.address
    )


@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        (3, 3, "port unreachable"),
        (3, 13, "communication prohibited"),
        (11, 0, "time exceeded"),
        (3, 15, "unreachable, code 15"),
    ],
)
def test_an_icmp_error_belongs_to_the_probe_it_quotes(kind: int, code: int, words: str) -> None:
    error = ip(NAT, A.address) / ICMP(type=kind, code=code)
    tagged = record(error / probe(Transport.UDP))
    untagged = record(error / bytes(ip() / UDP(sport=OWN_PORT, dport=PORT) / b"")[:28])
    syn = record(error / bytes(ip() / TCP(sport=OWN_PORT, dport=PORT, flags="S"))[:28])
    foreign = record(error / bytes(ip() / UDP(sport=9, dport=PORT) / b""))
    short = record(error / bytes(probe(Transport.UDP))[:27])
    found = read(tagged, untagged, syn, foreign, short, endpoint=A.name, sightings=dialled())
    assert {
        index: [(sighting.step, sighting.error, sighting.origin) for sighting in seen] for index, seen in found.items()
    } == {index: [(Step.ERROR, words, NAT)] for index in (INDEX, 3, 6)}


def handshake(flags: str, *, sequence: int = 0, acknowledged: int = 0) -> Packet:
    return TCP(sport=OWN_PORT, dport=PORT, flags=flags, seq=sequence, ack=acknowledged)


@pytest.mark.parametrize("flags", ["A", "F", "FA", "SA", "P"])
def test_a_segment_without_a_tag_is_neither_a_handshake_nor_a_reset(flags: str) -> None:
    found = read(
        record(ip() / handshake("S", sequence=1000), kind=OUTGOING),
        record(ip() / handshake(flags, sequence=1000, acknowledged=1001)),
        endpoint=A.name,
        sightings=dialled(),
    )
    assert [seen.step for seen in found[6]] == [Step.SYN]


def test_a_reset_answers_the_highest_sequence_number_with_zero() -> None:
    found = read(
        record(ip() / handshake("S", sequence=2**32 - 1), kind=OUTGOING),
        record(ip() / handshake("RA", acknowledged=0)),
        endpoint=A.name,
        sightings=dialled(),
    )
    assert [seen.step for seen in found[6]] == [Step.SYN, Step.RESET]


@pytest.mark.parametrize(("flags", "kind"), [("S", TO_US), ("FS", TO_US), ("R", OUTGOING)])
def test_only_an_outgoing_handshake_tells_whose_it_is(flags: str, kind: int) -> None:
    own, rewritten = handshake(flags, sequence=1000), handshake("S", sequence=1000)
    found = read(record(ip() / own, kind=kind), record(ip(NAT) / rewritten), endpoint=A.name, sightings=dialled())
    assert not found


def test_a_handshake_is_told_by_two_flags_only() -> None:
    found = read(record(ip() / handshake("FSEC"), kind=OUTGOING), endpoint=A.name, sightings=dialled())
    assert [seen.step for seen in found[6]] == [Step.SYN]


def test_an_error_is_seen_once_and_packets_are_assigned_once() -> None:
    sightings = dialled()
    sightings.add(A.name, ["eth0"], record(ip() / handshake("S", sequence=2**32 - 1), kind=OUTGOING))
    error = ip(NAT, A.address) / ICMP(type=3, code=3) / bytes(ip() / handshake("S"))[:28]
    sightings.add(A.name, ["eth0"], record(error))
    sightings.assign_untagged()
    sightings.assign_untagged()
    assert [seen.step for seen in sightings.by_edge[6]] == [Step.SYN, Step.ERROR]


def test_an_error_that_was_cut_off_still_tells_its_probe() -> None:
    error = ip(NAT, A.address) / ICMP(type=3, code=3) / probe(Transport.UDP)
    found = read(record(error, keep=len(bytes(error)) - 1), endpoint=A.name)
    assert [seen.step for seen in found[INDEX]] == [Step.ERROR]


@pytest.mark.parametrize("tag", [request_payload(b"else", INDEX), request_payload(MESH, len(EDGES))])
def test_an_error_about_a_foreign_probe_is_not_a_sighting(tag: bytes) -> None:
    error = ip(NAT, A.address) / ICMP(type=3, code=3) / ip() / UDP(sport=9, dport=PORT) / tag
    assert not read(record(error), endpoint=A.name, sightings=dialled())


def test_an_icmp_message_that_is_not_an_error_is_not_a_sighting() -> None:
    redirect = record(ip(NAT, A.address) / ICMP(type=5) / probe(Transport.UDP))
    assert not read(redirect, endpoint=A.name, sightings=dialled())
