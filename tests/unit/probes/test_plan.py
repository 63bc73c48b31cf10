"""What each node does in a mesh: its endpoints and orders, the ports it serves, and the bounds it keeps."""

from __future__ import annotations

import zlib
from dataclasses import replace

import pytest

from fixtures.probes import bpf
from fixtures.probes import plan as plan_module
from fixtures.probes.agent.formats import DIAL, EDGE, FRAME, pack_address, request_payload
from fixtures.probes.agent.mesh import MOST_FLIGHT
from fixtures.probes.delivery import Edge, Endpoint, Frame, Transport
from fixtures.probes.plan import (
    BURST,
    FLOOD,
    FRAME_BYTES,
    Part,
    bounds,
    echoed,
    needed_neighbours,
    opening,
    orders,
    pieces,
    plan,
    served_ports,
    turn,
)
from fixtures.probes.room import SPARED, USED, Room
from fixtures.probes.trail import Hop
from tests.unit.probes.canned import MESH, A, B, C

UDP, TCP, ICMP = Transport.UDP, Transport.TCP, Transport.ICMP
PORT = 20777
ROOM = Room(USED, SPARED)
HOP = Hop("u1", "NIC", "eth0", "/netns")


def endpoints(count: int, node: str) -> list[Endpoint]:
    return [Endpoint(f"{node}/{number}", node, None, f"10.0.0.{number}") for number in range(count)]


def test_a_plan_has_each_endpoint_once_and_each_edge_at_its_source() -> None:
    edges = [Edge(A, B, UDP), Edge(B, A, UDP), Edge(A, C, TCP)]
    first, second, third = plan(edges, {"u1": [HOP]})
    assert first == Part("u1", [A], {A.name: 0}, [(0, edges[0]), (2, edges[2])], [HOP])
    assert second == Part("u2", [B], {B.name: 0}, [(1, edges[1])], ())
    assert third == Part("u3", [C], {C.name: 0}, [], ())


def test_endpoints_of_one_node_are_numbered_in_the_order_of_their_first_edge() -> None:
    here = replace(C, node="u1")
    (part,) = plan([Edge(A, here, UDP), Edge(here, A, UDP)], {})
    assert part.endpoints == [A, here] and part.numbers == {A.name: 0, here.name: 1}


def test_both_directions_of_a_pair_have_one_turn() -> None:
    assert turn(Edge(A, B, UDP)) == turn(Edge(B, A, TCP)) == (zlib.crc32(b"u1/a1-u2/a2"), ["u1/a1", "u2/a2"])


def test_ports_are_served_at_the_destination_by_transport() -> None:
    edges = [Edge(A, B, ICMP), Edge(A, B, UDP), Edge(A, B, TCP, 80), Edge(A, C, UDP, 53), Edge(C, A, ICMP)]
    assert served_ports(edges, PORT) == {B.name: {(17, PORT, 4), (6, 80, 4)}, C.name: {(17, 53, 4)}}


def test_where_echo_requests_come_is_told_by_ip_version() -> None:
    v6 = replace(B, address="fd00::2")
    assert echoed([Edge(A, B, ICMP), Edge(A, v6, ICMP), Edge(A, C, UDP), Edge(C, A, ICMP)]) == {
        B.name: {4, 6},
        A.name: {4},
    }


def test_an_agent_is_told_what_to_serve_and_to_record() -> None:
    (part, _) = plan([Edge(A, B, UDP, 80)], {"u1": [HOP]})
    served = {A.name: {(17, 80, 4), (6, 7, 6)}, B.name: {(17, 9, 4)}}
    made = opening(part, MESH, served, {A.name: b"secret-A"}, PORT, {A.name: {6, 4}, B.name: {4}})
    assert made == {
        "id": MESH.hex(),
        "endpoints": [
            {
                "netns": A.netns,
                "identity": b"secret-A".hex(),
                "serve": [(6, 7, 6), (17, 80, 4)],
                "echoed": [4, 6],
                "filter": bpf.mesh([7, 9, 80]),
            }
        ],
        "hops": [{"netns": "/netns", "interface": "eth0"}],
        "hop_filter": bpf.hop([7, 9, 80]),
    }


