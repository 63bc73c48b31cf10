"""Each condition of the assessment by itself: a case that ends differently when the condition is turned round."""

from __future__ import annotations

import errno
import gc
from dataclasses import replace
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP
from scapy.packet import Packet

from fixtures.probes.agent.formats import RECORD, RESULT, request_payload
from fixtures.probes.agent.mesh import STALL_S
from fixtures.probes.assessment import Unanswered, assess
from fixtures.probes.delivery import Delivery, Edge, Transport
from fixtures.probes.plan import Part, plan
from fixtures.probes.trail import Hop, Trail
from lab.errors import HarnessError
from reports.model import Outcome
from tests.unit.probes.canned import IDENTIFIER, MESH, OUTGOING, OWN_PORT, PORT, SECRETS, TO_US, A, B, C
from tests.unit.probes.test_assessment import EDGE, Answer, answer, answers, lost, packed, spoilt

SECOND_PORT = 7


def record(packet: Packet, kind: int) -> bytes:
    return RECORD.pack(1.0, 0, kind, len(bytes(packet))) + bytes(packet)


def result(index: int = 0, *, code: int = 0, source: str | None = A.address, port: int = OWN_PORT) -> bytes:
    known = source is not None
    return RESULT.pack(index, 1.0, known, packed(source or "0.0.0.0"), port if known else 0, code, 0)


def unsent(code: int) -> list[Answer]:
    return [answer([b"", b"", result(code=code, source=None)]), answer([b""] * 3)]


def assessed(
    given: list[Answer],
    edges: list[Edge] | None = None,
    here: tuple[int | None, int | None] = (0, 0),
    parts: list[Part] | None = None,
) -> tuple[tuple[Delivery, ...], Trail]:
    edges = edges or [EDGE]
    return assess(MESH, edges, parts or plan(edges, {}), given, PORT, SECRETS, here)


@pytest.mark.parametrize("was_on", [True, False])
def test_the_garbage_collector_pauses_and_is_then_as_it_was(monkeypatch: pytest.MonkeyPatch, was_on: bool) -> None:
    calls: list[str] = []
    monkeypatch.setattr(gc, "isenabled", lambda: was_on)
    monkeypatch.setattr(gc, "disable", lambda: calls.append("disable"))
    monkeypatch.setattr(gc, "enable", lambda: calls.append("enable"))
    assessed(answers())
    assert calls == (["disable", "enable"] if was_on else ["disable"])


def test_an_answer_too_few_or_too_many_is_an_error() -> None:
    with pytest.raises(HarnessError, match=r"records of a mesh: its answer cannot be read \(ValueError: zip\(\)"):
        assessed(answers()[:1])
    with pytest.raises(HarnessError, match=r"records of a mesh: its answer cannot be read \(ValueError: zip\(\)"):
        assessed([*answers(), *answers()[:1]])


@pytest.mark.parametrize("interfaces", [[], [["eth0"], ["eth1"]]])
def test_interfaces_of_other_endpoints_than_asked_for_are_an_error(interfaces: list[list[str]]) -> None:
    with pytest.raises(HarnessError, match=r"records of a mesh: its answer cannot be read \(ValueError: zip\(\)"):
        assessed(spoilt(0, {"interfaces": interfaces}))


def test_a_piece_too_few_is_an_error() -> None:
    given = answers()
    given[1] = answer([b"", b""], interfaces=[["eth0"]])
    with pytest.raises(HarnessError, match=r"records of a mesh: its answer cannot be read \(ValueError: zip\(\)"):
        assessed(given, parts=plan([EDGE], {"u2": [Hop("u2", "NIC", "eth0")]}))
    given[1] = answer([b""], interfaces=[["eth0"]])
    with pytest.raises(HarnessError, match=r"records of a mesh: its answer cannot be read \(ValueError: zip\(\)"):
        assessed(given)


def test_the_trail_holds_the_records_of_both_ends_and_of_each_hop() -> None:
    hops = [Hop("u1", "bridge a", "br0"), Hop("u1", "NIC", "eth0")]
    one, two = (RECORD.pack(1.0, 0, 0, 3) + frame for frame in (b"one", b"two"))
    made, (first, second) = answers()[0], answers()
    sizes = made[0]["sizes"]
    at_a, served, sent = made[1][: sizes[0]], b"", made[1][sizes[0] :]
    given = [answer([at_a, served, one, two, sent]), second]
    _, trail = assessed(given, parts=plan([EDGE], {"u1": hops}))
    assert trail.hops == {hops[0]: one, hops[1]: two}
    assert trail.ends == {A.name: at_a, B.name: second[1][: second[0]["sizes"][0]]}
    assert first == made


