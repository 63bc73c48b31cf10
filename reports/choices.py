"""What was asked of a run, read from its options: files are read and judged before anything is made."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from .earlier import Earlier, EarlierError, is_history, kept, latest_of, other_cluster, read
from .gate import refusal
from .history import KEEP, History
from .known_issues import KnownIssue
from .known_issues import load as load_known_issues
from .model import Requirement


@dataclass(frozen=True)
class Choices:
    """The options of a run that its verdict follows from."""

    gate: bool = False
    disruptive: bool = True
    known: tuple[KnownIssue, ...] = ()
    baseline: Path | None = None
    earlier: Sequence[Earlier] = ()
    """The run that `--baseline` names, or all of its history."""
    history: History | None = None

    def baseline_for(self, cluster: Mapping[str, Any]) -> Earlier | None:
        """The run to compare with on a cluster; None when none is asked for, or a history has none of this cluster yet.

        Raises EarlierError when the run that was named is of another cluster.
        """
        if self.baseline is None:
            return None
        if is_history(self.baseline):
            return latest_of(self.earlier, cluster)
        other = other_cluster(cluster, self.earlier[0].document["cluster"])
        if other is not None:
            raise EarlierError(f"--baseline {self.baseline}: {other}; give a run of this cluster")
        return self.earlier[0]


def choose(option: Any, arguments: Sequence[str], root: Path, requirements: Mapping[str, Requirement]) -> Choices:
    """The choices of a run in the checkout `root`. Raises ValueError, one line. `option` is pytest's namespace."""
    if sys.flags.optimize:
        raise ValueError("Python leaves assertions out, so nothing could fail; run it without -O and PYTHONOPTIMIZE")
    history = _history(option)
    known, baseline = getattr(option, "known_issues", None), getattr(option, "baseline", None)
    accepted = load_known_issues(known, date.today()) if known else ()
    try:
        earlier = () if baseline is None else tuple(kept(baseline)[0]) if is_history(baseline) else (read(baseline),)
    except EarlierError as error:
        raise EarlierError(f"--baseline {error}") from None
    gate = bool(getattr(option, "gate", False))
    refused = refusal(option, arguments, os.environ, root, requirements) if gate else None
    if refused is not None:
        raise ValueError(refused)
    return Choices(
        gate=gate,
        disruptive=getattr(option, "disruptive", None) is not False,
        known=accepted,
        baseline=baseline,
        earlier=earlier,
        history=history,
    )


def _history(option: Any) -> History | None:
    folder, keep = getattr(option, "history", None), getattr(option, "history_keep", None)
    if folder is None:
        return None
    if keep is not None and (not keep.isdecimal() or int(keep) < 1):
        raise ValueError(f"--history-keep {keep}: is not a number of runs; write one such as {KEEP}")
    history = History(folder.absolute(), KEEP if keep is None else int(keep))
    try:
        history.prepare()
    except OSError as error:
        raise ValueError(f"--history {folder}: {error.strerror}; choose a folder that you may write to") from None
    return history
