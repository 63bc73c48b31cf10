"""Checksums over IPv6: none of the header, and UDP's must be there."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.layers.inet import TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    IPv6,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
)
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from fixtures.path.checksum_judge import NOT_READY, Arrivals, Direction, JudgedPacket, judge
from reports.causes.sent import read_what

HERE, THERE = "fd00::1", "fd00::2"
LAYERS: dict[str, Packet] = {
    "ICMP": ICMPv6EchoRequest(data=b"odd"),
    "UDP": UDP(sport=1, dport=2) / Raw(b"odd"),
    "TCP": TCP(sport=1, dport=2) / Raw(b"odd"),
}
NUMBERS = {"ICMP": 58, "UDP": 17, "TCP": 6}


def frame(layer: Packet, padding: bytes = b"", **fields: Any) -> bytes:
    return bytes(Ether() / IPv6(src=HERE, dst=THERE, **fields) / layer) + padding


def fault(data: bytes, status: int = 0) -> str | None:
    packet = judge(data, status)
    assert packet is not None, "not judged at all"
    return packet.fault


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("padding", [b"", b"\xff" * 7])
def test_valid_checksums_are_valid_whatever_pads_the_frame(name: str, padding: bytes) -> None:
    assert judge(frame(LAYERS[name], padding)) == JudgedPacket(Direction(HERE, THERE, name), None)


def test_the_whole_length_is_read() -> None:
    assert fault(frame(UDP(sport=1, dport=2) / Raw(b"x" * 300), b"\xff" * 7)) is None


def test_an_answer_to_an_echo_is_judged_too() -> None:
    assert fault(frame(ICMPv6EchoReply(data=b"x"))) is None
    assert fault(frame(ICMPv6EchoReply(data=b"x", cksum=7))) == "its ICMPv6 checksum 0x0007 is wrong"


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("offset", [*range(22, 54), *range(55, 65)])
def test_every_changed_byte_of_addresses_and_payload_is_noticed(name: str, offset: int) -> None:
    """The header has no checksum of its own: the transport's covers the addresses."""
    data = bytearray(frame(LAYERS[name]))
    data[offset] ^= 0x10
    assert fault(bytes(data)) is not None


@pytest.mark.parametrize("offset", [15, 16, 17, 21], ids=["class", "label", "its end", "hop limit"])
def test_what_routers_may_change_is_not_covered(offset: int) -> None:
    data = bytearray(frame(LAYERS["UDP"]))
    data[offset] ^= 1
    assert fault(bytes(data)) is None


def test_udp_over_ipv6_must_have_a_checksum() -> None:
    removed = "its UDP checksum is zero, which over IPv6 it must not be (RFC 8200 §8.1)"
    assert fault(frame(UDP(sport=1, dport=2, chksum=0))) == removed
    assert fault(frame(TCP(sport=1, dport=2, chksum=0))) == "its TCP checksum 0x0000 is wrong"
    assert fault(frame(ICMPv6EchoRequest(cksum=0))) == "its ICMPv6 checksum 0x0000 is wrong"


def test_a_packet_that_the_kernel_marks_not_ready_is_not_judged() -> None:
    unfinished = frame(UDP(sport=1, dport=2, chksum=0x1234))
    assert judge(unfinished, NOT_READY) is None and judge(unfinished, NOT_READY | 1) is None
    assert fault(unfinished, ~NOT_READY) == "its UDP checksum 0x1234 is wrong"


@pytest.mark.parametrize(
    "data",
    [
        frame(ICMPv6ND_NS(tgt=THERE)),
        frame(ICMPv6ND_NA(tgt=THERE)),
        frame(IPv6ExtHdrFragment(nh=17) / UDP(sport=1, dport=2)),
        frame(IPv6ExtHdrHopByHop() / UDP(sport=1, dport=2)),
        frame(Raw(b"x" * 30), nh=47),
        frame(UDP(sport=1, dport=2)).replace(b"\x86\xdd\x60", b"\x86\xdd\x40", 1),
        frame(UDP(sport=1, dport=2))[: 14 + 39],
        frame(ICMPv6EchoRequest())[: 14 + 40],
    ],
    ids=["solicitation", "advertisement", "fragment", "options", "GRE", "another version", "no header", "no type"],
)
def test_a_frame_without_a_checksum_that_stands_for_a_probe_is_not_judged(data: bytes) -> None:
    assert judge(data) is None


def test_a_cut_packet_is_a_fault() -> None:
    whole = frame(UDP(sport=1, dport=2) / Raw(b"x" * 100))
    assert fault(whole[:-1]) == "cut to 147 of 148 bytes"
    assert fault(whole[: 14 + 40]) == "cut to 40 of 148 bytes"


@pytest.mark.parametrize(("name", "least"), [("ICMP", 4), ("UDP", 8), ("TCP", 18)])
def test_a_packet_that_ends_before_its_checksum_is_a_fault(name: str, least: int) -> None:
    header = bytes(LAYERS[name])[:least]
    short = 40 + least - 1
    assert fault(frame(Raw(header[:-1]), nh=NUMBERS[name])) == f"cut to {short} of {short} bytes"
    assert fault(frame(Raw(header), nh=NUMBERS[name])) != f"cut to {short + 1} of {short + 1} bytes"


def test_a_direction_over_ipv6_says_so() -> None:
    written = {"u1/a1->u2/a2 UDP over IPv6": 1, "u1/a1->u2/a2 ICMP": 1, "u2/a2->u1/a1 TCP over IPv6": 0}
    wrong, fine, unseen = Arrivals(written, ("u1/a1->u2/a2 UDP over IPv6: bad",)).judged()
    assert (wrong.what, wrong.outcome, wrong.clue.detail) == ("udp checksum over IPv6", "wrong checksum", "bad")
    assert (fine.what, fine.outcome, wrong.holds, fine.holds) == ("icmp checksum", "delivered", False, True)
    assert (unseen.what, unseen.outcome, unseen.holds) == ("tcp checksum over IPv6", "not seen", None)
    sent = read_what(wrong.what)
    assert (sent.transport, sent.kind, sent.family) == ("udp", "checksum", "IPv6")
