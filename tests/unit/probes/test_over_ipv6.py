"""What differs over IPv6: recorders' filters, edges in words, the trail, what agents are told, and neighbours."""

from __future__ import annotations

import socket
import struct
from dataclasses import replace
from ipaddress import IPv6Network
from typing import Any, cast

import pytest
from scapy.layers.inet import TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
    IPv6ExtHdrFragment,
)
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from fixtures.evidence.expected_hops import expected_hops
from fixtures.probes import bpf
from fixtures.probes.agent import endpoint, kernel
from fixtures.probes.agent.formats import EDGE, MAGIC, OUTGOING, RECORD, pack_address, read_address, request_payload
from fixtures.probes.delivery import Attempt, Delivery, Edge, Endpoint, Header, Transport
from fixtures.probes.handover import from_sweep, parties, what
from fixtures.probes.judge import judge
from fixtures.probes.plan import needed_neighbours, orders, plan, served_ports
from fixtures.probes.sweep import Carrier, Lane, Seen, Swept
from fixtures.probes.trail import Hop, Trail
from lab.inventory import Family
from reports.causes.sent import Scope, read_what, scopes
from reports.model import Outcome
from tests.unit.probes.canned import INDEX, MESH
from tests.unit.probes.canned import A as A4
from tests.unit.probes.canned import B as B4
from tests.unit.probes.classic_bpf import accepts

HERE, THERE = "fd00:10:32:0:1::", "fd00:10:32:0:2::1"
A = replace(A4, address=HERE, known_as=A4.address)
B = replace(B4, address=THERE, known_as=B4.address)
ICMP, UDP_, TCP_ = Transport
PORT, IPV6 = 20005, 0x86DD
HEAD = IPv6(src=HERE, dst=THERE)


# -- what recorders let through -----------------------------------------------------------

RECORDED: dict[str, tuple[Packet, bool]] = {
    "an echo request": (HEAD / ICMPv6EchoRequest(data=b"x"), True),
    "an echo reply": (HEAD / ICMPv6EchoReply(data=b"x"), True),
    "an error": (HEAD / ICMPv6DestUnreach() / b"x", True),
    "a neighbour solicitation": (HEAD / ICMPv6ND_NS(), False),
    "UDP to the port": (HEAD / UDP(sport=9, dport=PORT), True),
    "UDP from the port": (HEAD / UDP(sport=PORT, dport=9), True),
    "UDP of others": (HEAD / UDP(sport=9, dport=9), False),
    "a SYN": (HEAD / TCP(sport=9, dport=PORT, flags="S"), True),
    "a reset": (HEAD / TCP(sport=PORT, dport=9, flags="R"), True),
    "data": (HEAD / TCP(sport=PORT, dport=9, flags="PA"), True),
    "an acknowledgement": (HEAD / TCP(sport=PORT, dport=9, flags="A"), False),
    "a SYN of others": (HEAD / TCP(sport=9, dport=9, flags="S"), False),
    "a fragment": (HEAD / IPv6ExtHdrFragment() / UDP(sport=9, dport=9), True),
}


@pytest.mark.parametrize("name", RECORDED)
def test_a_mesh_records_its_own_packets(name: str) -> None:
    packet, recorded = RECORDED[name]
    assert accepts(bpf.mesh([7, PORT]), bytes(packet), protocol=IPV6) is recorded


ON_THE_WAY = {**RECORDED, "a neighbour solicitation": (RECORDED["a neighbour solicitation"][0], True)}
del ON_THE_WAY["a fragment"], ON_THE_WAY["an acknowledgement"]


@pytest.mark.parametrize("name", ON_THE_WAY)
def test_interfaces_on_the_way_record_discovery_as_well(name: str) -> None:
    packet, recorded = ON_THE_WAY[name]
    assert accepts(bpf.hop([7, PORT]), bytes(Ether() / packet), protocol=IPV6) is recorded


# -- edges in words ------------------------------------------------------------------------


def test_an_edge_names_its_family_where_that_is_ipv6() -> None:
    edge = Edge(A, B, TCP_, 443)
    assert str(edge) == "u1/a1->u2/a2-tcp over IPv6 port 443" and edge.family is Family.V6
    assert str(Edge(A4, B4, TCP_, 443)) == "u1/a1->u2/a2-tcp port 443"
    assert str(Edge(A4, B4, ICMP, address="fe80::1")) == "u1/a1->u2/a2-icmp at fe80::1"
    assert what(edge) == "tcp 443 over IPv6" and what(Edge(A4, B4, TCP_, 443)) == "tcp 443"


def test_reports_know_an_end_by_its_ipv4_address() -> None:
    assert parties([A, B4]) == {A4.name: (A4.node, A4.address), B4.name: (B4.node, B4.address)}


