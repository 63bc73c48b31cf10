"""summary.md: the causes of what failed, then the verdict as one table, to paste into a merge request."""

from __future__ import annotations

from collections.abc import Sequence

from reports.document import name_and_version, seed
from reports.model import SYMBOLS, RequirementResult
from reports.report import Report
from reports.terminal import MOST_CAUSES, cause_lines

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
        *_causes(report),
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
    return [
        f"## {lines[0][0].upper()}{lines[0][1:]}",
        "",
        *[f"- **{head}**: {text.strip()}" for head, _, text in words],
        "",
    ]


def _causes(report: Report) -> list[str]:
    """The causes as a numbered list; nothing when nothing failed."""
    causes, unexplained = report.explanation.causes, report.explanation.unexplained
    lines = ["", "## Causes", ""] if causes or unexplained else []
    for number, cause in enumerate(causes[:MOST_CAUSES], 1):
        guess = "a guess: " if cause.certainty == "guess" else ""
        lines.append(f"{number}. **{_one_line(f'{guess}{cause.text}')}**")
        lines += [f"   - {_one_line(line)}" for line in cause_lines(cause)]
    if len(causes) > MOST_CAUSES:
        lines.append(f"\nand {len(causes) - MOST_CAUSES} more causes")
    lines += [f"- unexplained: {_one_line(line)[:LONGEST_REASON]}" for line in unexplained[:MOST_CAUSES]]
    if len(unexplained) > MOST_CAUSES:
        lines.append(f"- and {len(unexplained) - MOST_CAUSES} unexplained")
    return lines


def _one_line(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return " ".join(text.replace("<", "&lt;").replace("*", "\\*").split())


def _row(result: RequirementResult) -> str:
    text = (result.reason or result.requirement.statement).replace("|", "\\|").replace("\n", " ")
    return (
        f"| {result.requirement.id} | {result.requirement.level} | {SYMBOLS[result.status]} {result.status.value} "
        f"| {result.passed}/{result.planned} | {text[:LONGEST_REASON]} |"
    )
