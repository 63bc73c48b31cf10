"""How an agent sends probes: a bounded number is on its way at once, and lost ones do not block others."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from fixtures.probes.agent import mesh as agent_mesh
from fixtures.probes.agent.endpoint import Endpoint
from fixtures.probes.agent.formats import EDGE, ICMP, MAPPED

AT_ONCE = 3
WINDOW_S = 1.0


class Nowhere:
    """Namespaces that are all this one."""

    def enter(self, path: object) -> None: ...


class Standing:
    """An agent without a loop."""

    def __init__(self) -> None:
        self.namespaces = Nowhere()


class Target:
    """An endpoint that only has a number."""

    number, netns = 0, None


class Flights:
    """A mesh whose probes never come back, and the clock it looks at."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, count: int, **bounds: int) -> None:
        self.now = 100.0
        self.went: list[float] = []
        self.replies: list[dict[str, int]] = []
        self.left_over = 0
        monkeypatch.setattr(agent_mesh, "full_tables", lambda: None)
        monkeypatch.setattr(agent_mesh, "forget_neighbours", lambda: self.left_over)
        monkeypatch.setattr("time.monotonic", lambda: self.now)
        monkeypatch.setattr(agent_mesh.Mesh, "send_echo", lambda *words: self.went.append(self.now))
        words = {"id": "00000001", "endpoints": [], "hops": [], "hop_filter": []}
        self.mesh = agent_mesh.Mesh(
            Standing(),
            {"most_neighbours": 1000, "most_new": 1000, "most_flight": AT_ONCE, "most_echoes": 1000} | bounds | words,
        )
        self.mesh.endpoints = [cast(Endpoint, Target())]
        orders = b"".join(
            EDGE.pack(index, 0, ICMP, 0, 0, 0, MAPPED + bytes([10, 0, 0, index]), 0) for index in range(count)
        )
        self.mesh.start({"window": WINDOW_S}, orders, lambda words, body: self.replies.append(words))

    def turn(self, after_s: float) -> float | None:
        """One turn of the agent's loop, so much later: how long it would then wait."""
        self.now += after_s
        wait: float | None = self.mesh.expire(self.now)
        return wait


def test_a_lost_probe_holds_its_place_only_while_it_may_be_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    flights = Flights(monkeypatch, 7)
    assert len(flights.went) == AT_ONCE
    assert flights.turn(0.05) == pytest.approx(0.05)
    assert len(flights.went) == AT_ONCE
    flights.turn(0.051)
    assert len(flights.went) == 2 * AT_ONCE
    flights.turn(0.101)
    assert len(flights.went) == 7


def test_the_answer_waits_until_every_window_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    flights = Flights(monkeypatch, 4)
    flights.turn(0.101)
    flights.turn(WINDOW_S - 0.102)
    assert not flights.replies and len(flights.mesh.flight) == 4
    assert flights.turn(0.002) == pytest.approx(0.1, abs=0.002)
    assert not flights.replies and len(flights.mesh.flight) == 1, "the last one went later"
    flights.turn(0.101)
    assert flights.replies == [{"sent": 4}]


def test_an_answer_makes_room_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    flights = Flights(monkeypatch, 4)
    flights.mesh.finished(0)
    assert len(flights.went) == 4 and set(flights.mesh.slots) == {1, 2, 3}


def test_nothing_is_sent_while_the_table_of_neighbours_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those being resolved cannot be forgotten; the others wait for them, and go when they are gone."""
    flights = Flights(monkeypatch, 5, most_neighbours=1)
    flights.left_over = 2
    flights.turn(0.101)
    assert len(flights.went) == 4, "before the fifth, room had to be made, and was not to be had"
    for _ in range(3):
        flights.turn(0.101)
    assert len(flights.went) == 4
    flights.left_over = 0
    flights.turn(0.101)
    assert len(flights.went) == 5


def test_no_more_pairs_are_begun_than_a_peer_that_stands_still_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    flights = Flights(monkeypatch, 5, most_new=2)
    assert len(flights.went) == 2
    assert flights.turn(0.101) == pytest.approx(agent_mesh.STALL_S - 0.101)
    assert len(flights.went) == 2
    flights.turn(agent_mesh.STALL_S - 0.1)
    assert len(flights.went) == 4
    flights.turn(agent_mesh.STALL_S + 0.001)
    assert len(flights.went) == 5


def test_no_more_echoes_are_on_their_way_than_kernels_are_sure_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    flights = Flights(monkeypatch, 5, most_echoes=2)
    assert len(flights.went) == 2
    flights.mesh.finished(0)
    assert len(flights.went) == 3, "an answer makes room"
    flights.turn(0.101)
    assert len(flights.went) == 5, "and so does one that is taken for lost"
    flights.turn(WINDOW_S)
    assert flights.mesh.echoes == set()


class RecorderWith:
    """A recorder that these packets have reached."""

    def __init__(self, *packets: bytes) -> None:
        self.packets = list(packets)

    def recvfrom(self, size: int) -> tuple[bytes, tuple[str, int, int]]:
        if not self.packets:
            raise BlockingIOError
        return self.packets.pop(0)[:size], ("eth0", 0x0800, 0)


@pytest.mark.parametrize(
    "packet",
    [
        b"\x60" + bytes(3),
        bytes([0x45]) + bytes(8) + bytes([ICMP]) + bytes(10),
        bytes([0x45]) + bytes(8) + bytes([ICMP]) + bytes(18) + b"FLNq" + bytes(3),
    ],
    ids=["IPv6 of four bytes", "no ICMP behind the header", "an echo cut off in its tag"],
)
def test_a_stray_packet_does_not_end_the_agent(packet: bytes) -> None:
    endpoint = Endpoint.__new__(Endpoint)
    endpoint.recorder, endpoint.records, endpoint.interfaces, endpoint.number = RecorderWith(packet), bytearray(), {}, 0
    endpoint.mesh = SimpleNamespace(pending_icmp={}, kept=0, overflow=False)
    assert not endpoint.drain()
    assert endpoint.records.endswith(packet)


def test_sending_that_takes_long_is_interrupted_and_goes_on_in_the_next_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Flights] = []

    def slowly(*words: object) -> None:
        made[0].went.append(made[0].now)
        made[0].now += 0.02

    flights = Flights(monkeypatch, 0, most_flight=100)
    made.append(flights)
    monkeypatch.setattr(agent_mesh.Mesh, "send_echo", slowly)
    orders = b"".join(EDGE.pack(index, 0, ICMP, 0, 0, 0, MAPPED + bytes([10, 0, 0, index]), 0) for index in range(8))
    flights.mesh.start({"window": WINDOW_S}, orders, lambda words, body: flights.replies.append(words))
    assert len(flights.went) == 3, "more than TURN_S have passed then"
    flights.mesh.finished(0)
    assert len(flights.went) == 3, "an answer does not begin another turn"
    assert flights.turn(0.0) == 0.0 and len(flights.went) == 6
    flights.turn(0.0)
    assert len(flights.went) == 8
    assert flights.turn(0.0) != 0.0, "all is sent"
