"""The folder of `--history`: what it keeps of each run, and for how long.

    runs/<run>/verdict.json, edges.json, summary.md     of each run; what comparisons and trends read
    allure.jsonl                                        of the latest runs; what index.html shows of each test's past

A run is written under another name and renamed when it is whole, so a run that was killed leaves none.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .earlier import EDGES, RUNS, VERDICT, Earlier, kept, other_cluster
from .trend import lines, trend

KEEP = 90
"""Runs that are kept of each cluster unless `--history-keep` says otherwise: a quarter of nights."""
_FILES = (VERDICT, EDGES, "summary.md")
_DRAFT = "."
"""What the name of a run begins with until it is whole."""


@dataclass(frozen=True)
class History:
    """A folder of earlier runs."""

    folder: Path
    keep: int = KEEP

    @property
    def allure(self) -> Path:
        """Allure's own file of earlier runs (reports/page/allure_history.py)."""
        return self.folder / "allure.jsonl"

    def prepare(self) -> None:
        """Make the folder. Raises OSError when it cannot be written."""
        (self.folder / RUNS).mkdir(parents=True, exist_ok=True)

    def told(self, document: Mapping[str, Any]) -> list[str]:
        """Lines about the runs of the document's cluster, that run being the last of them."""
        if not document["cluster"]:
            return ["this run never reached its cluster, so it is not compared with others"]
        runs = kept(self.folder)[0]
        same = [run.document for run in runs if other_cluster(document["cluster"], run.document["cluster"]) is None]
        lost = sum(not run.document["cluster"] for run in runs)
        return lines(trend([*same, document])) + ([f"{lost} kept runs never reached their cluster"] if lost else [])

    def keep_run(self, run: Path) -> list[str]:
        """Keep the run in the folder `run`, and remove what is too old; sentences about what went wrong."""
        try:
            return self._keep(run)
        except OSError as error:
            return [f"history {self.folder}: this run was not kept: {error.strerror}; make room, or allow writing"]

    def _keep(self, run: Path) -> list[str]:
        draft = self.folder / RUNS / f"{_DRAFT}{run.name}"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        for name in _FILES:
            if (run / name).exists():
                shutil.copyfile(run / name, draft / name)
        draft.rename(draft.with_name(run.name))
        runs, unreadable = kept(self.folder)
        for old in too_old(runs, self.keep):
            shutil.rmtree(self.folder / RUNS / old.name, ignore_errors=True)
        return [f"history: {sentence.rpartition(';')[0]}; remove it" for sentence in unreadable]


def too_old(runs: Sequence[Earlier], keep: int) -> list[Earlier]:
    """Of the runs, the earliest first, those that are not among the latest `keep` of their cluster."""
    found, left = [], list(runs)
    while left:
        cluster = left[-1].document["cluster"]
        same = [run for run in left if not (cluster and other_cluster(cluster, run.document["cluster"]))
                and bool(run.document["cluster"]) is bool(cluster)]  # fmt: skip
        found += same[:-keep]
        left = [run for run in left if run not in same]
    return found
