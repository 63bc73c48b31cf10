"""Packets of IP protocols that firewalls look into are well-formed, and hold their tag."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.layers.ipsec import AH, ESP
from scapy.layers.l2 import GRE
from scapy.layers.sctp import SCTP, SCTPChunkInit, crc32c
from scapy.packet import Packet, Raw

from fixtures.isolation.protocols import NAMES, PAYLOADS, PROTOCOLS, name_of
from fixtures.probes.agent.formats import SWEEP_TAG, SWEPT
from fixtures.probes.sweep import Mark
from lab.inventory import Family

TAG = SWEEP_TAG.pack(SWEPT, b"\1\2\3\4", 7, 132)


def payload(number: int, family: Family = Family.V4) -> bytes:
    return PAYLOADS[family][number](Mark(TAG)).data


@pytest.mark.parametrize(("family", "others"), [(Family.V4, {1, 6, 17}), (Family.V6, {6, 17, 58})])
def test_all_protocols_are_tried_but_those_that_other_probes_are_of(family: Family, others: set[int]) -> None:
    assert set(PROTOCOLS[family]) == set(range(256)) - others
    assert set(PAYLOADS[family]) < set(PROTOCOLS[family]) and set(NAMES[family]) < set(PROTOCOLS[family])


@pytest.mark.parametrize(("family", "number"), [(family, number) for family in PAYLOADS for number in PAYLOADS[family]])
def test_a_payload_holds_its_tag_at_its_end(family: Family, number: int) -> None:
    body = PAYLOADS[family][number](Mark(TAG))
    assert body.data.endswith(TAG) and body.protocol == number and body.check == 0


@pytest.mark.parametrize(
    ("number", "header"),
    [
        (0, IPv6ExtHdrHopByHop),
        (43, IPv6ExtHdrRouting),
        (44, IPv6ExtHdrFragment),
        (60, IPv6ExtHdrDestOpt),
    ],
)
def test_an_extension_header_has_no_next_one(number: int, header: type[Packet]) -> None:
    read = IPv6(bytes(IPv6(nh=number) / Raw(payload(number, Family.V6))))
    assert read.haslayer(header) and read[header].nh == 59 and bytes(read[header].payload) == TAG
    assert number not in PAYLOADS[Family.V4]


def test_an_sctp_packet_is_an_init_with_a_right_checksum() -> None:
    data = payload(132)
    packet = SCTP(data)
    assert packet.haslayer(SCTPChunkInit) and packet.dport == 20777 and packet[SCTPChunkInit].len == len(data) - 12
    assert crc32c(data[:8] + bytes(4) + data[12:]) == packet.chksum  # type: ignore[no-untyped-call]


def test_a_tunnelled_packet_is_one() -> None:
    inner = IP(payload(4))
    assert inner.len == len(payload(4))
    given = inner.chksum
    del inner.chksum
    assert IP(bytes(inner)).chksum == given
    six = IPv6(payload(41))
    assert (six.version, six.plen, six.nh) == (6, len(TAG), 59)


def test_the_others_have_their_headers() -> None:
    assert GRE(payload(47)).version == 0
    assert ESP(payload(50)).seq == 1
    header = AH(payload(51))
    assert (header.nh, header.payloadlen, header.seq) == (59, 4, 1)


def test_names() -> None:
    assert (name_of(132), name_of(200), name_of(0)) == ("132 (SCTP)", "200", "0")
    assert (name_of(0, Family.V6), name_of(4, Family.V6)) == ("0 (hop-by-hop options)", "4 (IPv4 in IPv6)")
    assert name_of(58) == "58 (ICMPv6)"
