"""The order of the tests: those that disturb last, those that use what the run began with before them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.cluster.topology import pytest_collection_modifyitems


class Item:
    """A test with these marks."""

    def __init__(self, name: str, *marks: str) -> None:
        self.name, self.marks = name, marks

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
