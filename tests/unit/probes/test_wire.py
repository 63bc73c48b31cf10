"""Packets and agents' notes, read from their bytes."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NS, IPv6
from scapy.packet import Packet as Built
from scapy.packet import Raw

from fixtures.probes import wire
from fixtures.probes.agent.formats import (
    ANSWER,
    CONNECTED,
    ECHO_REPLY,
    ECHO_REQUEST,
    KNOWS_SOURCE,
    MAGIC,
    RECORD,
    RESULT,
    SERVED,
    pack_address,
)  # fmt: skip
from fixtures.probes.delivery import Attempt, Transport
from fixtures.probes.wire import Packet

HERE, THERE = "10.32.0.11", "10.32.0.22"
HERE6, THERE6 = "fe80::1", "fe80::2"
OPTIONS = IP(src=HERE, dst=THERE, ttl=61, options=[IPOption_NOP()] * 4)
TAG = MAGIC + b"mesh" + (7).to_bytes(4, "big")

READ: dict[str, tuple[Built, Packet]] = {
    "UDP": (
        IP(src=HERE, dst=THERE, ttl=61) / UDP(sport=4, dport=5) / b"body",
        Packet(Transport.UDP, HERE, THERE, 4, 5, 61, b"body"),
    ),
    "UDP behind options of IP": (
        OPTIONS / UDP(sport=4, dport=5) / b"body",
        Packet(Transport.UDP, HERE, THERE, 4, 5, 61, b"body"),
    ),
    "UDP without a payload": (
        IP(src=HERE, dst=THERE, ttl=61) / UDP(sport=4, dport=5),
        Packet(Transport.UDP, HERE, THERE, 4, 5, 61, b""),
    ),
    "a first fragment": (
        IP(src=HERE, dst=THERE, ttl=61, flags="MF") / UDP(sport=4, dport=5) / b"body",
        Packet(Transport.UDP, HERE, THERE, 4, 5, 61, b"body"),
    ),
    "UDP over IPv6": (
        IPv6(src=HERE6, dst=THERE6, hlim=61) / UDP(sport=4, dport=5) / b"body",
        Packet(Transport.UDP, HERE6, THERE6, 4, 5, 61, b"body"),
    ),
    "UDP over IPv6 without a payload": (
        IPv6(src=HERE6, dst=THERE6, hlim=61) / UDP(sport=4, dport=5),
        Packet(Transport.UDP, HERE6, THERE6, 4, 5, 61, b""),
    ),
    "TCP over IPv6": (
        IPv6(src=HERE6, dst=THERE6, hlim=61) / TCP(sport=4, dport=5, flags="SA", seq=8, ack=9) / b"body",
        Packet(Transport.TCP, HERE6, THERE6, 4, 5, 61, b"body", 0x12, 8, 9),
    ),
    "TCP over IPv6 with options": (
        IPv6(src=HERE6, dst=THERE6, hlim=61) / TCP(sport=4, dport=5, flags="F", options=[("NOP", None)] * 8) / b"body",
        Packet(Transport.TCP, HERE6, THERE6, 4, 5, 61, b"body", 0x01),
    ),
    "an error of ICMPv6": (
        IPv6(src=HERE6, dst=THERE6, hlim=61) / ICMPv6DestUnreach(code=1) / b"what was sent",
        Packet(Transport.ICMP, HERE6, THERE6, 0, 0, 61, b"what was sent", icmp=(1, 1)),
    ),
    "TCP": (
        IP(src=HERE, dst=THERE, ttl=61) / TCP(sport=4, dport=5, flags="SA", seq=8, ack=9) / b"body",
        Packet(Transport.TCP, HERE, THERE, 4, 5, 61, b"body", 0x12, 8, 9),
    ),
    "TCP without a payload": (
        IP(src=HERE, dst=THERE, ttl=61) / TCP(sport=4, dport=5, flags="S", seq=8),
        Packet(Transport.TCP, HERE, THERE, 4, 5, 61, b"", 0x02, 8, 0),
    ),
    "TCP with options of both": (
        OPTIONS / TCP(sport=4, dport=5, flags="F", options=[("NOP", None)] * 8) / b"body",
        Packet(Transport.TCP, HERE, THERE, 4, 5, 61, b"body", 0x01),
    ),
    "an ICMP echo": (
        OPTIONS / ICMP(type=8, id=4, seq=5) / b"body",
        Packet(Transport.ICMP, HERE, THERE, 4, 5, 61, b"body", icmp=(8, 0)),
    ),
    "an ICMP error": (
        OPTIONS / ICMP(type=3, code=13) / b"body",
        Packet(Transport.ICMP, HERE, THERE, 0, 0, 61, b"body", icmp=(3, 13)),
    ),
    "an ICMPv6 echo request": (
        IPv6(src=HERE6, dst=THERE6, hlim=61) / ICMPv6EchoRequest(id=4, seq=5, data=b"body"),
        Packet(Transport.ICMP, HERE6, THERE6, 4, 5, 61, b"body", icmp=(ECHO_REQUEST, 0)),
    ),
    "an ICMPv6 echo reply without a payload": (
        IPv6(src=HERE6, dst=THERE6, hlim=61) / ICMPv6EchoReply(id=4, seq=5),
        Packet(Transport.ICMP, HERE6, THERE6, 4, 5, 61, b"", icmp=(ECHO_REPLY, 0)),
    ),
}
SHORTEST = {Transport.UDP: 28, Transport.ICMP: 28, Transport.TCP: 40}
"""Bytes of the headers that must be there, when IP has no options."""


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("behind", [b"", b"padding"])
def test_a_packet_is_read(name: str, behind: bytes) -> None:
    built, packet = READ[name]
    assert wire.read(bytes(built) + behind) == packet


@pytest.mark.parametrize("name", READ)
def test_a_packet_that_was_cut_off_has_no_payload(name: str) -> None:
    built, packet = READ[name]
    data = bytes(built)
    headers = len(data) - len(packet.payload or b"")
    for kept in range(headers, len(data)):
        cut = wire.read(data[:kept])
        assert cut is not None and cut == packet._replace(payload=None)
        assert wire.rest(data[:kept]) == data[headers:kept]


@pytest.mark.parametrize("name", READ)
def test_a_packet_without_its_whole_header_is_not_read(name: str) -> None:
    built, packet = READ[name]
    data = bytes(built)
    version = data[0] >> 4
    needed = SHORTEST[packet.transport] - 20 + (40 if version == 6 else (data[0] & 15) * 4)
    assert wire.read(data[:needed]) is not None
    for kept in range(needed):
        assert wire.read(data[:kept]) is None


NOT_READ: dict[str, Built | bytes] = {
    "another version": b"\x55" + bytes(IP() / UDP() / bytes(40))[1:],
    "a later fragment": IP(frag=1) / UDP(),
    "the last fragment": IP(frag=0x1000) / UDP(),
    "another protocol": IP(proto=132) / Raw(bytes(40)),
    "another ICMPv6 message": IPv6() / ICMPv6ND_NS() / bytes(40),
    "a message of ICMPv6 beside echoes": IPv6() / ICMPv6EchoRequest(type=130, data=bytes(8)),
    "another protocol over IPv6": IPv6(nh=132) / UDP(sport=128 << 8) / bytes(40),
    "TCP over IPv6 that ends in its header": bytes(IPv6() / TCP())[:59],
}


@pytest.mark.parametrize("name", NOT_READ)
def test_other_packets_are_not_read(name: str) -> None:
    assert wire.read(bytes(NOT_READ[name])) is None


def test_the_tag_of_a_payload() -> None:
    assert wire.tag(TAG) == (MAGIC, b"mesh", 7) == wire.tag(TAG + b"more")
    assert wire.tag(ANSWER + TAG[4:]) == (ANSWER, b"mesh", 7)
    assert wire.tag(b"FLNx" + TAG[4:]) is None and wire.tag(TAG[:-1]) is None and wire.tag(b"") is None


def test_records_follow_one_another() -> None:
    first, second = RECORD.pack(1.5, 2, 4, 3) + b"abc", RECORD.pack(2.5, 0, 0, 0)
    assert list(wire.records(first + second + first)) == [
        wire.Record(1.5, 2, 4, b"abc"),
        wire.Record(2.5, 0, 0, b""),
        wire.Record(1.5, 2, 4, b"abc"),
    ]


def test_attempts_follow_one_another() -> None:
    here = pack_address(HERE)
    known = RESULT.pack(1, 1.5, KNOWS_SOURCE | CONNECTED, here, 4, 0, 6) + b"answer"
    refused = RESULT.pack(2, 2.5, 0, here, 4, 111, 0)
    bound = RESULT.pack(3, 3.5, KNOWS_SOURCE, here, 4, 0, 1) + b"x"
    assert list(wire.attempts(known + refused + bound)) == [
        (1, Attempt(1.5, (HERE, 4), None, b"answer", connected=True)),
        (2, Attempt(2.5, None, 111, None, connected=False)),
        (3, Attempt(3.5, (HERE, 4), None, b"x", connected=False)),
    ]


def test_what_servers_saw() -> None:
    data = SERVED.pack(1, pack_address(HERE), 4) + SERVED.pack(2, pack_address(THERE6), 5)
    assert list(wire.served(data)) == [(1, HERE, 4), (2, THERE6, 5)]


@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        (3, 0, "network unreachable"),
        (3, 1, "host unreachable"),
        (3, 2, "protocol unreachable"),
        (3, 3, "port unreachable"),
        (3, 4, "fragmentation needed"),
        (3, 9, "network prohibited"),
        (3, 10, "host prohibited"),
        (3, 13, "communication prohibited"),
        (3, 14, "unreachable, code 14"),
        (11, 1, "time exceeded"),
        (12, 0, "parameter problem"),
        (8, 0, None),
        (5, 1, None),
    ],
)
def test_icmp_errors_have_words(kind: int, code: int, words: str | None) -> None:
    assert wire.icmp_error(kind, code) == words


@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        (1, 0, "no route"),
        (1, 1, "communication prohibited"),
        (1, 4, "port unreachable"),
        (1, 9, "unreachable, code 9"),
        (2, 0, "packet too big"),
        (3, 0, "time exceeded"),
        (4, 0, "parameter problem"),
        (11, 0, None),
        (128, 0, None),
    ],
)
def test_icmpv6_errors_have_words_of_their_own(kind: int, code: int, words: str | None) -> None:
    assert wire.icmp_error(kind, code, 6) == words


def test_fields_of_other_protocols_are_zero() -> None:
    """Who asks for flags or for an ICMP type need not ask for the protocol first."""
    udp, icmp = READ["UDP"][0], READ["an ICMP error"][0]
    datagram, error = wire.read(bytes(udp)), wire.read(bytes(icmp))
    assert datagram is not None and (datagram.flags, datagram.icmp) == (0, (0, 0))
    assert error is not None and error.flags == 0
