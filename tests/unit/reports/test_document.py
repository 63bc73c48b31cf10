"""verdict.json: its keys, and its published schema."""

from __future__ import annotations

import json

import pytest
from pydantic import TypeAdapter, ValidationError

from reports.document import (
    SCHEMA_FILE,
    Document,
    RequirementEntry,
    document,
    name_and_version,
    schema,
    seed,
)
from reports.model import Outcome, Requirement, RequirementResult, Status, Verdict
from tests.unit.reports.small_suites import KEYS, REQUIREMENT_KEYS

FLATNET = {"version": "0.9.0", "revision": "2fa19c2"}
CLUSTER = {
    "name": "lab",
    "kind": "embedded",
    "overlay": "vxlan",
    "nodes": {"u1": "192.168.56.3"},
    "versions": {"u1": "Docker 20.10.24"},
}


def made(status: Status = Status.PASS, reason: str = "") -> dict[str, object]:
    requirement = Requirement("ONE-1", "The first promise is kept.", "must", "x", "one")
    result = RequirementResult(requirement, status, 2, 1, 1, 0, reason, ("suites/one/test_it.py::test_it",))
    verdict = Verdict("conformant", 0, (result,), {"lost": 1, "answered": 3})
    return document(verdict, flatnet=FLATNET, cluster=CLUSTER, started="2026-11-27T01:45:31+00:00", duration_s=1.234)


def test_the_seed_is_told_where_there_is_one() -> None:
    assert made()["seed"] is None and seed(made()) == "" and seed({}) == "", "an earlier document has no seed"
    assert seed({"seed": 0}) == ", seed 0"


def test_probes_are_counted_and_seconds_rounded() -> None:
    data = made()
    assert data["probes"] == {"sent": 4, "answered": 3, "lost": 1} and data["duration_s"] == 1.23


def test_the_schemas_number_is_raised_on_purpose() -> None:
    assert made()["schema"] == 1, "readers of verdict.json have to be changed with it"


def test_the_keys_are_those_of_the_design() -> None:
    assert set(Document.__annotations__) == KEYS and set(RequirementEntry.__annotations__) == REQUIREMENT_KEYS


@pytest.mark.parametrize("status", Status)
def test_the_document_is_as_its_schema_says(status: Status) -> None:
    assert TypeAdapter(Document).validate_json(json.dumps(made(status)), strict=True) == made(status)


def test_a_document_without_a_cluster_is_as_the_schema_says() -> None:
    data = {**made(), "cluster": {}, "flatnet": {**FLATNET, "revision": None}}
    assert TypeAdapter(Document).validate_python(data) == data


@pytest.mark.parametrize(
    "broken", [{"verdict": "fine"}, {"exit_code": "0"}, {"requirements": {"ONE-1": {}}}, {"flatnet": {}}]
)
def test_another_document_is_not(broken: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Document).validate_python({**made(), **broken}, strict=True)


def test_the_published_schema_is_up_to_date() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema(), "run: python -m reports.document"
    statuses = json.loads(schema())["$defs"]["RequirementEntry"]["properties"]["status"]["enum"]
    assert set(statuses) == {status.value for status in Status}
    assert {outcome.value for outcome in Outcome}.isdisjoint({"sent"})


def test_the_version_is_shown_with_its_revision_if_there_is_one() -> None:
    assert name_and_version(made()) == "Flatnet 0.9.0 (2fa19c2)"
    assert name_and_version({"flatnet": {"version": "0.9.0", "revision": None}}) == "Flatnet 0.9.0"
