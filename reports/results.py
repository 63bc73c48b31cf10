"""From pytest's reports of phases to one result a test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .model import TestResult

RANK = ("skipped", "passed", "not-proved", "error", "failed")
"""Of several phases the one furthest right is the test's outcome."""
KEY = "flatnet"
PROBES = "flatnet.probes"
MATRIX = "flatnet.matrix"


@dataclass
class _Open:
    outcome: str = ""
    reason: str = ""
    duration_s: float = 0.0
    requirements: tuple[str, ...] = ()
    probes: dict[str, int] = field(default_factory=dict)


class Ledger:
    """Collects the phases of every test."""

    def __init__(self) -> None:
        self._tests: dict[str, _Open] = {}
        self.matrices: list[tuple[str, list[Mapping[str, Any]]]] = []

    def add(
        self, nodeid: str, when: str, outcome: str, duration_s: float, properties: Iterable[tuple[str, Any]]
    ) -> None:
        """Add one phase. `outcome` is pytest's word; ours, if it was recorded, wins."""
        test = self._tests.setdefault(nodeid, _Open())
        test.duration_s += duration_s
        word, reason = outcome, ""
        recorded = False
        for name, value in properties:
            if name == KEY and value["when"] == when:
                word, reason, test.requirements = value["outcome"], value["reason"], tuple(value["requirements"])
                recorded = True
            elif name == PROBES and when == "teardown":
                test.probes = dict(value)
            elif name == MATRIX and when == "teardown":
                self.matrices.append((nodeid, value))
        if not recorded and outcome == "failed":
            word, reason = "error", "the process that ran it was lost"
        if when != "call" and word == "passed":
            return
        if not test.outcome or RANK.index(word) > RANK.index(test.outcome):
            test.outcome, test.reason = word, reason

    def results(self, requirements: Mapping[str, Iterable[str]]) -> list[TestResult]:
        """One result a test that began; `requirements` is {test id: ids}, for tests that were lost."""
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
