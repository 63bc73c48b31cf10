"""Flows that go on in the background: their pace, and which answers they believe."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.probes.agent.beats import Beats, Flow
from fixtures.probes.agent.formats import BEAT, BEAT_MAGIC

NONCE = b"nnnn"


class Socket:
    """A socket on which these answers wait; sending fails with `error` if there is one."""

    def __init__(self, *waiting: Any) -> None:
        self.waiting = list(waiting)
        self.sent: list[int] = []
        self.error = 0

    def send(self, data: bytes) -> None:
        if self.error:
            raise OSError(self.error, "refused")
        self.sent.append(BEAT.unpack(data)[3])

    def recv(self, size: int) -> bytes:
        if not self.waiting:
            raise BlockingIOError
        data = self.waiting.pop(0)
        if isinstance(data, OSError):
            raise data
        return bytes(data)[:size]


@pytest.fixture
def flow() -> Any:
    """A flow that has not sent anything yet, with a beat every 20 ms."""
    made: Any = Flow.__new__(Flow)
    made.beats, made.number, made.sock = SimpleNamespace(nonce=NONCE, interval=0.02), 3, Socket()
    made.next, made.sent_at, made.answers, made.errors, made.due = 0, [], [], {}, 10.0
    return made


def beats_with(flow: Any) -> Any:
    beats: Any = Beats.__new__(Beats)
    beats.flows = [flow]
    return beats


def test_a_flow_beats_when_it_is_due(flow: Any) -> None:
    beats = beats_with(flow)
    assert beats.turn(9.995) == pytest.approx(0.005) and not flow.sent_at
    assert beats.turn(10.0) == pytest.approx(0.02)
    assert beats.turn(10.01) == pytest.approx(0.01)
    beats.turn(10.021)
    assert flow.sock.sent == [0, 1] and flow.sent_at == [10.0, 10.021]


def test_a_flow_that_was_held_up_does_not_catch_up(flow: Any) -> None:
    beats = beats_with(flow)
    beats.turn(10.0)
    beats.turn(15.0)
    beats.turn(15.001)
    assert flow.sent_at == [10.0, 15.0, 15.001], "one beat is due at once, and no more"
    beats.turn(15.002)
    assert len(flow.sent_at) == 3


def test_a_refused_beat_is_a_beat_without_an_answer(flow: Any) -> None:
    flow.sock.error = 101
    flow.beat(10.0)
    assert flow.result() == {"number": 3, "sent_at": [10.0], "answers": [], "errors": {"ENETUNREACH": 1}}


def test_only_answers_to_its_own_beats_count(flow: Any) -> None:
    def answer(nonce: bytes = NONCE, number: int = 3, magic: bytes = BEAT_MAGIC) -> bytes:
        return BEAT.pack(magic, nonce, number, 7, b"\0\0\0\x0b")

    refused = ConnectionRefusedError(111, "refused")
    flow.sock.waiting = [
        answer(), refused, answer(nonce=b"else"), answer(number=4), answer(magic=b"FLNq"), answer() + b"!", b"",
        answer(),
    ]  # fmt: skip
    flow.receive()
    assert flow.answers == [[7, "0000000b"], [7, "0000000b"]]


def test_no_flow_has_nothing_to_do() -> None:
    beats: Any = Beats.__new__(Beats)
    beats.flows = []
    assert beats.turn(1.0) is None
