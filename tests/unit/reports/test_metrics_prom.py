"""metrics.prom is valid according to prometheus_client's parsers, and says what verdict.json says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_classic

from reports.model import Outcome, Requirement, RequirementResult, Status, TestResult, Verdict
from reports.report import Report
from reports.writers.metrics_prom import metrics, write
from tests.unit.reports.runs import LAB, SITE, document, entry

RUN = "20261126-021731"


def report(folder: Path, **changed: Any) -> Report:
    data = {
        **document(cluster=SITE), "started": "2026-11-26T02:17:31.123456+00:00", "gate": True, "baseline": None,
        "requirements": {"NET-1": entry("pass"), "DNS-3": entry("fail", "should", 'a "quoted"\nreason\\')},
        "probes": {"sent": 5, "answered": 3, "lost": 2},
        **changed,
    }  # fmt: skip
    results = [
        TestResult("t1", ("NET-1", "DNS-3"), "passed", duration_s=1.2506),
        TestResult("t2", ("DNS-3",), "failed", duration_s=0.5),
        TestResult("t3", (), "skipped"),
    ]
    return Report(folder / RUN, folder, data, Verdict("conformant", 0, (), {}), {}, results)


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """{(name, labels): value} by the OpenMetrics parser, which the older format's agrees with."""
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for family in parse_openmetrics(text):
        assert family.type == "gauge" and family.documentation
        found |= {(one.name, frozenset(one.labels.items())): one.value for one in family.samples}
    classic = {
        (one.name, frozenset(one.labels.items())): one.value for family in parse_classic(text) for one in family.samples
    }
    assert classic == found
    return found


def value(text: str, name: str, **labels: str) -> float:
    return samples(text)[f"flatnet_{name}", frozenset({"cluster": "staging", **labels}.items())]


def test_what_the_verdict_says(tmp_path: Path) -> None:
    text = metrics(report(tmp_path))
    assert value(text, "verdict", verdict="conformant") == 1 and value(text, "verdict", verdict="error") == 0
    assert value(text, "run_exit_code") == 0
    assert value(text, "run_start_time_seconds") == 1795659451.123
    assert value(text, "run_duration_seconds") == 90.0
    about = {"run": RUN, "version": "0.9.0", "revision": "2fa19c2", "overlay": "vxlan", "gate": "true"}
    assert value(text, "run_info", **about) == 1


def test_each_requirement_has_one_status_of_all(tmp_path: Path) -> None:
    text = metrics(report(tmp_path))
    for status in Status:
        wanted = int(status is Status.FAIL)
        assert value(text, "requirement_status", requirement="DNS-3", level="should", status=status) == wanted
    assert value(text, "requirement_tests", requirement="NET-1", count="passed") == 1
    assert value(text, "requirement_duration_seconds", requirement="DNS-3") == 1.751


def test_tests_and_probes_are_counted(tmp_path: Path) -> None:
    text = metrics(report(tmp_path))
    counted = {outcome: value(text, "tests", outcome=outcome) for outcome in ("passed", "failed", "skipped", "error")}
    assert counted == {"passed": 1, "failed": 1, "skipped": 1, "error": 0}
    probes = {outcome.value: value(text, "probes", outcome=outcome) for outcome in Outcome}
    assert probes == {**dict.fromkeys(probes, 0), "answered": 3, "lost": 2}


def test_what_became_of_requirements_since_the_baseline(tmp_path: Path) -> None:
    changes = {"new": ["DNS-3"], "fixed": [], "still": [], "newly not proved": ["NET-1", "NET-2"]}
    text = metrics(report(tmp_path, baseline={"requirements": changes}))
    assert value(text, "baseline_requirements", change="new") == 1
    assert value(text, "baseline_requirements", change="newly not proved") == 2
    assert "baseline" not in metrics(report(tmp_path))


@pytest.mark.parametrize("described", [LAB, {}])
def test_a_lab_has_a_label_that_lasts(tmp_path: Path, described: dict[str, Any]) -> None:
    found = samples(metrics(report(tmp_path, cluster=described)))
    assert {dict(labels)["cluster"] for _, labels in found} == {"lab"}


def test_names_with_quotes_and_lines_are_escaped(tmp_path: Path) -> None:
    name = 'a "b"\\c\nd'
    found = samples(metrics(report(tmp_path, cluster={**SITE, "name": name})))
    assert {dict(labels)["cluster"] for _, labels in found} == {name}


def test_a_run_without_requirements_or_revision_is_valid(tmp_path: Path) -> None:
    made = report(tmp_path, requirements={}, flatnet={"version": "0.9.0", "revision": None}, probes={"sent": 0})
    assert samples(metrics(replace(made, results=())))


def test_the_file_ends_as_openmetrics_asks(tmp_path: Path) -> None:
    made = replace(report(tmp_path), folder=tmp_path)
    write(made)
    assert (tmp_path / "metrics.prom").read_text() == metrics(made)
    assert metrics(made).endswith("\n# EOF\n")


def test_the_names_of_a_requirement_result_are_counted() -> None:
    """The counts that are written are those of a result."""
    assert {"planned", "passed", "failed", "errors"} <= set(RequirementResult.__dataclass_fields__)
    assert RequirementResult(Requirement("A-1", "x", "must", "y", "z"), Status.PASS).planned == 0
