"""Containers of a run are removed, and are gone when that is said."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import docker
import pytest

from fixtures.session import leftovers
from lab.errors import HarnessError


class _Handle:
    def __init__(self) -> None:
        self.attrs = {"Names": ["/flatnet-r1-a1"]}
        self.removals = 0

    def remove(self, *, force: bool) -> None:
        assert force
        self.removals += 1
        if self.removals > 1:
            raise docker.errors.APIError("removal of container flatnet-r1-a1 is already in progress")


def _node(listed: Any) -> Any:
    """A node whose engine lists these containers, list after list."""

    class Containers:
        def list(self, **options: Any) -> Any:
            assert options == {"all": True, "sparse": True, "filters": {"label": "flatnet.run=r1"}}
            return next(listed)

    class Node(SimpleNamespace):
        def __str__(self) -> str:
            return "u1"

    return Node(docker=SimpleNamespace(containers=Containers()))


def test_containers_are_waited_for_until_the_engine_lists_none() -> None:
    handle = _Handle()
    lists = iter([[handle], [handle], [handle], []])
    leftovers._remove_containers(_node(lists), "r1")
    assert next(lists, "read to the end") == "read to the end"
    assert handle.removals == 3


def test_nothing_is_removed_where_there_is_nothing() -> None:
    leftovers._remove_containers(_node(iter([[]])), "r1")


def test_a_container_that_does_not_go_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "GONE_S", 0.2)
    with pytest.raises(HarnessError, match=r"^node u1: containers of run r1: flatnet-r1-a1: not gone 0.2 s after"):
        leftovers._remove_containers(_node(itertools.repeat([_Handle()])), "r1")


@pytest.mark.parametrize(
    ("swarm", "removed"),
    [(None, []), ({}, []), ({"ControlAvailable": False}, []), ({"ControlAvailable": True}, ["s1", "s2"])],
)
def test_a_swarms_manager_removes_the_services_of_the_run(swarm: Any, removed: list[str]) -> None:
    gone: list[str] = []

    class Api:
        def services(self, *, filters: dict[str, str]) -> list[dict[str, str]]:
            assert filters == {"label": "flatnet.run=r1"}
            return [{"ID": "s1"}, {"ID": "s2"}]

        def remove_service(self, service: str) -> None:
            gone.append(service)
            if service == "s1":
                raise docker.errors.NotFound("another manager was faster")

    engine = SimpleNamespace(info=lambda: {"Swarm": swarm}, api=Api())
    leftovers._remove_swarm_services(SimpleNamespace(docker=engine), "r1")  # type: ignore[arg-type]
    assert gone == removed
