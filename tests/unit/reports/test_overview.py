"""The overview: verdict, causes first, the way to each test and requirement, what was tested."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest

from reports.document import document
from reports.model import Requirement, RequirementResult, Status, TestResult, Verdict
from reports.page import promises
from reports.page.overview import facts, overview
from reports.page.shown import read_shown
from reports.report import Report
from reports.writers import index_html

NAT = Requirement("NET-2", "Addresses are <kept>.", "must", "RFC 1", "no_nat")
OTHER = Requirement("DNS-1", "Names resolve.", "should", "RFC 2", "dns")
TESTS = ("suites/no_nat/test_it.py::test_a[udp]", "suites/no_nat/test_it.py::test_a[tcp]")
CLUSTER = {
    "name": "lab", "kind": "embedded", "overlay": "vxlan", "nodes": {"u1": "192.168.56.3", "u2": "192.168.56.4"},
    "versions": {"u1": "Docker 20.10", "u2": "Docker 28.5"}, "kernels": {"u1": "Linux 6.1", "u2": "Linux 6.1"},
}  # fmt: skip
CAUSE = {
    "sentence": "u1 rewrites <sources>", "where": "u1", "what": "udp", "how": "rewritten", "requirements": ["NET-2"],
    "tests": list(TESTS), "rule": "oif eth0 masquerade", "guess": True, "command": "nft list ruleset",
    "issue": "https://example.org/7",
}  # fmt: skip


def report(folder: Path, *, causes: list[dict[str, Any]] | None = None, status: Status = Status.FAIL) -> Report:
    """A run in which NET-2 ended with `status`, and DNS-1 holds."""
    failed = 2 if status is Status.FAIL else 0
    results = (
        RequirementResult(NAT, status, 2, 2 - failed, failed, 0, "u1/a1: rewritten" if failed else "", TESTS),
        RequirementResult(OTHER, Status.PASS, 1, 1, 0, 0, ""),
    )
    verdict = Verdict("not-conformant" if failed else "conformant", 1 if failed else 0, results, {"rewritten": 1234})
    data = document(
        verdict,
        flatnet={"version": "0.9.0", "revision": "2fa19c2"},
        cluster=CLUSTER,
        started="2026-11-27T10:00:00+00:00",
        duration_s=61.4,
        seed=4711,
    )
    return Report(
        folder=folder,
        allure_results=folder / "allure-results",
        document=data if causes is None else {**data, "causes": causes},
        verdict=verdict,
        requirements={"NET-2": NAT, "DNS-1": OTHER},
        results=[TestResult(test, ("NET-2",), "failed") for test in TESTS],
        options=("suites", "--fault", "masquerade@u1"),
    )


def result(folder: Path, nodeid: str, *, status: str = "failed", picture: str = "") -> str:
    """Write a result as Allure's; returns the fragment of its page."""
    folder.mkdir(exist_ok=True)
    uuid = f"uuid-{nodeid}"
    attached = []
    if picture:
        (folder / "way-attachment.svg").write_text(picture)
        attached = [{"name": "way of u1/a1->u2/a2-udp", "type": "image/svg+xml", "source": "way-attachment.svg"}]
    data = {
        "uuid": uuid, "name": f"title of {nodeid[-5:]}", "status": status,
        "labels": [{"name": "nodeid", "value": nodeid}], "steps": [{"name": "Probe", "attachments": attached}],
    }  # fmt: skip
    (folder / f"{md5(nodeid.encode()).hexdigest()}-result.json").write_text(json.dumps(data))
    return md5(uuid.encode()).hexdigest()


def test_a_cause_leads_to_the_test_with_the_most_evidence(tmp_path: Path) -> None:
    made = report(tmp_path, causes=[CAUSE])
    plain, best = (
        result(made.allure_results, TESTS[0]),
        result(made.allure_results, TESTS[1], picture="<svg>way</svg>"),
    )
    page = overview(made, read_shown(made.allure_results))
    for part in (
        "1. u1 rewrites &lt;sources&gt;", '<span class="guess">a guess</span>', "oif eth0 masquerade",
        "nft list ruleset", '<a href="https://example.org/7"', "<svg>way</svg>", "2 failed tests",
        "✗</span> Not conformant", f'<a class="evidence" href="#{best}">Evidence: title of [tcp] →</a>', "all 2 tests",
    ):  # fmt: skip
        assert part in page, part
    assert page.index("u1 rewrites") < page.index(f"#{best}") < page.index(f"#{plain}") < page.index("Requirements")
    assert "What failed" not in page


def test_a_cause_may_know_only_how_many_tests_it_explains(tmp_path: Path) -> None:
    page = overview(report(tmp_path, causes=[{"sentence": "lost", "tests": 1, "requirements": ["NET-2"]}]), {})
    assert "1. lost</h3>" in page and "; 1 failed test<" in page and "a guess" not in page


