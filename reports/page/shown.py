"""The tests of Allure's report: what each is called there, where its page is, and what is attached to it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NODEID = "nodeid"
"""Name of the label that holds pytest's id of the test. Allure's own `fullName` does not tell parameters apart."""


@dataclass(frozen=True)
class Attached:
    """A file that is attached to a test."""

    name: str
    kind: str
    """Its media type, such as `image/svg+xml`."""
    place: Path


@dataclass(frozen=True)
class Shown:
    """A test, as Allure's report shows it."""

    nodeid: str
    title: str
    status: str
    """Allure's: passed, failed, broken or skipped."""
    anchor: str
    """The fragment of the address at which the report shows it."""
    attached: Sequence[Attached] = ()


def read_shown(results: Path) -> dict[str, Shown]:
    """{test id: test} of a folder of Allure's results; a file that is cut off is left out."""
    found = {}
    for place in sorted(results.glob("*-result.json")):
        try:
            made = _shown(json.loads(place.read_text(encoding="utf-8")), results)
        except (ValueError, KeyError):  # the process that wrote it was killed
            continue
        found[made.nodeid] = made
    return found


def _shown(data: Mapping[str, Any], results: Path) -> Shown:
    labels = {label["name"]: label["value"] for label in data.get("labels", ())}
    # Allure's page of a test is named after the MD5 of the UUID in its result.
    anchor = hashlib.md5(data["uuid"].encode(), usedforsecurity=False).hexdigest()
    return Shown(
        nodeid=labels.get(NODEID, data["name"]),
        title=data["name"],
        status=data.get("status", "unknown"),
        anchor=anchor,
        attached=tuple(_attached(data, results)),
    )


def _attached(data: Mapping[str, Any], results: Path) -> Iterator[Attached]:
    """Everything that is attached to a test or to a step of it, in the order in which it was."""
    for step in data.get("steps") or ():
        yield from _attached(step, results)
    for each in data.get("attachments") or ():
        yield Attached(each["name"], each["type"], results / each["source"])
