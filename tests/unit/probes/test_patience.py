"""A slow node's probes may take longer."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.probes import mesh
from fixtures.probes.agent.mesh import STALL_S
from fixtures.probes.client import AgentClient, Query
from fixtures.probes.delivery import Edge, Endpoint, Transport


class Asked(Exception):
    """What an agent was asked to do."""


class Agent:
    """An agent that notes its window when it is to begin, or does all that it is asked."""

    round_trips = 0

    def __init__(self, patience: float, begins: bool) -> None:
        self.patience = patience
        self.begins = begins

    def call(self, operation: str, request: Any = None, *rest: Any, **more: Any) -> Any:
        if operation == "start" and not self.begins:
            raise Asked(request["window"], more["timeout_s"] > request["window"])
        return {"buffer": 1 << 20}, b""


def mesh_with_a_slow_node(monkeypatch: pytest.MonkeyPatch, *, begins: bool) -> None:
    """Run a mesh between u1 and u2, which is six times as slow."""
    monkeypatch.setattr(mesh, "make_room", lambda *_: None)
    monkeypatch.setattr(mesh, "bounds", lambda *_: {})
    one, other = (
        Endpoint(f"{node}/a", node, "/ns", address) for node, address in (("u1", "10.0.0.1"), ("u2", "10.0.0.2"))
    )
    agents: Any = {"u1": Agent(1.0, begins), "u2": Agent(6.0, begins)}
    mesh.run_mesh(agents, [Edge(one, other, Transport.UDP)], window_s=0.5)


def test_the_window_of_a_mesh_is_longer_where_one_of_its_nodes_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Asked) as raised:
        mesh_with_a_slow_node(monkeypatch, begins=False)
    assert raised.value.args == (3.0, True)


def test_an_agent_may_stand_still_for_longer_where_the_window_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def assess(*_: Any, stall_s: float) -> Any:
        raise Asked(stall_s)

    monkeypatch.setattr(mesh, "assess", assess)
    with pytest.raises(Asked) as raised:
        mesh_with_a_slow_node(monkeypatch, begins=True)
    assert raised.value.args == (6 * STALL_S,)


def test_a_query_of_a_slow_node_may_take_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    client = AgentClient(None, "u1", patience=6.0)  # type: ignore[arg-type]  # nothing is sent
    asked: list[Any] = []

    def call(operation: str, request: Any, *_: Any, **__: Any) -> Any:
        asked.append(request["queries"][0]["timeout"])
        raise Asked

    monkeypatch.setattr(client, "call", call)
    with pytest.raises(Asked):
        client.queries([Query(None, "udp", "10.0.0.2", 53, b"", 2.0)])
    assert asked == [12.0]