def test_two_endpoints_of_a_node_have_their_own_records() -> None:
    here = replace(C, node="u1")
    hop = RECORD.pack(1.0, 0, 0, 3) + b"hop"
    _, trail = assessed(
        [answer([b"", b"", b"", b"", hop, result()], interfaces=[["eth0"], ["eth1"]])],
        [replace(EDGE, destination=here)],
        parts=plan([replace(EDGE, destination=here)], {"u1": [Hop("u1", "NIC", "eth0")]}),
    )
    assert trail.ends == {A.name: b"", here.name: b""} and list(trail.hops.values()) == [hop]


@pytest.mark.parametrize("port", [None, SECOND_PORT])
def test_a_syn_belongs_to_the_edge_whose_socket_dialled_that_port(port: int | None) -> None:
    edge = Edge(A, B, Transport.TCP, port)
    syn = IP(src=A.address, dst=B.address) / TCP(sport=OWN_PORT, dport=port or PORT, flags="S", seq=9)
    at_a, at_b = record(syn, OUTGOING), record(syn, TO_US)
    (made,), _ = assessed([answer([at_a, b"", result()]), answer([at_b, b"", b""])], [edge])
    assert made.outcome is Outcome.LOST and "the SYN arrived at u2/a2" in made.detail
    assert made.sent is not None and made.sent.destination_port == (port or PORT)


def test_an_echos_sequence_number_is_its_edge() -> None:
    index = 1
    edges = [EDGE] * index + [Edge(A, B, Transport.ICMP)]
    echo = IP(src=A.address, dst=B.address) / ICMP(id=IDENTIFIER, seq=index) / request_payload(MESH, index)
    results = b"".join(result(number) for number in range(index)) + result(index, port=IDENTIFIER)
    made, _ = assessed([answer([record(echo, OUTGOING), b"", results]), answer([b""] * 3)], edges)
    assert made[index].outcome is Outcome.LOST
    left = made[index].left
    assert left is not None and made[index].sent == left.header


def test_a_servers_note_explains_only_a_missing_answer() -> None:
    note: dict[str, Any] = {"notes": {"0": "the answer could not be sent"}}
    ((made,), _), ((answered,), _) = assessed(spoilt(1, note, lost())), assessed(spoilt(1, note))
    assert made.detail.endswith("(the answer could not be sent)") and answered.detail == ""


@pytest.mark.parametrize(("stood_still", "fails"), [(STALL_S, False), (STALL_S + 0.01, True)])
def test_an_agent_may_stand_still_for_so_long(stood_still: float, fails: bool) -> None:
    given = spoilt(1, {"stood_still": stood_still}, lost())
    if fails:
        with pytest.raises(HarnessError, match=r"node u2: its probe agent stood still for 0\.3 s"):
            assessed(given)
    else:
        assert assessed(given)[0][0].outcome is Outcome.DELIVERED


def test_an_agent_of_a_slow_node_may_stand_still_for_longer() -> None:
    given = spoilt(1, {"stood_still": 6 * STALL_S}, lost())
    (made,), _ = assess(MESH, [EDGE], plan([EDGE], {}), given, PORT, SECRETS, (0, 0), stall_s=6 * STALL_S)
    assert made.outcome is Outcome.DELIVERED
    with pytest.raises(HarnessError, match="stood still"):
        assess(MESH, [EDGE], plan([EDGE], {}), given, PORT, SECRETS, (0, 0), stall_s=5 * STALL_S)


@pytest.mark.parametrize(
    ("there", "here", "fails"),
    [
        ((4, 7), (0, 0), True),
        ((4, 4), (0, 0), False),
        ((4, 4), (0, 9), False),
        ((None, None), (4, 7), True),
        ((None, 0), (4, 7), True),
        ((None, None), (4, None), False),
        ((None, None), (None, 7), False),
        ((None, None), (None, None), False),
        ((4, None), (0, 9), False),
    ],
)
def test_a_nodes_own_count_of_full_tables_is_better_than_the_runners(
    there: tuple[int | None, int | None], here: tuple[int | None, int | None], fails: bool
) -> None:
    given = spoilt(0, {"full": list(there)}, lost())
    if fails:
        with pytest.raises(HarnessError, match="node u1: its kernel had no room for 3 neighbours"):
            assessed(given, here=here)
    else:
        assert assessed(given, here=here)[0][0].outcome is Outcome.DELIVERED


