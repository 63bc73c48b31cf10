"""Packets with extension headers: well-formed as scapy reads them, and known again whatever is taken off on the way."""

from __future__ import annotations

import socket
import struct

import pytest
from scapy.layers.inet import TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    IPv6,
    IPv6ExtHdrFragment,
    defragment6,
)
from scapy.packet import Packet

from fixtures.probes import bpf, headers
from fixtures.probes.agent.formats import ARRIVED, ICMPV6, LEFT, OUTGOING, SWEEP_TAG, SWEPT, TO_HOST
from fixtures.probes.agent.lanes import flow_of, summed, upper_of
from fixtures.probes.delivery import Endpoint
from fixtures.probes.sweep import Carrier, Lane, Mark, plan
from lab.inventory import Family
from tests.unit.probes.classic_bpf import accepts
from tests.unit.probes.sweep_agents import BASE, HERE6, ID, THERE6, WINDOW, lane, opened, prepared

LANE = 3
LAYERS = {17: UDP, 6: TCP, ICMPV6: ICMPv6EchoRequest}
WHOLE = [number for number in headers.NUMBERS if "fragment of" not in headers.name_of(number)]
FIRST = [number for number in headers.NUMBERS if headers.name_of(number).startswith("the first fragment")]
FILTER = bpf.sweep(SWEPT + ID, BASE, 4, WINDOW)


def packet(number: int) -> bytes:
    """The packet of a number, as an agent sends it."""
    tag = SWEEP_TAG.pack(SWEPT, ID, LANE, number)
    body = headers.PAYLOADS[number](Mark(tag, (BASE + LANE) << 16 | number - 1, WINDOW))
    made, one = prepared(lane(LANE, 0, own=0, address=THERE6))
    data: bytes = one.packet(made, number, (body.protocol, body.check, body.data))
    return data


def upper(data: bytes) -> tuple[int, bytes]:
    """(protocol, what is behind the extension headers)."""
    place, protocol = upper_of(data, 40, data[6])
    return protocol, data[place:]


def is_right(protocol: int, data: bytes) -> bool:
    """Whether the checksum of UDP, TCP or ICMPv6 is, as scapy computes it."""
    again = IPv6(src=HERE6, dst=THERE6, nh=protocol) / LAYERS[protocol](data)
    field = "cksum" if protocol == ICMPV6 else "chksum"
    given = getattr(again[LAYERS[protocol]], field)
    delattr(again[LAYERS[protocol]], field)
    return bool(getattr(IPv6(bytes(again))[LAYERS[protocol]], field) == given)


def test_every_header_stands_before_every_transport() -> None:
    assert len(headers.PACKETS) == len(set(headers.PACKETS.values())) == 3 * len(headers.STACKS) + 3 * 4
    assert headers.NUMBERS[0] == 1 and headers.name_of(1) == "hop-by-hop options before UDP"
    assert {first for number in WHOLE for first in [packet(number)[6]]} == {0, 43, 44, 51, 60}


@pytest.mark.parametrize("number", WHOLE)
def test_a_packet_is_whole_and_its_checksum_right(number: int) -> None:
    data = packet(number)
    protocol, behind = upper(data)
    name, word = headers.name_of(number).rsplit(" before ", 1)
    assert word == {17: "UDP", 6: "TCP", ICMPV6: "ICMPv6"}[protocol] and name in headers.STACKS
    assert is_right(protocol, behind) and behind.endswith(SWEEP_TAG.pack(SWEPT, ID, LANE, number))
    assert IPv6(data).plen == len(data) - 40 and len(data) < 256
    if protocol == 6:
        assert (TCP(behind).flags, TCP(behind).seq, TCP(behind).window) == (
            "S",
            (BASE + LANE) << 16 | number - 1,
            WINDOW,
        )


@pytest.mark.parametrize("number", headers.NUMBERS)
def test_it_is_recorded_and_known_again(number: int) -> None:
    data = packet(number)
    made = opened(lane(LANE, 0, own=0, address=THERE6))
    made.note(0, data, ("eth0", 0x86DD, OUTGOING))
    made.note(1, data, ("eth1", 0x86DD, TO_HOST))
    one = made.lanes[LANE]
    assert accepts(FILTER, data, protocol=0x86DD) and one.marked(LEFT, number) and one.marked(ARRIVED, number)
    assert not one.marked(ARRIVED, number + 1)


