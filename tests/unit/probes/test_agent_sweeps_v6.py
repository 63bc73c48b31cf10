"""How an agent sweeps over IPv6: its packets, and what its recorders make of those."""

from __future__ import annotations

import socket

import pytest
from scapy.layers.inet import TCP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6
from scapy.packet import Raw

from fixtures.probes.agent import tracking
from fixtures.probes.agent.formats import ANSWERED, ARRIVED, LEFT, OUTGOING, REJECTED, TO_HOST
from tests.unit.probes.sweep_agents import HERE6, THERE6, lane, opened, sent_by


@pytest.mark.parametrize("port", [1, 443, 65535])
@pytest.mark.parametrize("protocol", [6, 17])
def test_a_packet_over_ipv6_is_one_that_scapy_reads(protocol: int, port: int) -> None:
    data = sent_by(3, protocol, port, address=THERE6)
    packet = IPv6(data)
    assert (packet.src, packet.dst, packet.nh, packet.hlim, packet.fl, packet.tc) == (HERE6, THERE6, protocol, 64, 0, 0)
    assert packet.plen == len(data) - 40 and (packet.sport, packet.dport) == (20005, port)
    again = IPv6(data)
    del again[{6: TCP, 17: UDP}[protocol]].chksum
    assert bytes(again) == data


@pytest.mark.parametrize("protocol", [6, 17])
def test_what_is_sent_over_ipv6_is_known_again(protocol: int) -> None:
    made = opened(lane(3, protocol, address=THERE6))
    packet = sent_by(3, protocol, 443, address=THERE6)
    made.note(0, packet, ("eth0", 0x86DD, OUTGOING))
    made.note(1, packet, ("eth1", 0x86DD, TO_HOST))
    one = made.lanes[3]
    assert one.marked(LEFT, 443) and one.marked(ARRIVED, 443) and one.interface == "eth1"
    assert not one.marked(LEFT, 442)
    away = opened(lane(3, protocol, source=None, address=THERE6))  # its sender is on another node
    away.note(1, packet, ("eth1", 0x86DD, TO_HOST))
    assert away.lanes[3].from_address == socket.inet_pton(socket.AF_INET6, HERE6)


@pytest.mark.parametrize("protocol", [6, 17])
@pytest.mark.parametrize("quoted", [48, 200])
def test_an_error_of_icmpv6_rejects_its_port(protocol: int, quoted: int) -> None:
    made = opened(lane(3, protocol, address=THERE6))
    inner = sent_by(3, protocol, 443, address=THERE6)[:quoted]
    error = bytes(IPv6(src="fe80::9", dst=HERE6) / ICMPv6DestUnreach(code=1) / Raw(inner))
    made.note(0, error, ("eth0", 0x86DD, TO_HOST))
    assert made.lanes[3].marked(REJECTED, 443)
    (told,) = made.read_out()[0]["lanes"]
    assert told["errors"] == [["fe80::9", 1, 1, 443]]


def test_an_error_of_icmpv6_that_quotes_too_little_is_none_of_ours() -> None:
    made = opened(lane(3, 17, address=THERE6))
    inner = sent_by(3, 17, 443, address=THERE6)[:47]
    made.note(0, bytes(IPv6(src="fe80::9", dst=HERE6) / ICMPv6DestUnreach() / Raw(inner)), ("eth0", 0x86DD, TO_HOST))
    assert not made.lanes[3].seen


def test_an_answer_over_ipv6_names_lane_and_port() -> None:
    made = opened(lane(3, 6, address=THERE6))
    sent = IPv6(sent_by(3, 6, 443, address=THERE6))
    answer = IPv6(src=THERE6, dst=HERE6) / TCP(sport=443, dport=20005, flags="RA", ack=sent[TCP].seq + 1)
    made.note(0, bytes(answer), ("eth0", 0x86DD, TO_HOST))
    assert made.lanes[3].marked(ANSWERED, 443)


def test_a_deletion_of_a_flow_over_ipv6_has_its_addresses() -> None:
    here, there = (socket.inet_pton(socket.AF_INET6, address) for address in (HERE6, THERE6))
    data = tracking.deletion(here, there, 6, 20005, 443)
    assert data[16:20] == bytes([socket.AF_INET6, 0, 0, 0])
    for kind, address in ((3, here), (4, there)):
        assert bytes([20, 0, kind, 0]) + address in data