def test_a_lane_names_its_family_where_that_is_ipv6() -> None:
    lane = Lane(A, B, Carrier.TCP, (443,))
    assert lane.pair == "u1/a1 → u2/a2 over IPv6" and Lane(A4, B4, Carrier.TCP, (443,)).pair == "u1/a1 → u2/a2"
    (row,) = from_sweep([Swept(replace(lane, carrier=Carrier.UDP), Seen(left=1 << 443, arrived=1 << 443))])
    assert row.what == "udp all of the sweep over IPv6"
    (row,) = from_sweep([Swept(lane, Seen(left=1 << 443))])
    assert row.what == "tcp 443 over IPv6"


def test_a_header_is_written_with_brackets() -> None:
    header = Header(UDP_, HERE, THERE, 1, 2, b"")
    assert str(header) == f"[{HERE}]:1 > [{THERE}]:2"


def test_a_cause_can_be_of_one_family() -> None:
    sent = read_what("udp 53 over IPv6")
    assert (sent.transport, sent.port, sent.family) == ("udp", 53, "IPv6")
    assert Scope("family", "IPv6") in set(scopes(sent)) and str(Scope("family", "IPv6")) == "IPv6"
    assert not [scope for scope in scopes(read_what("udp 53")) if scope.kind == "family"]


# -- plans ---------------------------------------------------------------------------------


def test_an_agent_serves_the_families_that_are_dialled() -> None:
    edges = [Edge(A, B, UDP_), Edge(A4, B4, UDP_), Edge(A, B, TCP_, 80), Edge(A, B, ICMP)]
    assert served_ports(edges, PORT) == {B.name: {(17, PORT, 6), (17, PORT, 4), (6, 80, 6)}}


def test_an_order_has_the_address_of_either_family() -> None:
    edges = [Edge(A, B, UDP_), Edge(A4, B4, UDP_)]
    (part, _) = plan(edges, {})
    made = orders(part, range(2), MESH, PORT)
    packed = [EDGE.unpack_from(made, place)[6] for place in (0, EDGE.size)]
    assert [read_address(address) for address in packed] == [THERE, B4.address]


@pytest.mark.parametrize("address", [HERE, THERE, "fe80::1", "10.32.0.1", "0.0.0.0"])
def test_an_address_is_read_as_it_was_packed(address: str) -> None:
    assert read_address(pack_address(address)) == address and len(pack_address(address)) == 16
    assert pack_address("fe80::1%eth0") == pack_address("fe80::1")


def test_each_family_has_neighbours_of_its_own() -> None:
    """The kernel has a table for each, so that of the fuller one counts."""
    c = replace(A, name="u3/a3")
    assert needed_neighbours([Edge(A4, B4, UDP_), Edge(A, B, UDP_), Edge(B, A, TCP_)]) == 2
    assert needed_neighbours([Edge(A4, B4, UDP_), Edge(A, B, UDP_), Edge(A, c, TCP_)]) == 4


# -- what nobody answered ------------------------------------------------------------------

BRIDGE, NIC = Hop("u1", "bridge a", "br0"), Hop("u1", "NIC", "eth0")
FAR_NIC, FAR_BRIDGE = Hop("u2", "NIC", "eth0"), Hop("u2", "bridge a", "br0")
WAY = [BRIDGE, NIC, FAR_NIC, FAR_BRIDGE]
SOLICITATION = Ether() / IPv6(src=HERE, dst="ff02::1:ff00:1") / ICMPv6ND_NS(tgt=THERE) / ICMPv6NDOptSrcLLAddr()
ADVERTISEMENT = Ether() / IPv6(src=THERE, dst=HERE) / ICMPv6ND_NA(tgt=THERE)


def unsent() -> Delivery:
    return Delivery(Edge(A, B, UDP_), Outcome.NOT_SENT)


def trail(*seen: tuple[Hop, Packet]) -> Trail:
    def packed(hop: Hop) -> bytes:
        frames = [bytes(frame) for at, frame in seen if at == hop]
        return b"".join(RECORD.pack(1.5, 0, OUTGOING, len(frame)) + frame for frame in frames)

    return Trail({hop: packed(hop) for hop in WAY}, {})


@pytest.mark.parametrize(
    ("asked", "told", "text"),
    [
        ([BRIDGE], [], "its neighbour solicitation was last seen on u1's bridge br0; u1's NIC eth0 never saw it"),
        (
            WAY,
            [],
            "its neighbour solicitation was last seen on u2's bridge br0, and no answer to it on any interface on the "
            "way",
        ),
        (
            WAY,
            [FAR_BRIDGE, FAR_NIC],
            "the answer to its neighbour solicitation was last seen on u2's NIC eth0; u1's NIC eth0 never saw it",
        ),
    ],
)
def test_a_solicitation_that_was_not_answered_was_last_seen(asked: list[Hop], told: list[Hop], text: str) -> None:
    seen = trail(*((hop, SOLICITATION) for hop in asked), *((hop, ADVERTISEMENT) for hop in told))
    assert seen.describe(unsent(), WAY) == text


