"""The overview: the verdict, its causes, what is new, every requirement, the matrix, and what was tested. Pure."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reports.document import name_and_version, seed
from reports.model import SYMBOLS, RequirementResult, Status
from reports.pictures.matrix import draw
from reports.report import Report

from .causes import best_first, causes_html, evidence, picture, tests_html, unexplained_html
from .promises import explained
from .shown import Shown

HERE = Path(__file__).resolve().parent
MOST_CAUSES = 5
_TROUBLE = (Status.FAIL, Status.ERROR, Status.NOT_PROVED, Status.KNOWN_ISSUE)
_VERDICTS = {
    "conformant": ("pass", "✓", "Conformant", "every requirement that was judged holds"),
    "not-conformant": ("fail", "✗", "Not conformant", "a requirement is violated"),
    "not-proved": ("not-proved", "?", "Not proved", "nothing is known to be violated, and not everything was proved"),
    "error": ("error", "!", "Error", "the instrument failed, so nothing is said about the network"),
}


def overview(report: Report, shown: Mapping[str, Shown]) -> str:
    """What stands above Allure's page: style, the bar that leads back here, and the overview."""
    data = report.document
    tone, sign, word, _ = _VERDICTS[data["verdict"]]
    bar = (
        f'<div class="flatnet flatnet-bar {tone}"><button data-flatnet-go="overview">← Overview</button>'
        f'<span class="sign">{sign} {word}</span> <span class="soft" id="flatnet-note">unpacking …</span></div>'
        if report.results
        else ""
    )
    return f"<style>{_text('style.css')}</style>{bar}{page(report, shown)}"


def script() -> str:
    """What makes the overview and Allure's page one."""
    return f"<script>{_text('view.js')}{_text('tables.js')}</script>"


def page(report: Report, shown: Mapping[str, Shown]) -> str:
    """The overview without style and bar."""
    seen = f'<div class="pictures">{_pictures(report)}{_tested(report)}</div>'
    parts = [_head(report), _causes(report, shown), _news(report), seen, _requirements(report, shown)]
    return f'<main class="flatnet flatnet-page">{"".join(parts)}</main>'


def heading(data: Mapping[str, Any]) -> str:
    """`Flatnet 0.9.0 (2fa19c2): conformant (64 pass)`."""
    return f"{name_and_version(data)}: {data['verdict']} ({counts(data)})"


def counts(data: Mapping[str, Any]) -> str:
    """`61 pass, 3 fail`; what there is most of comes first."""
    found = Counter(entry["status"] for entry in data["requirements"].values())
    return ", ".join(f"{count} {status}" for status, count in found.most_common())


def _head(report: Report) -> str:
    data = report.document
    tone, sign, word, meaning = _VERDICTS[data["verdict"]]
    go = '<button data-flatnet-go="tests">All tests →</button>' if report.results else ""
    cluster = data["cluster"]
    about = (
        f"{cluster.get('name', '?')}, overlay {cluster.get('overlay', '?')}" if cluster else "no cluster was reached"
    )
    return (
        f'<header class="head {tone}"><div><h1><span class="sign">{sign}</span> {word}: {meaning}</h1>'
        f'<p class="soft">{html.escape(heading(data))} · {html.escape(about)} · {html.escape(data["started"][:16])} · '
        f"{data['duration_s']:.0f} s · {data['probes']['sent']:,} probes</p></div>{go}</header>"
    )


def _causes(report: Report, shown: Mapping[str, Shown]) -> str:
    causes: Sequence[Mapping[str, Any]] = report.document.get("causes") or ()
    unexplained = unexplained_html(report.document.get("unexplained") or ())
    failed = [result for result in report.verdict.requirements if result.status is Status.FAIL]
    if causes:
        more = len(causes) - MOST_CAUSES
        rest = f"<p>and {more} more cause{'' if more == 1 else 's'}, in verdict.json</p>" if more > 0 else ""
        return f"<section><h2>Why</h2>{causes_html(causes[:MOST_CAUSES], shown)}{rest}{unexplained}</section>"
    if not failed:
        return ""
    items = "".join(_violated(result, shown) for result in failed)
    return f"<section><h2>What failed</h2>{items}</section>"


def _violated(result: RequirementResult, shown: Mapping[str, Shown]) -> str:
    """A violated requirement, where no cause was found."""
    tests = best_first([test for name in result.tests if (test := shown.get(name)) and test.status == "failed"])
    return (
        f'<article class="cause"><h3>{result.requirement.id}: {html.escape(result.requirement.statement)}</h3>'
        f"<div><p>{html.escape(result.reason)}</p><p class=soft>{result.failed} of {result.planned} tests failed</p>"
        f"{evidence(tests)}</div>{picture(tests)}</article>"
    )


