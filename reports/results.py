"""Combines the phases that pytest reports (setup, call, teardown) into one result for each test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .edges import EDGES, Findings, JudgedEdge, JudgedTest, Party, settle
from .model import TestResult

SEVERITY = ("skipped", "passed", "not-proved", "error", "failed")
"""The outcome of a test is the one of its phases that is furthest right here."""
PHASE = "flatnet"
"""Name of the property by which a report carries {when, outcome, reason, lines, requirements} of its phase."""
PROBES = "flatnet.probes"
"""Name of the property that holds {outcome of a probe: number of probes}."""
MATRIX = "flatnet.matrix"
"""Name of the property that holds the edges of a mesh: mappings with source, destination, transport, outcome."""


@dataclass
class _Test:
    """What is known of a test that has begun."""

    outcome: str = ""
    reason: str = ""
    duration_s: float = 0.0
    requirements: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    edges: tuple[JudgedEdge, ...] = ()
    probes: dict[str, int] = field(default_factory=dict)


class PhaseCollector:
    """Collects the phases of every test of a run, in the process that reports."""

    def __init__(self) -> None:
        self._tests: dict[str, _Test] = {}
        self.matrices: list[tuple[str, list[Mapping[str, Any]]]] = []
        """(test id, edges) of every mesh that a test attached."""
        self._parties: dict[str, Party] = {}

    def add(
        self, nodeid: str, when: str, outcome: str, duration_s: float, properties: Iterable[tuple[str, Any]]
    ) -> None:
        """Add one phase.

        `outcome` is pytest's; the one that the plugin recorded in `properties` takes precedence. A failed phase
        for which the plugin recorded nothing never ran in a living process: an error.
        """
        test = self._tests.setdefault(nodeid, _Test())
        test.duration_s += duration_s
        reason, recorded = "", False
        lines: tuple[str, ...] = ()
        for name, value in properties:
            if name == PHASE and value["when"] == when:
                outcome, reason, test.requirements = value["outcome"], value["reason"], tuple(value["requirements"])
                lines, recorded = tuple(value.get("lines", ())), True
            elif name == PROBES and when == "teardown":
                test.probes = dict(value)
            elif name == MATRIX and when == "teardown":
                self.matrices.append((nodeid, value))
            elif name == EDGES and when == "teardown":
                test.edges = tuple(map(JudgedEdge.unpacked, value["edges"]))
                self._parties.update({party: Party(*place) for party, place in value["parties"].items()})
        if not recorded and outcome == "failed":
            outcome, reason = "error", "the process that ran it was lost"
        if when != "call" and outcome == "passed":
            return
        if not test.outcome or SEVERITY.index(outcome) > SEVERITY.index(test.outcome):
            test.outcome, test.reason, test.lines = outcome, reason, lines

    def results(self, requirements: Mapping[str, Iterable[str]]) -> list[TestResult]:
        """One result for each test that began.

        `requirements` is {test id: requirement ids} as planned, for tests whose process was lost before it told them.
        """
        return [
            TestResult(
                nodeid=nodeid,
                requirements=test.requirements or tuple(requirements.get(nodeid, ())),
                outcome=test.outcome or "error",
                reason=test.reason if test.outcome else "it began and never ended",
                duration_s=test.duration_s,
                probes=test.probes,
            )
            for nodeid, test in self._tests.items()
        ]

    def findings(self, requirements: Mapping[str, Iterable[str]], subnets: Mapping[str, str] | None = None) -> Findings:
        """What every test that began handed over; `requirements` as for `results`, `subnets` {name: network}."""
        tests = (
            JudgedTest(result, settle(test.edges, result.outcome), test.lines)
            for result, test in zip(self.results(requirements), self._tests.values(), strict=True)
        )
        return Findings(tuple(tests), self._parties, subnets or {})
