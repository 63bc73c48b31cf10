"""What went wrong on which edge: every edge that a test judged, sorted by the kind of its trouble. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from reports.edges import BLOCKED, Findings, JudgedEdge, JudgedTest
from reports.model import Outcome

from .sent import End, Ends, Sent, read_what


class Trouble(StrEnum):
    """What became of an edge instead of what was expected."""

    REDIRECTED = "redirected"
    REWRITTEN = "rewritten"
    LEAKED = "leaked"
    DETOUR = "routed once more"
    ALTERED = "altered"
    UNREPORTED = "not told that a packet is too large"
    LATE = "late"
    THINNED = "partly lost"
    DROPPED = "dropped"


@dataclass(frozen=True)
class Observation:
    """One edge of one test."""

    test: int
    """The test's number in the findings."""
    edge: JudgedEdge
    source: End
    destination: End
    sent: Sent
    trouble: Trouble | None
    """None: it was as expected."""


TROUBLED = ("failed", "error", "not-proved")
"""Outcomes of tests that need an explanation."""
COUNTING = "PATH-6"
"""The requirement whose edges may pass only so many routers."""
_FINE = (Outcome.ANSWERED, Outcome.DELIVERED)


def observe(findings: Findings, ends: Ends) -> Iterator[Observation]:
    """Every edge that says something: as expected, or in trouble. What is not proved either way is left out."""
    for number, test in enumerate(findings.tests):
        usual = _usual_routers(test)
        for edge in test.edges:
            trouble = _trouble(edge, test, usual)
            if trouble is None and edge.holds is not True:
                continue
            yield Observation(number, edge, ends[edge.source], ends[edge.destination], read_what(edge.what), trouble)


def _usual_routers(test: JudgedTest) -> int | None:
    """The fewest routers of the edges of a failed test that counts them (PATH-6), where they differ; else None."""
    counting = COUNTING in test.result.requirements and test.result.outcome == "failed"
    if not counting or any(edge.holds is False for edge in test.edges):
        return None
    counts = {edge.clue.routers for edge in test.edges}
    return min(counts) if len(counts) > 1 else None


def _trouble(edge: JudgedEdge, test: JudgedTest, usual_routers: int | None) -> Trouble | None:
    if edge.expected == BLOCKED:
        return Trouble.LEAKED if edge.holds is False else None
    if edge.outcome == Outcome.REWRITTEN:
        return Trouble.REWRITTEN
    if edge.outcome == Outcome.MISDELIVERED:
        return Trouble.REDIRECTED
    if usual_routers is not None and edge.clue.routers != usual_routers:
        return Trouble.DETOUR
    if edge.holds is True or (edge.holds is None and (edge.outcome in _FINE or test.result.outcome == "passed")):
        return None
    if edge.outcome in ("wrong checksum", "altered"):
        return Trouble.ALTERED
    if edge.expected == "EMSGSIZE":
        return Trouble.UNREPORTED
    if edge.outcome == "late":
        return Trouble.LATE
    return Trouble.THINNED if "stream" in edge.what and edge.holds is False else Trouble.DROPPED
