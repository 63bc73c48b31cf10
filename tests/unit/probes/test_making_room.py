"""Nodes forget their neighbours where a kernel would have no room, and work is cut to what fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from fixtures.probes import making_room
from fixtures.probes.client import AgentClient
from fixtures.probes.delivery import Endpoint
from fixtures.probes.making_room import batches, make_room, namespaces_of
from fixtures.probes.room import LEAST, Kernel, Room


class Agent:
    """Forgets what it is told to."""

    def __init__(self, table: Table) -> None:
        self.kernel = Kernel("here")
        self.asked: list[Sequence[str | None]] = []
        self._table = table

    def call(self, operation: str, request: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
        assert operation == "forget"
        self.asked.append(request["netns"])
        self._table.entries = self._table.after
        return {}, b""


class Table:
    """The table of neighbours of the kernel that all nodes share."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, entries: int, after: int = 0) -> None:
        self.entries, self.after = entries, after
        monkeypatch.setattr(making_room, "own_kernel", lambda: Kernel("here", 1024, self.entries))
        self.own = {"u1": Agent(self), "u2": Agent(self)}
        self.agents = cast(Mapping[str, AgentClient], self.own)


PLACES = {"u1": ["/a1", "/a2"]}


def test_where_there_is_room_nothing_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(monkeypatch, entries=512)
    assert make_room(table.agents, PLACES, 300) == Room(300, 175, LEAST)
    assert not table.own["u1"].asked and not table.own["u2"].asked


def test_where_there_is_none_the_nodes_forget_and_the_room_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(monkeypatch, entries=512, after=0)
    assert make_room(table.agents, PLACES, 301) == Room(600, 350, 512)
    assert table.own["u1"].asked == [[None, "/a1", "/a2"]]
    assert table.own["u2"].asked == [[None]]


def test_a_nodes_own_namespace_is_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(monkeypatch, entries=1000)
    make_room(table.agents, {"u1": [None, "/a1"]}, 301)
    assert table.own["u1"].asked == [[None, "/a1"]]


def test_work_is_cut_to_what_fits_when_its_turn_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(monkeypatch, entries=0, after=512)
    made = []
    for batch in batches(range(700), table.agents, PLACES, neighbours=2):
        made.append(len(batch))
        table.entries = 1000  # what the batch used
    assert made == [150, 150, 150, 150, 100]
    assert len(table.own["u1"].asked) == 5


def test_what_fits_is_one_batch_unless_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(monkeypatch, entries=0)
    assert list(batches("abcde", table.agents, PLACES, neighbours=1)) == [list("abcde")]
    assert list(batches("abcde", table.agents, PLACES, neighbours=1, most=2)) == [["a", "b"], ["c", "d"], ["e"]]
    assert list(batches("", table.agents, PLACES, neighbours=1)) == []


def test_one_thing_at_a_time_is_done_however_full_the_table_is(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(monkeypatch, entries=5000, after=5000)
    assert list(batches("ab", table.agents, PLACES, neighbours=100)) == [["a"], ["b"]]


def test_places_are_named_once_a_node() -> None:
    ends = [Endpoint("u1/a1", "u1", "/a1", ""), Endpoint("u2", "u2", None, ""), Endpoint("u1/a1", "u1", "/a1", "")]
    assert namespaces_of(ends) == {"u1": ["/a1"], "u2": [None]}
