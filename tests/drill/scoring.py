"""How well the causes of recorded runs name what was broken: rank of the right cause, node, rule or interface.

    python -m tests.drill.scoring

prints a table of all runs in tests/unit/reports/recorded.
"""

from __future__ import annotations

import json
import lzma
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mean

from lab.faults import FAULTS, Fault, Where
from reports.causes import Cause, find_causes
from reports.edges import Findings, unpack

from .recorded import PLACE

NODES = ("u1", "u2", "u3")


@dataclass(frozen=True)
class Score:
    """What the causes of a recorded run say of one of its faults."""

    run: str
    fault: str
    rank: int
    """Of the first right cause, from 1; 0: none is right."""
    causes: int
    unexplained: int
    node: bool
    """The right cause names the node."""
    exact: bool
    """It names a rule, an entry or an interface."""


def recorded() -> Iterator[tuple[str, Findings]]:
    """(name of the run, its findings) of every recorded run."""
    for place in sorted(PLACE.glob("*.json.xz")):
        yield place.name.removesuffix(".json.xz"), unpack(json.loads(lzma.decompress(place.read_bytes())))


def faults_of(run: str) -> list[tuple[Fault, str]]:
    """(fault, its node) of a run: `masquerade`, or `masquerade+stale-instance`, whose second one is on u3."""
    names = run.split("+")
    return [(FAULTS[name], "u3" if place else NODES[FAULTS[name].default_node]) for place, name in enumerate(names)]


def is_right(cause: Cause, fault: Fault, node: str) -> bool:
    """Whether a cause is about the fault: it explains what must fail, and accuses the right node where one is to blame.

    A fault between subnets, or on every node, is on no single node; a fault between two nodes may be told of either.
    """
    if not set(fault.must_fail) & set(cause.requirements):
        return False
    patterns = (*fault.blames, *(one for several in fault.blames_in.values() for one in several))
    single = fault.where is Where.NODE and any("{node}" in one or "{container}" in one for one in patterns)
    return not single or node in (cause.node, cause.peer) or (not cause.node and node in cause.text)


def score(run: str, findings: Findings) -> list[Score]:
    """A score for each fault of a run."""
    explanation = find_causes(findings, NODES)
    causes = explanation.causes
    found = []
    for fault, node in faults_of(run):
        ranks = [place for place, cause in enumerate(causes, 1) if is_right(cause, fault, node)]
        right = causes[ranks[0] - 1] if ranks else None
        found.append(
            Score(
                run,
                fault.name,
                ranks[0] if ranks else 0,
                len(causes),
                len(explanation.unexplained),
                right is not None and node in (right.node, right.peer),
                right is not None and bool(right.rule or right.hop),
            )
        )
    return found


def table(scores: Sequence[Score]) -> str:
    """One row a fault, in Markdown, and the figures below."""
    rows = [
        "| run | rank of the right cause | causes | node named | rule, entry or interface named |",
        "|---|---|---|---|---|",
    ]
    for one in scores:
        fault = "" if one.run == one.fault else f" ({one.fault})"
        named = ["yes" if known else "no" for known in (one.node, one.exact)]
        rows.append(f"| {one.run}{fault} | {one.rank or 'none'} | {one.causes} | {' | '.join(named)} |")
    single = [one for one in scores if one.run == one.fault and not FAULTS[one.fault].benign]
    if single:
        first = sum(one.rank == 1 for one in single)
        rows += ["", f"{len(single)} faults: the right cause is first for {first} ({100 * first / len(single):.0f} %), "
                 f"{mean(one.causes for one in single):.2f} causes on average"]  # fmt: skip
    pairs = {one.run: [other.rank for other in scores if other.run == one.run] for one in scores if "+" in one.run}
    if pairs:
        both = sum(all(0 < rank <= 3 for rank in ranks) for ranks in pairs.values())
        rows.append(f"{len(pairs)} pairs of faults: both causes are among the first three for {both}")
    benign = [one for one in scores if one.run in FAULTS and FAULTS[one.run].benign]
    if benign:
        silent = sum(one.causes == one.unexplained == 0 for one in benign)
        rows.append(f"{len(benign)} benign changes: no cause, and nothing unexplained, for {silent}")
    return "\n".join(rows)


if __name__ == "__main__":
    sys.stdout.write(table([one for run, findings in recorded() for one in score(run, findings)]) + "\n")
