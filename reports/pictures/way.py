"""The way of one probe through its nodes as an SVG picture: where it was seen, seen changed, and seen last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from .svg import picture, text, wrapped

WIDTH = 340
BOX, LINE, GAP, EDGE = 34, 20, 16, 12
"""Pixels: the height of a place, of a line of text, between two places, from the border."""


class Mark(StrEnum):
    """What a place on the way saw of the probe."""

    SEEN = "seen"
    CHANGED = "changed"
    LAST = "last"
    NEVER = "never"
    UNKNOWN = "unknown"


_LOOKS = {
    Mark.SEEN: ("#dff3ec", "#00734f", "✓", "seen"),
    Mark.CHANGED: ("#fdeccb", "#8a5a00", "≠", "seen, changed"),
    Mark.LAST: ("#ffe0cc", "#b94700", "◉", "last seen here"),
    Mark.NEVER: ("#ffffff", "#6b6b6b", "✕", "never seen"),
    Mark.UNKNOWN: ("#ffffff", "#6b6b6b", "?", "not recorded"),
}
"""mark → (fill, line, sign, words): never a colour alone."""


@dataclass(frozen=True)
class Place:
    """A container, or an interface of a node, on the way of a probe."""

    node: str
    name: str
    """As people call it: `u1/a1`, `bridge fn-a`."""
    mark: Mark
    note: str = ""
    """What was seen there, such as `10.32.0.64 > 10.32.0.128`."""


def draw(places: Sequence[Place], *, title: str, outcome: str) -> str:
    """The SVG of a way, from the sender to the receiver; places of one node stand in one box, one below the other."""
    parts: list[str] = []
    y = float(EDGE)
    for line in wrapped(title, WIDTH - 2 * EDGE, 14):
        y += LINE - 3
        parts.append(text(EDGE, y, line, 14, font_weight="bold"))
    for line in wrapped(outcome, WIDTH - 2 * EDGE, 12):
        y += LINE - 4
        parts.append(text(EDGE, y, line, 12, fill="#444444"))
    y += 12
    previous: Place | None = None
    for node, group in groupby(places, key=lambda place: place.node):
        members = list(group)
        if previous is not None:
            parts += _underlay(y, _passed(members[0]))
            y += 42
        height = 28 + sum(_height(place) for place in members) + GAP * (len(members) - 1) + 10
        parts.append(
            f'<rect x="{EDGE}" y="{y:g}" width="{WIDTH - 2 * EDGE}" height="{height:g}" rx="6" fill="#f6f7f9" '
            'stroke="#8a9099"/>'
        )
        parts.append(text(EDGE + 10, y + 19, f"node {node}", 12, font_weight="bold"))
        at = y + 28
        for number, place in enumerate(members):
            if number:
                parts += _arrow(WIDTH / 2, at - GAP, at, _passed(place))
            parts += _box(place, at)
            at += _height(place) + GAP
            previous = place
        y += height
    return picture(WIDTH, y + EDGE, title, _told(places, outcome), parts)


def _height(place: Place) -> int:
    return BOX + (LINE - 3 if place.note else 0)


def _passed(place: Place) -> bool:
    """Whether the probe came as far as this place."""
    return place.mark not in (Mark.NEVER, Mark.UNKNOWN)


def _box(place: Place, y: float) -> list[str]:
    fill, stroke, sign, words = _LOOKS[place.mark]
    dashed = ' stroke-dasharray="5 4"' if not _passed(place) else ""
    thick = 3 if place.mark in (Mark.LAST, Mark.CHANGED) else 1.5
    left, width = EDGE + 10, WIDTH - 2 * EDGE - 20
    parts = [
        f'<rect x="{left}" y="{y:g}" width="{width}" height="{_height(place)}" rx="4" fill="{fill}" stroke="{stroke}" '
        f'stroke-width="{thick:g}"{dashed}/>',
        text(left + 10, y + 22, place.name, 13),
        text(left + width - 10, y + 22, f"{sign} {words}", 12, fill=stroke, font_weight="bold", text_anchor="end"),
    ]
    if place.note:
        parts.append(text(left + 10, y + 22 + LINE - 3, place.note, 11, fill="#444444", font_family="monospace"))
    return parts


def _arrow(x: float, top: float, bottom: float, passed: bool) -> list[str]:
    stroke, dashed = ("#00734f", "") if passed else ("#6b6b6b", ' stroke-dasharray="3 3"')
    return [
        f'<path d="M{x:g} {top:g}V{bottom - 1:g}M{x - 4:g} {bottom - 6:g}l4 5 4-5" '
        f'fill="none" stroke="{stroke}" stroke-width="2"{dashed}/>'
    ]


def _underlay(y: float, passed: bool) -> list[str]:
    return [
        *_arrow(WIDTH / 2, y, y + 42, passed),
        text(WIDTH / 2 + 14, y + 26, "underlay", 12, fill="#444444"),
    ]


def _told(places: Sequence[Place], outcome: str) -> str:
    """The picture in words."""
    seen = "; ".join(
        f"{place.name} on {place.node}: {_LOOKS[place.mark][3]}{f' as {place.note}' if place.note else ''}"
        for place in places
    )
    return f"{outcome}. From the sender to the receiver: {seen}."
