"""The fast way to read plain probes: each condition of it, and that the slow way reads the same."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6
from scapy.packet import Packet, Raw

from fixtures.probes import sightings
from fixtures.probes.agent.formats import ANSWER, MAGIC
from fixtures.probes.delivery import Header, Step, Transport
from fixtures.probes.frames import OWN_PORT
from fixtures.probes.sightings import read_plain_probe
from tests.unit.probes.canned import INDEX, MESH, A, B
from tests.unit.probes.test_sightings import LAYERS, PORT, read, record

EDGES = INDEX + 1
TAG = MAGIC + MESH + INDEX.to_bytes(4, "big")


def plain(data: Packet | bytes, length: int | None = None) -> tuple[int, Step, int, Header] | None:
    """`read_plain_probe` of a packet that stands between two others, of which `length` bytes were recorded."""
    packet = bytes(data)
    before, behind = b"\x45" * 5, bytes(packet)
    recorded = packet[:length]
    return read_plain_probe(before + recorded + behind, len(before), len(recorded), MESH, EDGES)


def packet(layer: Packet, payload: bytes = TAG, **fields: Any) -> Packet:
    return IP(src=A.address, dst=B.address, ttl=61, **fields) / layer / payload


@pytest.mark.parametrize("transport", Transport)
@pytest.mark.parametrize("more", [b"", b"\x00" * 9])
def test_a_plain_probe_is_read(transport: Transport, more: bytes) -> None:
    assert plain(packet(LAYERS[transport], TAG + more)) == (
        INDEX,
        Step.REQUEST,
        61,
        Header(transport, A.address, B.address, OWN_PORT, PORT, TAG + more),
    )


HERE6, THERE6 = "fd00:10:32:0:1::", "fd00:10:32:0:2::1"
LAYERS6: dict[str, tuple[Packet, bytes, Step, Transport]] = {
    "a UDP request": (UDP(sport=OWN_PORT, dport=PORT), MAGIC, Step.REQUEST, Transport.UDP),
    "a UDP answer": (UDP(sport=OWN_PORT, dport=PORT), ANSWER, Step.ANSWER, Transport.UDP),
    "a TCP answer": (TCP(sport=OWN_PORT, dport=PORT, options=[("NOP", None)] * 4), ANSWER, Step.ANSWER, Transport.TCP),
    "an echo request": (ICMPv6EchoRequest(id=OWN_PORT, seq=PORT), MAGIC, Step.REQUEST, Transport.ICMP),
    "an echo reply": (ICMPv6EchoReply(id=OWN_PORT, seq=PORT), MAGIC, Step.ANSWER, Transport.ICMP),
}


def packet6(name: str, tag: bytes = TAG, **fields: Any) -> Packet:
    layer, kind, _, _ = LAYERS6[name]
    return IPv6(src=HERE6, dst=THERE6, hlim=61, **fields) / layer / (kind + tag[4:])


@pytest.mark.parametrize("name", LAYERS6)
@pytest.mark.parametrize("more", [b"", b"\x00" * 9])
def test_a_plain_probe_over_ipv6_is_read(name: str, more: bytes) -> None:
    _, kind, step, transport = LAYERS6[name]
    body = kind + TAG[4:] + more
    assert plain(packet6(name, TAG + more)) == (
        INDEX,
        step,
        61,
        Header(transport, HERE6, THERE6, OWN_PORT, PORT, body),
    )


NOT_PLAIN6 = {
    "an echo of another code": IPv6() / ICMPv6EchoRequest(code=1, data=TAG),
    "another type of ICMPv6": IPv6() / ICMPv6EchoRequest(type=1, data=TAG),
    "another protocol": IPv6(nh=132) / Raw(bytes(8) + TAG),
    "another mesh": packet6("a UDP request", MAGIC + b"else" + TAG[8:]),
    "another kind of tag": IPv6() / UDP() / (b"FLNx" + TAG[4:]),
    "an edge that the mesh does not have": packet6("a UDP request", TAG[:8] + EDGES.to_bytes(4, "big")),
    "half a tag": packet6("a UDP request", TAG[:-1]),
    "half a tag behind TCP": packet6("a TCP answer", TAG[:-1]),
    "a length without its tag": packet6("a UDP request", plen=19),
}


@pytest.mark.parametrize("name", NOT_PLAIN6)
def test_what_is_not_plain_over_ipv6_is_left_to_the_slow_way(name: str) -> None:
    assert plain(NOT_PLAIN6[name]) is None


@pytest.mark.parametrize("name", LAYERS6)
def test_a_packet_of_ipv6_that_was_cut_off_is_not_plain(name: str) -> None:
    whole = bytes(packet6(name))
    for length in range(len(whole)):
        assert plain(whole, length) is None
        assert read_plain_probe(whole[:length], 0, length, MESH, EDGES) is None


@given(st.sampled_from(list(LAYERS6)), st.integers(0, 2**32), st.integers(0, 3))
def test_the_slow_way_reads_ipv6_the_same(name: str, seed: int, times: int) -> None:
    dice = random.Random(seed)
    data = bytearray(bytes(packet6(name, TAG + bytes(4))))
    for _ in range(times):
        data[dice.randrange(len(data))] = dice.randrange(256)
    length = dice.choice((len(data), dice.randrange(len(data) + 1)))
    records = [record(bytes(data[:length])), record(packet6(name))]
    with mock.patch.object(sightings, "read_plain_probe", return_value=None):
        slow = read(*records)
    assert read(*records) == slow


@dataclass(frozen=True)
class Told:
    """A packet, and which step of its exchange it is."""

    layer: Packet
    kind: bytes
    step: Step


TOLD = {
    "a UDP request": Told(UDP(), MAGIC, Step.REQUEST),
    "a UDP answer": Told(UDP(), ANSWER, Step.ANSWER),
    "a TCP answer": Told(TCP(), ANSWER, Step.ANSWER),
    "an echo request": Told(ICMP(type=8), MAGIC, Step.REQUEST),
    "an echo reply, which repeats the request": Told(ICMP(type=0), MAGIC, Step.ANSWER),
    "an echo request with an answer's tag": Told(ICMP(type=8), ANSWER, Step.REQUEST),
}


@pytest.mark.parametrize("name", TOLD)
def test_the_step_is_told_by_the_tag_or_the_echo_type(name: str) -> None:
    found = plain(packet(TOLD[name].layer, TOLD[name].kind + TAG[4:]))
    assert found is not None and found[1] is TOLD[name].step


def test_options_of_tcp_and_a_first_fragment_are_plain() -> None:
    for plain_too in (packet(TCP(options=[("NOP", None)] * 12)), packet(UDP(), flags="MF"), packet(UDP(), flags="DF")):
        found = plain(plain_too)
        assert found is not None and found[3].payload == TAG


def test_what_stands_behind_the_packet_is_not_its_payload() -> None:
    found = plain(bytes(packet(UDP())) + bytes(6))
    assert found is not None and found[3].payload == TAG


NOT_PLAIN: dict[str, Packet | bytes] = {
    "IP options": packet(UDP(), options=[IPOption_NOP()] * 4),
    "a version of IP that is not 4": b"\x65" + bytes(packet(UDP()))[1:],
    "a fragment": packet(UDP(), frag=1),
    "the last fragment": packet(UDP(), frag=0x1000),
    "another protocol": packet(Raw(bytes(8)), proto=132),
    "an echo of another type": packet(ICMP(type=13)),
    "an echo of another code": packet(ICMP(type=8, code=1)),
    "another kind of tag": packet(UDP(), b"FLNx" + TAG[4:]),
    "another mesh": packet(UDP(), MAGIC + b"else" + TAG[8:]),
    "an edge that the mesh does not have": packet(UDP(), TAG[:8] + EDGES.to_bytes(4, "big")),
    "half a tag": packet(UDP(), TAG[:-1]),
    "half a tag behind TCP": packet(TCP(), TAG[:-1]),
    "a length without its tag": packet(UDP(), TAG, len=39),
    "TCP options where the tag would end": packet(TCP(options=[("NOP", None)] * 4), TAG[:8]),
}


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_what_is_not_plain_is_left_to_the_slow_way(name: str) -> None:
    assert plain(NOT_PLAIN[name]) is None


@pytest.mark.parametrize("transport", Transport)
def test_a_packet_that_was_cut_off_is_not_plain(transport: Transport) -> None:
    whole = bytes(packet(LAYERS[transport]))
    for length in range(len(whole)):
        assert plain(whole, length) is None
        assert read_plain_probe(whole[:length], 0, length, MESH, EDGES) is None  # the last record of an endpoint


def test_a_packet_that_claims_to_be_short_is_read_to_its_end() -> None:
    """Its bytes end where the data ends: nothing behind it can be read by mistake."""
    short = bytes(packet(TCP(dataofs=15), b"x" * 4))
    assert read_plain_probe(short, 0, len(short), MESH, EDGES) is None


@given(st.sampled_from(list(Transport)), st.booleans(), st.integers(0, 2**32), st.integers(0, 3))
def test_the_slow_way_reads_the_same(transport: Transport, answer: bool, seed: int, times: int) -> None:
    """A probe with some of its bytes changed gives the same sightings, whichever way it is read."""
    dice = random.Random(seed)
    data = bytearray(bytes(packet(LAYERS[transport], (ANSWER if answer else MAGIC) + TAG[4:] + bytes(4))))
    for _ in range(times):
        data[dice.randrange(len(data))] = dice.randrange(256)
    length = dice.choice((len(data), dice.randrange(len(data) + 1)))
    records = [record(bytes(data[:length])), record(packet(LAYERS[transport]))]
    with mock.patch.object(sightings, "read_plain_probe", return_value=None):
        slow = read(*records)
    assert read(*records) == slow
