"""A table as an HTML file of its own: what was measured, a row each; index.html lets its reader sort and filter it."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

STYLE = (
    "<style>body{font:14px/1.4 system-ui,sans-serif;color:#1c1e21;background:#fff;margin:10px}"
    "table{border-collapse:collapse}caption{text-align:left;padding:0 0 8px}"
    "th,td{padding:3px 12px 3px 0;text-align:left;vertical-align:top;border-bottom:1px solid #d5d9de;font-weight:400}"
    "th{color:#5a6068}td.n{text-align:right;font-variant-numeric:tabular-nums}code,pre,td.m{font:13px/1.4 monospace}"
    "pre{white-space:pre-wrap;margin:4px 0}mark{background:#ffe0a3;color:#000;font-weight:700}"
    "tr.bad{background:#ffe9dc}tr.bad td:first-child{box-shadow:inset 5px 0 #b94700;padding-left:10px}"
    "tr.doubt{background:#fff3d6}h2{font-size:16px;margin:14px 0 4px}summary{cursor:pointer}</style>"
)


class Tone(StrEnum):
    """How a row is shown: as everything is, as what must not be, or as what is in doubt."""

    PLAIN = ""
    BAD = "bad"
    DOUBT = "doubt"


@dataclass(frozen=True)
class Row:
    """A row of a table: its cells as text."""

    cells: Sequence[str]
    tone: Tone = Tone.PLAIN


def document(title: str, body: str) -> str:
    """An HTML document that needs no other file."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>{STYLE}</head>'
        f"<body>{body}</body></html>"
    )


def draw(caption: str, columns: Sequence[str], rows: Sequence[Row], *, numeric: Sequence[str] = ()) -> str:
    """The document with one table. `numeric` names the columns whose cells are numbers; what is bad comes first."""
    return document(caption, table(caption, columns, rows, numeric=numeric))


def table(caption: str, columns: Sequence[str], rows: Sequence[Row], *, numeric: Sequence[str] = ()) -> str:
    """The table alone."""
    head = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in columns)
    ordered = sorted(rows, key=lambda row: (Tone.BAD, Tone.DOUBT, Tone.PLAIN).index(row.tone))
    kinds = [' class="n"' if column in numeric else "" for column in columns]
    body = "".join(_row(row, kinds) for row in ordered)
    return (
        f"<table><caption>{html.escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _row(row: Row, kinds: Sequence[str]) -> str:
    shown = f' class="{row.tone}"' if row.tone else ""
    # HTML lets a cell and a row end where the next one begins.
    return f"<tr{shown}>" + "".join(
        f"<td{kind}>{html.escape(cell, quote=False)}" for kind, cell in zip(kinds, row.cells, strict=True)
    )
