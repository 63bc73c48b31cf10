"""A plot of seconds over containers, both logarithmic, as SVG; pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 70, 250, 40, 50
COLOURS = ("#0072b2", "#56b4e9", "#009e73", "#d55e00", "#cc79a7", "#000000")
"""Of Okabe and Ito's palette: told apart by the colour-blind."""
MARKS = ("circle", "square", "up", "diamond", "down", "bar")


@dataclass(frozen=True)
class Series:
    """One line: {containers: seconds}; dashed when extrapolated from a sample."""

    name: str
    points: Mapping[int, float]
    dashed: bool = False
    hollow: frozenset[int] = frozenset()
    """Containers at which it did not do all that was asked."""


def draw(title: str, series: Sequence[Series]) -> str:
    """The picture. Raises ValueError when there is no point."""
    counts = sorted({count for line in series for count in line.points})
    seconds = [value for line in series for value in line.points.values()]
    if not seconds:
        raise ValueError("nothing to draw")
    low, high = math.floor(math.log10(min(seconds))), math.ceil(math.log10(max(seconds)))

    def x(count: int) -> float:
        first, last = math.log10(counts[0]), math.log10(counts[-1])
        part = 0.5 if first == last else (math.log10(count) - first) / (last - first)
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (math.log10(value) - low) / max(high - low, 1) * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><rect width="100%" height="100%" fill="white"/>'
        f'<text x="{LEFT}" y="22" font-size="15">{escape(title)}</text>'
    ]
    for power in range(low, high + 1):
        at = y(10**power)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{10**power:g} s</text>')
    for count in counts:
        parts.append(f'<text x="{x(count):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{count}</text>')
    parts.append(
        f'<text x="{LEFT}" y="{HEIGHT - 10}">containers (every ordered pair)'
        f"{'; hollow: not every edge was answered' if any(line.hollow for line in series) else ''}</text>"
    )
    for index, line in enumerate(series):
        points = [(x(n), y(line.points[n]), n in line.hollow) for n in sorted(line.points)]
        parts += _line(line, COLOURS[index % len(COLOURS)], MARKS[index % len(MARKS)], points)
    ends = sorted(((y(line.points[max(line.points)]), index) for index, line in enumerate(series) if line.points))
    below = float(TOP)
    for at, index in ends:
        below = max(at, below + 16)
        parts.append(
            f'<text x="{WIDTH - RIGHT + 14}" y="{below + 4:.1f}" fill="{COLOURS[index % len(COLOURS)]}">'
            f"{escape(series[index].name)}</text>"
        )
    return "\n".join([*parts, "</svg>\n"])


def _line(line: Series, colour: str, mark: str, points: Sequence[tuple[float, float, bool]]) -> list[str]:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
    dash = ' stroke-dasharray="6 4"' if line.dashed else ""
    shapes = {
        "circle": "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0",
        "square": "M-4 -4h8v8h-8z",
        "up": "M0 -5l5 9h-10z",
        "diamond": "M0 -5l5 5l-5 5l-5 -5z",
        "down": "M0 5l5 -9h-10z",
        "bar": "M-5 -2h10v4h-10z",
    }
    drawn = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>']
    drawn += [
        f'<path transform="translate({x:.1f} {y:.1f})" d="{shapes[mark]}" stroke="{colour}" stroke-width="1.5" '
        f'fill="{"white" if hollow else colour}"/>'
        for x, y, hollow in points
    ]
    return drawn
