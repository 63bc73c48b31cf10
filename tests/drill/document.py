"""The table and the picture of docs/faults, both made from the faults' declarations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from lab.faults import Fault
from reports.model import Requirement

BEGIN, END = "<!-- faults: made by `./run tests/drill --regenerate` -->", "<!-- end of faults -->"
CELL, LEFT, TOP = 15, 220, 74
COLOURS = {"must": "#b2182b", "may": "#fddbc7", "hold": "#f2f2f2"}
"""They differ in brightness too, and a requirement that must fail has a dot."""


def table(faults: Mapping[str, Fault]) -> str:
    """One row per fault, in Markdown."""
    rows = ["| fault | what it imitates | acts on | lab | must fail | may fail |", "|---|---|---|---|---|---|"]
    for fault in faults.values():
        words = [
            f"`{fault.name}`",
            f"[{fault.imitates.rstrip('.')}]({fault.source})",
            fault.where.value,
            fault.applies_to,
            ", ".join(fault.must_fail) or "none",
            _ranges(fault.may_fail) or "none",
        ]
        rows.append(f"| {' | '.join(words)} |")
    return "\n".join(rows)


def _ranges(requirements: Sequence[str]) -> str:
    """`DNS-1…3, NET-5` for DNS-1, DNS-2, DNS-3, NET-5."""
    numbers: dict[str, list[int]] = {}
    for name in requirements:
        family, _, digits = name.partition("-")
        numbers.setdefault(family, []).append(int(digits))
    parts = []
    for family in sorted(numbers):
        runs: list[list[int]] = []
        for number in sorted(set(numbers[family])):
            if runs and runs[-1][-1] == number - 1:
                runs[-1].append(number)
            else:
                runs.append([number])
        told = [str(run[0]) if len(run) == 1 else f"{run[0]}…{run[-1]}" for run in runs]
        parts.append(f"{family}-{', '.join(told)}")
    return "; ".join(parts)


def picture(faults: Mapping[str, Fault], catalogue: Mapping[str, Requirement]) -> str:
    """The detection matrix as SVG: faults down, requirements across."""
    columns = list(catalogue)
    width, height = LEFT + CELL * len(columns) + 10, TOP + CELL * len(faults) + 34
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="10">',
        "<title>Which requirements fail under which fault</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for place, name in enumerate(columns):
        x = LEFT + CELL * place + CELL // 2 + 3
        lines.append(f'<text transform="translate({x},{TOP - 6}) rotate(-60)">{escape(name)}</text>')
    for row, fault in enumerate(faults.values()):
        y = TOP + CELL * row
        lines.append(f'<text x="{LEFT - 6}" y="{y + 11}" text-anchor="end">{escape(fault.name)}</text>')
        lines.append(
            f'<rect x="{LEFT}" y="{y}" width="{CELL * len(columns) - 1}" height="{CELL - 1}" fill="{COLOURS["hold"]}"/>'
        )
        for place, name in enumerate(columns):
            if name not in {*fault.must_fail, *fault.may_fail}:
                continue
            what = "must" if name in fault.must_fail else "may"
            x = LEFT + CELL * place
            lines.append(
                f'<rect x="{x}" y="{y}" width="{CELL - 1}" height="{CELL - 1}" fill="{COLOURS[what]}">'
                f"<title>{escape(fault.name)}: {name} {what} fail</title></rect>"
            )
            if what == "must":
                lines.append(f'<circle cx="{x + 7}" cy="{y + 7}" r="2.5" fill="#ffffff"/>')
    for place, (what, words) in enumerate((("must", "must fail"), ("may", "may fail"), ("hold", "must hold"))):
        x, y = LEFT + 90 * place, height - 20
        lines.append(f'<rect x="{x}" y="{y}" width="{CELL - 1}" height="{CELL - 1}" fill="{COLOURS[what]}"/>')
        lines.append(f'<text x="{x + 20}" y="{y + 11}">{words}</text>')
    return "\n".join([*lines, "</svg>", ""])


def inserted(text: str, faults: Mapping[str, Fault]) -> str:
    """The page with the table between its two marks replaced. Raises ValueError when a mark is missing."""
    before, _, rest = text.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"docs/faults.md: no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n\n{table(faults)}\n\n{END}{after}"
