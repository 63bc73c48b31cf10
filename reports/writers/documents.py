"""The files of a run: verdict.json, summary.md, and what Allure wants to know of the whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reports.model import Status, Verdict

SYMBOLS = {
    Status.PASS: "✓",
    Status.FAIL: "✗",
    Status.ERROR: "!",
    Status.NOT_PROVED: "?",
    Status.NOT_APPLICABLE: "-",
    Status.KNOWN_ISSUE: "k",
}


def document(verdict: Verdict, cluster: Mapping[str, Any], started: str, duration_s: float) -> dict[str, Any]:
    """verdict.json; its keys are DESIGN §8's and others rely on them."""
    return {
        "verdict": verdict.verdict,
        "exit_code": verdict.exit_code,
        "cluster": dict(cluster),
        "started": started,
        "duration_s": round(duration_s, 2),
        "requirements": {
            one.requirement.id: {
                "level": one.requirement.level,
                "status": one.status.value,
                "planned": one.planned,
                "passed": one.passed,
                "failed": one.failed,
                "errors": one.errors,
                "reason": one.reason,
                "tests": list(one.tests),
            }
            for one in verdict.requirements
        },
        "probes": {"sent": sum(verdict.probes.values()), **dict(sorted(verdict.probes.items()))},
    }


def regressions(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    """Requirements that passed in the baseline and do not now, in words."""
    lines = []
    for name, entry in now["requirements"].items():
        was = before.get("requirements", {}).get(name, {}).get("status")
        if was == "pass" and entry["status"] != "pass":
            lines.append(f"{name}: pass → {entry['status']}: {entry['reason']}")
    return lines


def summary(verdict: Verdict, data: Mapping[str, Any], worse: list[str]) -> str:
    """summary.md: a page for a merge request."""
    cluster = data["cluster"]
    lines = [
        f"# Flatnet: {verdict.verdict}",
        "",
        f"Cluster `{cluster.get('name', '?')}` ({cluster.get('kind', '?')}, overlay {cluster.get('overlay', '?')}, "
        f"{len(cluster.get('nodes', ()))} nodes), {data['started']}, {data['duration_s']:.0f} s, "
        f"{data['probes']['sent']} probes.",
        "",
        "| requirement | level | status | tests | |",
        "|---|---|---|---|---|",
    ]
    for one in verdict.requirements:
        reason = (one.reason or one.requirement.statement).replace("|", "\\|").replace("\n", " ")
        lines.append(
            f"| {one.requirement.id} | {one.requirement.level} | {SYMBOLS[one.status]} {one.status.value} "
            f"| {one.passed}/{one.planned} | {reason[:200]} |"
        )
    if worse:
        lines += ["", "## Worse than the baseline", "", *[f"- {line}" for line in worse]]
    return "\n".join(lines) + "\n"


def write_allure_facts(results: Path, cluster: Mapping[str, Any]) -> None:
    """environment.properties and categories.json beside Allure's results."""
    results.mkdir(parents=True, exist_ok=True)
    facts = {
        "cluster": cluster.get("name", "?"),
        "kind": cluster.get("kind", "?"),
        "overlay": cluster.get("overlay", "?"),
        "nodes": ", ".join(f"{name} {address}" for name, address in cluster.get("nodes", {}).items()),
        "versions": ", ".join(f"{name}: {text}" for name, text in cluster.get("versions", {}).items()),
    }
    (results / "environment.properties").write_text("".join(f"{key} = {value}\n" for key, value in facts.items()))
    categories = [
        {"name": "Requirement violated", "matchedStatuses": ["failed"]},
        {"name": "Not proved", "matchedStatuses": ["broken"], "messageRegex": r"(?s).*NotProved.*"},
        {"name": "Instrument failed", "matchedStatuses": ["broken"]},
    ]
    (results / "categories.json").write_text(json.dumps(categories, indent=1))