def test_at_most_five_causes_are_shown(tmp_path: Path) -> None:
    page = overview(report(tmp_path, causes=[{**CAUSE, "sentence": f"cause {number}"} for number in range(7)]), {})
    assert "5. cause 4" in page and "cause 5" not in page and "and 2 more causes, in verdict.json" in page


def test_a_cause_says_what_was_seen_and_what_speaks_against_it(tmp_path: Path) -> None:
    cause = {**CAUSE, "evidence": ["a counter <moved>", "it changed on vx-a"], "against": ["u2 works"]}
    made = report(tmp_path, causes=[cause])
    made = replace(made, document={**made.document, "unexplained": ["test_x: lost", "test_y: late"]})
    page = overview(made, {})
    assert "<dt>Seen<dd>a counter &lt;moved&gt;<br>it changed on vx-a<dt>Against it<dd>u2 works" in page
    assert "and 2 unexplained</summary><ul><li>test_x: lost<li>test_y: late" in page


def test_without_causes_the_violated_requirements_stand_first(tmp_path: Path) -> None:
    made = report(tmp_path)
    anchor = result(made.allure_results, TESTS[0])
    page = overview(made, read_shown(made.allure_results))
    assert page.index("What failed") < page.index("u1/a1: rewritten") < page.index(f"#{anchor}")
    assert "2 of 2 tests failed" in page


def test_a_run_that_passed_accuses_nobody(tmp_path: Path) -> None:
    page = overview(report(tmp_path, status=Status.PASS), {})
    assert "✓</span> Conformant" in page and "What failed" not in page and "Why" not in page.split("Requirements")[0]
    assert '<details class="promise" open>' not in page


def test_every_requirement_is_listed_with_what_the_documents_say_of_it(tmp_path: Path) -> None:
    page = overview(report(tmp_path), {})
    assert 'id="NET-2"' in page and 'id="DNS-1"' in page and "Addresses are &lt;kept&gt;." in page
    assert "with NAT," in page, "what docs/requirements/no_nat.md says of NET-2"
    assert '<details class="promise" open><summary>no_nat' in page and '<details class="promise"><summary>dns' in page


def test_what_was_tested_is_told_without_what_is_unknown(tmp_path: Path) -> None:
    assert facts(report(tmp_path)) == {
        "Flatnet": "0.9.0 (2fa19c2)",
        "cluster": "lab (embedded)",
        "overlay": "vxlan",
        "nodes": "u1 192.168.56.3, u2 192.168.56.4",
        "engines": "Docker 20.10 (u1), Docker 28.5 (u2)",
        "kernel": "Linux 6.1",
        "options": "suites --fault masquerade@u1",
        "seed": "4711",
        "started": "2026-11-27T10:00:00+00:00",
        "duration": "61 s",
        "probes": "1,234 sent, 1,234 rewritten",
    }


def test_a_run_that_reached_no_cluster_says_so(tmp_path: Path) -> None:
    made = report(tmp_path)
    made = replace(made, document={**made.document, "cluster": {}, "verdict": "error"})
    assert facts(made)["cluster"] == "never reached" and "no cluster" in overview(made, {})
    assert "nothing is said about the network" in overview(made, {})


def test_a_result_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    made = result(tmp_path, TESTS[0])
    (tmp_path / "cut-result.json").write_text('{"uuid": "x", "na')
    found = read_shown(tmp_path)
    assert list(found) == [TESTS[0]] and found[TESTS[0]].anchor == made


def test_the_quality_gate_says_what_the_verdict_says(tmp_path: Path) -> None:
    made = report(tmp_path)
    anchor = result(made.allure_results, TESTS[0])
    result(made.allure_results, TESTS[1], status="passed")
    gate = index_html.run_facts(made, read_shown(made.allure_results))["gate"]
    assert [(rule["rule"], rule["success"], rule["testResults"]) for rule in gate] == [
        ("NET-2", False, [anchor]),
        ("DNS-1", True, []),
    ]
    assert index_html.run_facts(made, {}, tmp_path / "allure.jsonl")["history"] == str(tmp_path / "allure.jsonl")
    known = report(tmp_path, status=Status.KNOWN_ISSUE)
    assert index_html.run_facts(known, {})["known"] == ["NET-2"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a *b* `c<d` **e**", "<p>a <i>b</i> <code>c&lt;d</code> <b>e</b></p>"),
        ("one\ntwo\n\n    code <x>\n      more", "<p>one two</p><pre>code &lt;x&gt;\n  more</pre>"),
        ("[a link](../x.md#y) and 2 * 3 * 4", "<p>a link and 2 * 3 * 4</p>"),
        ("", ""),
    ],
)
def test_the_documents_markdown_as_html(text: str, expected: str) -> None:
    assert promises.as_html(text) == expected


def test_a_link_leads_from_the_run_to_the_requirement(tmp_path: Path) -> None:
    address = promises.link(NAT, tmp_path / "run")
    place, _, section = address.partition("#")
    assert (tmp_path / "run" / place).resolve() == promises.DOCS / "no_nat.md" and section == "net-2"
