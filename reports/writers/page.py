"""The report's one HTML file: Allure's, or a plain one where Node.js is missing."""

from __future__ import annotations

import html
import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reports.model import Requirement

HERE = Path(__file__).resolve().parents[1]
TIMEOUT_S = 120


class Page:
    """Allure's generator running beside whatever else the end of a run has to do."""

    def __init__(self, run: Path, data: Mapping[str, Any], catalogue: Mapping[str, Requirement]) -> None:
        self._run, self._data, self._catalogue = run, data, catalogue
        self._process: subprocess.Popen[str] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        node, cli = shutil.which("node"), HERE / "node_modules" / "allure" / "cli.js"
        if node is None or not cli.exists():
            return
        self._folder = tempfile.TemporaryDirectory(prefix="flatnet-html-")
        # Allure knows tests alone: what was decided stands above its page.
        banner = Path(self._folder.name) / "banner.html"
        banner.write_text(_banner(data, catalogue), encoding="utf-8")
        self._process = subprocess.Popen(
            [node, str(cli), "generate", "--config", str(HERE / "allurerc.mjs"), "--output", f"{self._folder.name}/out",
             str(run / "allure-results")],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=HERE.parent,
            env={**os.environ, "FLATNET_BANNER": str(banner), "FLATNET_VERDICT": data["verdict"]},
        )  # fmt: skip

    def finish(self) -> str | None:
        """Put index.html into the run's folder; returns why it is the plain one, or None."""
        problem = self._allure()
        if problem is not None:
            (self._run / "index.html").write_text(plain(self._data, self._catalogue), encoding="utf-8")
        return problem

    def _allure(self) -> str | None:
        if self._process is None or self._folder is None:
            return "node or reports/node_modules is missing (./run installs them)"
        with self._folder as folder:
            try:
                output, _ = self._process.communicate(timeout=TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.communicate()
                return f"Allure was not done within {TIMEOUT_S} s"
            made = Path(folder) / "out" / "index.html"
            if self._process.returncode != 0 or not made.exists():
                return f"Allure failed: {(output.strip().splitlines() or ['no output'])[-1]}"
            shutil.move(made, self._run / "index.html")
        return None


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
    return f"{data['verdict']} ({', '.join(f'{count} {status}' for status, count in counts.most_common())})"


def _cluster(data: Mapping[str, Any]) -> str:
    cluster = data["cluster"]
    versions = cluster.get("versions", {})
    nodes = "; ".join(
        f"{name} {address}{', ' + versions[name] if name in versions else ''}"
        for name, address in cluster.get("nodes", {}).items()
    )
    return (
        f"cluster {cluster.get('name', '?')} ({cluster.get('kind', '?')}), overlay {cluster.get('overlay', '?')}; "
        f"{nodes or 'no node was reached'}; begun {data['started']}, {data['duration_s']:.0f} s, "
        f"{data['probes']['sent']} probes"
    )


def _table(data: Mapping[str, Any], catalogue: Mapping[str, Requirement]) -> str:
    """Every requirement, those without a test too."""
    rows = "".join(
        f'<tr class="{html.escape(entry["status"])}"><td>{html.escape(name)}<td>{html.escape(entry["level"])}'
        f"<td>{html.escape(entry['status'])}<td>{entry['passed']}/{entry['planned']}"
        f"<td>{html.escape(catalogue[name].statement)}"
        f"{'<pre>' + html.escape(entry['reason']) + '</pre>' if entry['reason'] else ''}"
        f"<details><summary>tests</summary><pre>{html.escape(chr(10).join(entry['tests']))}</pre></details>"
        for name, entry in data["requirements"].items()
    )
    head = "<th>requirement<th>level<th>status<th>passed<th>what it says, and why it has this status"
    return f"<table><tr>{head}{rows}</table>"


def _banner(data: Mapping[str, Any], catalogue: Mapping[str, Requirement]) -> str:
    return (
        f'{_STYLE}<div class="flatnet"><details><summary><b>{html.escape(_heading(data))}</b> '
        f"{html.escape(_cluster(data))}</summary>"
        f'<div class="frame">{_table(data, catalogue)}</div></details></div>'
    )


def plain(data: Mapping[str, Any], catalogue: Mapping[str, Requirement]) -> str:
    """A page with the verdict and every requirement, that needs nothing but itself."""
    return (
        f"<!doctype html><meta charset=utf-8><title>Flatnet: {html.escape(data['verdict'])}</title>{_STYLE}"
        f'<div class="flatnet"><h1>Flatnet: {html.escape(_heading(data))}</h1><p>{html.escape(_cluster(data))}</p>'
        f"{_table(data, catalogue)}</div>"
    )