@pytest.mark.parametrize(
    "frame",
    [
        Ether() / IPv6(src=HERE, dst="ff02::1:ff00:2") / ICMPv6ND_NS(tgt="fd00::2"),
        Ether() / IPv6(src=THERE, dst=HERE) / ICMPv6ND_NA(tgt="fd00::2"),
        Ether() / IPv6(src=HERE, dst=THERE) / UDP() / (b"x" * 40),
        Raw(socket.inet_pton(socket.AF_INET6, THERE)),
    ],
)
def test_other_frames_are_not_the_probes_solicitation(frame: Packet) -> None:
    seen = trail((BRIDGE, frame))
    assert seen.describe(unsent(), WAY) == "seen on no interface on the way; u1's bridge br0 would have been the first"


def test_a_probe_that_never_left_asked_by_a_solicitation() -> None:
    judged = judge(Edge(A, B, UDP_), Attempt(at=1.0), None, [], [], {})
    assert judged.detail == "u1/a1's kernel never emitted it (no answer to its neighbour solicitation?)"


def test_the_way_of_an_edge_is_that_of_its_subnet() -> None:
    other = Hop("u1", "bridge b", "br1")
    hops = {"u1": [BRIDGE, other, NIC], "u2": [FAR_BRIDGE, FAR_NIC]}
    subnets = {"a": IPv6Network("fd00:10:32::/64"), "b": IPv6Network("fd00:10:32:1::/64")}
    assert expected_hops(Edge(A, B, UDP_), hops, subnets) == [BRIDGE, NIC, FAR_NIC, FAR_BRIDGE]


# -- agents --------------------------------------------------------------------------------


class _Mesh:
    def __init__(self) -> None:
        self.pending_icmp = {INDEX: True}
        self.ended: list[int] = []
        self.neighbours: list[bytes] = []

    def finished(self, index: int) -> None:
        self.ended.append(index)

    def note_neighbour(self, _: int, address: bytes) -> None:
        self.neighbours.append(address)


def recorder() -> Any:
    made: Any = endpoint.Endpoint.__new__(endpoint.Endpoint)
    made.number, made.mesh = 0, _Mesh()
    return made


def echo(layer: Packet) -> bytes:
    layer.data = request_payload(MESH, INDEX)
    return bytes(HEAD / layer)


def test_an_echo_reply_over_ipv6_ends_the_wait_for_it() -> None:
    made = recorder()
    made.note_echo_v6(echo(ICMPv6EchoReply()))
    assert made.mesh.ended == [INDEX] and not made.mesh.neighbours
    made.note_echo_v6(echo(ICMPv6EchoReply()))
    assert made.mesh.ended == [INDEX]


def test_an_echo_request_over_ipv6_makes_a_neighbour() -> None:
    made = recorder()
    made.note_echo_v6(echo(ICMPv6EchoRequest()))
    assert made.mesh.neighbours == [pack_address(HERE)] and not made.mesh.ended


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x60",
        echo(ICMPv6EchoReply())[:59],
        bytes(HEAD / ICMPv6EchoReply(data=b"something else")),
        bytes(HEAD / UDP() / (MAGIC + bytes(20))),
        bytes(HEAD / ICMPv6DestUnreach() / (MAGIC + bytes(20))),
    ],
)
def test_other_packets_over_ipv6_end_nothing(data: bytes) -> None:
    made = recorder()
    made.note_echo_v6(data)
    assert not made.mesh.ended and not made.mesh.neighbours


def test_a_datagram_is_answered_from_where_it_was_dialled() -> None:
    received = socket.inet_pton(socket.AF_INET6, THERE) + struct.pack("i", 7)
    answered = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, received[:16] + bytes(4))]
    assert kernel.from_where_it_was_dialled([(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, received)]) == answered
    assert kernel.from_where_it_was_dialled([(socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT, received)]) == []


def test_a_neighbour_of_ipv6_is_deleted_by_its_address() -> None:
    address = socket.inet_pton(socket.AF_INET6, THERE)
    body = struct.pack("=BxxxiHBB", 10, 3, 0x02, 0, 0) + struct.pack("=HH", 20, kernel.NDA_DST) + address
    order = cast(Any, kernel)._deletion(body)
    assert len(order) == struct.unpack_from("=I", order)[0] == 48
    assert order[16] == 10 and struct.unpack_from("=i", order, 20)[0] == 3 and order.endswith(address)
    permanent = struct.pack("=BxxxiHBB", 10, 3, kernel.NUD_PERMANENT, 0, 0) + body[12:]
    assert cast(Any, kernel)._deletion(permanent) is None


def test_an_endpoint_over_ipv6_is_the_same_namespace() -> None:
    made = Endpoint(A4.name, A4.node, A4.netns, HERE, known_as=A4.address)
    assert made == A
