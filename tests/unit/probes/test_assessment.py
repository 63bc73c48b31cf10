"""From agents' packed answers to deliveries: the whole of it, and what makes an instrument of no use."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from scapy.layers.inet import IP, UDP

from fixtures.probes.agent.formats import RECORD, RESULT, SERVED, pack_address, request_payload
from fixtures.probes.assessment import assess
from fixtures.probes.delivery import Delivery, Edge, Transport
from fixtures.probes.plan import Part, plan
from lab.errors import HarnessError
from reports.model import Outcome
from tests.unit.probes.canned import MESH, NAT, OUTGOING, OWN_PORT, PORT, SECRETS, TO_US, A, B, answer_of

EDGE = Edge(A, B, Transport.UDP)
ASKED, ANSWERED = request_payload(MESH, 0), answer_of(B, index=0)
Answer = tuple[dict[str, Any], bytes]


def packed(address: str) -> bytes:
    return bytes(pack_address(address))


def packet(source: str, destination: str, ports: tuple[int, int], payload: bytes, kind: int) -> bytes:
    data = bytes(IP(src=source, dst=destination) / UDP(sport=ports[0], dport=ports[1]) / payload)
    return RECORD.pack(1.0, 0, kind, len(data)) + data


def answer(pieces: list[bytes], **words: object) -> Answer:
    made: dict[str, Any] = {
        "drops": 0,
        "overflow": False,
        "notes": {},
        "stood_still": 0.0,
        "full": [0, 0],
        "sizes": [len(piece) for piece in pieces],
        "interfaces": [["eth0"]],
    }
    made |= words
    return {"unsent": [[[4, 0, 0], [6, 0, 0]] for _ in made["interfaces"]], **made}, b"".join(pieces)


def answers(*, seen_source: str = A.address, result: bytes | None = None) -> list[Answer]:
    """What the agents of u1 and u2 say of one UDP edge that was answered."""
    there, back = (OWN_PORT, PORT), (PORT, OWN_PORT)
    if result is None:
        result = RESULT.pack(0, 1.0, 1, packed(A.address), OWN_PORT, 0, len(ANSWERED)) + ANSWERED
    at_a = packet(A.address, B.address, there, ASKED, OUTGOING) + packet(B.address, A.address, back, ANSWERED, TO_US)
    at_b = packet(seen_source, B.address, there, ASKED, TO_US) + packet(B.address, A.address, back, ANSWERED, OUTGOING)
    return [answer([at_a, b"", result]), answer([at_b, SERVED.pack(0, packed(seen_source), OWN_PORT), b""])]


def parts() -> list[Part]:
    return plan([EDGE], {})


def assessed(given: list[Answer], here: tuple[int | None, int | None] = (0, 0)) -> Delivery:
    (made,), _ = assess(MESH, [EDGE], parts(), given, PORT, SECRETS, here)
    return made


def spoilt(node: int, words: Mapping[str, object], given: list[Answer] | None = None) -> list[Answer]:
    made = list(answers() if given is None else given)
    made[node] = (made[node][0] | dict(words), made[node][1])
    return made


def lost() -> list[Answer]:
    """B saw the request; the answer never came."""
    at_a = packet(A.address, B.address, (OWN_PORT, PORT), ASKED, OUTGOING)
    at_b = packet(A.address, B.address, (OWN_PORT, PORT), ASKED, TO_US)
    result = RESULT.pack(0, 1.0, 1, packed(A.address), OWN_PORT, 0, 0)
    return [answer([at_a, b"", result]), answer([at_b, SERVED.pack(0, packed(A.address), OWN_PORT), b""])]


def test_an_edge_that_was_answered() -> None:
    made = assessed(answers())
    assert made.outcome is Outcome.ANSWERED and made.answered_by == B.name
    assert made.sent == made.seen_by_receiver and made.reply_sent == made.reply_seen


def test_an_edge_that_was_rewritten() -> None:
    made = assessed(answers(seen_source=NAT))
    assert made.outcome is Outcome.REWRITTEN and f"became {NAT}" in made.detail


def test_an_edge_whose_answer_is_missing_says_what_the_server_noted() -> None:
    made = assessed(spoilt(1, {"notes": {"0": "the answer could not be sent: Network is down"}}, lost()))
    assert made.outcome is Outcome.DELIVERED and "Network is down" in made.detail


@pytest.mark.parametrize("node", [0, 1])
@pytest.mark.parametrize(
    ("words", "told"),
    [({"drops": 3}, "its recorders lost 3 packets"), ({"overflow": True}, "its recorders lost many packets")],
)
def test_a_recorder_that_dropped_packets_says_nothing(node: int, words: Mapping[str, object], told: str) -> None:
    with pytest.raises(HarnessError, match=f"node u{node + 1}: {told}"):
        assessed(spoilt(node, words))


def test_an_edge_of_which_no_agent_speaks() -> None:
    with pytest.raises(HarnessError, match="node u1: its agent sent no result of edge u1/a1->u2/a2-udp"):
        assessed(answers(result=b""))


@pytest.mark.parametrize("node", [0, 1])
def test_an_agent_that_stood_still_accuses_nobody(node: int) -> None:
    with pytest.raises(HarnessError, match=rf"node u{node + 1}: its probe agent stood still for 5\.0 s"):
        assessed(spoilt(node, {"stood_still": 5.0}, lost()))
    assert assessed(spoilt(node, {"stood_still": 5.0})).outcome is Outcome.ANSWERED
    assert assessed(spoilt(node, {"stood_still": 0.1}, lost())).outcome is Outcome.DELIVERED


@pytest.mark.parametrize("full", [[4, 7], [None, None]])
def test_a_full_table_of_neighbours_accuses_nobody(full: list[int | None]) -> None:
    with pytest.raises(HarnessError, match=r"no room for 3 neighbours: raise net\.ipv4\.neigh\.default\.gc_thresh3"):
        assessed(spoilt(0, {"full": full}, lost()), here=(4, 7))
    assert assessed(spoilt(0, {"full": full})).outcome is Outcome.ANSWERED


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE])
def test_an_agent_without_room_for_sockets_accuses_nobody(code: int) -> None:
    result = RESULT.pack(0, 1.0, 0, bytes(16), 0, code, 0)
    with pytest.raises(
        HarnessError, match=r"node u1: its agent could not open a socket for u1/a1->u2/a2-udp: Too many"
    ):
        assessed(answers(result=result))
    unsent = assessed(
        [answer([b"", b"", RESULT.pack(0, 1.0, 0, bytes(16), 0, errno.ENETUNREACH, 0)]), answer([b""] * 3)]
    )
    assert unsent.outcome is Outcome.NOT_SENT


def test_a_plan_names_every_endpoint_once_and_every_edge_at_its_source() -> None:
    edges = [EDGE, replace(EDGE, source=B, destination=A), replace(EDGE, transport=Transport.ICMP)]
    made = {part.node: part for part in plan(edges, {})}
    assert {node: [endpoint.name for endpoint in part.endpoints] for node, part in made.items()} == {
        "u1": [A.name],
        "u2": [B.name],
    }
    assert {node: [index for index, _ in part.edges] for node, part in made.items()} == {"u1": [0, 2], "u2": [1]}
