"""What code may not do: catch everything, hide errors of a shell, replace the environment."""

from __future__ import annotations

import ast
import re

HIDDEN_ERRORS = re.compile(r"2>\s*/dev/null|2>&-|&>\s*/dev/null")


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
