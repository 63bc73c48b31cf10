"""A finished run, as the writers of reports/writers get it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .causes import Explanation
from .compare import Comparison, lines
from .edges import Findings
from .model import Requirement, TestResult, Verdict

NO_FINDINGS, NOTHING_TO_EXPLAIN = Findings(), Explanation()


@dataclass(frozen=True)
class Report:
    """Everything that is known of a finished run. Writers read it at the same time, and change nothing in it."""

    folder: Path
    """The run's folder; it exists."""
    allure_results: Path
    """The folder of Allure's results."""
    document: Mapping[str, Any]
    """The content of verdict.json (reports.document.Document)."""
    verdict: Verdict
    requirements: Mapping[str, Requirement]
    """{id: Requirement}: all of them, those too that were not judged."""
    results: Sequence[TestResult] = ()
    matrices: Sequence[tuple[str, Sequence[Mapping[str, Any]]]] = ()
    """(test id, edges) of every mesh; an edge has source, destination, transport, outcome."""
    findings: Findings = NO_FINDINGS
    """What the tests judged, edge by edge."""
    explanation: Explanation = NOTHING_TO_EXPLAIN
    """The causes of what failed."""
    comparison: Comparison | None = None
    """This run beside its baseline."""
    trend: Sequence[str] = ()
    """Lines about the runs of this cluster (`--history`), this one being the last."""
    options: Sequence[str] = ()
    """The arguments of the command line."""
    allure_history: Path | None = None
    """Allure's own file of earlier runs, to which this one is added; None: the report shows no earlier run."""

    @property
    def since(self) -> list[str]:
        """The comparison with the baseline as lines; empty when there is none."""
        return [] if self.comparison is None else lines(self.comparison)


class WriterError(Exception):
    """A format could not be written as it should be; the message says what is there instead, and why."""
