"""When an agent lets the namespaces of removed containers go."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.probes.agent.main import PRUNE_S, Agent

OPEN = ("mesh", "queries", "shakes", "streams", "sweep")


def agent(done: list[str], open_now: str = "", *, idle: bool = True) -> Any:
    """An agent that notes what it lets go; `open_now`: what is measured, `idle`: it keeps packet sockets."""
    made: Any = Agent.__new__(Agent)
    made.namespaces = SimpleNamespace(forget=lambda: done.append("forget"))
    made.packets = SimpleNamespace(idle={"key": []} if idle else {}, prune=lambda: done.append("prune"))
    made.sinks, made.changing = [], None
    for name in OPEN:
        setattr(made, name, None)
    if open_now:
        setattr(made, open_now, [object()])
    return made


@pytest.mark.parametrize(("wait", "next_look"), [(None, PRUNE_S), (5.0, PRUNE_S), (0.01, 0.01)])
def test_an_agent_that_measures_nothing_looks_for_removed_containers(wait: float | None, next_look: float) -> None:
    done: list[str] = []
    assert agent(done).let_namespaces_go(wait) == next_look
    assert done == ["forget", "prune"]


@pytest.mark.parametrize("name", [*OPEN, "sinks"])
def test_a_measurement_keeps_its_namespaces_and_is_not_held_up(name: str) -> None:
    """Closing a packet socket takes some 10 ms, and a namespace that was forgotten is opened again for each packet."""
    done: list[str] = []
    assert agent(done, name).let_namespaces_go(0.5) == 0.5
    assert not done


def test_a_change_that_is_watched_lets_removed_containers_go() -> None:
    done: list[str] = []
    assert agent(done, "changing").let_namespaces_go(None) == PRUNE_S
    assert done == ["forget", "prune"]


def test_an_agent_that_keeps_no_socket_sleeps_until_it_is_asked() -> None:
    assert agent([], idle=False).let_namespaces_go(None) is None
