"""Whether the reason of a failed requirement blames the right thing: the place, the kind, and what it acts by. Pure.

A fault declares patterns (`re`), and a right reason has all of them. That a container's or an edge's name contains the
node's name accuses nobody: `{node}` is the node itself as a place (`u2's tunnel vx-a`, `on u2`, `u2: …`), and edges
(`u1/a1->u2/a2-icmp`) are not read at all. `{container}` is a container of the node, where one of its own is to blame.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_EDGE = re.compile(r"\S+->\S+")
NODE, CONTAINER, PEER = "{node}", "{container}", "{peer}"


def lacking(patterns: Sequence[str], reason: str, node: str, peer: str = "") -> list[str]:
    """Those of the patterns that the reason lacks, as they were declared, in their order.

    `node`: the node that the fault acts on; `peer`: the first of the other nodes, which some faults act on as well.
    """
    said = _EDGE.sub("(edge)", reason)
    return [pattern for pattern in patterns if not re.search(spelled(pattern, node, peer), said)]


def spelled(pattern: str, node: str, peer: str = "") -> str:
    """The pattern with the names in the place of `{node}`, `{container}` and `{peer}`."""
    place = r"(?<![\w/.-]){name}(?![\w/]|-\w)"
    for word, name in ((NODE, node), (PEER, peer)):
        pattern = pattern.replace(word, place.replace("{name}", re.escape(name)))
    return pattern.replace(CONTAINER, rf"(?<![\w/.-]){re.escape(node)}/\w+")
