"""Rules for source files, as functions: path and text of a file in, findings as lines of text out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from reports.model import Requirement

MOST_LINES = 400
MOST_LINES_OF_CONFTEST = 39
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
    r"^\s*(?:(?:-i|--(?:extra-)?index-url|--find-links)[ =]|registry\s*=\s*\"?https?:|\"resolved\":)", re.M
)


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
            or (top == "*" and folder not in ("tests", "benchmarks"))
            or (folder == "suites" and top in NOT_IN_SUITES)
            or (folder in ("lab", "reports") and top in PYTEST and path != KNOWS_PYTEST)
        )
        if forbidden:
            found.append(f"{path}:{line}: imports {name}")
    return found


def too_long(path: str, text: str) -> list[str]:
    most = MOST_LINES_OF_CONFTEST if path == "conftest.py" else MOST_LINES
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
    """Tests without a requirement, or without a docstring that states promise and expectation."""
    found = []
    for test in _tests(text):
        words = ast.get_docstring(test) or ""
        if "Expected:" not in words or words.startswith("Expected:"):
            found.append(f"{path}:{test.lineno}: {test.name}: its docstring lacks the promise or what is expected")
        if not _requirements(test):
            found.append(f"{path}:{test.lineno}: {test.name}: proves no requirement")
    return found


def asserts_nothing(path: str, text: str) -> list[str]:
    """Tests that cannot fail for what they saw, themselves or through a function of their module."""
    asserting = {"raises", "eventually", "eventually_none", "fail", "fnmatch_lines"}

    def claims(call: ast.Call) -> bool:
        return _called(call) in asserting or _called(call).startswith("assert_")

    def asserts(function: ast.AST) -> bool:
        return any(
            isinstance(node, ast.Assert) or (isinstance(node, ast.Call) and claims(node)) for node in ast.walk(function)
        )

    helpers = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    asserting |= {helper.name for helper in helpers if not helper.name.startswith("test_") and asserts(helper)}
    return [f"{path}:{test.lineno}: {test.name}: asserts nothing" for test in _tests(text) if not asserts(test)]


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
    """Paths that only this machine has: its checkouts, and their first folder if it is not a usual one."""
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
