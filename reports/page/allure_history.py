"""Allure's own file of earlier runs, a JSON line each: lent to its generator as a copy, taken back when it is done.

A generator that is killed so leaves the file as it was. What the report does not show of an earlier run is left out: a
line of a run of 180 tests has 40 kB then, not 300.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

KEPT = 20
"""Runs that Allure shows of each test; Flatnet's own history (`--history-keep`) may be longer."""
_UNREAD = ("labels", "trace", "reportLinks")


def lend(history: Path, copy: Path) -> None:
    """Copy what can be read of the history, the latest KEPT runs but one, to the place that the generator is told."""
    lines = history.read_text(encoding="utf-8").splitlines() if history.exists() else []
    _write(copy, list(_readable(lines))[-(KEPT - 1) :])


def take_back(copy: Path, history: Path) -> None:
    """Replace the history by the generator's, to which this run was added. Raises OSError when it cannot be written."""
    runs = list(_readable(copy.read_text(encoding="utf-8").splitlines()))
    for run in runs:
        for result in run["testResults"].values():
            for key in _UNREAD:
                result.pop(key, None)
    history.parent.mkdir(parents=True, exist_ok=True)
    draft = history.with_name(f".{history.name}.{os.getpid()}")
    _write(draft, runs)
    draft.replace(history)


def _readable(lines: list[str]) -> Iterator[dict[str, Any]]:
    """The runs; a line that was cut off, or is not one of Allure's, is left out."""
    for line in lines:
        try:
            run = json.loads(line)
        except ValueError:
            continue
        if isinstance(run, dict) and isinstance(run.get("testResults"), dict):
            yield run


def _write(place: Path, runs: list[dict[str, Any]]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("".join(f"{json.dumps(run)}\n" for run in runs), encoding="utf-8")
