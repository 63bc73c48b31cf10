"""The tests that stand in the files of the suites, whether or not pytest collects them."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable
from pathlib import Path

from .requirements import SUITES

_MARK = "requirement"


def uncollected(root: Path, folders: Iterable[str], nodeids: Iterable[str]) -> dict[str, list[str]]:
    """{test as written: requirement ids} of each test function of suites/<folder> that was not collected.

    Something keeps it from being seen (`--ignore`, `collect_ignore`, `python_functions`, a plugin), so it is planned
    and does not run. `nodeids` are those of all collected tests, left-out ones included.
    """
    seen = {nodeid.split("[")[0] for nodeid in nodeids}
    files = sorted(place for folder in folders for place in (root / SUITES / folder).rglob("test_*.py"))
    return {
        test: ids
        for place in files
        for test, ids in _tests(place, place.relative_to(root).as_posix()).items()
        if test not in seen
    }


def _tests(place: Path, name: str) -> dict[str, list[str]]:
    """{`file::function`: requirement ids}; a file that cannot be read has none, and pytest tells so."""
    try:
        tree = ast.parse(place.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return {}
    return _within(tree.body, name)


def _within(body: Collection[ast.stmt], name: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            found |= _within(node.body, f"{name}::{node.name}")
        elif isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            found[f"{name}::{node.name}"] = _ids(node)
    return found


def _ids(function: ast.FunctionDef) -> list[str]:
    calls = [decorator for decorator in function.decorator_list if isinstance(decorator, ast.Call)]
    return [
        str(argument.value)
        for call in calls
        if ast.unparse(call.func).split(".")[-1] == _MARK
        for argument in call.args
        if isinstance(argument, ast.Constant)
    ]
