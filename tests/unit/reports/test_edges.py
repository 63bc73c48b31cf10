"""Edges are handed over as plain data, settled by the test's outcome, and folded into edges.json."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from reports import edges
from reports.edges import Clue, Findings, JudgedEdge, JudgedTest, Party, edges_text, fold, pack, settle, unpack
from reports.model import TestResult

CLUE = Clue(detail="altered", last="u1's NIC eth0", crossed=("u1's NIC eth0",), rules=(("u1", "chain f: drop"),))
LOST = JudgedEdge("u1/a1", "u2/a2", "icmp", "answered", "lost", False, CLUE)
FINE = JudgedEdge("u2/a2", "u1/a1", "icmp", "answered", "answered", True)
BLOCKED = JudgedEdge("u1/a1", "u1/b1", "tcp 443", "blocked", "lost", True)
OPEN = replace(BLOCKED, what="tcp 80", outcome="delivered", holds=False)


def judged(*made: JudgedEdge, outcome: str = "failed", requirement: str = "NET-1") -> JudgedTest:
    return JudgedTest(TestResult(f"t::{requirement}", (requirement,), outcome, "why"), made, ("why", "more"))


def test_what_is_handed_over_comes_back_as_it_was() -> None:
    found = Findings((judged(LOST, FINE), judged(BLOCKED, outcome="passed")), {"u1/a1": Party("u1", "10.32.0.1")})
    again = unpack(json.loads(json.dumps(pack(found))))
    assert again == replace(
        found,
        tests=(found.tests[0], replace(found.tests[1], result=replace(found.tests[1].result, reason="why"))),
    )


def test_an_edge_without_a_clue_is_six_values() -> None:
    assert FINE.packed() == ["u2/a2", "u1/a1", "icmp", "answered", "answered", True]
    assert JudgedEdge.unpacked(FINE.packed()) == FINE
    assert LOST.packed()[6] == {
        "detail": "altered", "last": "u1's NIC eth0", "crossed": ("u1's NIC eth0",), "rules": (("u1", "chain f: drop"),)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [("passed", [True, True, True, True]), ("failed", [False, True, True, False]), ("error", [None, True, None, None])],
)
def test_the_outcome_of_the_test_has_the_last_word(outcome: str, expected: list[bool | None]) -> None:
    assert [edge.holds for edge in settle([LOST, FINE, BLOCKED, OPEN], outcome)] == expected
    unproved = replace(LOST, holds=None)
    assert settle([unproved], outcome) == (unproved,)


def test_equal_edges_are_folded_and_sorted() -> None:
    rows = fold([judged(LOST, FINE), judged(replace(LOST, clue=Clue()), OPEN, requirement="ISO-2")])
    assert [(row["from"], row["to"], row["what"], row["requirement"], row["holds"]) for row in rows] == [
        ("u1/a1", "u1/b1", "tcp 80", ["ISO-2"], False),
        ("u1/a1", "u2/a2", "icmp", ["ISO-2", "NET-1"], False),
        ("u2/a2", "u1/a1", "icmp", ["NET-1"], True),
    ]
    assert rows[1] == {
        "from": "u1/a1", "to": "u2/a2", "requirement": ["ISO-2", "NET-1"], "what": "icmp", "expected": "answered",
        "outcome": "lost", "holds": False,
    }  # fmt: skip


def test_edges_json_has_an_edge_a_line_and_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    text = edges_text([judged(LOST, FINE, OPEN)])
    assert len(text.splitlines()) == 5
    assert json.loads(text) == {"schema": 1, "left_out": 0, "edges": fold([judged(LOST, FINE, OPEN)])}
    assert json.loads(edges_text([])) == {"schema": 1, "left_out": 0, "edges": []}
    monkeypatch.setattr(edges, "MOST", 2)
    kept = json.loads(edges_text([judged(FINE, LOST, OPEN)]))
    assert kept["left_out"] == 1 and [row["holds"] for row in kept["edges"]] == [False, False]
