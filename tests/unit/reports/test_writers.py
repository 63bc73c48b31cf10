"""The writers of reports/writers: one module a format, found by itself, and none can harm another or the verdict."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest

from reports.document import document
from reports.model import Requirement, RequirementResult, Status, TestResult, Verdict
from reports.report import Report
from reports.writers import Writers, index_html, matrix_svg, summary_md
from tests.unit.reports.small_suites import ROOT, SmallSuites

pytest_plugins = ["pytester"]

REQUIREMENT = Requirement("ONE-1", "The <first> promise is kept.", "must", "x", "one")
FLATNET = {"version": "0.9.0", "revision": "2fa19c2"}
STARTED = "2026-11-27T01:45:31+00:00"
CLUSTER = {"name": "lab", "kind": "embedded", "overlay": "vxlan", "nodes": {"u1": "192.168.56.3"}, "versions": {}}


def report(
    folder: Path,
    *,
    reason: str = "",
    tests: int = 1,
    matrices: tuple[tuple[str, list[dict[str, str]]], ...] = (),
) -> Report:
    """A report of one requirement; a reason makes it fail."""
    status, passed, failed = (Status.FAIL, 0, 1) if reason else (Status.PASS, 1, 0)
    result = RequirementResult(REQUIREMENT, status, 1, passed, failed, 0, reason)
    verdict = Verdict("not-conformant" if reason else "conformant", failed, (result,), {"lost": 2})
    return Report(
        folder=folder,
        allure_results=folder / "allure-results",
        document=document(verdict, flatnet=FLATNET, cluster=CLUSTER, started=STARTED, duration_s=1.5),
        verdict=verdict,
        requirements={"ONE-1": REQUIREMENT},
        results=[TestResult(f"suites/one/test_it.py::test_{number}", ("ONE-1",), "passed") for number in range(tests)],
        matrices=matrices,
    )


EDGE = {"source": "u1/a1", "destination": "u2/a2", "transport": "udp", "outcome": "lost"}


@pytest.fixture
def no_node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # the plain page is made, at once


@pytest.mark.usefixtures("no_node")
def test_every_format_is_written(tmp_path: Path) -> None:
    made = report(tmp_path, reason="one is two", matrices=(("test_mesh", [EDGE]),))
    notes = Writers(made).finish()
    assert notes == ["index.html is the plain one: node or reports/node_modules is missing (./run installs them)"]
    assert {place.name for place in tmp_path.iterdir()} == {
        "verdict.json",
        "summary.md",
        "matrix.svg",
        "metrics.prom",
        "index.html",
        "allure-results",
        "edges.json",
    }
    assert json.loads((tmp_path / "verdict.json").read_text()) == made.document
    for name in ("summary.md", "index.html"):
        text = (tmp_path / name).read_text()
        assert "Flatnet 0.9.0 (2fa19c2): not-conformant" in text and "one is two" in text
    assert "test_mesh" in (tmp_path / "matrix.svg").read_text()


@pytest.mark.usefixtures("no_node")
def test_without_results_there_is_nothing_for_allure_to_show(tmp_path: Path) -> None:
    assert Writers(report(tmp_path, tests=0)).finish() == []
    assert "The &lt;first&gt; promise is kept." in (tmp_path / "index.html").read_text()
    assert "cluster = lab (embedded)\n" in (tmp_path / "allure-results" / "environment.properties").read_text()


def generator(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a shell script in the place of Node.js; Allure's arguments follow its own first one."""
    node = folder / "bin" / "node"
    node.parent.mkdir()
    node.write_text(f"#!/bin/sh\n{script}\n")
    node.chmod(0o755)
    tool = folder / "reports" / "node_modules" / "allure" / "cli.js"
    tool.parent.mkdir(parents=True)
    tool.touch()
    monkeypatch.setenv("PATH", f"{node.parent}:/usr/bin:/bin")
    monkeypatch.setattr(index_html, "REPORTS", folder / "reports")


