"""What keeps a node's subnets apart where its engine lets the packets of known conversations pass first.

Docker 28 accepts them (chain DOCKER-CT) before it looks at which network they come from, so that a container that
knows the addresses and ports of a conversation of another network sends into it (before 28 the rules that isolate
networks came first). DOCKER-USER, which the engine keeps as it is, comes before both.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from itertools import permutations

CONVERSATIONS_FIRST = "DOCKER-CT"
"""The chain that an engine has which accepts conversations first."""


def rules_between(bridges: Iterable[str], programs: Iterable[str]) -> list[str]:
    """Lines of shell that drop what goes between bridges within a conversation, if the engine would accept it."""
    lines = []
    for program in programs:
        chain = shlex.join([program, "-w", "5", "-n", "-L", CONVERSATIONS_FIRST])
        lines.append(f"if {chain} >/dev/null 2>&1; then")
        for one, other in permutations(bridges, 2):
            rule = ["DOCKER-USER", "-i", one, "-o", other, "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED"]
            there, add = (shlex.join([program, "-w", "5", word, *rule, "-j", "DROP"]) for word in ("-C", "-I"))
            lines.append(f"{there} 2>/dev/null || {add}")
        lines.append("fi")
    return lines
