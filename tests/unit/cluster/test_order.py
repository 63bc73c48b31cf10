"""The order of the tests: those that disturb last, those that use what the run began with before them."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.cluster import topology
from fixtures.cluster.topology import leave_out, pytest_collection_modifyitems
from fixtures.session.run import RUN
from lab.inventory import Family
from reports.plugin import ELSEWHERE


class Item:
    """A test with these marks."""

    def __init__(self, name: str, *marks: str) -> None:
        self.name, self.nodeid, self.marks, self.path = name, name, marks, None

    def get_closest_marker(self, name: str) -> object | None:
        return name if name in self.marks else None


def ordered(*items: Item) -> list[str]:
    config: Any = SimpleNamespace(stash=SimpleNamespace(get=lambda key, default: default))
    chosen: list[Any] = list(items)
    pytest_collection_modifyitems(config, chosen)
    return [item.name for item in chosen]


def test_what_uses_the_beginning_comes_behind_all_that_does_not_disturb() -> None:
    disturbing = Item("engine", "disruptive"), Item("node", "disruptive")
    items = [disturbing[0], Item("idle", "at_end"), Item("pings"), disturbing[1], Item("names")]
    assert ordered(*items) == ["pings", "names", "idle", "engine", "node"]


@pytest.mark.parametrize("items", [(), ("a", "b", "c")])
def test_the_order_of_the_others_stays(items: tuple[str, ...]) -> None:
    assert ordered(*map(Item, items)) == list(items)


class Declared:
    """A test that belongs to its requirement where these facts hold; None: everywhere."""

    def __init__(self, nodeid: str, declarations: Sequence[str] | None = None) -> None:
        self.nodeid, self.declarations = nodeid, declarations

    def get_closest_marker(self, name: str) -> object | None:
        return None if self.declarations is None else SimpleNamespace(args=self.declarations)


def test_what_belongs_to_other_clusters_only_is_left_out_and_said_to_be() -> None:
    deselected: list[Any] = []
    written: list[str] = []
    terminal = SimpleNamespace(ensure_newline=lambda: None, write_line=lambda text, **_: written.append(text))
    config: Any = SimpleNamespace(
        hook=SimpleNamespace(pytest_deselected=lambda items: deselected.extend(items)),
        pluginmanager=SimpleNamespace(getplugin=lambda name: terminal),
        stash={},
    )
    items: list[Any] = [
        Declared("plain"), Declared("moving", ["overlay.moves"]), Declared("many", ["nodes >= 2", "overlay.moves"])
    ]  # fmt: skip
    kept = list(items)
    leave_out(config, {"overlay.moves": True, "nodes": 3}, kept)
    assert kept == items and not deselected and not config.stash
    leave_out(config, {"overlay.moves": False, "nodes": 3}, kept)
    assert kept == items[:1] and deselected == items[1:] and config.stash[ELSEWHERE] == ["moving", "many"]
    assert written == [
        f"note: left out: {name}: the inventory declares no overlay.moves" for name in ("moving", "many")
    ]


def test_tests_of_one_file_that_are_left_out_for_one_reason_are_one_line() -> None:
    written: list[str] = []
    terminal = SimpleNamespace(ensure_newline=lambda: None, write_line=lambda text, **_: written.append(text))
    config: Any = SimpleNamespace(
        hook=SimpleNamespace(pytest_deselected=lambda items: None),
        pluginmanager=SimpleNamespace(getplugin=lambda name: terminal),
        stash={},
    )
    names = ("suites/a.py::one", "suites/a.py::two", "suites/b.py::one")
    items: list[Any] = [Declared(name, ["overlay.moves"]) for name in names]
    leave_out(config, {"overlay.moves": False}, items)
    assert not items and config.stash[ELSEWHERE] == list(names)
    assert written == [
        "note: left out: 2 tests of suites/a.py: the inventory declares no overlay.moves",
        "note: left out: suites/b.py::one: the inventory declares no overlay.moves",
    ]


@pytest.mark.parametrize(("families", "kept"), [([4], ["pings"]), ([4, 6], ["routers", "pings"])])
def test_a_test_of_ipv6_alone_is_not_there_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch, families: list[int], kept: list[str]
) -> None:
    overlay = SimpleNamespace(families=[Family(number) for number in families])
    run = SimpleNamespace(planned=SimpleNamespace(overlay=overlay), given={}, disruptive=True)
    monkeypatch.setattr(topology, "in_suites", lambda root, path: True)
    monkeypatch.setattr(topology, "open_cluster", lambda planned: SimpleNamespace(facts=dict))
    monkeypatch.setattr(topology, "_skip_inapplicable", lambda facts, items: left.extend(items))
    left: list[Any] = []
    deselected: list[Any] = []
    config: Any = SimpleNamespace(
        rootpath=None,
        hook=SimpleNamespace(pytest_deselected=lambda items: deselected.extend(items)),
        stash={RUN: run},
    )
    items: list[Any] = [Item("routers", "over_ipv6"), Item("pings")]
    pytest_collection_modifyitems(config, items)
    assert [item.name for item in items] == kept
    elsewhere = [] if "routers" in kept else ["routers"]
    assert config.stash.get(ELSEWHERE, []) == elsewhere, "its requirement is whole without it"
    assert [item.name for item in deselected] == [name for name in ("routers",) if name not in kept]
