"""The matrix: who reached whom, by which transport, as an SVG picture."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from .svg import CHARACTER, STYLES, on, picture, text, told, wrapped

NARROWEST = 330
"""Pixels that the picture is wide at least: the legend needs them, and a phone has them."""
LABEL = 9.5
"""Pixels: the smallest font of a name."""


def draw(rows: Sequence[Mapping[str, Any]], *, title: str = "") -> str:
    """The SVG of `rows`: mappings with source, destination, transport, outcome.

    A cell is one box where all transports ended alike, and a bar for each, in the order of their names, where they did
    not. Raises KeyError when an outcome is not one of those of DESIGN §3.
    """
    sources = _sorted({str(row["source"]) for row in rows})
    destinations = _sorted({str(row["destination"]) for row in rows})
    transports = sorted({str(row["transport"]) for row in rows})
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        cell = cells.setdefault((str(row["source"]), str(row["destination"])), {})
        cell[str(row["transport"])] = str(row["outcome"])
    size = 34.0 if len(destinations) <= 8 else 26.0 if len(destinations) <= 12 else 10.3
    font = min(12.0, max(LABEL, size - 1))
    band = 24 if any("/" in name for name in (*sources, *destinations)) else 0
    left, top = (band + 8 + _longest(names, font) for names in (sources, destinations))
    width = max(left + size * len(destinations) + 6, NARROWEST)
    lines = wrapped(_how_to_read(transports), width - 12, 11)
    above = 8 + 14 * len(lines)
    used = [outcome for outcome in STYLES if any(outcome in cell.values() for cell in cells.values())]
    legend, below = _legend(above + top + size * len(sources) + 22, width, used)
    parts = [text(6, 14 + 14 * number, line, 11, fill="#444444") for number, line in enumerate(lines)]
    parts += _column_names(destinations, left, above + top, size, font)
    parts += _row_names(sources, left, above + top, size, font)
    for line, source in enumerate(sources):
        for column, destination in enumerate(destinations):
            found = cells.get((source, destination))
            if found:
                parts += _cell(left + column * size, above + top + line * size, size, source, destination, found)
    return picture(width, below, title or "Who reached whom", _summary(cells, len(transports)), [*parts, *legend])


def _how_to_read(transports: Sequence[str]) -> str:
    split = (
        f"; where transports differ, bars from left to right: {', '.join(transports)}" if len(transports) > 1 else ""
    )
    return f"Rows send, columns receive, by {told(transports)}{split}." if transports else "No edge was probed."


def _summary(cells: Mapping[tuple[str, str], Mapping[str, str]], transports: int) -> str:
    """What the picture shows, in words: how many edges there are, and which ones were not answered."""
    edges = [(*pair, transport, outcome) for pair, cell in cells.items() for transport, outcome in cell.items()]
    wrong = [f"{one} to {other} by {by}: {outcome}" for one, other, by, outcome in edges if outcome != "answered"]
    shown = "; ".join(wrong[:20]) + (f"; and {len(wrong) - 20} more" if len(wrong) > 20 else "")
    return f"{len(edges)} edges by {transports} transports. " + (
        f"{len(wrong)} were not answered: {shown}." if wrong else "All were answered."
    )


def _short(name: str) -> str:
    """A name within its node: `a1` of `u1/a1`."""
    return name.rpartition("/")[2]


def _groups(names: Sequence[str]) -> Iterator[tuple[str, int, list[str]]]:
    """(node, place of its first name, its names) for each node; the node is empty for a name that has none."""
    place = 0
    for node, group in groupby(names, key=lambda name: name.rpartition("/")[0]):
        members = list(group)
        yield node, place, members
        place += len(members)


def _row_names(names: Sequence[str], left: float, top: float, size: float, font: float) -> list[str]:
    """Names at the left of the rows, below that of their node."""
    parts = []
    for node, first, members in _groups(names):
        y = top + first * size
        if node:
            parts.append(text(3, y + font, node, max(font, 10), font_weight="bold"))
        if first:
            parts.append(f'<path d="M{left - 14:g} {y:g}H{left:g}" stroke="#999999"/>')
        parts += [
            text(left - 4, y + number * size + size / 2 + font * 0.36, _short(name), font, name, text_anchor="end")
            for number, name in enumerate(members)
        ]
    return parts


def _column_names(names: Sequence[str], left: float, top: float, size: float, font: float) -> list[str]:
    """Names above the columns, turned, below that of their node."""
    parts = []
    for node, first, members in _groups(names):
        x = left + first * size
        if node:
            parts.append(text(x + 1, top - _longest(names, font) - 9, node, max(font, 10), font_weight="bold"))
        if first:
            parts.append(f'<path d="M{x:g} {top - 14:g}V{top:g}" stroke="#999999"/>')
        for number, name in enumerate(members):
            at = x + number * size + size / 2 + font * 0.36
            turned = f"rotate(-90 {at:g} {top - 4:g})"
            parts.append(text(at, top - 4, _short(name), font, name, transform=turned))
    return parts


def _longest(names: Sequence[str], font: float) -> float:
    """Pixels that the longest short name takes."""
    return font * 0.62 * max((len(_short(name)) for name in names), default=0)


def _cell(x: float, y: float, size: float, source: str, destination: str, found: Mapping[str, str]) -> list[str]:
    """The boxes of a pair, with one text for whoever points at them."""
    outcomes = dict(sorted(found.items()))
    if len(set(outcomes.values())) == 1:
        bars = [(0.0, size - 1.5, next(iter(outcomes.values())))]
        ended = f"{', '.join(outcomes)} {bars[0][2]}"
    else:
        wide = (size - 1) / len(outcomes)
        bars = [(number * wide, wide - 0.5, outcome) for number, outcome in enumerate(outcomes.values())]
        ended = ", ".join(f"{by} {outcome}" for by, outcome in outcomes.items())
    parts = [f"<g><title>{html.escape(f'{source} → {destination}: {ended}')}</title>"]
    for offset, width, outcome in bars:
        fill, glyph = STYLES[outcome]
        at = x + 0.75 + offset
        parts.append(
            f'<rect x="{at:.4g}" y="{y + 0.75:.4g}" width="{width:.3g}" height="{size - 1.5:g}" fill="{fill}"/>'
        )
        if glyph:
            font = min(15.0, size * 0.8, width * 1.5)
            parts.append(_glyph(at + width / 2, y + size / 2 + font * 0.36, font, outcome))
    return ["".join([*parts, "</g>"])]


def _glyph(x: float, y: float, font: float, outcome: str) -> str:
    fill, glyph = STYLES[outcome]
    return (
        f'<text x="{x:.4g}" y="{y:.4g}" font-size="{font:.3g}" font-weight="bold" fill="{on(fill)}" '
        f'text-anchor="middle">{glyph}</text>'
    )


def _legend(y: float, width: float, used: Sequence[str]) -> tuple[list[str], float]:
    """(the outcomes that occur, how deep they reach)."""
    parts, x = [], 6.0
    for outcome in used:
        fill, glyph = STYLES[outcome]
        wide = 34 + 13 * CHARACTER * len(outcome)
        if x > 6 and x + wide > width:
            x, y = 6.0, y + 22
        parts.append(f'<rect x="{x:g}" y="{y - 12:g}" width="16" height="16" fill="{fill}"/>')
        if glyph:
            parts.append(_glyph(x + 8, y + 1, 12, outcome))
        parts.append(text(x + 21, y + 1, outcome, 12))
        x += wide
    return parts, y + 12


def _sorted(names: set[str]) -> list[str]:
    return sorted(names, key=lambda name: [part.zfill(6) for part in re.split(r"(\d+)", name)])
