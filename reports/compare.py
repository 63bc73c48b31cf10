"""Compares a run with an earlier one: what is new, fixed, still broken, and no longer proved. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .earlier import Earlier
from .model import Status

MOST_NAMES = 8
"""Requirements that a line names; of more, their number is told."""

Edges = Sequence[Mapping[str, Any]]
"""Entries of edges.json."""


class Change(StrEnum):
    """What became of a requirement, or of an edge, since the earlier run."""

    NEW = "new"
    """Broken now, and not known to have been broken before."""
    FIXED = "fixed"
    """Broken before, proved now."""
    STILL = "still"
    """Broken in both."""
    NOT_PROVED = "newly not proved"
    """Proved or broken before; now neither is known."""


@dataclass(frozen=True)
class Moved:
    """A requirement or an edge that changed, or is still broken."""

    name: str
    """The requirement's id, or the edge as `u1/a1 → u2/a2 udp 53`."""
    before: str
    now: str
    """Status or outcome."""
    reason: str = ""
    ends: tuple[str, str] = ("", "")
    """Nodes of an edge's source and destination."""


Moves = Mapping[Change, Sequence[Moved]]


@dataclass(frozen=True)
class Comparison:
    """A run beside an earlier one."""

    earlier: Earlier
    verdict: str
    """The verdict of this run."""
    requirements: Moves
    edges: Moves | None
    """None when one of the runs recorded no edges."""
    catalogue: Sequence[str] = ()
    """A sentence for each requirement that asks for less than in the earlier run."""
    cluster: Sequence[str] = ()
    """A sentence for each node, or version of an engine, that differs."""


_WORST_FIRST = (False, None, True)
"""What an edge's `holds` can be."""
_BROKEN = {Status.FAIL, Status.KNOWN_ISSUE}
_KNOWN = {Status.PASS, *_BROKEN}
"""Statuses that say how the network is."""


def compare(
    now: Mapping[str, Any], edges: Edges | None, earlier: Earlier, catalogue: Iterable[str] | None = None
) -> Comparison:
    """A run's document and edges beside those of an earlier one, of the same cluster.

    `catalogue`: the ids of all requirements; one that the earlier run judged and that is not among them is told.
    Requirements that this run did not judge, since it was of other suites, are left out.
    """
    before = earlier.document
    known = set(now["requirements"]) if catalogue is None else set(catalogue)
    return Comparison(
        earlier=earlier,
        verdict=str(now["verdict"]),
        requirements=_requirements(now["requirements"], before["requirements"]),
        edges=_edges(edges, earlier.edges),
        catalogue=_weaker(now["requirements"], before["requirements"], known),
        cluster=_cluster(now["cluster"], before["cluster"]),
    )


def _requirements(now: Mapping[str, Any], before: Mapping[str, Any]) -> Moves:
    found: dict[Change, list[Moved]] = {change: [] for change in Change}
    for name, entry in now.items():
        status, was = Status(entry["status"]), before.get(name, {}).get("status")
        change = _change(status, None if was is None else Status(was))
        if change is not None:
            found[change].append(Moved(name, was or "not judged", status.value, entry["reason"]))
    return found


def _change(now: Status, before: Status | None) -> Change | None:
    if now in _BROKEN:
        return Change.STILL if before in _BROKEN else Change.NEW
    if now is Status.PASS:
        return Change.FIXED if before in _BROKEN else None
    return Change.NOT_PROVED if before in _KNOWN else None


def _edges(now: Edges | None, before: Edges | None) -> Moves | None:
    """Equal edges are taken together: broken when one is, proved when all are. None when a run recorded none.

    An edge of which the earlier run knows nothing counts only when it is broken: sweeps draw other ports each time.
    """
    if now is None or before is None:
        return None
    found: dict[Change, list[Moved]] = {change: [] for change in Change}
    mine, theirs = _folded(now), _folded(before)
    for key, (holds, outcome, edge) in mine.items():
        was, outcome_before, _ = theirs.get(key, (None, "not probed", edge))
        change = _edge_change(holds, was)
        if change is not None:
            ends = (_node(edge["from"]), _node(edge["to"]))
            name = f"{edge['from']} → {edge['to']} {edge['what']}"
            found[change].append(Moved(name, outcome_before, outcome, ends=ends))
    return found


def _edge_change(now: bool | None, before: bool | None) -> Change | None:
    if now is False:
        return Change.STILL if before is False else Change.NEW
    if now is True:
        return Change.FIXED if before is False else None
    return None if before is None else Change.NOT_PROVED


