"""Marks of agents, put in order by flow, and the clocks that they are of."""

from __future__ import annotations

import pytest

from fixtures.change.marks import (
    ASKED,
    CAME,
    ECHOED,
    ENDED,
    REPLIED,
    SAID,
    SENT,
    Flow,
    clock,
    steady_flows,
    waiting,
)  # fmt: skip
from tests.unit.change.cases import HERE, THERE, connection, datagrams, life, marks


def test_marks_are_kept_by_kind_and_flow() -> None:
    node = life("u1")
    assert node.read(marks((SENT, 3, 0, 1.0, 0), (SENT, 3, 1, 1.5, 101), (SENT, 4, 0, 1.2, 0)), {}) == 3
    series = node.of(SENT, 3)
    assert (list(series.numbers), list(series.times), series.details) == ([0, 1], [1.0, 1.5], {1: 101})
    assert len(node.of(SENT, 4)) == 1 and len(node.of(CAME, 3)) == 0 and not node.series.get((CAME, 3))


def test_what_came_to_another_container_has_not_come() -> None:
    node = life("u2")
    node.read(marks((CAME, 3, 0, 1.0, 7), (CAME, 3, 1, 1.1, 8), (CAME, 3, 2, 1.1, 8)), {3: 7})
    assert list(node.of(CAME, 3).numbers) == [0] and node.strays == {(3, 8): 2}


def test_an_answer_is_known_by_its_text() -> None:
    node = life("u1")
    node.texts = ["0 10.32.0.2", "3"]
    node.read(marks((REPLIED, 2, 5, 1.0, 0), (REPLIED, 2, 6, 1.1, 1)), {})
    assert [node.text_of(node.of(REPLIED, 2), number) for number in (5, 6)] == ["0 10.32.0.2", "3"]


def test_the_first_of_two_marks_of_a_number_counts() -> None:
    node = life("u2")
    node.read(marks((CAME, 3, 0, 1.0, 7), (CAME, 3, 0, 9.0, 7)), {3: 7})
    assert node.of(CAME, 3).first_times() == {0: 1.0}


def test_the_quickest_ping_decides_the_clock() -> None:
    ahead, error = clock([(10.0, 3.0, 10.4), (20.0, 13.05, 20.1), (30.0, 22.0, 31.0)])
    assert ahead == pytest.approx(7.0) and error == pytest.approx(0.05)
    assert life("u1", 7.0).at(3.0) == 10.0


def test_a_flow_is_steady_when_something_came_through() -> None:
    watch = datagrams(count=3)
    nodes = {"u1": watch.source, "u2": watch.destination or life("u2")}
    asking, talking = Flow(2, "questions", HERE, None, "10.0.0.1"), Flow(1, "connection", HERE, THERE)
    assert steady_flows([watch.flow, asking, talking], nodes) == [watch.flow]
    watch.source.read(marks((ASKED, 2, 0, 1.0, 0), (REPLIED, 2, 0, 1.0, 0), (REPLIED, 2, 1, 1.1, 0)), {})
    watch.source.read(marks((SAID, 1, 0, 1.0, 0), (ECHOED, 1, 0, 1.0, 0), (ECHOED, 1, 1, 1.0, 0)), {})
    assert steady_flows([watch.flow, asking, talking], nodes) == [watch.flow, asking, talking]
    one = datagrams(count=1)
    assert steady_flows([one.flow], {"u1": one.source, "u2": one.destination or life("u2")}) == []


def test_a_connection_that_is_not_answered_is_waited_for() -> None:
    assert not waiting(connection().source)
    assert waiting(connection(echoed_until=90).source) and waiting(connection(echoed_until=0).source)
    assert not waiting(connection(echoed_until=97).source), "0.3 s are usual"
    ended = connection(echoed_until=90, more=[(ENDED, 1, 0, 110.0, 104)])
    assert not waiting(ended.source)


def test_a_flow_says_from_whom_to_whom() -> None:
    assert str(Flow(0, "datagrams", HERE, THERE)) == "u1/a1 → u2/a2"
    assert str(Flow(2, "questions", HERE, None, "10.0.0.1")) == "u1/a1 → 10.0.0.1"
