"""Judging canned records: every outcome of DESIGN §3, and cases that look like one outcome and are another."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace

import pytest

from fixtures.probes.delivery import Attempt, Frame, Header, Served, Step, Transport
from lab.errors import HarnessError
from reports.model import NotProved, Outcome
from tests.unit.probes.canned import NAT, OUTGOING, OWN_PORT, TO_US, A, B, Canned, answer_of, good, sighting
from tests.unit.probes.judge_cases import ALL, CASES, PORTS, UDP


@pytest.mark.parametrize(
    ("case", "transport"), [(name, transport) for name, case in CASES.items() for transport in case[0]]
)
def test_the_outcome_of(case: str, transport: Transport) -> None:
    _, spoil, outcome, words = CASES[case]
    judged = spoil(good(transport)).judged()
    assert judged.outcome is outcome, judged
    assert words in judged.detail and bool(judged.detail) is bool(words), judged
    assert judged.exchanged is (
        outcome is Outcome.ANSWERED
        or (outcome is Outcome.REWRITTEN and judged.reply_arrived is not None and judged.answered_by == B.name)
    )


def test_every_outcome_has_a_case() -> None:
    assert {outcome for _, _, outcome, _ in CASES.values()} == set(Outcome)


@pytest.mark.parametrize("transport", ALL)
def test_a_delivery_holds_both_ends_records(transport: Transport) -> None:
    exchange = good(transport)
    judged = exchange.judged()
    assert judged.sent == judged.seen_by_receiver == exchange.sent
    assert judged.reply_sent == judged.reply_seen == exchange.reply_left.header
    seen = (judged.left, judged.arrived, judged.reply_left, judged.reply_arrived)
    assert seen == (exchange.left, exchange.arrived, exchange.reply_left, exchange.reply_arrived)
    assert judged.sightings == ()  # those four say it all, and meshes are large
    assert judged.answered_by == B.name and judged.hops == 0
    assert judged.or_not_proved() is judged


def test_a_failed_exchange_prints_both_ends_records_and_proves_nothing() -> None:
    judged = good(UDP).unanswered().judged()
    with pytest.raises(NotProved) as caught:
        judged.or_not_proved()
    text = str(caught.value)
    for line in ("u1/a1->u2/a2-udp port 20777: delivered", "u1/a1 sent", "10.32.0.11:41234 > 10.32.0.22:20777"):
        assert line in text
    assert text.count("nothing") == 3  # said first, then for the answer at either end
    assert judged.sightings == good(UDP).unanswered().sightings


def test_one_change_is_told_once() -> None:
    exchange = good(Transport.ICMP)
    judged = exchange.changing(exchange.arrived, destination=NAT).judged()
    assert judged.detail == f"on the way to u2/a2: destination 10.32.0.22 became {NAT}"


def test_the_kernels_errno_is_kept() -> None:
    assert good(UDP).unsent(errno.EMSGSIZE).judged().errno == errno.EMSGSIZE


@pytest.mark.parametrize("transport", ALL)
@pytest.mark.parametrize("step", [Step.REQUEST, Step.ANSWER])
def test_a_truncated_capture_is_the_instruments_failure(transport: Transport, step: Step) -> None:
    exchange = good(transport)
    place = exchange.arrived if step is Step.REQUEST else exchange.reply_arrived
    with pytest.raises(HarnessError, match="cut off"):
        exchange.without(place).adding(place._replace(header=None)).judged()


PLACES: dict[str, tuple[tuple[Transport, ...], Callable[[Canned], object]]] = {
    "u1/a1 sending": (ALL, lambda exchange: exchange.left),
    "u2/a2 receiving": (ALL, lambda exchange: exchange.arrived),
    "u2/a2 answering": (PORTS, lambda exchange: exchange.reply_left),
    "u1/a1 getting the answer": (PORTS, lambda exchange: exchange.reply_arrived),
}


@pytest.mark.parametrize(
    ("place", "transport"), [(name, transport) for name, place in PLACES.items() for transport in place[0]]
)
def test_an_answer_that_a_recorder_missed_is_the_instruments_failure(place: str, transport: Transport) -> None:
    exchange = good(transport)
    with pytest.raises(HarnessError, match=f": u2/a2 answered, and yet no recorder saw {place}$"):
        exchange.without(PLACES[place][1](exchange)).judged()  # type: ignore[arg-type]


def test_a_crafted_frame_is_held_against_what_was_dialled() -> None:
    exchange = good(UDP).unanswered()
    crafted = replace(exchange.without(exchange.left), sent=None, attempt=Attempt(at=9.0), served=())
    assert crafted.judged().outcome is Outcome.DELIVERED
    moved = crafted.changing(crafted.arrived, destination=NAT).judged()
    assert moved.outcome is Outcome.REWRITTEN and f"destination 10.32.0.22 became {NAT}" in moved.detail


def test_a_crafted_frame_is_answered_when_the_answer_was_seen() -> None:
    exchange = good(UDP)
    edge = replace(exchange.edge, frame=Frame("eth0", bytes, "crafted"))
    crafted = replace(exchange, edge=edge, sent=None, attempt=Attempt(at=9.0))
    assert crafted.judged().outcome is Outcome.ANSWERED
    assert crafted.without(exchange.reply_left).judged().outcome is Outcome.MISDELIVERED
    assert crafted.without(exchange.reply_left, exchange.reply_arrived).judged().outcome is Outcome.DELIVERED


def test_a_container_reaches_itself() -> None:
    exchange = good(UDP)
    here = replace(exchange.edge, destination=A)
    header = exchange.left.header._replace(destination=A.address) if exchange.left.header else None
    answer = Header(UDP, A.address, A.address, 20777, OWN_PORT, answer_of(A))
    sightings = (
        sighting(Step.REQUEST, A, OUTGOING, header),
        sighting(Step.REQUEST, A, TO_US, header),
        sighting(Step.ANSWER, A, OUTGOING, answer),
        sighting(Step.ANSWER, A, TO_US, answer),
    )
    attempt = replace(exchange.attempt, answer=answer_of(A))
    served = (Served(A.name, A.address, OWN_PORT),)
    assert replace(
        exchange, edge=here, sent=header, sightings=sightings, served=served, attempt=attempt
    ).judged().outcome is (Outcome.ANSWERED)


def test_of_several_others_that_emit_the_echo_the_first_is_named() -> None:
    exchange = good(Transport.ICMP)
    others = [exchange.reply_left._replace(endpoint=name) for name in ("u3/a3", "u4/a4")]
    delivery = exchange.without(exchange.reply_left).adding(*others).judged()
    assert (delivery.outcome, delivery.answered_by) == (Outcome.MISDELIVERED, "u3/a3")
