"""Who answers for an address, read from ARP and from neighbour advertisements."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet

from fixtures.no_nat.addresses import read_advertisement, read_arp_answer
from fixtures.probes.frames import multicast_mac, solicited_group

MAC, OTHER = "02:00:00:00:00:01", "02:00:00:00:00:02"
ADDRESS = "fd00:10:32:0:1::1"
TOLD = Ether(src=OTHER) / IPv6() / ICMPv6ND_NA(tgt=ADDRESS)


@pytest.mark.parametrize(
    ("frame", "answer"),
    [
        (Ether() / ARP(op="is-at", psrc="10.0.0.1", hwsrc=MAC), ("10.0.0.1", MAC)),
        (Ether() / ARP(op="who-has", psrc="10.0.0.1", hwsrc=MAC), None),
        (Ether() / IP() / UDP(), None),
    ],
)
def test_an_answer_by_arp(frame: Packet, answer: tuple[str, str] | None) -> None:
    assert read_arp_answer(Ether(bytes(frame))) == answer


@pytest.mark.parametrize(
    ("frame", "answer"),
    [
        (TOLD / ICMPv6NDOptDstLLAddr(lladdr=MAC), (ADDRESS, MAC)),
        (TOLD, (ADDRESS, OTHER)),
        (Ether() / IPv6() / ICMPv6ND_NS(tgt=ADDRESS), None),
        (Ether() / ARP(op="is-at"), None),
    ],
)
def test_an_answer_by_advertisement(frame: Packet, answer: tuple[str, str] | None) -> None:
    assert read_advertisement(Ether(bytes(frame))) == answer


@pytest.mark.parametrize(
    ("address", "group", "mac"),
    [
        (ADDRESS, "ff02::1:ff00:1", "33:33:ff:00:00:01"),
        ("fe80::5054:ff:fe12:3456", "ff02::1:ff12:3456", "33:33:ff:12:34:56"),
    ],
)
def test_the_group_at_which_an_address_is_asked_for(address: str, group: str, mac: str) -> None:
    assert solicited_group(address) == group and multicast_mac(group) == mac
