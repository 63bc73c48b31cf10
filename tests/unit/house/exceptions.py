"""What code may do only in listed places: catch everything, hide errors of a shell, replace the environment."""

from __future__ import annotations

import ast
import re
from collections import Counter

HIDDEN_ERRORS = re.compile(r"2>\s*/dev/null|2>&-|&>\s*/dev/null")
ALLOWED = {
    ("fixtures/probes/agent/main.py", "hides errors"): (1, "answers are JSON: an empty one is an error of the reader"),
    ("fixtures/control_plane/filters.py", "hides errors"): (
        2, "a kernel without iptables lacks the file; a missing switch is written as `none`, which the judging knows",
    ),
    ("fixtures/control_plane/identity.py", "hides errors"): (1, "a machine-id that is missing is a finding of CP-4"),
    ("fixtures/expose/exposure.py", "hides errors"): (1, "a back end that the node lacks has no rules to compare"),
}  # fmt: skip
"""(file, finding) → how often, and why its emptiness is not taken for an answer."""


def lax_places(path: str, text: str) -> list[str]:
    """Findings of one module, as `path: finding`; one line for each."""
    if not path.startswith(("fixtures/", "suites/", "lab/", "reports/")):
        return []
    tree = ast.parse(text)
    found = [f"{path}: {finding}" for node in ast.walk(tree) for finding in _of(node, path)]
    return sorted(found)


def _of(node: ast.AST, path: str) -> list[str]:
    if isinstance(node, ast.ExceptHandler) and path.startswith(("fixtures/", "suites/")):
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        everything = any(kind is None or (isinstance(kind, ast.Name) and kind.id in _EVERYTHING) for kind in caught)
        if everything and ast.unparse(node.body[-1]) != "raise":
            return ["except Exception"]
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and path.startswith(("fixtures/", "suites/")):
        return ["hides errors"] * len(HIDDEN_ERRORS.findall(node.value))
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("patch.dict"):
        return ["patches a dictionary"]
    return []


_EVERYTHING = {"Exception", "BaseException"}


def unlisted(found: list[str]) -> list[str]:
    """Findings beyond those that ALLOWED lists, and entries of ALLOWED that match nothing any more."""
    allowed = {f"{path}: {finding}": count for (path, finding), (count, _) in ALLOWED.items()}
    counted = Counter(found)
    return [f"{line} ({counted[line]} times)" for line in counted if counted[line] > allowed.get(line, 0)] + [
        f"{line}: is listed {count} times, and found {counted[line]} times" for line, count in allowed.items()
        if counted[line] < count
    ]  # fmt: skip


def unreadable_in_a_suite(path: str, text: str) -> list[str]:
    """Lambdas with a default argument, and silenced type checks: what a reader of a suite stumbles over."""
    if not path.startswith("suites/"):
        return []
    found = [
        f"{path}:{node.lineno}: lambda with a default argument; write a function, or a method of a fixture"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Lambda) and (node.args.defaults or any(node.args.kw_defaults))
    ]
    return found + [
        f"{path}:{number}: `# type: ignore`; give the fixture a type"
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(r"#\s*type:\s*ignore", line)
    ]
