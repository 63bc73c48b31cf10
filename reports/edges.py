"""What tests judged, as data: edges with what was expected and seen of each, and the clues that go with them. Pure.

A test hands its edges over as plain lists and mappings, which workers of xdist can send; the process that reports makes
edges.json and the causes (reports/causes.py) of them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from .model import TestResult

EDGES = "flatnet.edges"
"""Name of the property by which a test hands over {"edges": packed edges, "parties": {name: [node, address]}}."""
ANSWERED, DELIVERED, BLOCKED = "answered", "delivered", "blocked"
"""What is expected of an edge. Elsewhere it is the error that the sender has to be given, such as `EMSGSIZE`."""
SCHEMA = 1
"""Goes up when a key of edges.json goes, or changes its meaning."""
MOST = 4_000
"""Edges that edges.json keeps: about 130 bytes each. Those that do not hold come first then."""


@dataclass(frozen=True)
class Clue:
    """What was seen of an edge besides its outcome; empty where nothing was."""

    detail: str = ""
    """What the judge says of it: `source 10.32.1.2 became 10.32.2.1`."""
    step: str = ""
    """What was lost: `request`, `answer`, `ARP request`, `ARP answer`."""
    last: str = ""
    """The interface that saw it last: `u2's NIC eth0`."""
    missed: str = ""
    """The next place on its way, which never saw it."""
    changed: str = ""
    """The first interface that saw it changed."""
    crossed: tuple[str, ...] = ()
    """Of a leak: the interfaces that saw it."""
    ports: str = ""
    """Of ports that are one edge together: which ones, `443, 5432 and 49152…65535 (131 tried)`."""
    routers: int = 0
    """Routers between the ends, by the TTL."""
    rules: tuple[tuple[str, str], ...] = ()
    """(node, packet-filter rule that acted while the edge was probed again)"""

    def packed(self) -> dict[str, Any]:
        """As plain data, without what is empty."""
        return {key: value for key, value in asdict(self).items() if value}

    @classmethod
    def unpacked(cls, data: Mapping[str, Any]) -> Clue:
        """The clue of `packed`, after it was sent."""
        given = dict(data)
        for key in ("crossed", "rules"):
            if key in given:
                given[key] = tuple(tuple(part) if isinstance(part, list) else part for part in given[key])
        return cls(**given)


NO_CLUE = Clue()


@dataclass(frozen=True)
class JudgedEdge:
    """One edge as one test judged it."""

    source: str
    """A container (`u1/a1`) or a node (`u1`)."""
    destination: str
    what: str
    """What was sent: `icmp`, `tcp 443`, `udp 8192 bytes`, `dns A`."""
    expected: str
    """`answered`, `delivered`, `blocked` …"""
    outcome: str
    """An Outcome, or a word for what has none."""
    holds: bool | None
    """Whether it is as it was expected; None: that is not proved."""
    clue: Clue = NO_CLUE

    def packed(self) -> list[Any]:
        """As plain data: [source, destination, what, expected, outcome, holds] and, where there is one, the clue."""
        row = [getattr(self, part.name) for part in fields(self)[:-1]]
        clue = self.clue.packed()
        return [*row, clue] if clue else row

    @classmethod
    def unpacked(cls, row: Sequence[Any]) -> JudgedEdge:
        """The edge of `packed`, after it was sent."""
        source, destination, what, expected, outcome, holds, *rest = row
        clue = Clue.unpacked(rest[0]) if rest else NO_CLUE
        return cls(source, destination, what, expected, outcome, holds, clue)


@dataclass(frozen=True)
class Party:
    """Where a source or a destination is."""

    node: str
    address: str


@dataclass(frozen=True)
class JudgedTest:
    """A test as it ended, and the edges that it judged."""

    result: TestResult
    edges: tuple[JudgedEdge, ...] = ()
    lines: tuple[str, ...] = ()
    """The lines of its reason; the first one is `result.reason`."""


@dataclass(frozen=True)
class Findings:
    """Everything that the tests of a run handed over."""

    tests: tuple[JudgedTest, ...] = ()
    parties: Mapping[str, Party] = field(default_factory=dict)
    """{name of a source or destination: where it is}"""
    subnets: Mapping[str, str] = field(default_factory=dict)
    """{name: network, such as 10.32.0.0/24}"""


def pack(findings: Findings) -> dict[str, Any]:
    """Findings as plain data; `unpack` reads it."""
    return {
        "tests": [
            {
                "test": test.result.nodeid,
                "requirements": list(test.result.requirements),
                "outcome": test.result.outcome,
                "lines": list(test.lines),
                "edges": [edge.packed() for edge in test.edges],
            }
            for test in findings.tests
        ],
        "parties": {name: [party.node, party.address] for name, party in findings.parties.items()},
        "subnets": dict(findings.subnets),
    }


def unpack(data: Mapping[str, Any]) -> Findings:
    """The findings of `pack`."""
    tests = (
        JudgedTest(
            TestResult(
                test["test"], tuple(test["requirements"]), test["outcome"], test["lines"][0] if test["lines"] else ""
            ),
            tuple(map(JudgedEdge.unpacked, test["edges"])),
            tuple(test["lines"]),
        )
        for test in data["tests"]
    )
    parties = {name: Party(*place) for name, place in data["parties"].items()}
    return Findings(tuple(tests), parties, data.get("subnets", {}))


def settle(edges: Iterable[JudgedEdge], outcome: str) -> tuple[JudgedEdge, ...]:
    """The edges of a test that ended so, which has the last word: of a test that passed, all that it judged hold.

    Of a test that neither passed nor failed, those that are not as expected are not proved, nor are negative claims.
    """
    if outcome == "passed":
        return tuple(replace(edge, holds=True) if edge.holds is False else edge for edge in edges)
    if outcome != "failed":
        return tuple(
            replace(edge, holds=None) if edge.holds is False or edge.expected == BLOCKED else edge for edge in edges
        )
    return tuple(edges)


def fold(tests: Iterable[JudgedTest]) -> list[dict[str, Any]]:
    """The rows of edges.json: equal edges are one, with all requirements that they were judged for; sorted."""
    found: dict[tuple[str, str, str, str, str, bool | None], set[str]] = defaultdict(set)
    for test in tests:
        for edge in test.edges:
            key = (edge.source, edge.destination, edge.what, edge.expected, edge.outcome, edge.holds)
            found[key].update(test.result.requirements)
    rows = [
        {
            "from": source,
            "to": destination,
            "requirement": sorted(requirements),
            "what": what,
            "expected": expected,
            "outcome": outcome,
            "holds": holds,
        }
        for (source, destination, what, expected, outcome, holds), requirements in found.items()
    ]
    return sorted(rows, key=_order)


def _order(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(row[key]) for key in ("from", "to", "what", "expected", "outcome", "holds"))


def edges_text(tests: Iterable[JudgedTest]) -> str:
    """The text of edges.json: one edge a line, at most MOST of them, and how many were left out."""
    rows = fold(tests)
    kept = sorted(sorted(rows, key=lambda row: row["holds"] is True)[:MOST], key=_order)
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in kept)
    head = f'{{"schema": {SCHEMA}, "left_out": {len(rows) - len(kept)}, "edges": ['
    return f"{head}\n{lines}\n]}}\n" if lines else f"{head}]}}\n"