def test_without_a_port_the_recorders_expect_the_default_one() -> None:
    (part, _) = plan([Edge(A, B, ICMP)], {})
    made = opening(part, MESH, {}, {A.name: b""}, PORT, {})
    assert made["endpoints"][0]["filter"] == bpf.mesh([PORT]) and made["endpoints"][0]["serve"] == []
    assert made["hops"] == made["hop_filter"] == []


def test_too_many_ports_are_refused() -> None:
    (part, _) = plan([Edge(A, B, UDP)], {})
    with pytest.raises(ValueError, match="25 ports"):
        opening(part, MESH, {B.name: {(17, port, 4) for port in range(25)}}, {A.name: b""}, PORT, {})


@pytest.mark.parametrize("port", [None, 80])
def test_an_order_is_an_edge_as_the_agent_reads_it(port: int | None) -> None:
    here = replace(C, node="u1")
    edges = [Edge(here, B, UDP), Edge(A, B, TCP, port, "10.9.9.9", 555), Edge(A, B, ICMP)]
    (part, _) = plan(edges, {})
    packed = orders(part, range(1, 2), MESH, PORT)
    address = pack_address("10.9.9.9")
    assert EDGE.unpack(packed) == (1, part.numbers[A.name], 6, DIAL, port or PORT, 555, address, 0)
    assert len(orders(part, range(3), MESH, PORT)) == 3 * EDGE.size and orders(part, range(3, 4), MESH, PORT) == b""


def test_an_order_for_a_crafted_frame_carries_it_and_its_interface() -> None:
    frame = Frame("eth0", lambda payload: b"head" + payload, "crafted")
    (part, _) = plan([Edge(A, B, UDP, frame=frame)], {})
    packed = orders(part, range(1), MESH, PORT)
    expected = b"\x04eth0head" + request_payload(MESH, 0)
    assert EDGE.unpack_from(packed) == (0, 0, 17, FRAME, PORT, 0, bytes(16), len(expected))
    assert packed[EDGE.size :] == expected


def meshed(count: int, nodes: int) -> tuple[list[Part], list[Edge]]:
    """Every endpoint to every other one, `count` on each node."""
    everyone = [endpoint for node in range(nodes) for endpoint in endpoints(count, f"u{node}")]
    edges = [
        Edge(source, destination, UDP) for source in everyone for destination in everyone if source is not destination
    ]
    return plan(edges, {}), edges


def test_bounds_of_a_small_mesh() -> None:
    assert bounds(*meshed(2, 2), ROOM) == {
        "most_neighbours": ROOM.neighbours // 2,
        "most_new": ROOM.spare * 2,
        "most_flight": max(BURST, MOST_FLIGHT),
        "most_echoes": 60,
    }
    assert bounds(*meshed(2, 3), ROOM)["most_new"] == ROOM.spare * 3 // 2
    assert bounds(*meshed(2, 1), ROOM) == {
        "most_neighbours": 600,
        "most_new": 350,
        "most_flight": 256,
        "most_echoes": 120,
    }
    assert bounds(*meshed(1, 121), ROOM)["most_echoes"] == 1


@pytest.mark.parametrize(
    ("count", "nodes", "flight"),
    [
        (6, 3, 55),  # 3000 packets // (3 nodes * 18 listeners), since each node asks 6 * 17 = 102 times
        (3, 3, 111),  # 3000 // (3 * 9); the 3 * 8 = 24 pairs of a node may all ask at once
        (4, 4, 46),  # 3000 // (4 * 16), since each node asks 4 * 15 = 60 times
    ],
)
def test_so_many_probes_are_under_way_as_input_queues_hold(count: int, nodes: int, flight: int) -> None:
    assert bounds(*meshed(count, nodes), ROOM)["most_flight"] == flight