@pytest.mark.parametrize("number", WHOLE)
def test_it_is_known_again_when_its_extension_headers_are_gone(number: int) -> None:
    protocol, behind = upper(packet(number))
    bare = bytes(IPv6(src=HERE6, dst=THERE6, nh=protocol, plen=len(behind))) + behind
    made = opened(lane(LANE, 0, own=0, address=THERE6))
    made.note(1, bare, ("eth1", 0x86DD, TO_HOST))
    assert accepts(FILTER, bare, protocol=0x86DD) and made.lanes[LANE].marked(ARRIVED, number)


@pytest.mark.parametrize(
    "kind", [ICMPv6EchoRequest(data=b"not of a sweep!!"), ICMPv6EchoReply(data=SWEPT + ID + bytes(4))]
)
def test_other_echoes_are_not_recorded(kind: Packet) -> None:
    assert not accepts(FILTER, bytes(IPv6(src=HERE6, dst=THERE6) / kind), protocol=0x86DD)


@pytest.mark.parametrize("number", FIRST)
def test_fragments_are_one_packet(number: int) -> None:
    one, other = IPv6(packet(number)), IPv6(packet(number + 1))
    assert (one[IPv6ExtHdrFragment].m, one[IPv6ExtHdrFragment].offset, other[IPv6ExtHdrFragment].m) == (1, 0, 0)
    assert one.plen % 8 == 0, "RFC 8200 §4.5: all fragments but the last one"
    together = bytes(defragment6([one, other]))  # type: ignore[no-untyped-call]
    protocol, behind = upper(together)
    assert headers.name_of(number).split(" of ")[1].split(",")[0] == {17: "UDP", 6: "TCP", 58: "ICMPv6"}[protocol]
    assert is_right(protocol, behind)
    cut_before = "cut before" in headers.name_of(number)
    head = {17: 8, 6: 20, ICMPV6: 8}[protocol]
    assert (len(bytes(one)) - 48 >= head + 12) is not cut_before
    assert (SWEEP_TAG.pack(SWEPT, ID, LANE, number) in bytes(one)) and (
        SWEEP_TAG.pack(SWEPT, ID, LANE, number + 1) in bytes(other)
    )


def test_fragments_of_two_packets_are_never_one() -> None:
    found = [IPv6(packet(number))[IPv6ExtHdrFragment].id for number in FIRST]
    assert len(set(found)) == len(found)


def test_flows_are_those_of_the_transport() -> None:
    number = next(number for number in WHOLE if headers.name_of(number) == "8 destination options before TCP")
    data = packet(number)
    assert flow_of(data, 40, data[6], True) == (6, 20776, 20777)
    assert flow_of(data[40:], 0, data[6], True) == (6, 20776, 20777)
    assert flow_of(bytes(8), 0, 60, False) == (60, 0, 0), "IPv4 has no extension headers"
    assert flow_of(bytes([17]), 0, 60, True) == (60, 0, 0), "cut off"
    assert flow_of(bytes([17, 0, 0, 0, 0, 0, 0, 0, 1]), 0, 44, True) == (17, 0, 0), "a fragment without ports"
    authenticated = struct.pack("!BBH", 132, 4, 0) + bytes(20) + struct.pack("!HH", 5, 6)
    assert flow_of(authenticated, 0, 51, True) == (132, 5, 6)


def test_what_is_sent_is_what_is_forgotten() -> None:
    made = opened(lane(LANE, 0, own=0, address=THERE6))
    one = made.lanes[LANE]
    one.from_address = socket.inet_pton(socket.AF_INET6, HERE6)
    for body in (headers.PAYLOADS[number](Mark(bytes(12))) for number in (1, 9, 17)):
        made.put([one, [(1, (body.protocol, body.check, body.data))], 0])
    there = socket.inet_pton(socket.AF_INET6, THERE6)
    assert list(one.tracked()) == [(one.from_address, there, protocol, 20776, 20777) for protocol in (17, 6)]


def test_a_checksum_is_never_zero() -> None:
    assert summed(b"\xff\xff", 0, bytes(32)) == b"\xff\xff"


def test_agents_are_told_of_them() -> None:
    a, b = (Endpoint(name, name[:2], f"/{name}", address) for name, address in (("u1/a1", HERE6), ("u2/b2", THERE6)))
    planned = plan(
        [Lane(a, b, Carrier.HEADERS, headers.NUMBERS)], b"\1\2\3\4\0\5\0\6", 20005,
        {(Carrier.HEADERS, Family.V6): headers.PAYLOADS},
    )  # fmt: skip
    (order,), body = planned.orders("u1", {0: headers.NUMBERS})
    assert order == (0, 0, len(body)) and body[:3] == struct.pack("!HB", 1, 0)
