"""Starting the containers that hold swarm's networks on a node."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import docker
import pytest

from lab.embedded import plan
from lab.embedded.plan import LabSpec
from lab.overlays.swarm import Swarm, _refusal


@dataclass
class Refused:
    """A container whose first starts Docker refuses."""

    times: int

    def start(self) -> None:
        if self.times:
            self.times -= 1
            raise docker.errors.APIError("refused", explanation="context deadline exceeded")


@pytest.mark.parametrize("times", [0, 1])
def test_a_start_that_docker_refuses_says_why_and_may_be_made_again(times: int) -> None:
    """The second attempt is a start of the same container."""
    container: Any = Refused(times)
    said = [_refusal(cast("Any", container)) for _ in range(times + 1)]
    assert said == ["context deadline exceeded"] * times + [None]


class Service:
    """A service whose tasks run one after the other, each time that it is asked for them."""

    def __init__(self, states: list[list[str]]) -> None:
        self.states = states

    def tasks(self) -> list[dict[str, Any]]:
        now = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return [{"Status": {"State": state}} for state in now]


def test_the_networks_are_open_once_every_node_has_a_task_that_runs() -> None:
    swarm = Swarm(plan.inventory(LabSpec(overlay="swarm", machines="vm")))
    service = Service([["preparing", "running"], ["running"] * 3])
    assert swarm._not_open(service) == "2 nodes have not joined its networks"
    assert swarm._not_open(service) is None


@pytest.mark.parametrize(("machines", "opened"), [("", False), ("u3=vm", True)])
def test_slow_nodes_join_by_a_service_before_containers_are_attached(
    machines: str, opened: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    swarm = Swarm(plan.inventory(LabSpec(overlay="swarm", machines=machines)))
    order: list[str] = []
    opener = SimpleNamespace(remove=lambda: order.append("removed"))

    def open_networks(_: object) -> Any:
        order.append("opened")
        return opener

    def start_anchors(_: object) -> dict[str, Any]:
        order.append("anchors")
        return {}

    monkeypatch.setattr(swarm, "_open_networks", open_networks)
    monkeypatch.setattr(swarm, "_start_anchors", start_anchors)
    cluster: Any = SimpleNamespace(
        nodes={"u1": SimpleNamespace(name="u1", run=lambda script: None)},
        each=lambda do, nodes=None: {"u1": do(cluster.nodes["u1"])},
    )
    swarm.prove(cluster)
    assert order == (["opened", "anchors", "removed"] if opened else ["anchors"])