def _folded(edges: Edges) -> dict[tuple[str, ...], tuple[bool | None, str, Mapping[str, Any]]]:
    """{(from, to, what, expected): (holds, outcome, edge)}, the worst of equal ones."""
    found: dict[tuple[str, ...], tuple[bool | None, str, Mapping[str, Any]]] = {}
    for edge in edges:
        key = tuple(str(edge[name]) for name in ("from", "to", "what", "expected"))
        if key not in found or _WORST_FIRST.index(edge["holds"]) < _WORST_FIRST.index(found[key][0]):
            found[key] = (edge["holds"], str(edge["outcome"]), edge)
    return found


def _node(end: str) -> str:
    return end.split("/")[0]


def _weaker(now: Mapping[str, Any], before: Mapping[str, Any], catalogue: set[str]) -> list[str]:
    said = [
        f"{name} was a must and is a should"
        for name, entry in now.items()
        if (before.get(name, {}).get("level"), entry["level"]) == ("must", "should")
    ]
    return said + [f"{name} is no longer in the catalogue" for name in before if name not in catalogue]


def _cluster(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    nodes, earlier_nodes = now.get("nodes", {}), before.get("nodes", {})
    said = [f"{node} is new" for node in nodes if node not in earlier_nodes]
    said += [f"{node} is gone" for node in earlier_nodes if node not in nodes]
    versions, earlier_versions = now.get("versions", {}), before.get("versions", {})
    return said + [
        f"{node} had {earlier_versions[node]}, has {versions[node]}"
        for node in versions
        if node in earlier_versions and earlier_versions[node] != versions[node]
    ]


def lines(comparison: Comparison) -> list[str]:
    """The comparison in five lines; further ones where the catalogue or the cluster is not the same."""
    document = comparison.earlier.document
    revision = document["flatnet"]["revision"]
    said = [
        f"since {comparison.earlier.name} ({document['started'][:16].replace('T', ' ')} UTC"
        f"{f', Flatnet {revision}' if revision else ''}): {document['verdict']} → {comparison.verdict}"
    ]
    said += [f"{change.value + ':':<18}{_line(comparison, change)}" for change in Change]
    said += [f"{'catalogue:':<18}{sentence}" for sentence in comparison.catalogue]
    if comparison.cluster:
        said.append(f"{'cluster:':<18}{'; '.join(comparison.cluster)}")
    return said


def _line(comparison: Comparison, change: Change) -> str:
    moved = comparison.requirements[change]
    text = f"{_counted(len(moved), 'requirement')}{': ' if moved else ''}{_named(moved)}"
    if comparison.edges is None:
        return text if change is not Change.NEW else f"{text}; edges were not recorded in both runs"
    edges = comparison.edges[change]
    return f"{text}; {_counted(len(edges), 'edge')}{_example(edges)}"


def _counted(number: int, word: str) -> str:
    return f"{number or 'no'} {word}{'' if number == 1 else 's'}"


def _named(moved: Sequence[Moved]) -> str:
    """`NET-2, HOST-1 and 3 more`; those whose change is not the usual one say what it was."""
    names = [
        f"{one.name} ({one.before} → {one.now})" if one.before in ("not judged", "error", "not-proved") else one.name
        for one in moved
    ]
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def _example(edges: Sequence[Moved]) -> str:
    if not edges:
        return ""
    first = edges[0]
    moved = first.now if first.before == first.now else f"{first.before} → {first.now}"
    return f"{_shared(edges)}, {'such as ' if len(edges) > 1 else ''}{first.name} ({moved})"


def _shared(edges: Sequence[Moved]) -> str:
    """The node that several edges have in common, when it is one end of all of them."""
    if len(edges) < 2:
        return ""
    for side, word in ((0, "from"), (1, "to")):
        nodes = {edge.ends[side] for edge in edges}
        if len(nodes) == 1:
            return f", all {word} {nodes.pop()}"
    counted = Counter(node for edge in edges for node in set(edge.ends))
    common = [node for node, number in counted.items() if number == len(edges)]
    return f", all from or to {common[0]}" if len(common) == 1 else ""


def summarized(comparison: Comparison) -> dict[str, Any]:
    """The comparison as verdict.json has it (reports.document.Baseline)."""
    document = comparison.earlier.document
    return {
        "run": comparison.earlier.name,
        "started": document["started"],
        "revision": document["flatnet"]["revision"],
        "verdict": document["verdict"],
        "requirements": {change.value: [moved.name for moved in comparison.requirements[change]] for change in Change},
        "edges": None
        if comparison.edges is None
        else {change.value: len(comparison.edges[change]) for change in Change},
        "catalogue": list(comparison.catalogue),
    }
