"""The import graph of the project's own modules, and its cycles."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from tests.unit.house.rules import imports

Graph = Mapping[str, frozenset[str]]
"""Module's dotted name → the modules that it imports, anywhere in it: late ones and those under TYPE_CHECKING too."""


def module_name(path: str) -> str:
    """`lab.overlays.base` for lab/overlays/base.py, `lab.overlays` for lab/overlays/__init__.py."""
    parts = PurePosixPath(path).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def import_graph(sources: list[tuple[str, str]]) -> Graph:
    """The graph of modules given as (path in the checkout, text); imports from elsewhere are left out.

    `from a import b` leads to the module a.b where there is one, else to a. That importing a.b also runs
    a/__init__.py is left out: otherwise a package that re-exports its own modules would be a cycle.
    """
    names = {module_name(path) for path, _ in sources}

    def target(dotted: str) -> str | None:
        candidates = (dotted, dotted.rpartition(".")[0])
        return next((name for name in candidates if name in names), None)

    return {
        module_name(path): frozenset(
            found for _, dotted in imports(path, text) if (found := target(dotted)) and found != module_name(path)
        )
        for path, text in sources
    }


def cycles(graph: Graph) -> list[str]:
    """One line per group of modules that import each other, such as `a → b → a`; empty: there are none."""
    found = []
    seen: set[str] = set()
    for start in sorted(graph):
        if start in seen:
            continue
        group = {other for other in _reachable(graph, start) if start in _reachable(graph, other)}
        if group:
            seen |= group
            found.append(" → ".join(_way_back(graph, start, group)))
    return found


def _reachable(graph: Graph, start: str) -> set[str]:
    """The modules that `start` imports, directly or through others; `start` itself only through a cycle."""
    found: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(graph[name])
    return found


def _way_back(graph: Graph, start: str, group: set[str]) -> list[str]:
    """The shortest way from `start` through the group back to `start`."""
    ways = [[start]]
    seen: set[str] = set()
    while ways:
        way = ways.pop(0)
        for name in sorted(graph[way[-1]] & group):
            if name == start:
                return [*way, start]
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    raise AssertionError(f"{start} is in no cycle of {sorted(group)}")
