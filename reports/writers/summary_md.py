"""summary.md: the verdict as one table, to paste into a merge request."""

from __future__ import annotations

from collections.abc import Sequence

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
        *_since(report.since),
        "| requirement | level | status | tests | |",
        "|---|---|---|---|---|",
        *[_row(result) for result in report.verdict.requirements],
    ]
    if report.trend:
        lines += ["", "## History", "", *[f"- {line}" for line in report.trend]]
    return "\n".join(lines) + "\n"


def _since(lines: Sequence[str]) -> list[str]:
    """The comparison with the baseline: its first line as a heading, the others as a list."""
    if not lines:
        return []
    words = [line.partition(":") for line in lines[1:]]
    return [f"## {lines[0].capitalize()}", "", *[f"- **{head}**: {text.strip()}" for head, _, text in words], ""]


def _row(result: RequirementResult) -> str:
    text = (result.reason or result.requirement.statement).replace("|", "\\|").replace("\n", " ")
    return (
        f"| {result.requirement.id} | {result.requirement.level} | {SYMBOLS[result.status]} {result.status.value} "
        f"| {result.passed}/{result.planned} | {text[:LONGEST_REASON]} |"
    )
