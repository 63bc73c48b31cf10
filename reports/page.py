"""The report's one HTML file: Allure's, or a plain one where Node.js is missing."""

from __future__ import annotations

import html
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TIMEOUT_S = 120


class Page:
    """Allure's generator running beside whatever else the end of a run has to do."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._process: subprocess.Popen[str] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        node, cli = shutil.which("node"), HERE / "node_modules" / "allure" / "cli.js"
        if node is None or not cli.exists():
            return
        self._folder = tempfile.TemporaryDirectory(prefix="flatnet-html-")
        self._process = subprocess.Popen(
            [node, str(cli), "generate", "--config", str(HERE / "allurerc.mjs"), "--output", self._folder.name,
             str(run / "allure-results")],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=HERE.parent,
        )  # fmt: skip

    def finish(self, data: Mapping[str, Any]) -> str | None:
        """Put index.html into the run's folder; returns why it is the plain one, or None."""
        problem = self._allure()
        if problem is not None:
            (self._run / "index.html").write_text(plain(data), encoding="utf-8")
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
            made = Path(folder) / "index.html"
            if self._process.returncode != 0 or not made.exists():
                return f"Allure failed: {(output.strip().splitlines() or ['no output'])[-1]}"
            shutil.move(made, self._run / "index.html")
        return None


def plain(data: Mapping[str, Any]) -> str:
    """A page with the verdict and every requirement, that needs nothing but itself."""
    rows = "".join(
        f"<tr class={html.escape(entry['status'])}><td>{html.escape(name)}<td>{html.escape(entry['level'])}"
        f"<td>{html.escape(entry['status'])}<td>{entry['passed']}/{entry['planned']}"
        f"<td><pre>{html.escape(entry['reason'])}</pre>"
        f"<details><summary>tests</summary><pre>{html.escape(chr(10).join(entry['tests']))}</pre></details>"
        for name, entry in data["requirements"].items()
    )
    return (
        "<!doctype html><meta charset=utf-8><title>Flatnet</title><style>body{font:14px sans-serif;margin:2em}"
        "td,th{padding:.2em .6em;text-align:left;vertical-align:top}pre{white-space:pre-wrap;margin:0}"
        ".pass{background:#e6f4ea}.fail{background:#fde0dc}.error{background:#fff3cd}</style>"
        f"<h1>Flatnet: {html.escape(data['verdict'])}</h1><p>{html.escape(str(data['cluster']))}</p>"
        f"<table><tr><th>requirement<th>level<th>status<th>tests<th>reason{rows}</table>"
    )
