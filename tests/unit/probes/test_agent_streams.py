"""How an agent counts what comes of a stream, and how it keeps the pace."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.probes.agent import streams as agent_streams
from fixtures.probes.agent.formats import STREAM, STREAM_MAGIC
from fixtures.probes.agent.streams import BURST, HELLO, Receiver, Sender, Streams, Tally

NONCE = b"nnnn"


def test_a_tally_counts_each_number_once() -> None:
    tally = Tally(10)
    for number in (0, 1, 4, 3, 3, 9, 10, 99):
        tally.add(number)
    assert tally.result() == {"distinct": 5, "doubled": 1, "reordered": 1, "gaps": [[2, 1], [5, 4]]}


def test_a_whole_stream_has_no_gap() -> None:
    tally = Tally(3)
    for number in range(3):
        tally.add(number)
    assert tally.gaps() == [] and tally.reordered == 0
    assert Tally(4).gaps() == [[0, 4]]


class Socket:
    """A socket that these datagrams have reached, or that refuses to send with these errors."""

    def __init__(self, *waiting: Any) -> None:
        self.waiting = list(waiting)
        self.sent: list[int] = []

    def recv_into(self, buffer: bytearray) -> int:
        if not self.waiting:
            raise BlockingIOError
        data = self.waiting.pop(0)
        buffer[: len(data)] = data[: len(buffer)]
        return min(len(data), len(buffer))

    def send(self, data: bytes) -> None:
        if self.waiting and (error := self.waiting.pop(0)):
            raise OSError(error, "refused")
        self.sent.append(STREAM.unpack(data)[3])


def datagram(stream: int, number: int, magic: bytes = STREAM_MAGIC, nonce: bytes = NONCE) -> bytes:
    return STREAM.pack(magic, nonce, stream, number)


def test_a_receiver_takes_only_its_own_runs_datagrams() -> None:
    receiver: Any = Receiver.__new__(Receiver)
    receiver.streams, receiver.tallies = SimpleNamespace(nonce=NONCE, count=4), {}
    receiver.buffer = bytearray(STREAM.size + 1)
    receiver.sock = Socket(
        datagram(2, 0), datagram(2, 3), datagram(5, 1), datagram(2, 1, nonce=b"else"), datagram(2, 1, magic=b"FLNq"),
        datagram(2, HELLO), datagram(2, 1) + b"!", b"short",
    )  # fmt: skip
    receiver.drain()
    assert {number: tally.distinct for number, tally in receiver.tallies.items()} == {2: 2, 5: 1}
    assert receiver.tallies[2].gaps() == [[1, 2]]


@pytest.fixture
def sender() -> Any:
    """A sender that may begin, at 100 datagrams a second."""
    made: Any = Sender.__new__(Sender)
    made.streams = SimpleNamespace(count=50, rate=100.0, nonce=NONCE)
    made.number, made.next, made.sent, made.refused, made.error = 3, 0, 0, 0, None
    made.began, made.ready, made.full, made.sock = 10.0, True, None, Socket()
    return made


def test_a_sender_keeps_its_pace(sender: Any) -> None:
    sender.turn(10.0)
    assert sender.sock.sent == [0] and sender.wait(10.0) == pytest.approx(0.01)
    sender.turn(10.005)
    assert sender.sock.sent == [0]
    sender.turn(10.0301)
    assert sender.sock.sent == [0, 1, 2, 3]


def test_a_late_sender_does_not_catch_up_all_at_once(sender: Any) -> None:
    sender.turn(10.0)
    sender.turn(10.4001)
    assert sender.sent == 1 + BURST
    sender.turn(10.4002)
    assert sender.sent == 1 + BURST, "its schedule moved"
    sender.turn(10.4105)
    assert sender.sent == 2 + BURST


def test_a_sender_ends_with_its_last_datagram(sender: Any) -> None:
    for turn in range(100):
        sender.turn(10.0 + turn / 50)
    assert sender.done and sender.sock.sent == list(range(50)) and sender.sent == 50


def test_a_full_buffer_is_waited_for_and_a_refusal_is_counted(sender: Any) -> None:
    sender.sock.waiting = [11]
    sender.turn(10.0)
    assert (sender.next, sender.sent, sender.refused) == (0, 0, 0)
    sender.sock.waiting = [1]
    sender.turn(10.0)
    assert (sender.next, sender.sent, sender.refused, sender.error) == (1, 0, 1, 1)
    sender.sock.waiting = [111, 0]
    sender.turn(10.0101)
    assert (sender.next, sender.sent, sender.refused) == (2, 1, 1), "the error was of an earlier datagram"


def test_a_socket_that_stays_full_is_given_up(sender: Any) -> None:
    """Its datagrams wait for a neighbour that does not answer; the run does not wait for all of them."""
    sender.turn(10.0)
    sender.sock.waiting = [11, 11, 11]
    sender.turn(10.02)
    assert sender.wait(10.02) > 0, "it asks again at once"
    sender.turn(10.02 + agent_streams.FULL_S)
    assert not sender.done
    sender.turn(10.03 + agent_streams.FULL_S)
    assert sender.done and (sender.sent, sender.refused, sender.error) == (1, 49, 11)


def test_numbered_datagrams_wait_until_the_neighbour_is_known(sender: Any) -> None:
    left = iter([0, 0, 0, 1])
    sender.ready, sender.hello, sender.opened = False, None, 10.0
    sender.count_left = lambda: next(left)
    for after in (0.0, 0.1, 0.3):
        sender.turn(10.0 + after)
    assert sender.sock.sent == [HELLO, HELLO] and not sender.ready and sender.wait(10.3) > 0
    sender.turn(10.4)
    assert sender.ready and sender.began == 10.4 and sender.sent == 0


def test_a_sender_without_a_neighbour_begins_all_the_same(sender: Any) -> None:
    sender.ready, sender.hello, sender.opened = False, None, 10.0
    sender.count_left = lambda: 0
    sender.turn(10.0 + agent_streams.NO_NEIGHBOUR_S + 0.1)
    assert sender.ready


def streams_that_expect(monkeypatch: pytest.MonkeyPatch, came: int, late: float) -> tuple[Any, list[object]]:
    """Streams of which so many datagrams of five came, and the answers that they gave."""
    monkeypatch.setattr("time.monotonic", lambda: 10.0)
    made: Any = Streams.__new__(Streams)
    answers: list[object] = []
    tally = Tally(5)
    for number in range(came):
        tally.add(number)
    made.receivers = [SimpleNamespace(tallies={7: tally} if came else {})]
    made.settle({"expected": [[0, 7, 5]], "late": late}, lambda words, body: answers.append(words))
    return made, answers


def test_a_settled_stream_waits_a_moment_for_a_second_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    made, answers = streams_that_expect(monkeypatch, 5, late=1.0)
    assert made.turn(10.0) == pytest.approx(agent_streams.LINGER_S) and not answers
    assert made.turn(10.0 + agent_streams.LINGER_S) is None and answers == [{}]
    assert made.turn(11.0) is None and answers == [{}]


@pytest.mark.parametrize("came", [0, 4])
def test_what_does_not_come_is_waited_for_until_it_is_late(monkeypatch: pytest.MonkeyPatch, came: int) -> None:
    made, answers = streams_that_expect(monkeypatch, came, late=1.0)
    assert made.turn(10.9) and not answers
    assert made.turn(11.0) is None and answers == [{}]
