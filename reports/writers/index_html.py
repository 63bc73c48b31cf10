"""index.html: Allure's report with the verdict above it, or a plain page where Allure cannot run.

Allure's generator runs on Node.js (reports/node_modules, installed by ./run) and takes some seconds.
"""

from __future__ import annotations

import html
import json
import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reports.document import name_and_version, seed
from reports.model import Requirement
from reports.report import Report, WriterError

REPORTS = Path(__file__).resolve().parents[1]
TIMEOUT_S = 120


def write(report: Report) -> None:
    """Write index.html into the run's folder.

    Raises WriterError, after it wrote the plain page, when Allure's generator is missing or fails.
    """
    page = report.folder / "index.html"
    try:
        write_allure_facts(report.allure_results, report.document["cluster"])
        if report.results:
            _generate(report, page)
        else:
            page.write_text(plain(report), encoding="utf-8")
    except (WriterError, OSError) as error:
        page.write_text(plain(report), encoding="utf-8")
        raise WriterError(f"index.html is the plain one: {error}") from None


def write_allure_facts(results: Path, cluster: Mapping[str, Any]) -> None:
    """Write what Allure shows of the run as a whole beside its results: environment.properties, categories.json."""
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


def _generate(report: Report, page: Path) -> None:
    """Make the page with Allure's generator. Raises WriterError."""
    node, generator = shutil.which("node"), REPORTS / "node_modules" / "allure" / "cli.js"
    if node is None or not generator.exists():
        raise WriterError("node or reports/node_modules is missing (./run installs them)")
    with tempfile.TemporaryDirectory(prefix="flatnet-html-") as folder:
        banner, out = Path(folder) / "banner.html", Path(folder) / "out"
        banner.write_text(_banner(report), encoding="utf-8")
        try:
            done = subprocess.run(
                [node, str(generator), "generate", "--config", str(REPORTS / "allurerc.mjs"), "--output", str(out),
                 str(report.allure_results)],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                cwd=REPORTS.parent, timeout=TIMEOUT_S, check=False,
                env={**os.environ, "FLATNET_BANNER": str(banner), "FLATNET_VERDICT": report.document["verdict"]},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise WriterError(f"Allure was not done within {TIMEOUT_S} s") from None
        made = out / "index.html"
        if done.returncode != 0 or not made.exists():
            raise WriterError(f"Allure failed: {(done.stdout.strip().splitlines() or ['no output'])[-1]}")
        shutil.move(made, page)


_STYLE = (
    "<style>.flatnet{font:14px/1.4 sans-serif;color:#1c1e21;background:#fff;padding:.6em 1em;"
    "border-bottom:1px solid #c8ccd1}.flatnet summary{cursor:pointer}.flatnet .frame{max-height:60vh;overflow:auto}"
    ".flatnet table{border-collapse:collapse}.flatnet td,.flatnet th{padding:.2em .6em;text-align:left;"
    "vertical-align:top;border-top:1px solid #e3e6ea}.flatnet pre{white-space:pre-wrap;margin:0}"
    ".flatnet b,.flatnet th{font-weight:bold}.flatnet .pass{background:#e6f4ea}.flatnet .fail{background:#fde0dc}"
    ".flatnet .error,.flatnet .not-proved"
    "{background:#fff3cd}</style>"
)


def _heading(data: Mapping[str, Any]) -> str:
    counts = Counter(entry["status"] for entry in data["requirements"].values())
    numbers = ", ".join(f"{count} {status}" for status, count in counts.most_common())
    return f"{name_and_version(data)}: {data['verdict']} ({numbers})"


def _about(data: Mapping[str, Any]) -> str:
    """Which cluster, when, how long, how many probes."""
    cluster = data["cluster"]
    versions = cluster.get("versions", {})
    nodes = "; ".join(
        f"{name} {address}{', ' + versions[name] if name in versions else ''}"
        for name, address in cluster.get("nodes", {}).items()
    )
    return (
        f"cluster {cluster.get('name', '?')} ({cluster.get('kind', '?')}), overlay {cluster.get('overlay', '?')}; "
        f"{nodes or 'no node was reached'}; started {data['started']}, {data['duration_s']:.0f} s, "
        f"{data['probes']['sent']} probes{seed(data)}"
    )


def _table(data: Mapping[str, Any], requirements: Mapping[str, Requirement]) -> str:
    """Every requirement that was judged, those too that no test proves."""
    rows = "".join(
        f'<tr class="{html.escape(entry["status"])}"><td>{html.escape(name)}<td>{html.escape(entry["level"])}'
        f"<td>{html.escape(entry['status'])}<td>{entry['passed']}/{entry['planned']}"
        f"<td>{html.escape(requirements[name].statement)}"
        f"{'<pre>' + html.escape(entry['reason']) + '</pre>' if entry['reason'] else ''}"
        f"<details><summary>tests</summary><pre>{html.escape(chr(10).join(entry['tests']))}</pre></details>"
        for name, entry in data["requirements"].items()
    )
    head = "<th>requirement<th>level<th>status<th>passed<th>statement, and why it has this status"
    return f"<table><tr>{head}{rows}</table>"


def _banner(report: Report) -> str:
    """What stands above Allure's page, which shows tests and no verdict."""
    data = report.document
    return (
        f'{_STYLE}<div class="flatnet"><details><summary><b>{html.escape(_heading(data))}</b> '
        f"{html.escape(_about(data))}</summary>"
        f'<div class="frame">{_table(data, report.requirements)}</div></details></div>'
    )


def plain(report: Report) -> str:
    """A page with the verdict and every requirement that needs no other file."""
    data = report.document
    return (
        f"<!doctype html><meta charset=utf-8><title>Flatnet: {html.escape(data['verdict'])}</title>{_STYLE}"
        f'<div class="flatnet"><h1>{html.escape(_heading(data))}</h1><p>{html.escape(_about(data))}</p>'
        f"{_table(data, report.requirements)}</div>"
    )
