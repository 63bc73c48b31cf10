"""Where on its way a probe was last seen, from frames of the nodes' interfaces."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw

from fixtures.probes.agent.formats import OUTGOING, RECORD, request_payload
from fixtures.probes.delivery import Delivery, Header, Transport
from fixtures.probes.pcap import ETHERNET, RAW_IP
from fixtures.probes.trail import Hop, Trail
from reports.model import Outcome
from tests.unit.probes.canned import IDENTIFIER, INDEX, MESH, NAT, OWN_PORT, PORT, A, B, answer_of, good

ICMP_, UDP_, TCP_ = Transport
BRIDGE_1, NIC_1 = Hop("u1", "bridge a", "br0"), Hop("u1", "NIC", "eth0")
NIC_2, BRIDGE_2 = Hop("u2", "NIC", "eth0"), Hop("u2", "bridge a", "br0")
WAY = [BRIDGE_1, NIC_1, NIC_2, BRIDGE_2]
ASKED = request_payload(MESH, INDEX)


def layer(transport: Transport, ports: tuple[int, int], kind: int) -> Packet:
    if transport is ICMP_:
        return ICMP(type=kind, id=IDENTIFIER, seq=INDEX)
    if transport is UDP_:
        return UDP(sport=ports[0], dport=ports[1])
    return TCP(sport=ports[0], dport=ports[1], flags="PA")


def request(transport: Transport, source: str = A.address, payload: bytes = ASKED) -> Packet:
    return Ether() / IP(src=source, dst=B.address) / layer(transport, (OWN_PORT, PORT), 8) / payload


def answer(transport: Transport) -> Packet:
    payload = ASKED if transport is ICMP_ else answer_of(B)
    return Ether() / IP(src=B.address, dst=A.address) / layer(transport, (PORT, OWN_PORT), 0) / payload


def records(*frames: Packet, at: float = 1.5) -> bytes:
    return b"".join(RECORD.pack(at, 0, OUTGOING, len(bytes(frame))) + bytes(frame) for frame in frames)


def trail(*seen: tuple[Hop, Packet]) -> Trail:
    """All four hops were recorded; these frames were seen."""
    return Trail({hop: records(*(frame for at, frame in seen if at == hop)) for hop in WAY}, {})


def lost(transport: Transport) -> Delivery:
    return good(transport).undelivered().judged()


@pytest.mark.parametrize("transport", Transport)
@pytest.mark.parametrize(
    ("hops", "text"),
    [
        ([], "seen on no interface on the way; u1's bridge br0 would have been the first"),
        ([BRIDGE_1], "last seen on u1's bridge br0; u1's NIC eth0 never saw it"),
        ([BRIDGE_1, NIC_1], "last seen on u1's NIC eth0; u2's NIC eth0 never saw it"),
        ([BRIDGE_1, NIC_2], "last seen on u2's NIC eth0; u2's bridge br0 never saw it"),
        (WAY, "last seen on u2's bridge br0; u2/a2 never saw it"),
    ],
)
def test_a_lost_request_was_last_seen(transport: Transport, hops: list[Hop], text: str) -> None:
    seen = trail(*((hop, request(transport)) for hop in hops))
    assert seen.describe(lost(transport), WAY) == text


@pytest.mark.parametrize("transport", Transport)
@pytest.mark.parametrize(
    ("hops", "text"),
    [
        ([BRIDGE_2, NIC_2], "the answer: last seen on u2's NIC eth0; u1's NIC eth0 never saw it"),
        (WAY, "the answer: last seen on u1's bridge br0; u1/a1 never saw it"),
        ([], "the answer: seen on no interface on the way; u2's bridge br0 would have been the first"),
    ],
)
def test_a_lost_answer_was_last_seen(transport: Transport, hops: list[Hop], text: str) -> None:
    exchange = good(transport)
    delivery = exchange.without(exchange.reply_arrived)
    judged = replace(delivery, attempt=replace(exchange.attempt, answer=None)).judged()
    seen = trail(*((hop, request(transport)) for hop in WAY), *((hop, answer(transport)) for hop in hops))
    assert seen.describe(judged, WAY) == text


@pytest.mark.parametrize("transport", Transport)
def test_an_exchange_that_went_through_has_nothing_to_explain(transport: Transport) -> None:
    assert trail((NIC_1, request(transport))).describe(good(transport).judged(), WAY) == ""


@pytest.mark.parametrize("transport", Transport)
def test_a_request_that_no_answer_followed_has_nothing_to_explain(transport: Transport) -> None:
    assert trail((NIC_1, request(transport))).describe(good(transport).unanswered().judged(), WAY) == ""


def test_nothing_is_said_where_nothing_was_recorded() -> None:
    assert Trail({}, {}).describe(lost(UDP_), WAY) == ""
    assert Trail({NIC_1: b""}, {}).describe(lost(UDP_), [NIC_2]) == ""
    assert Trail({NIC_1: b""}, {}).describe(lost(UDP_), [NIC_2, NIC_1]) != ""


@pytest.mark.parametrize("transport", Transport)
@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ([BRIDGE_1], "first seen changed on u1's bridge br0"),
        ([NIC_2, BRIDGE_2], "first seen changed on u2's NIC eth0"),
        ([], ""),
    ],
)
def test_a_rewritten_request_was_first_seen_changed(transport: Transport, changed: list[Hop], text: str) -> None:
    exchange = good(transport)
    judged = exchange.changing(exchange.arrived, source=NAT).judged()
    assert judged.outcome is Outcome.REWRITTEN
    seen = trail(*((hop, request(transport, NAT if hop in changed else A.address)) for hop in WAY))
    assert seen.describe(judged, WAY) == text


def test_an_interface_that_saw_it_before_and_after_the_change_is_not_where_it_was_first_changed() -> None:
    exchange = good(UDP_)
    judged = exchange.changing(exchange.arrived, source=NAT).judged()
    seen = trail((NIC_1, request(UDP_)), (NIC_1, request(UDP_, NAT)), (NIC_2, request(UDP_, NAT)))
    assert seen.describe(judged, WAY) == "first seen changed on u2's NIC eth0"
    assert seen.describe(replace(judged, sent=None), WAY) == ""


@pytest.mark.parametrize("transport", Transport)
def test_a_request_in_a_tunnel_is_seen(transport: Transport) -> None:
    tunnel = Ether() / IP(src="192.168.56.3", dst="192.168.56.4") / UDP(dport=4789) / VXLAN(vni=1) / request(transport)
    assert trail((NIC_1, tunnel)).crossed(lost(transport)) == [NIC_1]


@pytest.mark.parametrize("transport", Transport)
def test_what_crossed_an_interface_is_the_request_and_no_other_packet(transport: Transport) -> None:
    foreign = Ether() / IP(src=A.address, dst=NAT) / layer(transport, (OWN_PORT, 9), 8) / request_payload(MESH, 8)
    seen = trail((BRIDGE_1, request(transport)), (NIC_1, foreign), (NIC_2, answer(transport)))
    assert seen.crossed(lost(transport)) == [BRIDGE_1]


def test_a_request_without_its_payload_is_known_by_its_addresses_and_ports() -> None:
    syn = Ether() / IP(src=A.address, dst=B.address) / TCP(sport=OWN_PORT, dport=PORT, flags="S")
    other = Ether() / IP(src=A.address, dst=B.address) / TCP(sport=OWN_PORT + 1, dport=PORT, flags="S")
    assert trail((BRIDGE_1, syn), (NIC_1, other)).crossed(lost(TCP_)) == [BRIDGE_1]


def test_a_request_that_the_senders_recorder_missed_is_known_by_what_its_socket_sent() -> None:
    assert trail((NIC_1, request(UDP_))).crossed(replace(lost(UDP_), left=None)) == [NIC_1]


def test_a_request_that_arrived_unchanged_was_changed_nowhere() -> None:
    judged = good(UDP_).unanswered().judged()
    assert trail((NIC_1, request(UDP_, NAT))).describe(judged, WAY) == ""


def test_a_crafted_frame_is_known_by_what_left() -> None:
    judged = replace(lost(UDP_), sent=None)
    assert judged.left is not None
    assert trail((NIC_1, request(UDP_))).crossed(judged) == [NIC_1]
    assert trail((NIC_1, request(UDP_))).crossed(replace(judged, left=None)) == []


def test_an_echo_tag_at_the_beginning_of_a_frame_is_not_an_echo() -> None:
    header = Header(ICMP_, A.address, B.address, IDENTIFIER, INDEX, ASKED)
    judged = replace(lost(ICMP_), sent=header)
    assert not trail((NIC_1, Raw(ASKED))).crossed(judged)
    assert not trail((NIC_1, Raw(b"\x08" + bytes(6) + ASKED))).crossed(judged)
    assert not trail((NIC_1, Raw(ASKED + b"\x08" + bytes(7)))).crossed(judged)
    assert trail((NIC_1, Raw(b"\x08" + bytes(7) + ASKED))).crossed(judged)


@pytest.mark.parametrize("link", [ETHERNET, RAW_IP])
def test_a_capture_is_a_pcap_file_with_the_nodes_own_times(link: int) -> None:
    frame = bytes(request(UDP_))
    made = Trail({}, {}).pcap(records(request(UDP_), at=1700000000.25), link)
    magic, *_, linktype = struct.unpack("=IHHiIII", made[:24])
    assert (magic, linktype) == (0xA1B2C3D4, link)
    assert struct.unpack("=IIII", made[24:40]) == (1700000000, 250000, len(frame), len(frame))
    assert made[40:] == frame
    assert (ETHERNET, RAW_IP) == (1, 101)


def test_a_hop_prints_as_a_person_writes_it() -> None:
    assert (str(BRIDGE_1), str(NIC_2)) == ("u1's bridge br0", "u2's NIC eth0")


# -- a probe that its sender's kernel never emitted, since ARP was not answered ---------------


def arp(op: str, *, target: str = B.address) -> Packet:
    asking = op == "who-has"
    ends = (A.address, target) if asking else (target, A.address)
    return Ether() / ARP(op=op, psrc=ends[0], pdst=ends[1], hwsrc="02:00:00:00:00:01")


def unsent() -> Delivery:
    delivery = replace(lost(TCP_), outcome=Outcome.NOT_SENT, left=None)
    return replace(delivery, sightings=())


@pytest.mark.parametrize(
    ("asked", "told", "text"),
    [
        ([BRIDGE_1], [], "its ARP request was last seen on u1's bridge br0; u1's NIC eth0 never saw it"),
        ([BRIDGE_1, NIC_1, NIC_2], [], "its ARP request was last seen on u2's NIC eth0; u2's bridge br0 never saw it"),
        (WAY, [], "its ARP request was last seen on u2's bridge br0, and no answer to it on any interface on the way"),
        (
            WAY,
            [NIC_2, BRIDGE_2],
            "the answer to its ARP request was last seen on u2's NIC eth0; u1's NIC eth0 never saw it",
        ),
    ],
)
def test_an_arp_request_that_was_not_answered_was_last_seen(asked: list[Hop], told: list[Hop], text: str) -> None:
    frames = [(hop, arp("who-has")) for hop in asked] + [(hop, arp("is-at")) for hop in told]
    assert trail(*frames).describe(unsent(), WAY) == text


def test_an_arp_request_in_a_tunnel_is_recognised() -> None:
    tunnelled = Ether() / IP() / UDP(dport=4789) / VXLAN(vni=4200) / arp("who-has")
    seen = trail((BRIDGE_1, arp("who-has")), (NIC_1, tunnelled))
    assert seen.describe(unsent(), WAY) == "its ARP request was last seen on u1's NIC eth0; u2's NIC eth0 never saw it"


def test_an_arp_request_for_somebody_else_is_not_the_probes() -> None:
    seen = trail((BRIDGE_1, arp("who-has", target="10.32.0.99")))
    assert seen.describe(unsent(), WAY) == "seen on no interface on the way; u1's bridge br0 would have been the first"


def test_a_probe_that_was_sent_is_not_told_by_its_arp() -> None:
    """An entry that was only refreshed says nothing about a packet that was lost."""
    seen = trail((BRIDGE_1, arp("who-has")), (BRIDGE_1, request(UDP_)), (NIC_1, request(UDP_)))
    assert seen.describe(lost(UDP_), WAY) == "last seen on u1's NIC eth0; u2's NIC eth0 never saw it"