def test_a_huge_mesh_still_sends_nine_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_module, "FLOOD", 1)
    assert bounds(*meshed(4, 2), ROOM)["most_flight"] == 9


def test_where_all_may_ask_at_once_a_burst_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_module, "FLOOD", 40)
    parts, edges = meshed(2, 2)  # 4 listeners on 2 nodes: 120 // 8 = 15 askers; each node asks 6 times
    assert bounds(parts, edges, ROOM)["most_flight"] == BURST == 96
    monkeypatch.setattr(plan_module, "FLOOD", 16)  # 6 askers, but nine at least
    assert bounds(parts, edges, ROOM)["most_flight"] == BURST
    parts, edges = meshed(3, 2)  # 15 asked
    assert bounds(parts, edges, ROOM)["most_flight"] == 9


@pytest.mark.parametrize(("neighbours", "in_turn"), [(11, True), (12, False), (13, False)])
def test_edges_take_turns_where_neighbours_have_to_be_forgotten(neighbours: int, in_turn: bool) -> None:
    parts, edges = meshed(2, 2)  # 4 endpoints: 6 pairs, 12 entries
    before = [list(part.edges) for part in parts]
    sorted_edges = [sorted(part.edges, key=lambda numbered: turn(numbered[1])) for part in parts]
    assert before != sorted_edges
    bounds(parts, edges, Room(neighbours, 350))
    assert [part.edges for part in parts] == (sorted_edges if in_turn else before)


def test_as_many_pairs_as_may_ask_are_allowed_a_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_module, "FLOOD", 60)
    assert (
        bounds(*meshed(2, 3), ROOM)["most_flight"] == BURST
    )  # 180 // (3 * 6) = 10 askers; each node asks 2 * 5 = 10 times


def test_one_node_that_asks_too_often_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_module, "FLOOD", 1)
    edges = [Edge(source, destination, UDP) for source in endpoints(3, "u0") for destination in endpoints(4, "u1")]
    assert bounds(plan(edges, {}), edges, ROOM)["most_flight"] == 9


def test_limits_of_the_kernel() -> None:
    assert (FLOOD, BURST, USED, SPARED, MOST_FLIGHT) == (1000, 96, 600, 350, 256)


def test_a_pair_needs_a_neighbour_at_each_end_and_a_frame_none() -> None:
    frame = Frame("eth0", lambda payload: payload, "crafted")
    edges = [Edge(A, B, UDP), Edge(B, A, TCP), Edge(A, B, ICMP), Edge(A, C, UDP), Edge(B, C, UDP, frame=frame)]
    assert needed_neighbours(edges) == 4 and needed_neighbours([]) == 0


def test_without_room_one_neighbour_lives_at_once() -> None:
    made = bounds(*meshed(2, 3), Room(1, 0))
    assert made["most_neighbours"] == 1 and made["most_new"] == 1


@pytest.mark.parametrize(
    ("buffer", "expected"),
    [
        (10 * FRAME_BYTES, [range(2, 9)]),
        (5 * FRAME_BYTES, [range(2, 9)]),
        (2 * FRAME_BYTES, [range(2, 6), range(6, 8), range(8, 9)]),
        (0, [range(2, 4), range(4, 6), range(6, 7), range(7, 8), range(8, 9)]),
    ],
)
def test_frames_are_sent_in_pieces_that_a_recorder_holds(buffer: int, expected: list[range]) -> None:
    crafted = Edge(A, B, UDP, frame=Frame("eth0", lambda payload: payload, "crafted"))
    dialled = Edge(A, B, UDP)
    edges = [crafted, dialled, dialled, crafted, crafted, dialled, crafted, crafted, crafted]
    assert pieces(range(2, 9), edges, buffer) == expected


def test_probes_of_kernels_are_one_piece() -> None:
    assert pieces(range(3), [Edge(A, B, UDP)] * 3, 0) == [range(3)]
    assert pieces(range(0), [], 0) == [range(0)]
