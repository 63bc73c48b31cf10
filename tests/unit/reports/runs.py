"""Earlier runs as data: documents of verdict.json and edges, for the tests of baseline and history."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LAB = {
    "name": "run-1",
    "kind": "embedded",
    "overlay": "vxlan",
    "nodes": {"u1": "192.168.56.3", "u2": "192.168.56.4"},
    "versions": {"u1": "Docker 20.10", "u2": "Docker 20.10"},
}
SITE = {**LAB, "name": "staging", "kind": "cluster"}


def entry(status: str, level: str = "must", reason: str = "") -> dict[str, Any]:
    return {
        "level": level, "status": status, "planned": 1, "passed": 1, "failed": 0, "errors": 0, "reason": reason,
        "tests": [],
    }  # fmt: skip


def document(
    statuses: Mapping[str, str] | None = None,
    *,
    verdict: str = "conformant",
    day: int = 26,
    revision: str | None = "2fa19c2",
    cluster: Mapping[str, Any] = LAB,
) -> dict[str, Any]:
    """The content of a verdict.json."""
    return {
        "schema": 1,
        "flatnet": {"version": "0.9.0", "revision": revision},
        "verdict": verdict,
        "exit_code": 0,
        "cluster": dict(cluster),
        "started": f"2026-11-{day:02}T02:17:31+00:00",
        "duration_s": 90.0,
        "seed": 1,
        "requirements": {name: entry(status) for name, status in (statuses or {}).items()},
        "probes": {"sent": 0},
    }


def edge(
    holds: bool | None, outcome: str = "answered", source: str = "u1/a1", to: str = "u2/a2", what: str = "icmp"
) -> dict[str, Any]:
    return {
        "from": source, "to": to, "what": what, "expected": "answered", "outcome": outcome, "holds": holds,
        "requirement": ["NET-1"],
    }  # fmt: skip


def write(folder: Path, content: Mapping[str, Any], edges: Sequence[Mapping[str, Any]] | None = None) -> Path:
    """A run's folder with its verdict.json and edges.json."""
    folder.mkdir(parents=True)
    (folder / "verdict.json").write_text(json.dumps(content))
    if edges is not None:
        (folder / "edges.json").write_text(json.dumps({"schema": 1, "edges": list(edges)}))
    return folder