def _news(report: Report) -> str:
    lines = "".join(f"<li>{html.escape(line)}" for line in [*report.since, *report.trend])
    return f"<section><h2>Since earlier runs</h2><ul>{lines}</ul></section>" if lines else ""


def _requirements(report: Report, shown: Mapping[str, Shown]) -> str:
    promises: dict[str, list[RequirementResult]] = {}
    for result in report.verdict.requirements:
        promises.setdefault(result.requirement.suite, []).append(result)
    folded = "".join(_promise(name, results, shown) for name, results in promises.items())
    return f"<section><h2>Requirements</h2>{folded}</section>" if folded else ""


def _promise(name: str, results: Sequence[RequirementResult], shown: Mapping[str, Shown]) -> str:
    found = Counter(result.status for result in results)
    summary = ", ".join(
        f'<span class="sign {status.value}">{SYMBOLS[status]} {number} {status.value}</span>'
        for status, number in found.items()
    )
    wanted = any(result.status in _TROUBLE for result in results)
    rows = "".join(_requirement(result, shown) for result in results)
    return f'<details class="promise"{" open" if wanted else ""}><summary>{name} {summary}</summary>{rows}</details>'


def _requirement(result: RequirementResult, shown: Mapping[str, Shown]) -> str:
    requirement = result.requirement
    reason = f"<p><b>{html.escape(result.reason)}</b></p>" if result.reason else ""
    tests = [shown[name] for name in result.tests if name in shown]
    listed = f"<h3>{len(tests)} tests</h3>{tests_html(best_first(tests))}" if tests else ""
    return (
        f'<details class="req {result.status.value}" id="{requirement.id}"><summary><span class="sign">'
        f"{SYMBOLS[result.status]} {result.status.value}</span><b>{requirement.id}</b>"
        f'<span class="statement">{html.escape(requirement.statement)}</span>'
        f'<span class="count">{result.passed}/{result.planned}</span></summary><div>{reason}'
        f"{explained(requirement)}<p class=soft>{requirement.level}; source: {html.escape(requirement.source)}</p>"
        f"{listed}</div></details>"
    )


def _pictures(report: Report) -> str:
    if not report.matrices:
        return ""
    _, edges = max(report.matrices, key=lambda matrix: len(matrix[1]))
    return f'<section><h2>Who reaches whom</h2><div class="wide">{draw(edges)}</div></section>'


def _tested(report: Report) -> str:
    rows = "".join(f"<tr><th>{html.escape(key)}<td>{html.escape(text)}" for key, text in facts(report).items())
    return f'<section><h2>What was tested</h2><table class="facts">{rows}</table></section>'


KINDS = {
    "engines": "settings of engines",
    "kernels": "kernel",
    "systems": "root",
    "inits": "init",
    "cgroups": "control groups",
    "consul": "Consul",
    "nomad": "Nomad",
}
"""{key of the verdict's `cluster`: its name on the page} of what is told by node."""


def facts(report: Report) -> dict[str, str]:
    """What was tested, with what, and how: {name: text}, without what is unknown."""
    data, found = report.document, {}
    cluster = data["cluster"]
    found["Flatnet"] = name_and_version(data).removeprefix("Flatnet ")
    found["cluster"] = f"{cluster['name']} ({cluster['kind']})" if cluster else "never reached"
    found["overlay"] = str(cluster.get("overlay", ""))
    found["nodes"] = ", ".join(f"{name} {address}" for name, address in cluster.get("nodes", {}).items())
    found["left out"] = ", ".join(cluster.get("left_out", ()))
    found["engines"] = _by_value(cluster.get("versions", {}))
    for key, name in KINDS.items():
        found[name] = _by_value(cluster.get(key, {}))
    found["options"] = " ".join(report.options)
    found["seed"] = re.sub(r"\D", "", seed(data))
    found["started"] = str(data["started"])
    found["duration"] = f"{data['duration_s']:.0f} s"
    found["probes"] = ", ".join(f"{number:,} {outcome}" for outcome, number in data["probes"].items())
    return {key: text for key, text in found.items() if text}


def _by_value(values: Mapping[str, str] | str) -> str:
    """`Docker 20.10.24 (u1, u2), Docker 28.5.2 (u3)`; without names when all are equal."""
    if isinstance(values, str):
        return values
    nodes: dict[str, list[str]] = {}
    for node, value in values.items():
        nodes.setdefault(value, []).append(node)
    if len(nodes) == 1:
        return next(iter(nodes))
    return ", ".join(f"{value} ({', '.join(names)})" for value, names in nodes.items())


def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")
