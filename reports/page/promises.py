"""What docs/requirements says of each requirement, as HTML: the report shows it where the documents are not at hand."""

from __future__ import annotations

import html
import os
import re
from functools import cache
from pathlib import Path

from reports.model import Requirement

DOCS = Path(__file__).resolve().parents[2] / "docs" / "requirements"
_HEADING = re.compile(r"^## ", re.M)
_INLINE = (
    (re.compile(r"`([^`]+)`"), r"<code>\1</code>"),
    (re.compile(r"\*\*([^*]+)\*\*"), r"<b>\1</b>"),
    (re.compile(r"(?<![\w*])\*([^*\s][^*]*)\*"), r"<i>\1</i>"),
    (re.compile(r"\[([^\]]+)\]\([^)]+\)"), r"\1"),
)


def link(requirement: Requirement, folder: Path) -> str:
    """The address of a requirement's section, from a page in `folder`."""
    place = os.path.relpath(DOCS / f"{requirement.suite}.md", folder)
    return f"{Path(place).as_posix()}#{requirement.id.lower()}"


def explained(requirement: Requirement) -> str:
    """The requirement's section as HTML, without its heading; empty when the documents have none."""
    return as_html(_sections(DOCS / f"{requirement.suite}.md").get(requirement.id, ""))


@cache
def _sections(place: Path) -> dict[str, str]:
    """{requirement: its section}; a heading may name several."""
    if not place.is_file():
        return {}
    found = {}
    for section in _HEADING.split(place.read_text(encoding="utf-8"))[1:]:
        heading, _, text = section.partition("\n")
        found.update({name: text.strip("\n") for name in re.findall(r"[A-Z]+-\d+", heading)})
    return found


def as_html(text: str) -> str:
    """Paragraphs, indented blocks, code and emphasis: the Markdown that those documents use."""
    made = []
    for block in re.split(r"\n\s*\n", text):
        lines = block.splitlines()
        if lines and all(line.startswith("    ") for line in lines if line.strip()):
            made.append(f"<pre>{html.escape(chr(10).join(line[4:] for line in lines))}</pre>")
        elif lines:
            made.append(f"<p>{_inline(' '.join(lines))}</p>")
    return "".join(made)


def _inline(text: str) -> str:
    text = html.escape(text, quote=False)
    for pattern, shown in _INLINE:
        text = pattern.sub(shown, text)
    return text
