"""Rules for source files, checked on the whole checkout; each check is shown to be able to fail."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from reports.requirements import load
from tests.unit.house.rules import (
    KNOWS_PYTEST,
    MOST_LINES,
    REGISTRIES,
    asserts_nothing,
    gives_away,
    machine_paths,
    misplaced,
    sleeps,
    too_long,
    unnamed_promises,
    wrong_imports,
)

ROOT = Path(__file__).resolve().parents[3]
Source = tuple[str, str]
"""Path in the checkout, text."""


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return sorted(path for path in set(listed.stdout.split("\n")) if path and (ROOT / path).is_file())


FILES = tracked()
MODULES: list[Source] = [(path, (ROOT / path).read_text(encoding="utf-8")) for path in FILES if path.endswith(".py")]
SUITES = [source for source in MODULES if source[0].startswith("suites/")]


def _checkouts() -> list[Path]:
    git = ["git", "rev-parse", "--path-format=absolute", "--git-common-dir"]
    common = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    return [ROOT, Path(common).parent]


def _everywhere(check: Callable[[str, str], list[str]], sources: list[Source]) -> str:
    if not sources:
        raise LookupError("no file to check")
    return "\n".join(line for path, text in sources for line in check(path, text))


def test_imports_run_one_way() -> None:
    found = _everywhere(wrong_imports, MODULES)
    assert not found


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("suites/dns/test_x.py", "import subprocess"),
        ("suites/dns/test_x.py", "from paramiko.client import SSHClient"),
        ("suites/dns/test_x.py", "def test_x():\n    import docker.errors"),
        ("suites/dns/test_x.py", "import requests as r"),
        ("suites/dns/test_x.py", "from lab.inventory import load"),
        ("suites/dns/test_x.py", "from reports.model import Outcome"),
        ("suites/dns/test_x.py", "__import__('subprocess')"),
        ("suites/dns/test_x.py", "import importlib\nimportlib.import_module(name)"),
        ("fixtures/x.py", "from suites.dns import test_records"),
        ("fixtures/probes/x.py", "from ...tests import unit"),
        ("lab/x.py", "from reports import model"),
        ("lab/overlays/x.py", "from ...fixtures.probes import wire"),
        ("lab/x.py", "import pytest"),
        ("reports/x.py", "from lab.errors import HarnessError"),
        ("reports/x.py", "if False:\n    from _pytest.reports import TestReport"),
        ("benchmarks/x.py", "import tests.unit"),
        ("conftest.py", "import lab"),
    ],
)
def test_a_wrong_import_is_found(path: str, text: str) -> None:
    assert wrong_imports(path, text)


def test_a_right_import_is_not_accused() -> None:
    assert not wrong_imports(KNOWS_PYTEST, "import pytest\nfrom . import writers\nfrom .model import Status")
    assert not wrong_imports("fixtures/probes/x.py", "import subprocess\nfrom ..run import Run\nfrom lab import plan")
    assert not wrong_imports("suites/dns/test_x.py", "import pytest\nfrom fixtures.names import Resolver")


def test_no_module_is_too_long() -> None:
    found = _everywhere(too_long, MODULES)
    assert not found


def test_a_long_module_is_found() -> None:
    assert too_long("lab/x.py", "x = 1\n" * (MOST_LINES + 1)) and not too_long("lab/x.py", "x = 1\n" * MOST_LINES)
    assert too_long("conftest.py", "\n" * 40) and not too_long("conftest.py", "\n" * 39)


def test_nothing_sleeps_to_wait_for_a_condition() -> None:
    found = _everywhere(sleeps, MODULES)
    assert not found


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("suites/dns/test_x.py", "while look():\n    time.sleep(1)"),
        ("suites/dns/test_x.py", "from time import sleep\nsleep(1)"),
        ("fixtures/x.py", "start()\ntime.sleep(2)"),
        ("fixtures/x.py", "for _ in range(3):\n    sleep(2)"),
        ("fixtures/x.py", "while True:\n    time.sleep(1)"),
    ],
)
def test_a_sleep_is_found(path: str, text: str) -> None:
    assert sleeps(path, text)


def test_a_polling_loop_is_allowed() -> None:
    assert not sleeps("fixtures/x.py", "while True:\n    if look():\n        break\n    time.sleep(0.1)")


def test_every_test_of_the_suites_states_its_promise() -> None:
    found = _everywhere(unnamed_promises, SUITES)
    assert not found


@pytest.mark.parametrize(
    "text",
    [
        '@requirement("NET-1")\ndef test_x():\n    """A promise."""',
        '@requirement("NET-1")\ndef test_x():\n    """Expected: much."""',
        '@requirement("NET-1")\ndef test_x():\n    pass',
        'def test_x():\n    """A promise.\n\n    Expected: it is kept.\n    """',
        '@requirement()\ndef test_x():\n    """A promise.\n\n    Expected: it is kept.\n    """',
        'class TestX:\n    def test_x(self):\n        """A promise.\n\n        Expected: it is kept.\n        """',
    ],
)
def test_a_test_without_promise_or_requirement_is_found(text: str) -> None:
    assert unnamed_promises("suites/dns/test_x.py", text)


def test_every_test_asserts() -> None:
    found = _everywhere(asserts_nothing, [source for source in MODULES if source[0].startswith(("suites/", "tests/"))])
    assert not found


def test_a_test_without_assertion_is_found() -> None:
    assert asserts_nothing("tests/x.py", "def test_x():\n    run()")
    assert asserts_nothing("tests/x.py", "def run():\n    pass\n\ndef test_x():\n    run()")
    assert not asserts_nothing("tests/x.py", "def told():\n    assert x\n\ndef test_x():\n    told()")
    assert not asserts_nothing("tests/x.py", "def test_x():\n    with pytest.raises(OSError):\n        run()")
    assert not asserts_nothing("suites/x.py", "def test_x():\n    probe.assert_unreachable(attempts, controls)")


def test_requirements_are_where_the_catalogue_says() -> None:
    catalogue = load(ROOT / "suites" / "catalogue.yaml")
    found = _everywhere(lambda path, text: misplaced(path, text, catalogue), SUITES)
    assert not found


@pytest.mark.parametrize(
    "text", ['@requirement("NET-99")\ndef test_x(): ...', '@requirement("DNS-1", "NET-1")\ndef test_x(): ...']
)
def test_a_misplaced_requirement_is_found(text: str) -> None:
    assert misplaced("suites/dns/test_x.py", text, load(ROOT / "suites" / "catalogue.yaml"))


def test_no_file_names_a_registry_or_a_path_of_this_machine() -> None:
    places = machine_paths(_checkouts())
    texts = [(path, (ROOT / path).read_text(encoding="utf-8", errors="replace")) for path in FILES]
    found = _everywhere(lambda path, text: gives_away(path, text, places), texts)
    assert not found


@pytest.mark.parametrize(
    "text",
    [
        f"pip install --index-url https://{REGISTRIES[0]}/simple x",
        f"https://files.{REGISTRIES[1]}/packages/x.whl",
        "--extra-index-url=https://mirror.example/simple",
        '      "resolved": "https://mirror.example/x.tgz",',
        "registry = https://mirror.example/",
        "see /depot/checkout/README.md",
        "/home/jane/notes",
        "cd /depot/elsewhere",
    ],
)
def test_a_registry_or_a_path_of_this_machine_is_found(text: str) -> None:
    places = machine_paths([Path("/depot/checkout"), Path("/home/jane/flatnet")])
    assert gives_away("x", text, places)


def test_paths_of_every_machine_are_allowed() -> None:
    text = "apt-get install docker.io; /run/flatnet; https://example.org/depot/checkout; /proc/self/ns/net"
    assert not gives_away("x", text, machine_paths([Path("/depot/checkout"), Path("/tmp/flatnet")]))
