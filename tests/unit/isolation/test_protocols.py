"""Packets of IP protocols that firewalls look into are well-formed, and hold their tag."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.ipsec import AH, ESP
from scapy.layers.l2 import GRE
from scapy.layers.sctp import SCTP, SCTPChunkInit, crc32c

from fixtures.isolation.protocols import NAMES, PAYLOADS, PROTOCOLS, name_of
from fixtures.probes.agent.formats import SWEEP_TAG, SWEPT

TAG = SWEEP_TAG.pack(SWEPT, b"\1\2\3\4", 7, 132)


def test_all_protocols_are_tried_but_those_that_other_probes_are_of() -> None:
    assert len(PROTOCOLS) == 253 and not {1, 6, 17} & set(PROTOCOLS)
    assert set(PAYLOADS) < set(PROTOCOLS) and set(NAMES) < set(PROTOCOLS)


@pytest.mark.parametrize("protocol", sorted(PAYLOADS))
def test_a_payload_holds_its_tag_at_its_end(protocol: int) -> None:
    assert PAYLOADS[protocol](TAG).endswith(TAG)


def test_an_sctp_packet_is_an_init_with_a_right_checksum() -> None:
    data = PAYLOADS[132](TAG)
    packet = SCTP(data)
    assert packet.haslayer(SCTPChunkInit) and packet.dport == 20777 and packet[SCTPChunkInit].len == len(data) - 12
    assert crc32c(data[:8] + bytes(4) + data[12:]) == packet.chksum  # type: ignore[no-untyped-call]


def test_a_tunnelled_packet_is_one() -> None:
    inner = IP(PAYLOADS[4](TAG))
    assert inner.len == len(PAYLOADS[4](TAG))
    given = inner.chksum
    del inner.chksum
    assert IP(bytes(inner)).chksum == given
    six = IPv6(PAYLOADS[41](TAG))
    assert (six.version, six.plen, six.nh) == (6, len(TAG), 59)


def test_the_others_have_their_headers() -> None:
    assert GRE(PAYLOADS[47](TAG)).version == 0
    assert ESP(PAYLOADS[50](TAG)).seq == 1
    header = AH(PAYLOADS[51](TAG))
    assert (header.nh, header.payloadlen, header.seq) == (59, 4, 1)


def test_names() -> None:
    assert (name_of(132), name_of(200)) == ("132 (SCTP)", "200")
