"""The rules of the house, held against the whole checkout; each check is shown to be able to fail."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import pytest

from reports.catalogue import load
from reports.model import Requirement

ROOT = Path(__file__).resolve().parents[2]
MOST_LINES = 400
MOST_LINES_OF_CONFTEST = 39
KNOWN_LONG = {"fixtures/probes/agent.py": 693}
"""Modules that are being split; the number may only shrink."""
LAYERS = {
    "suites": {"suites", "fixtures"},
    "fixtures": {"fixtures", "lab", "reports"},
    "lab": {"lab"},
    "reports": {"reports"},
    "benchmarks": {"benchmarks", "fixtures", "lab", "reports"},
    "tests": {"tests", "suites", "fixtures", "lab", "reports", "benchmarks"},
    "conftest.py": {"fixtures", "reports"},
}
"""Which of the project's packages a folder's modules may import."""
NOT_IN_SUITES = {"subprocess", "paramiko", "docker", "requests"}
PYTEST = {"pytest", "_pytest", "pytester", "xdist", "allure_pytest"}
KNOWS_PYTEST = "reports/plugin.py"
TOP_FOLDERS = {"bin", "boot", "dev", "etc", "home", "lib", "media", "mnt", "opt", "proc", "root", "run", "sbin"} | {
    "srv", "sys", "tmp", "usr", "var",
}  # fmt: skip
"""First folders that any Linux machine has (Filesystem Hierarchy Standard 3.0)."""
REGISTRIES = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"), ("yarnpkg", "com"),
        ("deb", "debian", "org"), ("archive", "ubuntu", "com"), ("registry-1", "docker", "io"), ("ghcr", "io"),
        ("quay", "io"), ("gcr", "io"), ("proxy", "golang", "org"), ("crates", "io"),
    )
)  # fmt: skip
"""In pieces, since no file may name one."""
REGISTRY_SETTING = re.compile(
    r"^\s*(?:(?:-i|--(?:extra-)?index-url|--find-links)[ =]|registry\s*=|\"resolved\":)", re.M
)

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


def imports(path: str, text: str) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of everything a module imports, anywhere in it, in any way."""
    package = PurePosixPath(path).parent.parts
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            stem = [*base, node.module] if node.module else list(base)
            yield from ((node.lineno, ".".join([*stem, name.name])) for name in node.names)
        elif isinstance(node, ast.Call) and _called(node) in ("__import__", "import_module"):
            first = node.args[0] if node.args else None
            dynamic = first.value if isinstance(first, ast.Constant) else "*"
            yield node.lineno, str(dynamic)


def _called(node: ast.Call) -> str:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def wrong_imports(path: str, text: str) -> list[str]:
    folder = PurePosixPath(path).parts[0]
    allowed = LAYERS.get(folder, set())
    found = []
    for line, name in imports(path, text):
        top = name.split(".")[0]
        forbidden = (
            (top in LAYERS and top not in allowed)
            or top == "*"
            or (folder == "suites" and top in NOT_IN_SUITES)
            or (folder in ("lab", "reports") and top in PYTEST and path != KNOWS_PYTEST)
        )
        if forbidden:
            found.append(f"{path}:{line}: imports {name}")
    return found


def too_long(path: str, text: str) -> list[str]:
    most = MOST_LINES_OF_CONFTEST if path == "conftest.py" else KNOWN_LONG.get(path, MOST_LINES)
    lines = len(text.splitlines())
    return [f"{path}: {lines} lines, {most} at most"] if lines > most else []


def sleeps(path: str, text: str) -> list[str]:
    """Sleeps: none in suites; in fixtures only in a loop that something observed can end."""
    if not path.startswith(("suites/", "fixtures/")):
        return []
    tree = ast.parse(text)
    polled: set[ast.AST] = set()
    for loop in ast.walk(tree):
        if isinstance(loop, ast.While) and (
            not isinstance(loop.test, ast.Constant)
            or any(isinstance(node, ast.Return | ast.Break | ast.Raise) for node in ast.walk(loop))
        ):
            polled.update(ast.walk(loop))
    return [
        f"{path}:{node.lineno}: sleeps"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and _called(node) == "sleep"
        and (node not in polled or path.startswith("suites/"))
    ]


def _tests(text: str) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node


def _requirements(test: ast.FunctionDef) -> list[str]:
    return [
        argument.value
        for mark in test.decorator_list
        if isinstance(mark, ast.Call) and _called(mark) == "requirement"
        for argument in mark.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    ]


def unnamed_promises(path: str, text: str) -> list[str]:
    """Tests whose docstring or requirement is missing: they would prove nothing to a reader."""
    found = []
    for test in _tests(text):
        words = ast.get_docstring(test) or ""
        if "Expected:" not in words or words.startswith("Expected:"):
            found.append(f"{path}:{test.lineno}: {test.name}: its docstring says no promise, or not what is expected")
        if not _requirements(test):
            found.append(f"{path}:{test.lineno}: {test.name}: proves no requirement")
    return found


def asserts_nothing(path: str, text: str) -> list[str]:
    """Tests that cannot fail for what they saw."""
    asserting = {"raises", "eventually", "proved", "fail", "fnmatch_lines", "assert_outcomes"}
    return [
        f"{path}:{test.lineno}: {test.name}: asserts nothing"
        for test in _tests(text)
        if not any(
            isinstance(node, ast.Assert) or (isinstance(node, ast.Call) and _called(node) in asserting)
            for node in ast.walk(test)
        )
    ]


