"""Crafted frames are what scapy would have built, checksums and all."""

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import Ether

from fixtures.probes.agent.formats import request_payload
from fixtures.probes.delivery import Transport
from fixtures.probes.frames import OWN_PORT, craft, link_local, multicast_mac

PAYLOAD = request_payload(b"mesh", 7)
MAC = ("02:00:00:00:00:01", "02:00:00:00:00:02")
LAYERS = {
    Transport.ICMP: ICMP(id=OWN_PORT, seq=53),
    Transport.UDP: UDP(sport=OWN_PORT, dport=53),
    Transport.TCP: TCP(sport=OWN_PORT, dport=53, flags="S", seq=OWN_PORT),
}


@pytest.mark.parametrize("transport", list(Transport))
def test_ipv4_frames_equal_scapys(transport: Transport) -> None:
    address = ("10.32.0.65", "10.32.1.129")
    made = craft(transport, interface="eth0", mac=MAC, address=address, port=53, words="").make(PAYLOAD)
    wanted = Ether(src=MAC[0], dst=MAC[1]) / IP(src=address[0], dst=address[1]) / LAYERS[transport] / PAYLOAD
    assert made == bytes(wanted)


def test_an_ipv6_frame_equals_scapys() -> None:
    address = (link_local(MAC[0]), "ff02::1")
    made = craft(Transport.ICMP, interface="eth0", mac=MAC, address=address, port=1, words="").make(PAYLOAD)
    head = Ether(src=MAC[0], dst=MAC[1]) / IPv6(src=address[0], dst=address[1], hlim=64)
    assert made == bytes(head / ICMPv6EchoRequest(id=OWN_PORT, seq=1, data=PAYLOAD))


def test_link_local_is_rfc_4291s_example() -> None:
    assert link_local("34:56:78:9a:bc:de") == "fe80::3656:78ff:fe9a:bcde"


def test_multicast_mac() -> None:
    assert multicast_mac("ff02::1:ff00:1234") == "33:33:ff:00:12:34"
