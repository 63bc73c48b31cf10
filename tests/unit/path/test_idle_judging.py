"""An idle connection: who reset it, or where its data was lost, told from what both ends recorded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet

from fixtures.path.idle import IdleConnections
from fixtures.path.idle_judging import Connection, Course, Segment, Used, by_family, judge, read_segments
from fixtures.probes.agent.formats import GREETING, IDLE, IDLE_MAGIC, OUTGOING, RECORD, REPLY, TO_HOST, USE
from fixtures.probes.agent.idle import segments
from fixtures.probes.delivery import Endpoint
from lab.errors import HarnessError
from lab.inventory import Family
from reports.causes.sent import read_what
from tests.unit.probes.classic_bpf import accepts

A1 = Endpoint("u1/a1", "u1", "/proc/1/ns/net", "10.32.0.1")
A2 = Endpoint("u2/a2", "u2", "/proc/2/ns/net", "10.32.0.2")
ONE = Connection(7, A1, A2)
CLIENT, SERVER = 40000, 20001
NONCE = b"nnnn"
NAME = "u1 → u2 (u1/a1 → u2/a2)"

QUESTION = Segment(True, A1.address, A2.address, (CLIENT, SERVER), 64, False, 1, (7, USE))
ANSWER = Segment(True, A2.address, A1.address, (SERVER, CLIENT), 64, False, 2, (7, REPLY + USE))
RESET = Segment(True, A2.address, A1.address, (SERVER, CLIENT), 64, True, 3, None)


def came(segment: Segment, **changes: Any) -> Segment:
    return replace(segment, outgoing=False, **changes)


def report(**changes: Any) -> dict[str, Any]:
    usual = {"error": None, "source": [A1.address, CLIENT], "greeted": 100.0, "used": 160.5, "answered": None}
    return {**usual, "ended": None, **changes}


def course(here: list[Segment], there: list[Segment], **changes: Any) -> Course:
    return judge(ONE, report(**changes), {"u1/a1": here, "u2/a2": there})


def test_a_connection_that_is_answered_works() -> None:
    works = course([], [], answered=160.6)
    assert works.answered and str(works) == f"{NAME}: idle for 60.5 s, then its data was answered"
    assert not Used((works,)).broken and not Used((works,)).unopened


def test_a_connection_that_was_not_opened_proves_nothing() -> None:
    unopened = course([], [], greeted=None, error="ECONNREFUSED")
    assert str(unopened) == f"{NAME}: could not be opened when the run began: ECONNREFUSED"
    assert str(course([], [], greeted=None)).endswith("when the run began: no answer")
    used = Used((unopened,))
    assert used.unopened == (unopened,) and not used.broken and used.least_idle_s == 0.0


@pytest.mark.parametrize(
    ("here", "there", "why"),
    [
        ([], [], "its data never left u1/a1"),
        ([QUESTION] * 6, [], "its data was lost: 6 times it left u1/a1, and never came to u2/a2"),
        ([QUESTION], [], "its data was lost: once it left u1/a1, and never came to u2/a2"),
        ([QUESTION], [came(QUESTION)], "its data came to u2/a2, which did not answer"),
        (
            [QUESTION],
            [came(QUESTION), ANSWER, ANSWER],
            "its data came to u2/a2, and the answer was lost: 2 times it left u2/a2, and never came to u1/a1",
        ),
        (
            [QUESTION, came(ANSWER)],
            [came(QUESTION), ANSWER],
            "its data came to u2/a2 and the answer to u1/a1, whose kernel did not deliver it",
        ),
    ],
    ids=["not sent", "lost", "lost once", "not answered", "answer lost", "not delivered"],
)
def test_lost_data_is_told_with_the_place(here: list[Segment], there: list[Segment], why: str) -> None:
    lost = course(here, there)
    assert str(lost) == f"{NAME}: idle for 60.5 s, and then it carries nothing: {why}"
    assert Used((lost,)).broken == (lost,)


def test_data_of_another_connection_is_not_taken_for_its_own() -> None:
    other = replace(QUESTION, carried=(8, USE))
    greeting = replace(QUESTION, carried=(7, GREETING))
    assert course([other, greeting], [came(other)]).why == "its data never left u1/a1"
    assert "lost: once it left" in course([QUESTION, came(QUESTION)], [QUESTION]).why


def test_a_reset_of_the_other_end_is_told_as_its_own() -> None:
    ended = course([QUESTION, came(RESET)], [came(QUESTION), RESET], error="ECONNRESET", ended=160.7)
    assert str(ended) == f"{NAME}: idle for 60.5 s, and then it carries nothing: u2/a2 itself reset it"
    own = replace(RESET, source=A1.address, destination=A2.address, ports=(CLIENT, SERVER))
    assert course([own], [came(own)], error="ECONNRESET", ended=160.7).why == "u1/a1 itself reset it"


def test_a_reset_that_nobody_of_both_sent_comes_from_the_way() -> None:
    greeted = came(ANSWER, ttl=64)
    forged = course([greeted, QUESTION, came(RESET, ttl=63)], [came(QUESTION)], error="ECONNRESET", ended=120.0)
    assert str(forged) == (
        f"{NAME}: ended while it was idle, after 20.0 s: u1/a1 got a RST that carries the address 10.32.0.2 and that "
        "u2/a2 never sent, TTL 63 where its own packets have 64: something on the way reset it"
    )
    assert ", TTL 63: something" in course([came(RESET, ttl=63)], [], ended=120.0).why
    assert course([came(RESET)], [replace(RESET, sequence=4)], ended=1.0).why.endswith("something on the way reset it")


def test_the_reset_that_answers_another_one_is_not_the_cause() -> None:
    first = replace(RESET, source=A1.address, destination=A2.address, ports=(CLIENT, SERVER))
    both = course([QUESTION, first, came(RESET)], [came(QUESTION), came(first), RESET], ended=160.7)
    assert both.why == "u1/a1 itself reset it"
    other = course([QUESTION, came(RESET), first], [came(QUESTION), RESET, came(first)], ended=160.7)
    assert other.why == "u2/a2 itself reset it"


def test_a_reset_of_another_connection_is_not_its_own() -> None:
    other = came(RESET, ports=(SERVER, CLIENT + 1))
    assert course([QUESTION, other], [RESET]).why.startswith("its data was lost")
    left = replace(RESET, source=A1.address, destination=A2.address, ports=(CLIENT, SERVER))
    assert course([QUESTION, left], []).why.startswith("its data was lost"), "a RST that left did not come"
    backwards = came(RESET, source=A1.address, destination=A2.address, ports=(CLIENT + 1, SERVER))
    assert course([QUESTION], [backwards]).why.startswith("its data was lost")


def test_an_end_without_a_reset_says_so() -> None:
    closed = course([], [], error="ECONNRESET", ended=130.0, used=None)
    assert str(closed) == f"{NAME}: ended while it was idle, after 30.0 s: ECONNRESET, and no RST was recorded"


def test_several_are_told_with_the_first_in_front() -> None:
    works, lost = course([], [], answered=160.6), course([QUESTION], [])
    used = Used((works, lost, lost))
    head, *rest = used.explain(used.broken).splitlines()
    assert head == f"2 of 3 connections, such as {lost}" and rest == [str(lost)] * 2
    assert used.explain([lost]) == str(lost)
    assert used.least_idle_s == 60.5


def record(kind: int, packet: IP) -> bytes:
    data = bytes(packet)
    return RECORD.pack(1.5, 0, kind, len(data)) + data


def test_segments_are_read_from_a_record() -> None:
    said = IDLE.pack(IDLE_MAGIC, NONCE, 7, USE)
    back = IP(src=A2.address, dst=A1.address, ttl=63) / TCP(sport=SERVER, dport=CLIENT, flags="RA", seq=9)
    there = IP(src=A1.address, dst=A2.address) / TCP(sport=CLIENT, dport=SERVER, flags="PA", seq=1) / said
    foreign = IP(src=A1.address, dst=A2.address) / TCP(sport=CLIENT, dport=SERVER, flags="PA") / (b"x" * 16)
    data = record(OUTGOING, there) + record(TO_HOST, back) + record(TO_HOST, foreign)
    one, reset, other = read_segments(data, NONCE)
    assert one == QUESTION
    assert reset == Segment(False, A2.address, A1.address, (SERVER, CLIENT), 63, True, 9, None)
    assert other.carried is None
    assert [own.carried for own in read_segments(data, b"else")] == [None, None, None]


def test_data_behind_other_data_in_one_segment_is_found() -> None:
    said = IDLE.pack(IDLE_MAGIC, NONCE, 7, GREETING) + IDLE.pack(IDLE_MAGIC, NONCE, 7, USE)
    packet = IP(src=A1.address, dst=A2.address) / TCP(sport=CLIENT, dport=SERVER, flags="PA", seq=1) / said
    assert read_segments(record(OUTGOING, packet), NONCE)[0].carried == (7, USE)


# -- over IPv6 ------------------------------------------------------------------------------

SIX = Connection(8, replace(A1, address="fd00::1"), replace(A2, address="fd00::2"))
QUESTION_V6 = replace(QUESTION, source="fd00::1", destination="fd00::2", carried=(8, USE))


def test_a_connection_over_ipv6_says_so() -> None:
    made = judge(SIX, report(), {"u1/a1": [QUESTION_V6], "u2/a2": []})
    lost = "its data was lost: once it left u1/a1, and never came to u2/a2"
    assert str(made) == f"{NAME} over IPv6: idle for 60.5 s, and then it carries nothing: {lost}"
    assert made.judged().what == "tcp connection that was idle over IPv6"
    assert read_what(made.judged().what).family == "IPv6"


def test_a_reset_over_the_other_family_is_not_its_own() -> None:
    """The kernel may give both connections of two ends the same port."""
    made = judge(SIX, report(), {"u1/a1": [QUESTION_V6, came(RESET)], "u2/a2": []})
    assert made.why.startswith("its data was lost")
    reset = replace(RESET, source="fd00::2", destination="fd00::1")
    assert course([QUESTION, came(reset)], []).why.startswith("its data was lost")
    assert judge(SIX, report(), {"u1/a1": [came(reset)], "u2/a2": [reset]}).why == "u2/a2 itself reset it"


def test_connections_are_told_by_their_family() -> None:
    four, six = course([], [], answered=160.6), judge(SIX, report(answered=160.6), {})
    assert by_family([four, six], [Family.V4, Family.V6]) == {Family.V4: Used((four,)), Family.V6: Used((six,))}
    assert by_family([four], [Family.V4]) == {Family.V4: Used((four,))}
    assert by_family([], [Family.V4, Family.V6]) == {Family.V4: Used(()), Family.V6: Used(())}


def test_segments_over_ipv6_are_read_from_a_record() -> None:
    packet = IPv6(src="fd00::1", dst="fd00::2", hlim=64) / TCP(sport=CLIENT, dport=SERVER, seq=9, flags="PA")
    data = bytes(packet / IDLE.pack(IDLE_MAGIC, NONCE, 8, USE))
    (own,) = read_segments(RECORD.pack(1.0, 0, OUTGOING, len(data)) + data, NONCE)
    assert own == Segment(True, "fd00::1", "fd00::2", (CLIENT, SERVER), 64, False, 9, (8, USE))


@pytest.mark.parametrize(
    ("packet", "protocol", "kept"),
    [
        (IP() / TCP(sport=CLIENT, dport=SERVER), 0x0800, True),
        (IP() / TCP(sport=SERVER, dport=CLIENT), 0x0800, True),
        (IP() / TCP(sport=1, dport=2), 0x0800, False),
        (IP() / UDP(sport=CLIENT, dport=SERVER), 0x0800, False),
        (IPv6() / TCP(sport=CLIENT, dport=SERVER), 0x86DD, True),
        (IPv6() / TCP(sport=SERVER, dport=CLIENT), 0x86DD, True),
        (IPv6() / TCP(sport=1, dport=2), 0x86DD, False),
        (IPv6() / UDP(sport=CLIENT, dport=SERVER), 0x86DD, False),
        (IPv6() / TCP(sport=CLIENT, dport=SERVER), 0x0806, False),
    ],
)
def test_a_recorder_keeps_the_segments_of_its_port(packet: Packet, protocol: int, kept: bool) -> None:
    assert accepts(segments(SERVER), bytes(packet), protocol=protocol) is kept


class Opened(IdleConnections):
    """Connections over two families that were opened, and whose use is canned."""

    def __init__(self) -> None:
        self.error, self._unjudged, self.uses = None, {}, 0

    def _use(self, idle_s: float) -> dict[Family, Used]:
        self.uses += 1
        return {family: Used((made,)) for family, made in zip(Family, (FOUR, OVER_SIX), strict=True)}


FOUR, OVER_SIX = course([], [], answered=160.6), judge(SIX, report(answered=160.6), {})


def test_all_connections_are_used_at_once_and_each_family_is_told_once() -> None:
    opened = Opened()
    assert opened.use(5.0, Family.V4) == Used((FOUR,)) and opened.use(5.0, Family.V6) == Used((OVER_SIX,))
    assert opened.uses == 1
    for family in Family:
        with pytest.raises(HarnessError, match="each is used once"):
            opened.use(5.0, family)


def test_a_family_is_not_told_twice() -> None:
    opened = Opened()
    opened.use(5.0, Family.V6)
    with pytest.raises(HarnessError, match="the idle connections over IPv6 of this run have been used"):
        opened.use(5.0, Family.V6)
    assert opened.use(5.0, Family.V4) == Used((FOUR,))
