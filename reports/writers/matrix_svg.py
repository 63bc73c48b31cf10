"""matrix.svg: who reached whom, by which transport, as a picture.

The colours are Okabe and Ito's, which people with any kind of colour blindness can tell apart; each outcome has
a glyph of its own as well.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

from reports.report import Report

STYLES: dict[str, tuple[str, str]] = {
    "answered": ("#009e73", ""),
    "delivered": ("#56b4e9", "◐"),
    "rewritten": ("#e69f00", "≠"),
    "misdelivered": ("#cc79a7", "↯"),
    "refused": ("#d55e00", "✕"),
    "rejected": ("#d55e00", "⊘"),
    "lost": ("#000000", "?"),
    "not_sent": ("#999999", "-"),
}
"""outcome → (fill, glyph)"""

_FONT = 'font-family="sans-serif"'


def write(report: Report) -> None:
    """Write the largest mesh of the run as matrix.svg into its folder; no file when no test made a mesh."""
    if report.matrices:
        nodeid, edges = max(report.matrices, key=lambda matrix: len(matrix[1]))
        (report.folder / "matrix.svg").write_text(draw(edges, title=nodeid), encoding="utf-8")


def draw(rows: Sequence[Mapping[str, Any]], *, title: str = "") -> str:
    """The SVG of `rows`: mappings with source, destination, transport, outcome.

    A cell holds a bar for each transport, in the order of their names. Raises KeyError when an outcome is not one
    of those of DESIGN §3.
    """
    sources = _sorted({str(row["source"]) for row in rows})
    destinations = _sorted({str(row["destination"]) for row in rows})
    transports = sorted({str(row["transport"]) for row in rows})
    cells = {(str(row["source"]), str(row["destination"]), str(row["transport"])): str(row["outcome"]) for row in rows}
    size = 30 if len(destinations) <= 12 else 18 if len(destinations) <= 30 else 12
    left, top = 90, 110
    width = max(left + size * len(destinations) + 20, 560)
    height = top + size * len(sources) + 70
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="10" y="20" {_FONT} font-size="13" font-weight="bold">{html.escape(title)}</text>',
        f'<text x="10" y="38" {_FONT} font-size="11">rows send, columns receive; '
        f"each cell from left to right: {html.escape(', '.join(transports))}</text>",
    ]
    for column, name in enumerate(destinations):
        x = left + column * size + size / 2
        parts.append(
            f'<text x="{x:g}" y="{top - 6}" {_FONT} font-size="{min(11, size - 1)}" '
            f'transform="rotate(-60 {x:g} {top - 6})">{html.escape(name)}</text>'
        )
    for line, source in enumerate(sources):
        y = top + line * size
        parts.append(
            f'<text x="{left - 6}" y="{y + size * 0.7:g}" {_FONT} font-size="{min(11, size - 1)}" '
            f'text-anchor="end">{html.escape(source)}</text>'
        )
        for column, destination in enumerate(destinations):
            x = left + column * size
            found = [(name, cells.get((source, destination, name))) for name in transports]
            parts += _cell(x, y, size, source, destination, found)
    parts += _legend(top + size * len(sources) + 24, set(cells.values()))
    return "\n".join([*parts, "</svg>"])


def _cell(
    x: float, y: float, size: int, source: str, destination: str, found: Sequence[tuple[str, str | None]]
) -> list[str]:
    parts = []
    bar = (size - 2) / max(1, len(found))
    for index, (transport, outcome) in enumerate(found):
        if outcome is None:
            continue
        fill, glyph = STYLES[outcome]
        at = x + 1 + index * bar
        label = html.escape(f"{source} → {destination} {transport}: {outcome}")
        parts.append(
            f'<rect x="{at:.1f}" y="{y + 1:g}" width="{bar - 0.5:.1f}" height="{size - 2}" fill="{fill}">'
            f"<title>{label}</title></rect>"
        )
        if glyph:
            parts.append(
                f'<text x="{at + bar / 2:.1f}" y="{y + size * 0.7:.1f}" {_FONT} font-size="{min(11, bar):.1f}" '
                f'fill="#ffffff" text-anchor="middle">{glyph}</text>'
            )
    return parts


def _legend(y: float, used: set[str]) -> list[str]:
    parts, x = [], 10.0
    for outcome, (fill, glyph) in STYLES.items():
        if outcome not in used:
            continue
        parts.append(f'<rect x="{x:g}" y="{y:g}" width="14" height="14" fill="{fill}"/>')
        if glyph:
            parts.append(
                f'<text x="{x + 7:g}" y="{y + 11:g}" {_FONT} font-size="10" fill="#ffffff" '
                f'text-anchor="middle">{glyph}</text>'
            )
        parts.append(f'<text x="{x + 18:g}" y="{y + 11:g}" {_FONT} font-size="11">{outcome}</text>')
        x += 30 + 7 * len(outcome)
    return parts


def _sorted(names: set[str]) -> list[str]:
    return sorted(names, key=lambda name: [part.zfill(6) for part in re.split(r"(\d+)", name)])