@pytest.mark.parametrize(
    ("code", "fails"), [(0, True), (errno.ENOBUFS, True), (errno.ENETUNREACH, False), (errno.EMSGSIZE, False)]
)
def test_a_full_table_explains_what_was_not_sent_unless_the_kernel_says_why(code: int, fails: bool) -> None:
    given = spoilt(0, {"full": [0, 1]}, unsent(code))
    if fails:
        with pytest.raises(HarnessError, match="had no room for 1 neighbours"):
            assessed(given)
    else:
        assert assessed(given)[0][0].outcome is Outcome.NOT_SENT


def test_a_full_table_does_not_explain_what_was_lost_on_the_way() -> None:
    syn = IP(src=A.address, dst=B.address) / TCP(sport=OWN_PORT, dport=PORT, flags="S", seq=9)
    given = [answer([record(syn, OUTGOING), b"", result()], full=[0, 1]), answer([b""] * 3)]
    assert assessed(given, [replace(EDGE, transport=Transport.TCP)])[0][0].outcome is Outcome.LOST


def test_a_node_that_could_not_do_its_part_explains_its_own_edges_only() -> None:
    elsewhere = replace(EDGE, source=B, destination=C)
    given = [
        answer([b"", b"", b""], stood_still=5.0),
        answer([b"", b"", result(source=None)]),
        answer([b""] * 3),
    ]
    parts = [*plan([replace(EDGE, destination=A)], {})[:1], *plan([elsewhere], {})]
    parts[0].edges.clear()
    assert assessed(given, [elsewhere], parts=parts)[0][0].outcome is Outcome.NOT_SENT
    given[2] = answer([b""] * 3, stood_still=5.0)
    with pytest.raises(HarnessError, match="node u3"):
        assessed(given, [elsewhere], parts=parts)


def unanswered_echoes(count: int, unsent: list[list[int | None]]) -> tuple[list[Answer], list[Edge]]:
    """B received so many echo requests of A and answered none; what its kernel says that it did not send."""
    edges = [Edge(A, B, Transport.ICMP) for _ in range(count)]
    echoes = [
        IP(src=A.address, dst=B.address) / ICMP(id=IDENTIFIER, seq=index) / request_payload(MESH, index)
        for index in range(count)
    ]
    left, came = (b"".join(record(echo, kind) for echo in echoes) for kind in (OUTGOING, TO_US))
    results = b"".join(result(index, port=IDENTIFIER) for index in range(count))
    return [answer([left, b"", results]), answer([came, b"", b""], unsent=[unsent])], edges


def test_a_kernel_without_room_to_answer_echo_requests_accuses_nobody() -> None:
    with pytest.raises(
        Unanswered, match=r"node u2: its kernel had no room to answer 2 echo requests that u2/a2 received"
    ):
        assessed(*unanswered_echoes(2, [[4, 5, 7], [6, 0, 0]]))


@pytest.mark.parametrize(
    "unsent",
    [[[4, 5, 6], [6, 0, 0]], [[4, 5, 5], [6, 0, 9]], [[4, None, 7]], [[4, 5, None]], [[4, 5, 5], [6, 5, 5]]],
    ids=["fewer than unanswered", "of the other family", "unknown before", "unknown after", "none"],
)
def test_a_kernel_that_does_not_say_so_of_each_echo_is_judged(unsent: list[list[int | None]]) -> None:
    made, _ = assessed(*unanswered_echoes(2, unsent))
    assert [delivery.outcome for delivery in made] == [Outcome.DELIVERED] * 2


def test_an_echo_that_never_arrived_is_not_one_that_had_no_room() -> None:
    (given, there), edges = unanswered_echoes(2, [[4, 5, 9], [6, 0, 0]])
    words = there[0] | {"sizes": [0, 0, 0]}
    made, _ = assessed([given, (words, b"")], edges)
    assert [delivery.outcome for delivery in made] == [Outcome.LOST] * 2
