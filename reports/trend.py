"""What several runs of one cluster show: how they ended, and which requirements change by themselves. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from .model import SYMBOLS, Status

SHOWN = 14
"""The latest runs that a line shows, one character each: two weeks of nights."""
MOST_FLAKY = 5
"""Requirements that are listed, those that changed most often first."""
_VERDICTS = {"conformant": "✓", "not-conformant": "✗", "not-proved": "?", "error": "!"}
_JUDGED = (Status.PASS, Status.FAIL, Status.NOT_PROVED, Status.ERROR)
"""Statuses between which a requirement can change by itself; a declaration changes the others."""

Document = Mapping[str, Any]
"""The content of a verdict.json."""


@dataclass(frozen=True)
class Flaky:
    """A requirement that left its status and came back, while revision and cluster stayed the same."""

    requirement: str
    statuses: tuple[Status, ...]
    """In the runs of one revision on one cluster, the earliest first."""
    changes: int


@dataclass(frozen=True)
class Trend:
    """The runs of a cluster, the earliest first, this one included."""

    started: tuple[str, ...]
    verdicts: tuple[str, ...]
    flaky: tuple[Flaky, ...]


def trend(documents: Sequence[Document]) -> Trend:
    """The trend of runs of one cluster, the earliest first."""
    return Trend(
        started=tuple(str(document["started"]) for document in documents),
        verdicts=tuple(str(document["verdict"]) for document in documents),
        flaky=tuple(_flaky(documents)),
    )


def _flaky(documents: Sequence[Document]) -> list[Flaky]:
    found = []
    stretch = list(_latest_stretch(documents))
    for name in dict.fromkeys(name for document in stretch for name in document["requirements"]):
        entries = [document["requirements"][name]["status"] for document in stretch if name in document["requirements"]]
        statuses = tuple(Status(status) for status in entries if status in _JUDGED)
        changes = sum(before is not after for before, after in pairwise(statuses))
        if changes > 1:  # one change is what a run is made for: something broke, or was repaired
            found.append(Flaky(name, statuses, changes))
    return sorted(found, key=lambda flaky: -flaky.changes)


def _latest_stretch(documents: Sequence[Document]) -> Iterator[Document]:
    """The runs of the same revision, cluster and faults as the last one. Of an edited checkout there is only that."""
    if not documents:
        return
    wanted = _conditions(documents[-1])
    for document in documents[:-1]:
        if wanted[0] is not None and _conditions(document) == wanted:
            yield document
    yield documents[-1]


def _conditions(document: Document) -> tuple[Any, ...]:
    revision, cluster = document["flatnet"]["revision"], document["cluster"]
    same_code = None if revision is None or revision.endswith("-dirty") else revision
    return same_code, cluster.get("nodes"), cluster.get("versions"), sorted(cluster.get("faults", ()))


def lines(found: Trend) -> list[str]:
    """The trend in a line, and a line for each of the flakiest requirements."""
    if len(found.verdicts) < 2:
        return ["the first run of this cluster that is kept"]
    counts = ", ".join(f"{number} {verdict}" for verdict, number in Counter(found.verdicts).most_common())
    marks = "".join(_VERDICTS[verdict] for verdict in found.verdicts[-SHOWN:])
    said = [f"{len(found.verdicts)} runs since {found.started[0][:10]}: {counts}; the latest: {marks}"]
    for flaky in found.flaky[:MOST_FLAKY]:
        shown = "".join(SYMBOLS[status] for status in flaky.statuses[-SHOWN:])
        said.append(
            f"flaky: {flaky.requirement} changed {flaky.changes} times in {len(flaky.statuses)} runs of the same "
            f"revision and cluster: {shown}"
        )
    if len(found.flaky) > MOST_FLAKY:
        said.append(f"flaky: {len(found.flaky) - MOST_FLAKY} more requirements")
    return said
