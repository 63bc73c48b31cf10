"""A slow node's probes may take longer."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.probes import mesh
from fixtures.probes.client import AgentClient, Query
from fixtures.probes.delivery import Edge, Endpoint, Transport


class Asked(Exception):
    """What an agent was asked to do."""


def test_the_window_of_a_mesh_is_longer_where_one_of_its_nodes_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    class Agent:
        round_trips = 0

        def __init__(self, patience: float) -> None:
            self.patience = patience

        def call(self, operation: str, request: Any = None, *rest: Any, **more: Any) -> Any:
            if operation == "start":
                raise Asked(request["window"], more["timeout_s"] > request["window"])
            return {"buffer": 1 << 20}, b""

    monkeypatch.setattr(mesh, "make_room", lambda *_: None)
    monkeypatch.setattr(mesh, "bounds", lambda *_: {})
    one, other = (
        Endpoint(f"{node}/a", node, "/ns", address) for node, address in (("u1", "10.0.0.1"), ("u2", "10.0.0.2"))
    )
    agents: Any = {"u1": Agent(1.0), "u2": Agent(6.0)}
    with pytest.raises(Asked) as raised:
        mesh.run_mesh(agents, [Edge(one, other, Transport.UDP)], window_s=0.5)
    assert raised.value.args == (3.0, True)


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
