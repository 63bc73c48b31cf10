"""The causes of a run's failures as HTML: what is wrong, how it is known, and where its evidence is."""

from __future__ import annotations

import html
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .shown import Shown

WAY = "way of "
"""Begins the name of a picture of a probe's way (fixtures/evidence/diagnosis.py)."""
_REASONS = (("evidence", "Seen"), ("against", "Against it"))
"""Keys that hold a list of sentences."""
_FACTS = (("where", "Where"), ("what", "What"), ("how", "How"))
_SVG = "image/svg+xml"
SIGNS = {"passed": "✓", "failed": "✗", "broken": "!", "skipped": "-"}


def causes_html(causes: Sequence[Mapping[str, Any]], shown: Mapping[str, Shown]) -> str:
    """The causes, ranked as they are given; empty when there is none."""
    return "".join(_cause(number, cause, shown) for number, cause in enumerate(causes, 1))


def _cause(number: int, cause: Mapping[str, Any], shown: Mapping[str, Shown]) -> str:
    guess = ' <span class="guess">a guess</span>' if cause.get("guess") else ""
    tests = cause.get("tests") or ()
    named = tests if isinstance(tests, Collection) and not isinstance(tests, str) else ()
    known = best_first([shown[each] for each in named if each in shown])
    rows = [(label, html.escape(str(cause[key]))) for key, label in _FACTS if cause.get(key)]
    if cause.get("rule"):
        rows.append(("Rule", f"<code>{html.escape(str(cause['rule']))}</code>"))
    rows += [(label, _lines(cause[key])) for key, label in _REASONS if cause.get(key)]
    count = len(named) if named else tests
    explains = ", ".join(requirement_link(name) for name in cause.get("requirements", ()))
    if explains:
        rows.append(("Explains", f"{explains}; {count} failed test{'' if count == 1 else 's'}"))
    if cause.get("command"):
        rows.append(("Look at it", f"<code>{html.escape(str(cause['command']))}</code>"))
    if cause.get("issue"):
        rows.append(("Known as", _address(str(cause["issue"]))))
    return (
        f'<article class="cause" id="cause-{number}"><h3>{number}. {html.escape(str(cause["sentence"]))}{guess}</h3>'
        f"<div><dl>{''.join(f'<dt>{label}<dd>{text}' for label, text in rows)}</dl>{evidence(known)}</div>"
        f"{picture(known)}</article>"
    )


def best_first(tests: Sequence[Shown]) -> list[Shown]:
    """Tests that failed, those with the most evidence first; the others behind them."""
    return sorted(tests, key=lambda test: (test.status != "failed", -len(test.attached)))


def evidence(tests: Sequence[Shown]) -> str:
    """The way of a probe, where one was drawn, the link to the first test, and a list of all when there are more."""
    if not tests:
        return ""
    first = f'<p><a class="evidence" href="#{tests[0].anchor}">Evidence: {html.escape(tests[0].title)} →</a></p>'
    rest = f"<details><summary>all {len(tests)} tests</summary>{tests_html(tests)}</details>" if tests[1:] else ""
    return f"{first}{rest}"


def picture(tests: Sequence[Shown]) -> str:
    """The way of the first failed probe that was drawn; empty when none was."""
    for test in tests:
        drawn = next((each for each in test.attached if each.kind == _SVG and each.name.startswith(WAY)), None)
        if test.status == "failed" and drawn is not None and drawn.place.is_file():
            return f'<div class="way">{drawn.place.read_text(encoding="utf-8")}</div>'
    return ""


def tests_html(tests: Sequence[Shown]) -> str:
    """A list of tests, each with its sign and the way to it."""
    rows = "".join(
        f'<li><span class="sign {"pass" if test.status == "passed" else "fail"}">{SIGNS.get(test.status, "?")}</span> '
        f'<a href="#{test.anchor}">{html.escape(test.title)}</a>'
        for test in tests
    )
    return f'<ul class="tests">{rows}</ul>'


def requirement_link(name: str) -> str:
    """The way to a requirement on the same page."""
    return f'<a href="#{html.escape(name)}" data-flatnet-requirement="{html.escape(name)}">{html.escape(name)}</a>'


def _lines(sentences: Sequence[str]) -> str:
    return "<br>".join(html.escape(str(sentence)) for sentence in sentences)


def unexplained_html(sentences: Sequence[str]) -> str:
    """What no cause explains, folded; empty when there is nothing."""
    if not sentences:
        return ""
    items = "".join(f"<li>{html.escape(str(sentence))}" for sentence in sentences)
    return f"<details><summary>and {len(sentences)} unexplained</summary><ul>{items}</ul></details>"


def _address(text: str) -> str:
    shown = html.escape(text)
    return f'<a href="{shown}" rel="noreferrer">{shown}</a>' if text.startswith("https://") else shown
