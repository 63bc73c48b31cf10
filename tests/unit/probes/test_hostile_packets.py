"""Packets of an attacker: an agent reads them without end or harm, and none of them makes a probe count as proof."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP

from fixtures.probes.agent import endpoint, flows
from fixtures.probes.agent.beats import MOST_BEATS, MOST_FLOWS, Beats
from fixtures.probes.agent.endpoint import Endpoint
from fixtures.probes.agent.flows import MOST_STREAMS, Sink
from fixtures.probes.agent.formats import (
    BEAT,
    BEAT_MAGIC,
    MAGIC,
    RECORD,
    STREAM,
    STREAM_MAGIC,
    TO_HOST,
    answer_payload,
    request_payload,
)  # fmt: skip
from fixtures.probes.agent.streams import MOST_STREAMS as MOST_NUMBERED
from fixtures.probes.agent.streams import Receiver
from fixtures.probes.agent.sweeps import MOST_ODD, Sweep
from reports.model import Outcome
from tests.fuzz.mutations import change_bytes
from tests.unit.probes.canned import MESH, OWN_PORT, PORT, SECRETS, A, B
from tests.unit.probes.test_assessment import Answer, answers, assessed, lost

PEER = ("10.32.0.66", 4242)


class Inbox:
    """A socket on which these datagrams wait; what is answered is kept."""

    def __init__(self, *waiting: bytes) -> None:
        self.waiting, self.answers = list(waiting), list[bytes]()

    def recvmsg(self, *_: int) -> tuple[bytes, list[Any], int, tuple[str, int]]:
        if not self.waiting:
            raise BlockingIOError
        return self.waiting.pop(0), [], 0, PEER

    def recv(self, *_: int) -> bytes:
        return self.waiting.pop(0)

    def recv_into(self, buffer: bytearray) -> int:
        if not self.waiting:
            raise BlockingIOError
        data = self.waiting.pop(0)
        buffer[: len(data)] = data
        return len(data)

    def sendmsg(self, parts: list[bytes], *_: object) -> None:
        self.answers += parts

    def send(self, data: bytes) -> None:
        self.answers.append(data)

    def close(self) -> None:
        """It is counted by nobody."""


@pytest.fixture
def served() -> Any:
    """An endpoint of a mesh that serves, without sockets of its own."""
    made: Any = Endpoint.__new__(Endpoint)
    made.mesh = SimpleNamespace(id=MESH, notes={}, kept=0, overflow=False, note_neighbour=lambda *_: None)
    made.agent = SimpleNamespace(drop=lambda _: None, watch=lambda *_: None)
    made.number, made.identity, made.served, made.clients = 0, SECRETS[B.name], bytearray(), set()
    return made


@pytest.mark.parametrize("size", range(8, 13))
def test_a_request_that_is_cut_off_is_not_answered(served: Any, size: int) -> None:
    whole = request_payload(MESH, 7)
    by_udp, by_tcp = Inbox(whole[:size]), Inbox(whole[:size])
    served.answer_udp(by_udp)
    served.answer_tcp(by_tcp, PEER)
    asked = size >= 12
    assert bool(by_udp.answers) is asked and bool(by_tcp.answers) is asked and bool(served.served) is asked


def test_requests_without_end_are_an_overflow(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "MOST_RECORDS", 100)
    served.answer_udp(Inbox(*[request_payload(MESH, 7)] * 50))
    assert served.mesh.overflow and len(served.served) <= 100


def test_connections_without_end_are_closed(served: Any) -> None:
    opened: list[Inbox] = []

    def accept() -> tuple[Inbox, tuple[str, int]]:
        opened.append(Inbox())
        return opened[-1], PEER

    for _ in range(20):
        served.accept(SimpleNamespace(accept=accept))
    assert len(opened) > endpoint.MOST_CLIENTS == len(served.clients)


def test_a_sink_takes_no_more_than_it_can_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "MOST_SEEN", 3)
    sink: Any = Sink.__new__(Sink)
    sink.seen, sink.overflow, sink.streams = [], False, {}
    sink.datagram(Inbox(b"short", *[b"12345678 and more"] * 9))
    assert len(sink.seen) == 3 and sink.full()
    sink.seen.clear()
    assert sink.full(), "what was refused stays unknown"


def test_a_sink_holds_few_connections_at_once() -> None:
    sink: Any = Sink.__new__(Sink)
    sink.seen, sink.overflow, sink.streams = [], False, dict.fromkeys(range(MOST_STREAMS))
    closed = SimpleNamespace(closed=False)
    client = SimpleNamespace(close=lambda: setattr(closed, "closed", True))
    sink.accept(SimpleNamespace(accept=lambda: (client, PEER)))
    assert closed.closed and len(sink.streams) == MOST_STREAMS


def test_beats_of_flows_that_there_are_not_are_not_kept() -> None:
    beats: Any = Beats.__new__(Beats)
    beats.nonce, beats.who, beats.came = b"nnnn", b"\0\0\0\x0a", {}
    odd = [(MOST_FLOWS, 0), (0, MOST_BEATS), (2**32 - 1, 2**32 - 1)]
    beats.server = Inbox(*[BEAT.pack(BEAT_MAGIC, b"nnnn", number, beat, bytes(4)) for number, beat in [*odd, (3, 4)]])
    beats.answer()
    assert beats.came == {3: [4]} and len(beats.server.answers) == 1


def test_streams_that_there_are_not_take_no_memory() -> None:
    receiver: Any = Receiver.__new__(Receiver)
    receiver.streams, receiver.tallies = SimpleNamespace(nonce=b"nnnn", count=5), {}
    receiver.buffer = bytearray(STREAM.size + 1)
    receiver.sock = Inbox(*[STREAM.pack(STREAM_MAGIC, b"nnnn", number, 2) for number in (MOST_NUMBERED, 65535, 9)])
    receiver.drain()
    assert list(receiver.tallies) == [9]


def test_a_sweep_reads_packets_that_are_cut_off() -> None:
    sweep: Any = Sweep.__new__(Sweep)
    sweep.lanes, sweep.by_flow, sweep.tag, sweep.base = {}, {}, b"FLNw\1\2\3\4", 501
    whole = bytes(IP() / ICMP(type=3, code=3) / IP() / UDP() / b"FLNw\1\2\3\4")
    for size in range(len(whole)):
        sweep.note(0, whole[:size], ("eth0", 0, TO_HOST))
    assert MOST_ODD < 1000


def with_packets(given: list[Answer], packets: list[bytes]) -> list[Answer]:
    """The agents' answers, with these packets among those that came in at both ends."""
    made = []
    for words, blob in given:
        more = b"".join(RECORD.pack(1.0, 0, TO_HOST, len(data)) + data for data in packets)
        made.append(({**words, "sizes": [words["sizes"][0] + len(more), *words["sizes"][1:]]}, more + blob))
    return made


