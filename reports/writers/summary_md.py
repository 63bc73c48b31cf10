"""summary.md: the verdict as one table, to paste into a merge request."""

from __future__ import annotations

from reports.document import name_and_version, seed
from reports.model import SYMBOLS, RequirementResult
from reports.report import Report

LONGEST_REASON = 200
"""Characters."""


def write(report: Report) -> None:
    """Write summary.md into the run's folder."""
    (report.folder / "summary.md").write_text(summary(report), encoding="utf-8")


def summary(report: Report) -> str:
    """The text of summary.md."""
    data = report.document
    cluster = data["cluster"]
    lines = [
        f"# {name_and_version(data)}: {data['verdict']}",
        "",
        f"Cluster `{cluster.get('name', '?')}` ({cluster.get('kind', '?')}, overlay {cluster.get('overlay', '?')}, "
        f"{len(cluster.get('nodes', ()))} nodes), {data['started']}, {data['duration_s']:.0f} s, "
        f"{data['probes']['sent']} probes{seed(data)}.",
        "",
        "| requirement | level | status | tests | |",
        "|---|---|---|---|---|",
        *[_row(result) for result in report.verdict.requirements],
    ]
    if report.worse:
        lines += ["", "## Worse than the baseline", "", *[f"- {line}" for line in report.worse]]
    return "\n".join(lines) + "\n"


def _row(result: RequirementResult) -> str:
    text = (result.reason or result.requirement.statement).replace("|", "\\|").replace("\n", " ")
    return (
        f"| {result.requirement.id} | {result.requirement.level} | {SYMBOLS[result.status]} {result.status.value} "
        f"| {result.passed}/{result.planned} | {text[:LONGEST_REASON]} |"
    )
