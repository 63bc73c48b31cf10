"""edges.json: every edge that a test judged, with what was expected and seen of it, so that runs can be compared."""

from __future__ import annotations

from reports.edges import edges_text
from reports.report import Report


def write(report: Report) -> None:
    """Write edges.json into the run's folder."""
    (report.folder / "edges.json").write_text(edges_text(report.findings.tests), encoding="utf-8")
