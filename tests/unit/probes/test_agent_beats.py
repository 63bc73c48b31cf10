"""Flows that go on in the background: their pace, and which answers they believe."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.probes.agent.beats import BeatOperations, Beats, Flow
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


@pytest.mark.parametrize(
    ("version", "family", "anywhere", "told"),
    [
        (4, socket.AF_INET, "0.0.0.0", (socket.IPPROTO_IP, 8)),
        (6, socket.AF_INET6, "::", (socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO)),
    ],
)
def test_a_server_answers_over_the_family_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, version: int, family: int, anywhere: str, told: tuple[int, int]
) -> None:
    """And from the address that a beat was sent to, which a node with several must choose."""
    made: list[Any] = []

    class Server:
        def __init__(self, family: int, kind: int) -> None:
            self.family, self.kind, self.bound = family, kind, ("", 0)
            self.options: list[tuple[int, int]] = []
            made.append(self)

        def setblocking(self, on: bool) -> None: ...

        def setsockopt(self, level: int, name: int, value: int) -> None:
            self.options.append((level, name))

        def bind(self, address: tuple[str, int]) -> None:
            self.bound = address

    monkeypatch.setattr("socket.socket", Server)
    beats: Any = Beats.__new__(Beats)
    beats.port, beats.server = 20005, None
    beats.agent = SimpleNamespace(
        namespaces=SimpleNamespace(enter=lambda _: None, forget=lambda: None), watch=lambda *_: None
    )
    beats.serve("/proc/1/ns/net", b"who!", version)
    (server,) = made
    assert (server.family, server.kind, server.bound) == (family, socket.SOCK_DGRAM, (anywhere, 20005))
    assert told in server.options


@pytest.mark.parametrize(("address", "family"), [("10.32.0.9", socket.AF_INET), ("fd00::9", socket.AF_INET6)])
def test_a_flow_and_a_first_packet_are_of_the_family_of_their_address(
    monkeypatch: pytest.MonkeyPatch, address: str, family: int
) -> None:
    made: list[tuple[int, object]] = []

    class Sending:
        def __init__(self, family: int, kind: int) -> None:
            self.family = family

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None: ...

        def setblocking(self, on: bool) -> None: ...

        def connect(self, to: tuple[str, int]) -> None:
            made.append((self.family, to))

        def sendto(self, data: bytes, to: tuple[str, int]) -> None:
            made.append((self.family, to))

    monkeypatch.setattr("socket.socket", Sending)
    namespaces = SimpleNamespace(enter=lambda _: None, forget=lambda: None)
    agent: Any = SimpleNamespace(namespaces=namespaces, watch=lambda *_: None)
    Flow(SimpleNamespace(agent=agent, port=20005), 3, "/proc/1/ns/net", address)
    BeatOperations.do_say_something(agent, {"netns": "/proc/1/ns/net", "address": address}, b"")
    assert made == [(family, (address, 20005)), (family, (address, 9))]
