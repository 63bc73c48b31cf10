"""What all pictures share: the frame with its title and description, text, and the colours of outcomes."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

STYLES: dict[str, tuple[str, str]] = {
    "answered": ("#009e73", ""),
    "delivered": ("#56b4e9", "◐"),
    "rewritten": ("#e69f00", "≠"),
    "misdelivered": ("#cc79a7", "↯"),
    "refused": ("#d55e00", "✕"),
    "rejected": ("#a33c00", "⊘"),
    "lost": ("#000000", "?"),
    "not_sent": ("#767676", "-"),
}
"""outcome → (fill, glyph). The colours are Okabe and Ito's, which people with any kind of colour blindness can tell
apart; each outcome has a glyph of its own as well."""

CHARACTER = 0.56
"""Width of a character of the sans-serif font, on average, in units of its size."""


def on(fill: str) -> str:
    """Black or white: what is read better on a colour, `#rrggbb`, by its relative luminance (WCAG 2.1)."""
    red, green, blue = (_linear(int(fill[place : place + 2], 16) / 255) for place in (1, 3, 5))
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#000000" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "#ffffff"


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


def picture(width: float, height: float, title: str, description: str, parts: Iterable[str]) -> str:
    """An SVG document. Screen readers read `title` and `description`."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
            f'viewBox="0 0 {width:g} {height:g}" role="img" font-family="sans-serif">',
            f"<title>{html.escape(title)}</title>",
            f"<desc>{html.escape(description)}</desc>",
            f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>',
            *parts,
            "</svg>",
        ]
    )


def text(x: float, y: float, content: str, size: float, title: str = "", **attributes: str) -> str:
    """A line of text; `title` is shown to whoever points at it, `attributes` are SVG's, with _ for -."""
    more = "".join(f' {name.replace("_", "-")}="{html.escape(value)}"' for name, value in attributes.items())
    pointed = f"<title>{html.escape(title)}</title>" if title else ""
    return f'<text x="{x:.5g}" y="{y:.5g}" font-size="{size:g}"{more}>{html.escape(content)}{pointed}</text>'


def wrapped(content: str, width: float, size: float) -> list[str]:
    """The text as lines that are not wider than `width` at a font of `size`; a long word stands alone."""
    most = max(8, int(width / (size * CHARACTER)))
    lines: list[str] = []
    for word in content.split():
        if lines and len(lines[-1]) + 1 + len(word) <= most:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def told(names: Sequence[str]) -> str:
    """`icmp, tcp and udp`."""
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part) if names else ""
