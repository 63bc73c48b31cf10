"""How the runner sweeps: pieces that tables of connections can hold, lost ports again, and nothing left open."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Any, cast

import pytest

from fixtures.probes.agent.formats import ANSWERED, ARRIVED, BITMAP, LEFT
from fixtures.probes.assessment import Void
from fixtures.probes.client import AgentClient
from fixtures.probes.delivery import Endpoint
from fixtures.probes.ports import bits
from fixtures.probes.sweep import Carrier, Lane
from fixtures.probes.sweeping import ALONE, RATE, sweep, sweep_ports
from lab.errors import HarnessError
from reports.model import NotProved

HERE, THERE = Endpoint("u1/a1", "u1", "/a1", "10.0.0.1"), Endpoint("u2/a2", "u2", "/a2", "10.0.0.2")
PORTS = tuple(range(1, 201))
LANE = Lane(HERE, THERE, Carrier.TCP, PORTS)


class Network:
    """Two agents on a network that loses some ports some times: {port: how often}."""

    def __init__(self, lost: Mapping[int, int] | None = None) -> None:
        self.left_to_lose = dict(lost or {})
        self.sent: list[tuple[int, ...]] = []
        self.rates: list[float] = []
        self.done: list[str] = []
        self.rooms: Any = [0, 1_000_000]
        self.lost = 0
        self.fails = ""
        self.arrived = 0

    def agent(self, node: str) -> AgentClient:
        class One:
            def call(_, operation: str, request: Any = None, blob: bytes = b"", **more: Any) -> Any:  # noqa: N805
                return self.call(node, operation, request, blob)

        return cast(AgentClient, One())

    def call(self, node: str, operation: str, request: Any, blob: bytes) -> Any:
        if node == "u1":
            self.done.append(operation)
        if operation == self.fails:
            raise HarnessError(f"node {node}: {operation}")
        if operation == "connections":
            return {"rooms": [self.rooms for _ in request["netns"]]}, b""
        if operation == "sweep":
            self.send(struct.unpack(f"!{len(blob) // 2}H", blob), request["rate"])
        if operation == "swept":
            return self.swept(node)
        return {"lost": self.lost}, b""

    def send(self, ports: tuple[int, ...], rate: float) -> None:
        self.sent.append(ports)
        self.rates.append(rate)
        for port in ports:
            if self.left_to_lose.get(port, 0) > 0:
                self.left_to_lose[port] -= 1
            else:
                self.arrived |= 1 << port

    def swept(self, node: str) -> Any:
        left = bits(port for ports in self.sent for port in ports)
        kinds = {LEFT: left, ANSWERED: self.arrived} if node == "u1" else {ARRIVED: self.arrived}
        lane = {"number": 0, "seen": sorted(kinds), "errno": 0, "interface": "eth0", "errors": []}
        body = b"".join(kinds[kind].to_bytes(BITMAP, "little") for kind in sorted(kinds))
        return {"lanes": [lane], "odd": [], "elsewhere": []}, zlib.compress(body)

    def run(self) -> Any:
        agents = {"u1": self.agent("u1"), "u2": self.agent("u2")}
        with sweep(agents, [LANE], slower=2.0) as made:
            [found] = sweep_ports(made)
        return found, made


def test_a_sound_network_is_swept_once() -> None:
    network = Network()
    found, made = network.run()
    assert network.sent == [PORTS] and network.rates == [RATE / 2] and made.packets == 200
    assert (found.lost, found.unanswered, found.late, found.passes) == (0, 0, 0, 1)
    assert network.done == [
        *("open_sweep", "connections", "sweep", "swept", "connections", "forget_sweep"),
        "finish_sweep",
    ]


def test_lost_ports_are_tried_again_slowly_and_alone() -> None:
    network = Network({7: 2, 443: 0, 150: 99})
    found, _ = network.run()
    assert network.sent == [PORTS, (7, 150), (7, 150), (150,)]
    assert network.rates[1:] == [ALONE, ALONE, ALONE]
    assert (found.late, found.lost, found.passes) == (bits([7]), bits([150]), 4)


def test_a_sweep_works_in_pieces_where_a_table_is_small() -> None:
    network = Network()
    network.rooms = [0, 200]
    network.run()
    assert [len(ports) for ports in network.sent] == [50, 50, 50, 50]
    assert network.done.count("forget_sweep") == 4


def test_a_table_without_room_is_left_alone() -> None:
    network = Network()
    network.rooms = [198, 200]
    with pytest.raises(NotProved, match="a table of connections: /a1 on u1: 198 of 200 entries are used; raise net"):
        network.run()
    assert network.sent == [] and network.done[-1] == "abandon_sweep"


def test_connections_are_counted() -> None:
    network = Network()
    asked = iter(range(100))

    def grow(node: str, operation: str, request: Any, blob: bytes) -> Any:
        if operation == "connections":
            count = next(asked) * 10
            return {"rooms": [[count, 1_000_000] for _ in request["netns"]]}, b""
        return Network.call(network, node, operation, request, blob)

    network.call = grow  # type: ignore[method-assign]
    _, made = network.run()
    assert made.connections >= 10


def test_lost_packets_of_a_recorder_make_it_void() -> None:
    network = Network()
    network.lost = 3
    with pytest.raises(Void, match="node u1: its recorders lost 3 packets of a sweep"):
        network.run()


@pytest.mark.parametrize("operation", ["open_sweep", "connections", "sweep", "swept", "forget_sweep", "finish_sweep"])
def test_an_agent_that_fails_leaves_nothing_open(operation: str) -> None:
    network = Network()
    network.fails = operation
    with pytest.raises(HarnessError, match=operation):
        network.run()
    assert network.done[-1] == "abandon_sweep"
