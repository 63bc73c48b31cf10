"""Frames that are built here equal those that scapy builds, with right checksums."""

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from fixtures.probes.agent.formats import request_payload
from fixtures.probes.delivery import Edge, Transport
from fixtures.probes.frames import (
    CONVERSATION_PORT,
    FORGED_PORT,
    OWN_PORT,
    craft,
    framed_edge,
    link_local,
    multicast_mac,
)
from tests.unit.probes.canned import A, B

PAYLOAD = request_payload(b"mesh", 7)
MACS = ("02:00:00:00:00:01", "02:00:00:00:00:02")
PORTS = [0, 1, 53, 20777, 65535]


def layer(transport: Transport, port: int) -> Packet:
    if transport is Transport.ICMP:
        return ICMP(id=OWN_PORT, seq=port)
    if transport is Transport.UDP:
        return UDP(sport=OWN_PORT, dport=port)
    return TCP(sport=OWN_PORT, dport=port, flags="S", seq=OWN_PORT)


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("transport", list(Transport))
def test_an_ipv4_frame_equals_the_one_of_scapy(transport: Transport, port: int) -> None:
    addresses = ("10.32.0.65", "10.32.1.129")
    made = craft(transport, interface="eth0", macs=MACS, addresses=addresses, port=port, description="")
    wanted = Ether(src=MACS[0], dst=MACS[1]) / IP(src=addresses[0], dst=addresses[1]) / layer(transport, port) / PAYLOAD
    assert made.make(PAYLOAD) == bytes(wanted)


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
def test_udp_and_tcp_over_ipv6_equal_those_of_scapy(transport: Transport, port: int) -> None:
    addresses = ("fd00:10:32:0:1::", "fd00:10:32:0:2::1")
    made = craft(transport, interface="eth0", macs=MACS, addresses=addresses, port=port, description="")
    head = Ether(src=MACS[0], dst=MACS[1]) / IPv6(src=addresses[0], dst=addresses[1], hlim=64)
    assert made.make(PAYLOAD) == bytes(head / layer(transport, port) / PAYLOAD)


@pytest.mark.parametrize("port", PORTS)
def test_an_ipv6_frame_equals_the_one_of_scapy(port: int) -> None:
    addresses = (link_local(MACS[0]), "ff02::1")
    made = craft(Transport.ICMP, interface="eth0", macs=MACS, addresses=addresses, port=port, description="")
    head = Ether(src=MACS[0], dst=MACS[1]) / IPv6(src=addresses[0], dst=addresses[1], hlim=64)
    assert made.make(PAYLOAD) == bytes(head / ICMPv6EchoRequest(id=OWN_PORT, seq=port, data=PAYLOAD))


def test_a_frame_can_be_made_again_with_another_payload() -> None:
    addresses = ("10.32.0.65", "10.32.1.129")
    made = craft(Transport.UDP, interface="eth0", macs=MACS, addresses=addresses, port=53, description="")
    other = request_payload(b"mesh", 8)
    head = Ether(src=MACS[0], dst=MACS[1]) / IP(src=addresses[0], dst=addresses[1]) / layer(Transport.UDP, 53)
    assert made.make(PAYLOAD) == bytes(head / PAYLOAD)
    assert made.make(other) == bytes(head / other)


@pytest.mark.parametrize("own_port", [FORGED_PORT, CONVERSATION_PORT])
def test_a_frame_that_must_not_be_taken_for_another_probe_has_a_port_of_its_own(own_port: int) -> None:
    """A filter knows a conversation by its addresses and ports (RFC 6146 §3.1 calls it a 5-tuple)."""
    made = framed_edge(A, B, Transport.UDP, interface="eth1", macs=MACS, port=53, own_port=own_port, description="")
    assert made.frame is not None
    assert Ether(made.frame.make(PAYLOAD))[UDP].sport == own_port
    echo = framed_edge(A, B, Transport.ICMP, interface="eth1", macs=MACS, port=53, own_port=own_port, description="")
    assert echo.frame is not None
    assert Ether(echo.frame.make(PAYLOAD))[ICMP].id == own_port
    assert len({OWN_PORT, FORGED_PORT, CONVERSATION_PORT}) == 3


@pytest.mark.parametrize("macs", [("02:00:00:00:00:01", ""), ("02:00:00:00:00", "02:00:00:00:00:02")])
def test_what_is_not_two_macs_is_refused(macs: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="not two MACs"):
        craft(Transport.UDP, interface="eth0", macs=macs, addresses=("10.0.0.1", "10.0.0.2"), port=1, description="")


def framed(transport: Transport, *, source_address: str | None = None, address: str | None = None) -> Edge:
    return framed_edge(
        A,
        B,
        transport,
        interface="eth1",
        macs=MACS,
        port=53,
        description="made by a test",
        source_address=source_address,
        address=address,
    )


def packet_of(edge: Edge) -> Packet:
    assert edge.frame is not None
    return Ether(edge.frame.make(PAYLOAD))


@pytest.mark.parametrize("transport", list(Transport))
def test_an_edge_by_frame_goes_from_end_to_end(transport: Transport) -> None:
    edge = framed(transport)
    packet = packet_of(edge)
    assert (edge.source, edge.destination, edge.transport, edge.address) == (A, B, transport, None)
    assert (packet.src, packet.dst, packet[IP].src, packet[IP].dst) == (*MACS, A.address, B.address)
    assert edge.frame is not None
    assert edge.frame.interface == "eth1"
    assert str(edge).endswith("(made by a test)")


def test_an_edge_by_frame_has_the_port_that_the_frame_is_for() -> None:
    assert [framed(transport).port for transport in (Transport.UDP, Transport.TCP, Transport.ICMP)] == [53, 53, None]
    assert packet_of(framed(Transport.UDP))[UDP].dport == 53
    assert packet_of(framed(Transport.ICMP))[ICMP].seq == 53


def test_an_edge_by_frame_can_have_other_addresses() -> None:
    edge = framed(Transport.TCP, source_address="10.32.1.9", address="10.32.1.10")
    packet = packet_of(edge)
    assert (packet[IP].src, packet[IP].dst) == ("10.32.1.9", "10.32.1.10")
    assert (edge.source, edge.dialled) == (A, "10.32.1.10")


def test_link_local_is_rfc_4291s_example() -> None:
    assert link_local("34:56:78:9a:bc:de") == "fe80::3656:78ff:fe9a:bcde"


def test_the_mac_of_an_ipv6_group() -> None:
    assert multicast_mac("ff02::1:ff00:1234") == "33:33:ff:00:12:34"
