"""An agent's sweep without a loop and without a network, and packets of it."""

from __future__ import annotations

import socket
from typing import Any

from fixtures.probes.agent import sweeps
from fixtures.probes.agent.lanes import Lane

HERE, THERE = "10.0.0.1", "10.0.0.2"
HERE6, THERE6 = "fd00:10:32:0:1::", "fd00:10:32:1:2::1"
ID, BASE, WINDOW = b"\1\2\3\4", 501, 77
TO_US, OTHER = 0, 3
PORTS = [1, 2, 53, 443, 20777, 32768, 65534, 65535]


class Recorder:
    """A packet socket into which a test puts what it is to have seen."""

    def __init__(self) -> None:
        self.packets: list[tuple[bytes, tuple[str, int, int]]] = []

    def setsockopt(self, *_: object) -> None: ...

    def recvfrom(self, size: int) -> tuple[bytes, tuple[str, int, int]]:
        if not self.packets:
            raise BlockingIOError
        data, origin = self.packets.pop(0)
        return data[:size], origin


class Raw4:
    """A raw socket that keeps what it sends; `refuses` is raised for the next packets."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.refuses: list[OSError] = []

    def sendto(self, data: bytes, to: tuple[str, int]) -> None:
        if self.refuses:
            raise self.refuses.pop(0)
        self.sent.append(data)

    def close(self) -> None: ...


class Agent:
    """An agent without a loop, in whose namespaces nothing happens."""

    def __init__(self) -> None:
        self.recorders: list[Recorder] = []
        self.entered: list[str | None] = []
        self.lost = 0
        self.namespaces = self.packets = self

    def enter(self, path: str | None) -> None:
        self.entered.append(path)

    def lend(self, *_: object) -> Recorder:
        self.recorders.append(Recorder())
        return self.recorders[-1]

    def give_back(self, _: object) -> int:
        return self.lost

    def watch(self, *_: object) -> None: ...

    def unwatch(self, *_: object) -> None: ...


def lane(number: int, protocol: int, *, own: int = 20005, source: int | None = 0, destination: int | None = 1,
         address: str = THERE) -> dict[str, Any]:  # fmt: skip
    return {"number": number, "protocol": protocol, "own": own, "address": address,
            "source": source, "destination": destination}  # fmt: skip


def opened(*lanes: dict[str, Any], ends: int = 2) -> sweeps.Sweep:
    agent = Agent()
    paths = [f"/{number}" for number in range(ends)]
    options = {"id": ID.hex(), "base": BASE, "window_field": WINDOW, "filter": [], "lanes": list(lanes), "ends": paths}
    made = sweeps.Sweep(agent, options)
    for end in made.ends:
        raw: Any = Raw4()
        end.raw = dict.fromkeys((socket.AF_INET, socket.AF_INET6), raw)
    return made


def prepared(options: dict[str, Any]) -> tuple[sweeps.Sweep, Lane]:
    made = opened(options)
    one = made.lanes[options["number"]]
    one.from_address = socket.inet_pton(one.family, HERE6 if one.family == socket.AF_INET6 else "10.0.0.1")
    one.prepare(made)
    return made, one


def sent_by(number: int, protocol: int, port: int, payload: Any = b"", **more: Any) -> bytes:
    """A packet of a lane."""
    made, one = prepared(lane(number, protocol, **more))
    packet: bytes = one.packet(made, port, payload)
    return packet
