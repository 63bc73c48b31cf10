"""New containers of an experiment: who may refuse one, and what is an error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fixtures.cluster.nodes import Cluster
from fixtures.containers.fleet import ContainerRefused, Fleet
from fixtures.probes.prober import Prober
from fixtures.resilience import newcomers
from fixtures.resilience.newcomers import Newcomers
from lab.errors import HarnessError
from reports.model import NotProved

Create = Callable[[str], None]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Callable[[Create], tuple[Newcomers, list[str]]]:
    """Newcomers on the nodes u1 and u2, and their notes; a function raises what the engine of a node does."""
    nodes = [SimpleNamespace(name=name) for name in ("u1", "u2")]
    cluster = SimpleNamespace(subnets=("a",), each=lambda do: {node.name: do(node) for node in nodes})

    def make(create: Create) -> tuple[Newcomers, list[str]]:
        def play(_: Any, __: str, name: str, subnet: str, node: Any) -> Any:
            create(node.name)
            return SimpleNamespace(name=name, address="10.32.0.9")

        monkeypatch.setattr(newcomers, "create", play)
        notes: list[str] = []
        nothing = cast(Fleet, None), cast(Prober, None)
        return Newcomers(cast(Cluster, cluster), *nothing, Path("flatnet-x"), notes.append), notes

    return make


def refuse_on(*nodes: str) -> Create:
    def create(node: str) -> None:
        if node in nodes:
            raise ContainerRefused(f"container new on {node}: Docker refused it: no quorum")

    return create


def silent_overlay(node: str) -> None:
    if node == "u2":
        raise HarnessError("container new on u2: Weave has no address for it: no answer in time")


@pytest.mark.parametrize("may_refuse", [False, True])
def test_an_overlay_that_does_not_tell_an_address_is_an_error(made: Any, may_refuse: bool) -> None:
    started, _ = made(silent_overlay)
    with pytest.raises(HarnessError, match="no answer in time"):
        started.start(may_refuse=may_refuse)


def test_an_engine_that_may_refuse_is_noted_and_another_one_is_an_error(made: Any) -> None:
    started, notes = made(refuse_on("u2"))
    started.start(may_refuse=True)
    assert [note.partition(":")[0] for note in notes] == ["namespace(name='u2')", "new containers"]
    with pytest.raises(HarnessError, match="no quorum"):
        started.start()


def test_when_every_engine_refuses_nothing_is_proved(made: Any) -> None:
    started, _ = made(refuse_on("u1", "u2"))
    with pytest.raises(NotProved, match="no new container could be started"):
        started.start(may_refuse=True)
