"""Which frames a recorder of answers about neighbours keeps."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6ND_NA, ICMPv6ND_NS, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet

from fixtures.probes.bpf import neighbours

from .classic_bpf import accepts

ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
FOUR, SIX = IP(src="10.0.0.1", dst="10.0.0.2"), IPv6(src="fe80::1", dst="fe80::2")


@pytest.mark.parametrize(
    ("frame", "kept"),
    [
        (ETHER / ARP(op="is-at", psrc="10.0.0.1", pdst="10.0.0.2"), True),
        (ETHER / SIX / ICMPv6ND_NA(tgt="fe80::1"), True),
        (ETHER / SIX / ICMPv6ND_NS(tgt="fe80::1"), False),
        (ETHER / SIX / ICMPv6EchoReply(), False),
        (ETHER / SIX / UDP(), False),
        (ETHER / FOUR / ICMP(), False),
        (ETHER / FOUR / UDP(), False),
    ],
)
def test_answers_about_neighbours_are_kept_and_nothing_else(frame: Packet, kept: bool) -> None:
    assert accepts(neighbours(), bytes(frame)) is kept
