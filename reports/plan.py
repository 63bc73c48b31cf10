"""The plan of a run: which tests were collected, and what they are to prove."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .requirements import SUITES

_FILE = "planned.json"


@dataclass(frozen=True)
class Plan:
    """Everything that was collected. Tests that -k and the like leave out are planned all the same, and not run."""

    selected: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """{test id: requirement ids}"""
    deselected: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """{test id: requirement ids}"""
    disturbing: Collection[str] = ()
    """Ids of the deselected tests that disturb the cluster."""
    elsewhere: Collection[str] = ()
    """Ids of the deselected tests that belong to their requirements on other clusters only."""

    def counts(self, *, disruptive: bool) -> Counter[str]:
        """{requirement id: tests planned}; without `disruptive`, tests that disturb the cluster are not planned."""
        left_out = [
            ids
            for test, ids in self.deselected.items()
            if test not in self.elsewhere and (disruptive or test not in self.disturbing)
        ]
        return Counter(requirement for ids in (*self.selected.values(), *left_out) for requirement in ids)

    def suites(self) -> frozenset[str]:
        """The folders of suites/ that tests were collected from."""
        parts = [nodeid.split("::")[0].split("/") for nodeid in (*self.selected, *self.deselected)]
        return frozenset(folders[1] for folders in parts if folders[0] == SUITES and len(folders) > 2)

    def write(self, folder: Path) -> None:
        """Write the plan into the run's folder, all at once: several workers write the same one."""
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f"{_FILE}.{os.getpid()}"
        kept = {**asdict(self), "disturbing": list(self.disturbing), "elsewhere": list(self.elsewhere)}
        draft.write_text(json.dumps(kept), encoding="utf-8")
        draft.rename(folder / _FILE)


def read_plan(folder: Path) -> Plan:
    """The plan that `Plan.write` left in the run's folder; an empty one when nothing was collected."""
    place = folder / _FILE
    return Plan(**json.loads(place.read_text(encoding="utf-8"))) if place.exists() else Plan()
