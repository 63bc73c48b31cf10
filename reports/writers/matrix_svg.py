"""matrix.svg: who reached whom, by which transport, as a picture."""

from __future__ import annotations

from reports.pictures.matrix import draw
from reports.report import Report


def write(report: Report) -> None:
    """Write the largest mesh of the run as matrix.svg into its folder; no file when no test made a mesh."""
    if report.matrices:
        nodeid, edges = max(report.matrices, key=lambda matrix: len(matrix[1]))
        (report.folder / "matrix.svg").write_text(draw(edges, title=f"Who reached whom: {nodeid}"), encoding="utf-8")
