"""The import graph: no cycle, and the directions within lab."""

from __future__ import annotations

import pytest

from tests.unit.house.import_graph import Graph, cycles, import_graph
from tests.unit.house.test_architecture import MODULES, Source

PRODUCT = ("conftest.py", "fixtures/", "lab/", "reports/", "suites/")
NEVER = {
    "lab.errors": ("lab.",),
    "lab.inventory": ("lab.access", "lab.embedded", "lab.faults", "lab.overlays"),
    "lab.access": ("lab.embedded", "lab.faults", "lab.overlays"),
    "lab.overlays": ("lab.embedded.lifecycle", "lab.embedded.supervisor", "lab.faults"),
    "lab.embedded": ("lab.faults",),
    "reports.writers": ("reports.plugin",),
}
"""Package → packages and modules that none of its modules may import, by whatever way."""


def graph_of(sources: list[Source]) -> Graph:
    """The graph of the product's own modules, without those of tests and benchmarks."""
    return import_graph([source for source in sources if source[0].startswith(PRODUCT)])


def wrong_directions(graph: Graph) -> list[str]:
    """Imports that run against NEVER, each as `a imports b`."""
    return [
        f"{name} imports {imported}"
        for name in sorted(graph)
        for package, forbidden in NEVER.items()
        if _within(name, package)
        for imported in sorted(graph[name])
        if any(_within(imported, other.rstrip(".")) for other in forbidden) and not _within(imported, package)
    ]


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def test_no_module_imports_itself_by_way_of_others() -> None:
    found = "\n".join(cycles(graph_of(MODULES)))
    assert not found


def test_directions_within_lab_and_reports() -> None:
    found = "\n".join(wrong_directions(graph_of(MODULES)))
    assert not found


def test_the_graph_is_the_projects() -> None:
    graph = graph_of(MODULES)
    assert "lab.overlays.base" in graph["lab.overlays.vxlan"]
    assert "lab.access.cluster" in graph["lab.overlays.base"], "an import under TYPE_CHECKING counts"
    assert len(graph) > 80 and not any(name.startswith("tests.") for name in graph)


@pytest.mark.parametrize(
    "late",
    [
        "from lab import a",
        "def f():\n    from lab.a import g",
        "if TYPE_CHECKING:\n    from .a import g",
        "def f():\n    import importlib\n    importlib.import_module('lab.a')",
    ],
)
def test_a_cycle_is_found_however_late_its_import(late: str) -> None:
    sources = [("lab/a.py", "from .b import x"), ("lab/b.py", "import lab.c"), ("lab/c.py", late)]
    assert cycles(graph_of(sources)) == ["lab.a → lab.b → lab.c → lab.a"]
    assert cycles(graph_of(sources[:2])) == []


def test_a_package_and_its_modules_are_a_cycle_only_when_both_import() -> None:
    package, module = ("lab/x/__init__.py", "from .y import z"), ("lab/x/y.py", "z = 1")
    assert cycles(graph_of([package, module])) == []
    assert cycles(graph_of([package, ("lab/x/y.py", "from lab.x import z")])) == ["lab.x → lab.x.y → lab.x"]


def test_two_cycles_are_told_apart() -> None:
    pairs = [("a", "b"), ("b", "a"), ("c", "d"), ("d", "c"), ("e", "a")]
    sources = [(f"lab/{name}.py", f"import lab.{other}") for name, other in pairs]
    assert cycles(graph_of(sources)) == ["lab.a → lab.b → lab.a", "lab.c → lab.d → lab.c"]


def test_a_wrong_direction_is_found() -> None:
    sources = [
        ("lab/access/x.py", "from lab.embedded.y import z"), ("lab/embedded/y.py", "z = 1"),
        ("lab/inventory/w.py", "import lab.access.x"),
    ]  # fmt: skip
    assert wrong_directions(graph_of(sources)) == [
        "lab.access.x imports lab.embedded.y",
        "lab.inventory.w imports lab.access.x",
    ]
