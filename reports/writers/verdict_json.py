"""verdict.json: the verdict for programs (reports/document.py has its keys, reports/verdict.schema.json its schema)."""

from __future__ import annotations

import json

from reports.report import Report


def write(report: Report) -> None:
    """Write verdict.json into the run's folder."""
    text = json.dumps(report.document, indent=1) + "\n"
    (report.folder / "verdict.json").write_text(text, encoding="utf-8")