def misplaced(path: str, text: str, catalogue: dict[str, Requirement]) -> list[str]:
    """Requirement ids that the catalogue lacks or has in another folder."""
    folder = PurePosixPath(path).parts[1]
    found = []
    for test in _tests(text):
        for name in _requirements(test):
            if name not in catalogue:
                found.append(f"{path}:{test.lineno}: {name}: not in suites/catalogue.yaml")
            elif catalogue[name].suite != folder:
                found.append(f"{path}:{test.lineno}: {name}: the catalogue has it in suites/{catalogue[name].suite}")
    return found


def machine_paths(checkouts: list[Path]) -> list[re.Pattern[str]]:
    """Paths that only this machine has: its checkouts, and the first folder of theirs if it is no usual one."""
    names = {str(place) for place in checkouts}
    names |= {f"/{place.parts[1]}/" for place in checkouts if place.parts[1] not in TOP_FOLDERS}
    names |= {f"/{top}/{place.parts[2]}/" for place in checkouts for top in ("home",) if place.parts[1] == top}
    return [re.compile(rf"(?<![\w.*$}}-]){re.escape(name)}") for name in sorted(names)]


def gives_away(path: str, text: str, places: list[re.Pattern[str]]) -> list[str]:
    """Hosts of package registries, settings that would name one, and paths of this machine."""
    found = [
        f"{path}: names {host}" for host in REGISTRIES if re.search(rf"(?<![\w-]){re.escape(host)}(?![\w-])", text)
    ]
    found += [f"{path}: {match[0].strip()} sets a registry" for match in REGISTRY_SETTING.finditer(text)]
    found += [f"{path}: holds {match[0]}" for place in places for match in [place.search(text)] if match]
    return found


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


def test_a_right_import_is_none() -> None:
    assert not wrong_imports(KNOWS_PYTEST, "import pytest\nfrom . import writers\nfrom .model import Status")
    assert not wrong_imports("fixtures/probes/x.py", "import subprocess\nfrom ..run import Run\nfrom lab import plan")
    assert not wrong_imports("suites/dns/test_x.py", "import pytest\nfrom fixtures.names import Resolver")


def test_no_module_is_too_long() -> None:
    found = _everywhere(too_long, MODULES)
    assert not found


def test_a_long_module_is_found() -> None:
    assert too_long("lab/x.py", "x = 1\n" * (MOST_LINES + 1)) and not too_long("lab/x.py", "x = 1\n" * MOST_LINES)
    assert too_long("conftest.py", "\n" * 40) and not too_long("conftest.py", "\n" * 39)


def test_nothing_sleeps_where_it_could_look() -> None:
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


def test_a_poll_is_no_sleep() -> None:
    assert not sleeps("fixtures/x.py", "while True:\n    if look():\n        break\n    time.sleep(0.1)")


def test_every_test_of_the_suites_says_what_it_proves() -> None:
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
def test_a_silent_test_is_found(text: str) -> None:
    assert unnamed_promises("suites/dns/test_x.py", text)


def test_every_test_asserts() -> None:
    found = _everywhere(asserts_nothing, [one for one in MODULES if one[0].startswith(("suites/", "tests/"))])
    assert not found


def test_a_test_without_assertion_is_found() -> None:
    assert asserts_nothing("tests/x.py", "def test_x():\n    run()")
    assert not asserts_nothing("tests/x.py", "def test_x():\n    with pytest.raises(OSError):\n        run()")


def test_requirements_are_where_the_catalogue_says() -> None:
    catalogue = load(ROOT / "suites" / "catalogue.yaml")
    found = _everywhere(lambda path, text: misplaced(path, text, catalogue), SUITES)
    assert not found


@pytest.mark.parametrize(
    "text", ['@requirement("NET-99")\ndef test_x(): ...', '@requirement("DNS-1", "NET-1")\ndef test_x(): ...']
)
def test_a_misplaced_requirement_is_found(text: str) -> None:
    assert misplaced("suites/dns/test_x.py", text, load(ROOT / "suites" / "catalogue.yaml"))


def test_no_file_gives_a_registry_or_this_machine_away() -> None:
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
def test_what_gives_away_is_found(text: str) -> None:
    places = machine_paths([Path("/depot/checkout"), Path("/home/jane/flatnet")])
    assert gives_away("x", text, places)


def test_what_every_machine_has_gives_nothing_away() -> None:
    text = "apt-get install docker.io; /run/flatnet; https://example.org/depot/checkout; /proc/self/ns/net"
    assert not gives_away("x", text, machine_paths([Path("/depot/checkout"), Path("/tmp/flatnet")]))


LINTERS = {"ruff check": ("ruff", "check"), "ruff format": ("ruff", "format", "--check"), "mypy": ("mypy",)}


def lint(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("linter", LINTERS)
def test_linters_are_content(linter: str) -> None:
    command = LINTERS[linter]
    done = lint(*command, *([] if linter == "mypy" else ["."]))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("linter", LINTERS)
def test_linters_are_listened_to(linter: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text('"""Bad."""\n\nimport os\n\n\ndef twice(number ):\n    """Double it."""\n    return number*2\n')
    done = lint(*LINTERS[linter], "--config-file" if linter == "mypy" else "--config", "pyproject.toml", str(bad))
    assert done.returncode == 1, done.stdout + done.stderr
