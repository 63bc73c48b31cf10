"""verdict.json: its keys and types, how it is built, and the JSON schema that describes it.

`python -m reports.document` writes the schema, reports/verdict.schema.json.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter
from typing_extensions import TypedDict  # pydantic reads typing's own from Python 3.12 on only

from .model import Status, Verdict

SCHEMA = 1
"""Goes up when a key of verdict.json goes, or changes its meaning; keys may be added without."""
SCHEMA_FILE = Path(__file__).with_name("verdict.schema.json")


class Flatnet(TypedDict):
    """The version of Flatnet that ran."""

    version: str
    revision: str | None
    """Of the git checkout (git describe --always --dirty); null outside one."""


class Cluster(TypedDict, total=False):
    """The cluster that was tested. No key is there when it was never reached."""

    name: str
    kind: Literal["embedded", "cluster"]
    overlay: str
    nodes: dict[str, str]
    """{node: address}"""
    versions: dict[str, str]
    """{node: version of its Docker engine}"""
    kernels: dict[str, str]
    """{node: name and release of its kernel}"""
    systems: dict[str, str]
    """{node: the release of its userland, according to os-release(5)}"""
    consul: dict[str, str]
    """{node: version of the program there}; nodes on which the program is not found are left out, as for `nomad`."""
    nomad: dict[str, str]


class RequirementEntry(TypedDict):
    """What the run established about one requirement. The numbers count tests."""

    level: Literal["must", "should"]
    status: Literal["pass", "fail", "not-proved", "not-applicable", "known-issue", "error"]
    planned: int
    passed: int
    failed: int
    errors: int
    reason: str
    tests: list[str]


class Document(TypedDict):
    """verdict.json (DESIGN §8)."""

    schema: int
    flatnet: Flatnet
    verdict: Literal["conformant", "not-conformant", "not-proved", "error"]
    exit_code: int
    cluster: Cluster
    started: str
    """ISO 8601, in UTC."""
    duration_s: float
    seed: int | None
    """What the run drew at random, it drew from this number; `--seed` gives it. null: the cluster was never reached."""
    requirements: dict[str, RequirementEntry]
    probes: dict[str, int]
    """{outcome of a probe: number of probes}, and their sum as `sent`."""


def document(
    verdict: Verdict,
    *,
    flatnet: Mapping[str, Any],
    cluster: Mapping[str, Any],
    started: str,
    duration_s: float,
    seed: int | None = None,
) -> dict[str, Any]:
    """The content of verdict.json; `Document` names its keys."""
    return {
        "schema": SCHEMA,
        "flatnet": dict(flatnet),
        "verdict": verdict.verdict,
        "exit_code": verdict.exit_code,
        "cluster": dict(cluster),
        "started": started,
        "duration_s": round(duration_s, 2),
        "seed": seed,
        "requirements": {
            result.requirement.id: {
                "level": result.requirement.level,
                "status": result.status.value,
                "planned": result.planned,
                "passed": result.passed,
                "failed": result.failed,
                "errors": result.errors,
                "reason": result.reason,
                "tests": list(result.tests),
            }
            for result in verdict.requirements
        },
        "probes": {"sent": sum(verdict.probes.values()), **dict(sorted(verdict.probes.items()))},
    }


def read_baseline(path: Path) -> dict[str, Any]:
    """An earlier verdict.json, of any version. Raises OSError, or ValueError when it is not one."""
    earlier = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(earlier, dict) or not isinstance(earlier.get("requirements", {}), dict):
        raise ValueError("is not a verdict.json; give the one of an earlier run")
    return earlier


def regressions(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    """A line for each requirement that passed in the earlier document and does not pass in this one."""
    earlier = before.get("requirements", {})
    return [
        f"{requirement}: pass → {entry['status']}: {entry['reason']}"
        for requirement, entry in now["requirements"].items()
        if earlier.get(requirement, {}).get("status") == Status.PASS and entry["status"] != Status.PASS
    ]


def name_and_version(data: Mapping[str, Any]) -> str:
    """`Flatnet 0.9.0 (2fa19c2)`, from a document."""
    flatnet = data["flatnet"]
    revision = f" ({flatnet['revision']})" if flatnet["revision"] else ""
    return f"Flatnet {flatnet['version']}{revision}"


def seed(data: Mapping[str, Any]) -> str:
    """`, seed 4711`, from a document; empty when there is none."""
    return "" if data.get("seed") is None else f", seed {data['seed']}"


def schema() -> str:
    """The JSON schema of verdict.json, as the text of its file."""
    made = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_without_titles(TypeAdapter(Document).json_schema()),
    }
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def _without_titles(value: Any) -> Any:
    """The schema without pydantic's titles, which repeat the keys."""
    if isinstance(value, dict):
        return {key: _without_titles(below) for key, below in value.items() if key != "title"}
    return [_without_titles(below) for below in value] if isinstance(value, list) else value


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema(), encoding="utf-8")
