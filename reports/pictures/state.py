"""A node's state as an HTML file of its own: first the filter rules whose counters moved, then all the rest."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence

from .table import Row, Tone, document, table

_ACTS = re.compile(r"\b(drop|reject|[sd]nat|masquerade|redirect)\b|-j (DROP|REJECT|[SD]NAT|MASQUERADE|REDIRECT)\b")
_COUNTER = re.compile(r"counter packets \d+ bytes \d+|\[\d+:\d+\]|packets \d+ bytes \d+")


def draw(node: str, moved: Sequence[str] | None, state: Mapping[str, str]) -> str:
    """The document. `moved`: lines such as `+3 chain FORWARD: … drop`; None when nothing was probed again.

    `state` is {what was read: the text of it}; in it the rules that moved are marked.
    """
    parts = [f"<h2>State of {html.escape(node)}</h2>"]
    if moved is not None:
        parts.append(_moved(moved))
    rules = {_bare(line.partition(": ")[2]) for line in moved or ()}
    for what, text in state.items():
        shown = "\n".join(_line(line, rules) for line in text.rstrip().splitlines())
        opened = " open" if "<mark>" in shown else ""
        parts.append(
            f"<details{opened}><summary>{html.escape(what)}</summary><pre>{shown or '(empty)'}</pre></details>"
        )
    return document(f"State of {node}", "".join(parts))


def _moved(moved: Sequence[str]) -> str:
    caption = "Packet-filter rules whose counters moved while the failed edges were probed again"
    if not moved:
        return f"<p>{caption}: none</p>"
    rows = []
    for line in moved:
        count, _, rest = line.partition(" ")
        if not count.startswith("+"):  # a listing that could not be read
            rows.append(Row(("?", "", line), Tone.DOUBT))
            continue
        chain, _, rule = rest.partition(": ")
        rows.append(Row((count, chain, " ".join(rule.split())), Tone.BAD if _ACTS.search(rule) else Tone.PLAIN))
    return table(caption, ("packets", "chain", "rule"), rows, numeric=("packets",))


def _bare(rule: str) -> str:
    """A rule without its counter, so that it is found in a listing again."""
    return " ".join(_COUNTER.sub("", rule).replace("counter", "").split())


def _line(line: str, rules: set[str]) -> str:
    shown = html.escape(line, quote=False)
    bare = _bare(line)
    return f"<mark>{shown}</mark>" if bare and bare in rules and _COUNTER.search(line) else shown
