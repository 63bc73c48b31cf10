"""What a test judged, as rows for the report."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fixtures.probes.delivery import Edge, Frame, Transport
from fixtures.probes.handover import MOST_PORTS, from_attempts, from_mesh, from_sweep, parties, what
from fixtures.probes.ports import bits
from fixtures.probes.sweep import Carrier, Lane, Seen, Swept
from reports.edges import BLOCKED, DELIVERED, Clue
from tests.unit.probes.canned import A, B, good

UDP = Transport.UDP
ANSWERED = good(UDP).judged()
LOST = good(UDP).undelivered().judged()
SILENT = good(UDP).unanswered().judged()


def frame(description: str) -> Frame:
    return Frame("eth0", lambda payload: payload, description)


@pytest.mark.parametrize(
    ("edge", "text"),
    [
        (Edge(A, B, Transport.ICMP), "icmp"),
        (Edge(A, B, UDP, 53), "udp 53"),
        (Edge(A, B, UDP, 22, own_port=53), "udp 22 from port 53"),
        (Edge(A, B, UDP, address="172.17.0.2"), "udp at another address"),
        (Edge(A, B, UDP, 7, frame=frame("frame to broadcast, on eth0")), "udp 7 (frame to broadcast)"),
        (Edge(A, B, UDP, frame=frame("frame to 02:42:0a:20:00:01")), "udp (frame to a MAC)"),
        (
            Edge(A, B, UDP, frame=frame("frame to u2's bridge br-a as router, on eth0, with source 10.32.0.9")),
            "udp (frame to u2's bridge br-a as router, forged source)",
        ),
    ],
)
def test_what_is_sent_reads_the_same_in_every_run(edge: Edge, text: str) -> None:
    assert what(edge) == text


def test_ends_are_told_with_node_and_address() -> None:
    assert parties([A, B, A]) == {"u1/a1": ("u1", "10.32.0.11"), "u2/a2": ("u2", "10.32.0.22")}


def test_edges_of_a_mesh_have_to_be_answered() -> None:
    rows = list(from_mesh([ANSWERED, LOST, SILENT]))
    assert [(row.source, row.destination, row.what, row.expected) for row in rows] == [
        ("u1/a1", "u2/a2", "udp 20777", "answered")
    ] * 3
    assert [(row.outcome, row.holds) for row in rows] == [("answered", True), ("lost", False), ("delivered", False)]
    assert rows[0].clue == Clue() and rows[1].clue.detail == LOST.detail != ""


def test_one_way_it_is_enough_to_arrive() -> None:
    assert [row.holds for row in from_mesh([ANSWERED, SILENT, LOST], DELIVERED)] == [True, True, False]


def test_the_diagnosis_goes_along_and_so_do_routers() -> None:
    arrived = replace(ANSWERED, arrived=ANSWERED.arrived and ANSWERED.arrived._replace(ttl=63))
    (lost, routed) = from_mesh([replace(LOST, clue=Clue(last="u1's NIC eth0")), arrived])
    assert lost.clue == Clue(last="u1's NIC eth0", detail=LOST.detail)
    assert routed.holds and routed.clue.routers == 1


def test_attempts_hold_unless_they_leaked() -> None:
    rows = list(from_attempts([LOST, ANSWERED], {1}))
    assert [(row.expected, row.outcome, row.holds) for row in rows] == [
        (BLOCKED, "lost", True), (BLOCKED, "answered", False)
    ]  # fmt: skip
    assert rows[0].clue == Clue()


TCP = Lane(A, B, Carrier.TCP, (22, 443, 5432))


def swept(lane: Lane = TCP, **seen: object) -> Swept:
    return Swept(lane, replace(Seen(left=bits(lane.ports)), **seen))  # type: ignore[arg-type]


def test_a_lost_port_is_an_edge_of_its_own_and_the_others_are_one() -> None:
    rows = list(from_sweep([swept(arrived=bits([22, 443]), answered=bits([22, 443]))]))
    assert [(row.what, row.outcome, row.holds) for row in rows] == [
        ("tcp some of the sweep", "delivered", True), ("tcp 5432", "lost", False)
    ]  # fmt: skip
    (whole,) = from_sweep([swept(arrived=bits(TCP.ports), answered=bits(TCP.ports))])
    assert (whole.what, whole.holds, whole.clue) == ("tcp all of the sweep", True, Clue())


def test_how_a_port_failed_is_told_apart() -> None:
    everything = bits(TCP.ports)
    (reset,) = list(from_sweep([swept(arrived=bits([22, 443]), answered=everything)]))[1:]
    assert (reset.what, reset.outcome) == ("tcp 5432", "rejected")
    (silent,) = list(from_sweep([swept(arrived=everything, answered=bits([22, 443]))]))[1:]
    assert (silent.what, silent.outcome, silent.holds) == ("tcp 5432", "delivered", False)
    (mapped,) = list(from_sweep([swept(arrived=everything, answered=everything, changed=((22, 2222),))]))[1:]
    assert (mapped.what, mapped.outcome, mapped.holds) == ("tcp 22", "rewritten", False)
    (rejected,) = list(from_sweep([swept(arrived=bits([22, 443]), answered=bits([22, 443]), rejected=bits([5432]),
                                         origins=("10.0.0.9: forbidden",))]))[1:]  # fmt: skip
    assert (rejected.outcome, rejected.clue.detail) == ("rejected", "10.0.0.9: forbidden")


def test_many_ports_are_one_edge() -> None:
    many = tuple(range(1000, 1001 + MOST_PORTS))
    (row,) = from_sweep([swept(Lane(A, B, Carrier.UDP, many, 53))])
    assert (row.what, row.outcome, row.clue.ports) == (
        "udp all of the sweep from port 53", "lost", "1000…1012 (13 tried)"
    )  # fmt: skip


def test_what_passes_where_nothing_may_does_not_hold() -> None:
    rows = list(from_sweep([swept(Lane(A, B, Carrier.IP, (47, 132)), arrived=bits([132]))], BLOCKED))
    assert [(row.what, row.outcome, row.holds) for row in rows] == [
        ("protocol some of the sweep", "lost", True), ("protocol 132", "delivered", False)
    ]  # fmt: skip


def test_what_was_not_seen_leaving_is_not_proved() -> None:
    (row,) = from_sweep([Swept(Lane(A, B, Carrier.UDP, (53,)), Seen())], BLOCKED)
    assert (row.what, row.outcome, row.holds) == ("udp 53", "not_sent", None)
