"""Flows and marks for the tests of what a change did."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fixtures.change.marks import CAME, ECHOED, OPENED, SAID, SENT, Flow, Node, Place
from fixtures.change.outage import Watch
from fixtures.probes.agent.formats import MARK

PACE = 0.02


def place(number: int, name: str, subnet: str = "a") -> Place:
    return Place(number, name, name.partition("/")[0], subnet, f"10.32.0.{number + 2}", f"id{number}")


HERE, THERE = place(0, "u1/a1"), place(1, "u2/a2")


def marks(*made: tuple[int, int, int, float, int]) -> bytes:
    return b"".join(MARK.pack(*one) for one in made)


def life(name: str, ahead_s: float = 0.0) -> Node:
    return Node(name, ahead_s, 0.0001)


def datagrams(
    count: int = 500, lost: Iterable[int] = (), late: float = 0.0, *, ahead: tuple[float, float] = (0.0, 0.0)
) -> Watch:
    """A flow of `count` datagrams from 100 s of the runner's clock on; what comes, comes `late` seconds later."""
    here, there = life("u1", ahead[0]), life("u2", ahead[1])
    missing = set(lost)
    for number in range(count):
        at = 100 + number * PACE
        here.read(marks((SENT, 0, number, at - ahead[0], 0)), {})
        if number not in missing:
            there.read(marks((CAME, 0, number, at + late - ahead[1], 1)), {0: 1})
    return Watch(Flow(0, "datagrams", HERE, THERE), here, there)


def connection(
    echoed_until: int = 100, said: int = 100, more: Sequence[tuple[int, int, int, float, int]] = ()
) -> Watch:
    """A connection that says something each 0.1 s from 100 s on."""
    here = life("u1")
    here.read(marks((OPENED, 1, 0, 99.0, 0)), {})
    for number in range(said):
        here.read(marks((SAID, 1, number, 100 + number / 10, 0)), {})
        if number < echoed_until:
            here.read(marks((ECHOED, 1, number, 100.001 + number / 10, 0)), {})
    here.read(marks(*more), {})
    return Watch(Flow(1, "connection", HERE, THERE), here, life("u2"))
