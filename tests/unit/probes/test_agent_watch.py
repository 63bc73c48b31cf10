"""What an agent marks while it watches, keeps until the runner has it, and closes when a container has ended."""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dns.message
import dns.rrset
import pytest

from fixtures.probes.agent import watch as agent_watch
from fixtures.probes.agent.formats import ASKED, MARK, REPLIED, SENT
from fixtures.probes.agent.kernel import Refusal
from fixtures.probes.agent.settings import settings
from fixtures.probes.agent.watch import Datagrams, Pace, Questions, Watch, arrival, read_answer

OPTIONS = {"port": 20001, "nonce": "6e6e6e6e", "interval": 0.02, "connection_interval": 0.1}
NOTHING: dict[str, Any] = {"places": [], "datagrams": [], "connections": [], "questions": []}


@pytest.fixture
def watch() -> Any:
    agent = SimpleNamespace(namespaces=SimpleNamespace(forget=lambda: None, enter=lambda path: None), stood_still=0.0)
    return Watch(agent, OPTIONS)


def read(watch: Any, have: int = 0) -> tuple[dict[str, Any], list[tuple[Any, ...]]]:
    answer, blob = watch.look(have)
    return answer, list(MARK.iter_unpack(blob))


def test_marks_are_kept_until_the_runner_has_them(watch: Any) -> None:
    for number in range(5):
        watch.mark(SENT, 3, number, 10.0 + number, 0)
    answer, marks = read(watch)
    assert answer["first"] == 0 and not answer["more"] and marks[4] == (SENT, 3, 4, 14.0, 0)
    assert len(read(watch)[1]) == 5, "an answer that was lost is given again"
    answer, marks = read(watch, have=3)
    assert answer["first"] == 3 and [mark[2] for mark in marks] == [3, 4]
    assert len(read(watch, have=2)[1]) == 2, "what the runner has is forgotten"
    assert read(watch, have=5)[1] == []


def test_an_answer_holds_a_part_and_says_that_there_is_more(watch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_watch, "MOST_AT_ONCE", 2)
    for number in range(3):
        watch.mark(SENT, 3, number, 10.0, 0)
    answer, marks = read(watch)
    assert answer["more"] and len(marks) == 2
    answer, marks = read(watch, have=2)
    assert not answer["more"] and [mark[2] for mark in marks] == [2]


def test_memory_is_bounded_and_the_runner_is_told(watch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_watch, "MOST_MARKS", 2)
    for number in range(2):
        watch.mark(SENT, 3, number, 10.0, 0)
    assert not read(watch)[0]["overflow"]
    watch.mark(SENT, 3, 2, 10.0, 0)
    answer, marks = read(watch)
    assert answer["overflow"] and len(marks) == 2


def test_flows_and_places_are_bounded(watch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_watch, "MOST_FLOWS", 1)
    with pytest.raises(Refusal, match="more than 1 flows or 400 places"):
        watch.add({**NOTHING, "datagrams": [(0, 0, "10.0.0.1"), (1, 0, "10.0.0.1")]})


def test_a_pace_that_was_held_up_does_not_catch_up() -> None:
    pace = Pace(0.02, 10.0)
    pace.step(10.001)
    assert (pace.next, pace.due) == (1, pytest.approx(10.02))
    pace.step(15.0)
    assert pace.due == 15.0


class Socket:
    """A socket of which sending fails with `error` if there is one, and on which these answers wait."""

    def __init__(self, *waiting: bytes) -> None:
        self.sent: list[bytes] = []
        self.error = 0
        self.waiting = list(waiting)
        self.closed = False

    def send(self, data: bytes) -> None:
        if self.error:
            raise OSError(self.error, "refused")
        self.sent.append(data)

    def recv(self, size: int) -> bytes:
        if not self.waiting:
            raise BlockingIOError
        return self.waiting.pop(0)

    def close(self) -> None:
        self.closed = True


def flow_of(kind: Any, watch: Any, *more: object, sock: Socket) -> Any:
    watch.dial = lambda place, address, port: sock
    watch.agent.watch = lambda sock, do: None
    return kind(watch, 3, 0, "10.32.0.3", *more, 10.0)


def test_what_the_kernel_refuses_is_marked_with_its_errno(watch: Any) -> None:
    sock = Socket()
    flow = flow_of(Datagrams, watch, sock=sock)
    flow.turn(10.0)
    sock.error = errno.ENETUNREACH
    flow.turn(10.02)
    assert [(mark[2], mark[4]) for mark in read(watch)[1]] == [(0, 0), (1, errno.ENETUNREACH)]
    assert len(sock.sent) == 1


