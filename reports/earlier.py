"""Earlier runs, as `--baseline` and `--history` read them: what they left on disk, and on which cluster they ran."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from .document import SCHEMA, Cluster, Flatnet
from .reading import describe_first

VERDICT, EDGES, RUNS = "verdict.json", "edges.json", "runs"
EDGES_SCHEMA = 1
"""The schema of edges.json that comparisons can read."""


_EDGE_KEYS = ("from", "to", "what", "expected", "outcome")
"""Keys of an entry of edges.json whose values are texts; `holds` is true, false, or null when it was not proved."""


class _Entry(TypedDict):
    level: Literal["must", "should"]
    status: Literal["pass", "fail", "not-proved", "not-applicable", "known-issue", "error"]
    reason: str


class _Document(TypedDict):
    """What is read of an earlier verdict.json. Keys that were added to the schema later may be missing."""

    flatnet: Flatnet
    verdict: Literal["conformant", "not-conformant", "not-proved", "error"]
    cluster: Cluster
    started: str
    requirements: dict[str, _Entry]


class EarlierError(ValueError):
    """An earlier run cannot be compared with; the message is one line: where, what is wrong, what to do."""


@dataclass(frozen=True)
class Earlier:
    """A run that has ended."""

    name: str
    """The name of its folder, or of its file."""
    document: Mapping[str, Any]
    """Its verdict.json (reports.document.Document), as that version of Flatnet wrote it."""
    edges: Sequence[Mapping[str, Any]] | None = None
    """The entries of its edges.json; None when it left none."""


def read(place: Path) -> Earlier:
    """The run of a verdict.json, or of the folder that holds one. Raises EarlierError."""
    if not place.exists():
        raise EarlierError(f"{place}: no such file; give the path of one, or leave it out")
    file = place / VERDICT if place.is_dir() else place
    if not file.exists():
        raise EarlierError(f"{place}: has no {VERDICT}: that run came to no verdict; give the folder of another run")
    document = _mapping(file)
    number = document.get("schema")
    if number != SCHEMA:
        said = (
            f"is of schema {number!r:.40}" if "schema" in document else "names no schema, so it is not a verdict.json"
        )
        raise EarlierError(f"{file}: {said}; this Flatnet compares with schema {SCHEMA}, give a verdict of that")
    try:
        TypeAdapter(_Document).validate_python(document)
    except ValidationError as error:
        said = describe_first(error).rpartition(";")[0]
        raise EarlierError(f"{file}: is damaged: {said}; give the {VERDICT} of another run") from None
    beside = file.with_name(EDGES)
    name = file.resolve().parent.name if file.name == VERDICT else file.name
    return Earlier(name, document, read_edges(beside) if beside.exists() else None)


def read_edges(file: Path) -> list[dict[str, Any]]:
    """The entries of an edges.json. Raises EarlierError."""
    content = _mapping(file)
    if content.get("schema") != EDGES_SCHEMA:
        raise EarlierError(
            f"{file}: is of schema {content.get('schema')!r:.40}; this Flatnet reads {EDGES_SCHEMA}, give another run"
        )
    edges = content.get("edges")
    if not isinstance(edges, list) or not all(_is_edge(edge) for edge in edges):
        raise EarlierError(f"{file}: is damaged: `edges` is not a list of edges; give another run")
    return edges


def _is_edge(edge: object) -> bool:
    return (
        isinstance(edge, dict)
        and all(isinstance(edge.get(key), str) for key in _EDGE_KEYS)
        and edge.get("holds", "") in (True, False, None)
    )


def _mapping(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise EarlierError(f"{file}: cannot be read: {error.strerror}; check the path") from None
    except ValueError:  # not JSON, or not UTF-8
        raise EarlierError(f"{file}: is not JSON, or only a part of it; give the {VERDICT} of another run") from None
    if not isinstance(content, dict):
        raise EarlierError(f"{file}: is not a mapping; give the {VERDICT} of a run")
    return content


def is_history(place: Path) -> bool:
    """Whether a path is a folder of `--history`, rather than a run."""
    return place.is_dir() and not (place / VERDICT).exists() and (not any(place.iterdir()) or (place / RUNS).is_dir())


def kept(history: Path) -> tuple[list[Earlier], list[str]]:
    """(the runs of a history that can be read, the earliest first; a sentence for each that cannot)."""
    runs, unreadable = [], []
    for folder in sorted(place for place in (history / RUNS).glob("*") if not place.name.startswith(".")):
        try:
            runs.append(read(folder))
        except EarlierError as error:
            unreadable.append(str(error))
    return sorted(runs, key=lambda run: (run.document["started"], run.name)), unreadable


def other_cluster(now: Mapping[str, Any], before: Mapping[str, Any]) -> str | None:
    """Why two clusters (verdict.json's `cluster`) are not the same one; None when they are.

    Labs have no name that lasts, so they are told apart by overlay and nodes; clusters of files by name and overlay.
    Versions may differ: what an upgrade changed is what a comparison is for.
    """
    if not before:
        return "never reached its cluster"
    for key, word in (("kind", "kind"), ("overlay", "overlay")):
        if now.get(key) != before.get(key):
            return f"is of another cluster ({word} {before.get(key, '?')}, here {now.get(key, '?')})"
    if now.get("kind") == "cluster":
        if now.get("name") != before.get("name"):
            return f"is of another cluster ({before.get('name', '?')}, here {now.get('name', '?')})"
        return None
    mine, theirs = sorted(now.get("nodes", ())), sorted(before.get("nodes", ()))
    return None if mine == theirs else f"is of another lab ({', '.join(theirs)}; here {', '.join(mine)})"


def latest_of(runs: Iterable[Earlier], cluster: Mapping[str, Any]) -> Earlier | None:
    """The latest run on a cluster that came to an end without an error of the instrument."""
    fitting = [
        run
        for run in runs
        if other_cluster(cluster, run.document["cluster"]) is None and run.document["verdict"] != "error"
    ]
    return fitting[-1] if fitting else None
