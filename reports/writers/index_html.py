"""index.html: the overview, and below it Allure's report; the overview alone where Allure cannot run.

Allure's generator runs on Node.js (reports/node_modules, installed by ./run) and takes some seconds.
"""

from __future__ import annotations

import html
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reports.model import Status
from reports.page.allure_history import lend, take_back
from reports.page.overview import facts, heading, overview, script
from reports.page.shown import Shown, read_shown
from reports.report import Report, WriterError

REPORTS = Path(__file__).resolve().parents[1]
TIMEOUT_S = 300
"""Seconds; it takes 5 on an idle machine of two cores, and a minute where ten processes wait for them."""


def write(report: Report) -> None:
    """Write index.html into the run's folder.

    Raises WriterError, after it wrote the plain page, when Allure's generator is missing or fails.
    """
    page = report.folder / "index.html"
    try:
        write_allure_facts(report)
        if report.results:
            _generate(report, page)
        else:
            page.write_text(plain(report), encoding="utf-8")
    except (WriterError, OSError) as error:
        page.write_text(plain(report), encoding="utf-8")
        raise WriterError(f"index.html is the plain one: {error}") from None


def write_allure_facts(report: Report) -> None:
    """Write what Allure shows of the run as a whole beside its results: environment.properties, categories.json."""
    results = report.allure_results
    results.mkdir(parents=True, exist_ok=True)
    lines = (f"{key} = {text.replace(chr(92), chr(92) * 2)}\n" for key, text in facts(report).items())
    (results / "environment.properties").write_text("".join(lines), encoding="utf-8")
    # For other generators of Allure reports; ours takes them from allurerc.mjs.
    categories = [
        {"name": "Requirement violated", "matchedStatuses": ["failed"]},
        {"name": "Not proved", "matchedStatuses": ["broken"], "messageRegex": r"(?s).*NotProved.*"},
        {"name": "Instrument failed", "matchedStatuses": ["broken"]},
    ]
    (results / "categories.json").write_text(json.dumps(categories, indent=1), encoding="utf-8")


def run_facts(report: Report, shown: Mapping[str, Shown], history: Path | None = None) -> dict[str, Any]:
    """What Allure's configuration (allurerc.mjs) reads of a run: its verdict, quality gate, known issues, history."""
    known = {result.requirement.id for result in report.verdict.requirements if result.status is Status.KNOWN_ISSUE}
    return {
        "verdict": report.document["verdict"],
        "known": sorted(known),
        "history": str(history) if history else None,
        "gate": [
            {
                "rule": result.requirement.id,
                "success": result.status in (Status.PASS, Status.NOT_APPLICABLE, Status.KNOWN_ISSUE),
                "expected": "pass",
                "actual": result.status.value,
                "message": f"{result.requirement.statement} {result.reason}".strip(),
                "testResults": [shown[name].anchor for name in result.tests if _wrong(shown.get(name))],
            }
            for result in report.verdict.requirements
        ],
    }


def _wrong(test: Shown | None) -> bool:
    return test is not None and test.status in ("failed", "broken")


def _generate(report: Report, page: Path) -> None:
    """Make the page with Allure's generator. Raises WriterError."""
    node, generator = shutil.which("node"), REPORTS / "node_modules" / "allure" / "cli.js"
    if node is None or not generator.exists():
        raise WriterError("node or reports/node_modules is missing (./run installs them)")
    shown = read_shown(report.allure_results)
    with tempfile.TemporaryDirectory(prefix="flatnet-html-") as folder:
        place, out = Path(folder), Path(folder) / "out"
        (place / "overview.html").write_text(overview(report, shown), encoding="utf-8")
        (place / "script.html").write_text(script(), encoding="utf-8")
        history = place / "history.jsonl" if report.allure_history else None
        if report.allure_history and history:
            lend(report.allure_history, history)
        (place / "run.json").write_text(json.dumps(run_facts(report, shown, history)), encoding="utf-8")
        try:
            done = subprocess.run(
                [node, str(generator), "generate", "--config", str(REPORTS / "allurerc.mjs"), "--output", str(out),
                 str(report.allure_results)],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                cwd=REPORTS.parent, timeout=TIMEOUT_S, check=False,
                env={**os.environ, "FLATNET_REPORT": folder}, encoding="utf-8",
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise WriterError(f"Allure was not done within {TIMEOUT_S} s") from None
        made = out / "index.html"
        if done.returncode != 0 or not made.exists():
            raise WriterError(f"Allure failed: {(done.stdout.strip().splitlines() or ['no output'])[-1]}")
        shutil.move(made, page)
        if report.allure_history and history and history.exists():
            take_back(history, report.allure_history)


def plain(report: Report) -> str:
    """A page with the overview alone, that needs no other file."""
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{html.escape(heading(report.document))}</title><body>{overview(report, {})}</body></html>"
    )