def answer(number: int, *addresses: str, rcode: int = 0) -> bytes:
    query = dns.message.make_query("x.service.consul", "A")
    query.id = number & 0xFFFF
    made = dns.message.make_response(query)
    made.set_rcode(rcode)  # type: ignore[arg-type]
    if addresses:
        made.answer.append(dns.rrset.from_text("x.service.consul.", 0, "IN", "A", *addresses))
    return made.to_wire()


def test_answers_are_known_by_their_number_also_after_65536_questions(watch: Any) -> None:
    sock = Socket(answer(0, "10.32.0.2"))
    flow = flow_of(Questions, watch, "0000" + "00" * 20, sock=sock)
    flow.receive()
    assert read(watch)[1] == [], "nothing was asked yet"
    flow.next = 65538
    sock.waiting = [answer(65537, "10.32.0.2"), answer(65530, "10.32.0.2"), b"short"]
    flow.receive()
    assert [(mark[0], mark[2]) for mark in read(watch)[1]] == [(REPLIED, 65537), (REPLIED, 65530)]
    flow.turn(10.0)
    assert sock.sent[0][:2] == struct.pack("!H", 65538 & 0xFFFF) and read(watch)[1][-1][0] == ASKED


def test_different_answers_have_a_number_each_and_there_are_not_without_end(
    watch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_watch, "MOST_TEXTS", 2)
    assert [watch.text_number(text) for text in ("a", "b", "a", "c", "d")] == [0, 1, 0, 2, 2]
    assert watch.texts == ["a", "b", "another one"]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (answer(1, "10.32.0.3", "10.32.0.2"), "0 10.32.0.2 10.32.0.3"),
        (answer(1), "0"),
        (answer(1, rcode=3), "3"),
        (answer(1, "10.32.0.3")[:-3], "unreadable"),
        (b"\0" * 12, "0"),
        (b"\0" * 7, "unreadable"),
    ],
    ids=["two", "none", "nxdomain", "cut off", "empty", "too short"],
)
def test_an_answer_as_text(data: bytes, text: str) -> None:
    assert read_answer(data) == text


def test_a_truncated_answer_says_so() -> None:
    data = bytearray(answer(1, "10.32.0.3"))
    data[2] |= 2
    assert read_answer(bytes(data)) == "0 10.32.0.3 truncated"


def test_the_kernels_time_of_an_arrival_counts() -> None:
    stamp = struct.pack("qq", 1000, 500_000_000)
    kernel = [(socket.SOL_SOCKET, 35, stamp)]
    assert arrival(kernel, -900.0) == pytest.approx(100.5)
    before = time.monotonic()
    assert arrival([], -900.0) >= before and arrival([(socket.SOL_SOCKET, 29, stamp)], -900.0) >= before


def test_what_belongs_to_a_container_that_has_ended_is_closed(watch: Any, tmp_path: Path) -> None:
    netns = tmp_path / "net"
    netns.touch()
    inode = os.stat(netns).st_ino
    watch.places = {0: (str(netns), inode), 1: (None, 1), 2: (str(netns), inode)}
    socks = [Socket(), Socket()]
    watch.flows = [flow_of(Datagrams, watch, sock=sock) for sock in socks]
    watch.flows[1].place = 1
    watch.look_for_containers(5.0)
    assert watch.gone == {}
    netns.unlink()
    watch.look_for_containers(6.0)
    watch.look_for_containers(7.0)
    assert watch.gone == {0: 6.0, 2: 6.0} and [sock.closed for sock in socks] == [True, False]
    assert len(watch.flows) == 1 and read(watch)[0]["gone"] == [(0, 6.0), (2, 6.0)]


def test_a_container_in_place_of_another_one_is_not_it(watch: Any, tmp_path: Path) -> None:
    netns = tmp_path / "net"
    netns.touch()
    watch.places = {0: (str(netns), os.stat(netns).st_ino + 1)}
    watch.look_for_containers(5.0)
    assert watch.gone == {0: 5.0}


def test_the_kernels_settings_have_their_names() -> None:
    found, cut = settings()
    assert found["net.ipv4.ip_forward"] in ("0", "1") and not cut and len(found) > 100
