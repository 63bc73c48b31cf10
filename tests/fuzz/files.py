"""Surfaces: the files that people and earlier runs write."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from ruamel.yaml import YAML

from fixtures.existing.contract import load_contract
from lab.errors import InventoryError, UsageError
from lab.inventory import dump
from lab.inventory import load as load_cluster
from lab.overlays import adapter
from reports import compare, known_issues, requirements
from reports.earlier import EarlierError, kept, other_cluster, read, read_edges
from reports.trend import lines, trend

from .mutations import change_json, change_json_text, change_text
from .surface import Surface

ROOT = Path(__file__).resolve().parents[2]
SEEDS = Path(__file__).with_name("seeds")
KNOWN_ISSUES = """\
- requirement: NET-2
  tests: "suites/no_nat/test_addresses.py::*[u1/*"
  owner: jane
  expires: 2026-12-24
  link: https://tracker.example/NET-17
  reason: the uplink of u1 masquerades until it is replaced
- {requirement: DNS-4, owner: joe, expires: 2026-12-31, link: "#12", reason: Consul is upgraded then}
"""
CONTRACT = """\
rate: {per_target: 20, total: 200}
rules:
  - from: any
    to: {label: {app: shop}, node: u1}
    port: [5432, 8000-8010, 53/tcp]
    expect: reachable
"""


@cache
def folder() -> Path:
    """Where inputs are written, beside the files that cluster files name."""
    place = Path(tempfile.mkdtemp(prefix="flatnet-fuzz-"))
    for name in ("id", "known", "token", "flatnet", "known_hosts", "consul.token"):
        (place / name).write_text("x")
    return place


def written(name: str, content: str | bytes) -> Path:
    """The file of that name, with this content."""
    place = folder() / name
    data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    place.write_bytes(data)
    return place


def change_yaml(random: Random, text: str) -> str:
    """The text of a YAML document with changes of its values (written as JSON, which YAML is too), or of its text."""
    if random.random() < 0.5:
        return change_text(random, text)
    data = YAML(typ="safe", pure=True).load(text)
    return json.dumps(change_json(random, data), default=str)


def _yaml_files(name: str, texts: Sequence[str], load: Callable[[Path], object], error: type[Exception]) -> Surface:
    file = f"{name.replace(' ', '-')}.yaml"
    return Surface(
        name, texts, change_yaml, lambda text: load(written(file, text)), (error,), begins=str(folder() / file)
    )


def _load_cluster(path: Path) -> None:
    """As a run with --cluster does."""
    inventory = load_cluster(path)
    try:
        adapter(inventory)
    except UsageError as error:
        raise InventoryError(f"{path}: {error}") from None
    dump(inventory).encode()  # a run writes it into its folder


def _clusters() -> list[str]:
    """The example files, with keys that this folder holds; one that uses all ways to a node."""
    texts = [place.read_text() for place in sorted((ROOT / "lab" / "examples").glob("*.yaml"))]
    return [text.replace("~/.ssh/flatnet", "flatnet").replace("~/.ssh/known", "known") for text in texts] + [
        (SEEDS / "cluster.yaml").read_text()
    ]


def _earlier(documents: dict[str, Any]) -> None:
    """Read an earlier run as --baseline and --history do, and compare a run with it."""
    run = folder() / "history" / "runs" / "before"
    run.mkdir(parents=True, exist_ok=True)
    for name, text in documents.items():
        (run / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    now, edges = json.loads((SEEDS / "verdict.json").read_text()), read_edges(SEEDS / "edges.json")
    runs, _ = kept(folder() / "history")
    for found in runs:
        other_cluster(now["cluster"], found.document["cluster"])
    said = lines(trend([*(found.document for found in runs), now]))
    found = read(run)
    other_cluster(now["cluster"], found.document["cluster"])
    comparison = compare.compare(now, edges, found)
    said += [*compare.lines(comparison), json.dumps(compare.summarized(comparison))]
    "\n".join(said).encode()  # what is written into the report


def _change_earlier(random: Random, documents: dict[str, str]) -> dict[str, str]:
    name = random.choice(sorted(documents))
    return {**documents, name: change_json_text(random, documents[name])}


def surfaces() -> list[Surface]:
    """All of them."""
    today = date(2026, 11, 27)
    earlier = {name: (SEEDS / name).read_text() for name in ("verdict.json", "edges.json")}
    contracts = [(ROOT / "tests" / "drill" / "contract.yaml").read_text(), CONTRACT]
    return [
        _yaml_files("cluster file", _clusters(), _load_cluster, InventoryError),
        _yaml_files("contract", contracts, load_contract, UsageError),
        _yaml_files(
            "known issues",
            [KNOWN_ISSUES],
            lambda path: known_issues.load(path, today),
            known_issues.KnownIssuesError,
        ),
        _yaml_files(
            "catalogue",
            [(ROOT / "suites" / "catalogue.yaml").read_text()[:4000].rpartition("\n- id")[0]],
            requirements.load,
            requirements.RequirementsError,
        ),
        Surface("earlier run", [earlier], _change_earlier, _earlier, (EarlierError,), str(folder() / "history")),
    ]