def test_allures_page_is_the_report_when_it_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = tmp_path / "run"
    made.mkdir()
    generator(
        tmp_path,
        'mkdir -p "$6"; cd "$FLATNET_REPORT"; { cat overview.html run.json; echo " $7"; } >"$6/index.html"',
        monkeypatch,
    )
    index_html.write(report(made))
    page = (made / "index.html").read_text()
    assert "Flatnet 0.9.0 (2fa19c2): conformant (1 pass)" in page
    facts = json.loads(page.splitlines()[-1].removesuffix(f" {made}/allure-results").rpartition("</main>")[2])
    assert facts["verdict"] == "conformant" and facts["history"] is None and facts["known"] == []
    assert facts["gate"] == [
        {
            "rule": "ONE-1",
            "success": True,
            "expected": "pass",
            "actual": "pass",
            "message": "The <first> promise is kept.",
            "testResults": [],
        }
    ]


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("echo fine; echo no memory; exit 1", "Allure failed: no memory"),
        ("exit 1", "Allure failed: no output"),
        ("exit 0", "Allure failed: no output"),
        ("exec sleep 60", "Allure was not done within 0.5 s"),
    ],
)
def test_the_plain_page_is_the_report_when_allure_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, problem: str
) -> None:
    made = tmp_path / "run"
    made.mkdir()
    generator(tmp_path, script, monkeypatch)
    monkeypatch.setattr(index_html, "TIMEOUT_S", 0.5 if "sleep" in script else 30)
    assert f"index.html is the plain one: {problem}" in Writers(report(made)).finish()
    assert (made / "index.html").read_text().startswith("<!doctype html>")


def test_the_largest_mesh_is_drawn(tmp_path: Path) -> None:
    small, large = [EDGE], [EDGE, {**EDGE, "transport": "tcp"}]
    matrix_svg.write(report(tmp_path, matrices=(("small", small), ("large", large), ("other", small))))
    assert "<title>Who reached whom: large</title>" in (tmp_path / "matrix.svg").read_text()


def test_without_a_mesh_there_is_no_picture(tmp_path: Path) -> None:
    matrix_svg.write(report(tmp_path))
    assert not list(tmp_path.iterdir())


def test_the_summary_is_one_table_whatever_a_reason_holds(tmp_path: Path) -> None:
    text = summary_md.summary(report(tmp_path, reason="a | b\nc"))
    assert "| ONE-1 | must | ✗ fail | 0/1 | a \\| b c |" in text


def test_writers_run_beside_the_end_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, begun = threading.Event(), threading.Event()

    def slow(_: Report) -> None:
        begun.set()
        assert go_on.wait(30)

    monkeypatch.setattr(index_html, "write", slow)
    writers = Writers(report(tmp_path))
    assert begun.wait(30)
    go_on.set()
    assert writers.finish() == []


COLOURS = '''
"""colours.txt: an example of a format that somebody adds."""

from reports.report import Report


def write(report: Report) -> None:
    (report.folder / "colours.txt").write_text(report.document["verdict"])
'''


@pytest.fixture
def suites(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> SmallSuites:
    """Two tests that pass, and a copy of reports/ that they are run with."""
    made = SmallSuites(pytester)
    made.suite("one", one="ONE-1: assert True", two="ONE-2: assert True")
    left_out = shutil.ignore_patterns("node_modules", "out", "__pycache__")
    shutil.copytree(ROOT / "reports", made.folder / "copy" / "reports", ignore=left_out)
    monkeypatch.setenv("PYTHONPATH", f"{made.folder / 'copy'}:{ROOT}")
    monkeypatch.setenv("PATH", str(made.folder))
    return made


def test_a_new_file_is_a_new_format_and_a_broken_one_harms_nothing(suites: SmallSuites) -> None:
    writers = suites.folder / "copy" / "reports" / "writers"
    (writers / "colours.py").write_text(COLOURS)
    (writers / "broken.py").write_text("def write(report):\n    report.document['nothing']\n")
    (writers / "leaves.py").write_text("def write(report):\n    raise SystemExit(7)\n")
    (writers / "unfinished.py").write_text("def write(report)\n")
    done = suites.run(apart=True)
    assert done.verdict == ("conformant", 0) and done.last_line.startswith("verdict: conformant (2 pass)"), done.output
    latest = done.folder / "reports/out/latest"
    assert (latest / "colours.txt").read_text() == "conformant"
    assert (latest / "summary.md").exists() and (latest / "index.html").exists()
    for note in (
        f"note: reports/writers/broken.py failed: KeyError: 'nothing' ({writers}/broken.py:2)",
        f"note: reports/writers/leaves.py failed: SystemExit: 7 ({writers}/leaves.py:2)",
        "note: reports/writers/unfinished.py failed: SyntaxError: expected ':'",
    ):
        assert note in done.output, done.output


def test_a_verdict_that_cannot_be_written_is_not_a_success(suites: SmallSuites) -> None:
    place = suites.folder / "copy" / "reports" / "writers" / "verdict_json.py"
    place.write_text("def write(report):\n    raise OSError(28, 'No space left on device')\n")
    done = suites.run(apart=True)
    assert done.code == 3 and done.last_line.startswith("verdict: error (2 pass)"), done.output
    assert "note: reports/writers/verdict_json.py failed: OSError: [Errno 28] No space left on device" in done.output
    assert (done.folder / "reports/out/latest/summary.md").exists()