def _guessed() -> list[bytes]:
    """Packets that look like those of a probe, by one who has not seen the mesh's id."""
    there, back = IP(src=A.address, dst=B.address), IP(src=B.address, dst=A.address)
    asked = request_payload(b"\xaa\xbb\xcc\xdd", 0)
    return [
        bytes(there / UDP(sport=OWN_PORT, dport=PORT) / asked),
        bytes(back / UDP(sport=PORT, dport=OWN_PORT) / answer_payload(asked, b"12345678")),
        bytes(there / TCP(sport=OWN_PORT, dport=PORT, flags="PA") / asked),
        bytes(there / ICMP() / asked),
        bytes(back / ICMP(type=0) / asked),
        bytes(back / UDP(sport=PORT, dport=OWN_PORT) / MAGIC),
    ]


@given(seed=st.integers(0, 2**32), count=st.integers(1, 6))
def test_packets_of_one_who_does_not_know_the_mesh_change_no_outcome(seed: int, count: int) -> None:
    random = Random(seed)
    packets = [change_bytes(random, random.choice(_guessed())) for _ in range(count)]
    assert assessed(with_packets(answers(), packets)).outcome is Outcome.ANSWERED
    silent = assessed(with_packets(lost(), packets))
    assert silent.outcome is assessed(lost()).outcome and not silent.exchanged


def test_an_answer_without_the_receivers_secret_is_no_proof() -> None:
    """Whoever saw the request knows the mesh, and can answer in the receiver's name; only it knows its secret."""
    forged = bytes(
        IP(src=B.address, dst=A.address)
        / UDP(sport=PORT, dport=OWN_PORT)
        / answer_payload(request_payload(MESH, 0), b"12345678")
    )
    delivery = assessed(with_packets(lost(), [forged]))
    assert not delivery.exchanged and delivery.outcome is Outcome.DELIVERED
