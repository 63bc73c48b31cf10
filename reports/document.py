"""verdict.json: its keys and types, how it is built, and the JSON schema that describes it.

`python -m reports.document` writes the schema, reports/verdict.schema.json.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import (
    Any,
    Literal,
    NotRequired,  # pydantic reads typing's own from Python 3.12 on only
)

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from .causes import Explanation
from .model import Verdict

SCHEMA = 1
"""Goes up when a key of verdict.json goes, or changes its meaning; keys may be added without."""
NOTHING_TO_EXPLAIN = Explanation()
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
    left_out: list[str]
    """Nodes that the run left out (`--without`): nothing is said of them. Not there where it left none out."""
    families: list[str]
    """Address families of its overlay, `IPv4` and `IPv6`; not there where it has IPv4 only."""
    pairs: str
    """Which pairs of containers were tried, in words."""
    versions: dict[str, str]
    """{node: version of its Docker engine}"""
    faults: list[str]
    """Faults that the run itself put into its lab (`--fault`)."""
    kernels: dict[str, str]
    """{node: name and release of its kernel}"""
    systems: dict[str, str]
    """{node: the release of its userland, according to os-release(5)}"""
    engines: dict[str, str]
    """{node: storage, control groups and security of its Docker engine, according to itself}"""
    inits: dict[str, str]
    """{node: name of its first process}, such as systemd."""
    cgroups: dict[str, str]
    """{node: v1 or v2}, the version of control groups that its engine finds."""
    consul: dict[str, str]
    """{node: version of the program there}; nodes on which the program is not found are left out, as for `nomad`."""
    nomad: dict[str, str]


class Catalogue(TypedDict):
    """The requirements that the run judged by."""

    sha256: str
    """Of what the whole catalogue asks for; two runs with the same one judged by the same requirements."""
    released: bool
    """Whether it is the one that was released with this Flatnet."""


class Baseline(TypedDict):
    """The earlier run that this one was compared with (`--baseline`)."""

    run: str
    started: str
    revision: str | None
    verdict: str
    requirements: dict[str, list[str]]
    """{`new`, `fixed`, `still`, `newly not proved`: requirement ids}"""
    edges: dict[str, int] | None
    """The same for edges, as numbers; null when one of the runs recorded none."""
    catalogue: list[str]
    """A sentence for each requirement that asks for less than in the earlier run."""


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


class CauseEntry(TypedDict):
    """What explains failed tests. What is not known is empty."""

    sentence: str
    certainty: Literal["seen", "inferred", "guess"]
    guess: bool
    where: str
    """Node, place and interface, for a person."""
    node: str
    peer: str
    """The other node, where it is between two."""
    hop: str
    """The interface where a packet was seen last, or first seen changed."""
    what: str
    how: str
    rule: str
    """The packet-filter rule, route or entry, where one was seen."""
    requirements: list[str]
    tests: list[str]
    """Failed tests that it explains."""
    unproved: int
    """How many tests prove nothing because of it."""
    evidence: list[str]
    against: list[str]
    """What speaks against it, and what else would have failed if it were something else."""
    command: str
    issue: str
    """A public issue where the pattern is known."""


class Document(TypedDict):
    """verdict.json (DESIGN §8)."""

    schema: int
    flatnet: Flatnet
    gate: NotRequired[bool]
    """Whether every `must` that applies had to be proved (`--gate`)."""
    catalogue: NotRequired[Catalogue]
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
    causes: list[CauseEntry]
    """Of what failed; the one that explains most is the first."""
    unexplained: list[str]
    """Failed tests that no cause explains, each with its reason."""
    baseline: NotRequired[Baseline | None]
    """null without `--baseline`, and when a history has no earlier run of the cluster."""


def document(
    verdict: Verdict,
    *,
    flatnet: Mapping[str, Any],
    cluster: Mapping[str, Any],
    started: str,
    duration_s: float,
    seed: int | None = None,
    gate: bool = False,
    catalogue: Mapping[str, Any] | None = None,
    explanation: Explanation = NOTHING_TO_EXPLAIN,
) -> dict[str, Any]:
    """The content of verdict.json; `Document` names its keys."""
    return {
        "schema": SCHEMA,
        "flatnet": dict(flatnet),
        "gate": gate,
        "catalogue": dict(catalogue or {"sha256": "", "released": False}),
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
        "causes": [cause.document() for cause in explanation.causes],
        "unexplained": list(explanation.unexplained),
        "baseline": None,
    }


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
