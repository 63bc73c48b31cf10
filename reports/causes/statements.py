"""Whom the reason of a test accuses, where the reason is all that it handed over. Pure.

A reason is a few lines; each names first whom it is about: a node (`u2: …`, `Consul on u2 …`) or a container of one
(`u2/a2 gets no answer`). Where all lines are about one node, that one is accused. A line that reports every node in
turn (`u1: …; u2: …; u3: …`) accuses the one that differs from the others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

SHARE = 0.75
"""The part of a reason's lines that have to be about a node to accuse it."""


@dataclass(frozen=True)
class Accusation:
    """Whom a reason accuses."""

    node: str = ""
    """Empty: no single node."""
    container: str = ""
    """Empty: the node itself, or several of its containers."""
    line: str = ""
    """The line that says so, without what is the same in all lines."""
    certain: bool = False
    """Every line accuses this node."""


class Names:
    """Finds the nodes and containers that a text mentions."""

    def __init__(self, nodes: Sequence[str]) -> None:
        alternatives = "|".join(re.escape(name) for name in sorted(nodes, key=len, reverse=True)) or r"(?!)"
        self._mention = re.compile(rf"(?<![\w/.-])({alternatives})(?:(/[\w.-]*\w)|(?![\w/]|-\w))")
        self._report = re.compile(rf"(?:^|[;:,] )({alternatives}): ")

    def mentions(self, text: str) -> list[tuple[str, str]]:
        """(node, container or empty) of each mention, in their order."""
        return [(found[1], f"{found[1]}{found[2]}" if found[2] else "") for found in self._mention.finditer(text)]

    def shape(self, line: str) -> str:
        """What a line says, whoever it is about: its beginning up to the first colon, without names."""
        return self._mention.sub("*", line).partition(":")[0]

    def odd_one(self, line: str) -> tuple[str, str] | None:
        """(node, what is said of it) of a line that reports at least three nodes, where one differs from the others.

        ("", the line) where none of them or several do; None for a line that does not report so many.
        """
        found = list(self._report.finditer(line))
        parts = {
            one[1]: line[one.end() : found[place + 1].start() if place + 1 < len(found) else len(line)].strip(" ;,")
            for place, one in enumerate(found)
        }
        if len(parts) < 3:
            return None
        said = Counter(self._mention.sub("*", text) for text in parts.values())
        odd = [node for node, text in parts.items() if said[self._mention.sub("*", text)] == 1]
        return (odd[0], f"{odd[0]}: {parts[odd[0]]}") if len(odd) == 1 else ("", line)


_EDGE = re.compile(r"\S+->\S+")


def accuse(lines: Sequence[str], names: Names, *, two_sided: bool = False) -> Accusation:
    """Whom the lines of a reason accuse; `two_sided`: they are about two parties, whichever of them comes first."""
    told = [line.strip() for line in lines if names.mentions(line)]
    if not told:
        return Accusation(line=lines[0].strip() if lines else "")
    if len(told) == 1 and (odd := names.odd_one(told[0])) is not None:
        return Accusation(odd[0], line=odd[1], certain=bool(odd[0]))
    if two_sided:
        nodes = {node for line in told for node, _ in names.mentions(line)}
        return Accusation(nodes.pop() if len(nodes) == 1 else "", line=told[0])
    if "->" in told[0] and len(nodes := {node for node, _ in names.mentions(_EDGE.sub("", told[0]))}) == 1:
        return Accusation(nodes.pop(), line=told[0])
    start = _common_start(told)
    shown = [line[start:] if names.mentions(line[start:]) else line for line in told]
    shown = [line for line in shown if names.shape(line) == names.shape(shown[0])]  # what is told first, of everybody
    mentions = [names.mentions(line) for line in shown]
    firsts = Counter(node for (node, _), *_ in mentions)
    node, count = firsts.most_common(1)[0]
    if count < SHARE * len(shown):
        shared = set.intersection(*({name for name, _ in found} for found in mentions))
        if len(shared) != 1:
            return Accusation(line=shown[0])
        node = shared.pop()
    containers = {container for found in mentions for name, container in found[:1] if name == node}
    place = next(number for number, found in enumerate(mentions) if node in {name for name, _ in found})
    return Accusation(node, containers.pop() if len(containers) == 1 else "", shown[place], count == len(shown))


def _common_start(lines: Sequence[str]) -> int:
    """Length of the clause that all lines begin with, such as `right after the stop of u1's Consul: `."""
    if len(lines) < 2:
        return 0
    first, last = min(lines), max(lines)
    same = next((place for place, letter in enumerate(first) if last[place : place + 1] != letter), len(first))
    return first.rfind(": ", 0, same) + 2 if ": " in first[:same] else 0
