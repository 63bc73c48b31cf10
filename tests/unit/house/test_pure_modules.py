"""Every pure module of fixtures has a unit test that imports it."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from tests.unit.house.import_graph import import_graph, module_name
from tests.unit.house.rules import imports
from tests.unit.house.test_architecture import MODULES, Source

COLLECTS = {
    "concurrent", "consul", "docker", "fcntl", "http", "nomad", "paramiko", "pytest", "requests", "scapy.sendrecv",
    "shutil", "socket", "subprocess", "tempfile", "threading", "time", "urllib",
}  # fmt: skip
"""A module that imports one of these, or something within, reaches beyond its arguments."""
CONVERTS = {f"socket.{name}" for name in ("AF_INET", "AF_INET6", "inet_aton", "inet_ntoa", "inet_ntop", "inet_pton")}
"""These only turn addresses into other forms."""
AGENT = "fixtures/probes/agent/"
"""It runs on the nodes; what a pure module imports from it are formats."""


def pure_modules(sources: list[Source]) -> list[str]:
    """Dotted names of the modules of fixtures that only compute, and import only such modules of fixtures."""
    own = [(path, text) for path, text in sources if path.startswith("fixtures/") and not path.startswith(AGENT)]
    graph = import_graph(own)
    collecting = {module_name(path) for path, text in own if any(_collects(name) for _, name in imports(path, text))}
    while more := {name for name in graph if graph[name] & collecting} - collecting:
        collecting |= more
    return sorted({module_name(path) for path, _ in own if PurePosixPath(path).stem != "__init__"} - collecting)


def _collects(imported: str) -> bool:
    return imported not in CONVERTS and any(f"{imported}.".startswith(f"{name}.") for name in COLLECTS)


def untested(sources: list[Source]) -> list[str]:
    """Pure modules that no module of tests/unit imports, each with what to do."""
    graph = import_graph([source for source in sources if source[0].startswith(("fixtures/", "tests/unit/"))])
    tested = {imported for name in graph if name.startswith("tests.unit.") for imported in graph[name]}
    return [
        f"{name}: no unit test imports it; write tests/unit/{'/test_'.join(name.split('.')[-2:])}.py"
        for name in pure_modules(sources)
        if name not in tested
    ]


def test_every_pure_module_has_a_unit_test() -> None:
    missing = "\n".join(untested(MODULES))
    assert not missing


def test_judging_modules_are_pure() -> None:
    pure = pure_modules(MODULES)
    assert {"fixtures.probes.judge", "fixtures.probes.sightings", "fixtures.isolation.judging"} <= set(pure)
    assert "fixtures.probes.prober" not in pure and "fixtures.containers.party" not in pure


PURE = ("fixtures/x/judging.py", "from socket import inet_ntoa\nimport struct")
TEST = ("tests/unit/x/test_judging.py", "from fixtures.x.judging import judge")


def test_a_pure_module_without_a_test_is_found() -> None:
    line = "fixtures.x.judging: no unit test imports it; write tests/unit/x/test_judging.py"
    assert untested([PURE, ("suites/x/test_judging.py", TEST[1])]) == [line]
    assert untested([PURE, TEST]) == []


@pytest.mark.parametrize(
    "text",
    ["import pytest", "import time", "import socket", "from docker.errors import NotFound", "import scapy.sendrecv"],
)
def test_a_module_that_collects_and_what_imports_it_are_not_pure(text: str) -> None:
    users = [("fixtures/x/a.py", "from . import b"), ("fixtures/x/b.py", "from fixtures.x.judging import judge")]
    assert pure_modules([("fixtures/x/judging.py", text), *users]) == []
    assert len(pure_modules([PURE, *users])) == 3


def test_packages_and_the_agent_are_left_out() -> None:
    formats = ("fixtures/probes/agent/formats.py", "import socket")
    assert pure_modules([("fixtures/x/__init__.py", ""), formats]) == []
    assert pure_modules([formats, ("fixtures/probes/wire.py", "from .agent.formats import TAG_SIZE")]) == [
        "fixtures.probes.wire"
    ]
