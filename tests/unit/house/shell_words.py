"""Finds values that reach a node's shell without quotes: path and text of files in, findings as lines of text out."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

RUNS = {"run", "channel"}
"""Methods whose first argument is a command of a node: a string goes to its shell unchanged (lab/access/shell.py)."""
QUOTED = {"shlex.quote", "shlex.join", "int", "len"}
MOST_STEPS = 4

Functions = Mapping[str, ast.FunctionDef]
"""{name: a function that returns a part of a command}, of all files that are looked at."""


def functions(sources: Mapping[str, str]) -> dict[str, ast.FunctionDef]:
    """The functions of all files, by name; of several with one name none, as it is not known which one is called."""
    found: dict[str, list[ast.FunctionDef]] = {}
    for text in sources.values():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                found.setdefault(node.name, []).append(node)
    return {name: several[0] for name, several in found.items() if len(several) == 1}


def unquoted(path: str, text: str, known: Functions) -> list[str]:
    """Values in commands for a node's shell that are neither quoted nor a constant."""
    found = set()
    for function in ast.walk(ast.parse(text)):
        if not isinstance(function, ast.FunctionDef):
            continue
        values = _assigned(function)
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in RUNS:
                for command in call.args[:1]:
                    if isinstance(command, ast.List | ast.Tuple):
                        continue  # words, which `command_line` quotes
                    found |= {ast.unparse(value) for value in _inserted(command, values, known, 0)}
    return [f"{path}: {value}" for value in sorted(found)]


def _assigned(function: ast.FunctionDef) -> dict[str, list[ast.expr]]:
    """{variable: what is assigned or added to it} within a function."""
    values: dict[str, list[ast.expr]] = {}
    for node in ast.walk(function):
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AugAssign) else []
        )
        for target in targets:
            if isinstance(target, ast.Name) and isinstance(node, ast.Assign | ast.AugAssign):
                values.setdefault(target.id, []).append(node.value)
            elif isinstance(target, ast.Tuple) and isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
                for name, value in zip(target.elts, node.value.elts, strict=False):
                    if isinstance(name, ast.Name):
                        values.setdefault(name.id, []).append(value)
    return values


Values = Mapping[str, list[ast.expr]]


def _inserted(  # noqa: C901 - a case for each way to put text together
    part: ast.expr, values: Values, known: Functions, step: int
) -> Iterator[ast.expr]:
    """What a part of a command inserts into its text, as far as it is not safe."""
    if step > MOST_STEPS:
        return
    match part:
        case ast.JoinedStr():
            for piece in part.values:
                if isinstance(piece, ast.FormattedValue) and not _safe(piece.value, values):
                    inner = piece.value
                    below = list(_inserted(inner, values, known, step + 1)) if _is_text(inner, values) else [inner]
                    yield from below
        case ast.BinOp():
            yield from _inserted(part.left, values, known, step)
            yield from _inserted(part.right, values, known, step)
        case ast.Name() if part.id in values:
            for value in values[part.id]:
                yield from _inserted(value, values, known, step + 1)
        case ast.Call(func=ast.Attribute(attr="join")):
            for argument in part.args:
                yield from _inserted(argument, values, known, step + 1)
        case ast.Call(func=ast.Attribute(attr="format" | "replace")):
            yield from (
                argument
                for argument in [*part.args, *(word.value for word in part.keywords)]
                if not _safe(argument, values)
            )
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in known and name not in RUNS:
            inside = _assigned(known[name])
            for node in ast.walk(known[name]):
                if isinstance(node, ast.Return) and node.value is not None:
                    yield from _inserted(node.value, inside, known, step + 1)
        case ast.List() | ast.Tuple():
            for one in part.elts:
                yield from _inserted(one, values, known, step)
        case ast.Starred():
            yield from _inserted(part.value, values, known, step)
        case ast.GeneratorExp() | ast.ListComp():
            yield from _inserted(part.elt, values, known, step)
        case ast.IfExp():
            yield from _inserted(part.body, values, known, step)
            yield from _inserted(part.orelse, values, known, step)


def _is_text(value: ast.expr, values: Mapping[str, list[ast.expr]]) -> bool:
    """Whether it is itself put together here, so that its own parts are looked at."""
    return isinstance(value, ast.JoinedStr) or (
        isinstance(value, ast.Name)
        and value.id in values
        and all(
            isinstance(one, ast.JoinedStr | ast.Constant | ast.IfExp) or _safe(one, values) for one in values[value.id]
        )
    )


def _safe(value: ast.expr, values: Mapping[str, list[ast.expr]]) -> bool:
    """Whether a value is quoted, a number, a constant of its module, or the command of an option."""
    if isinstance(value, ast.Constant) or (isinstance(value, ast.Call) and ast.unparse(value.func) in QUOTED):
        return True
    if isinstance(value, ast.Name):
        own = values.get(value.id, [])
        return value.id.strip("_").isupper() or (bool(own) and all(_safe(one, {}) for one in own))
    return isinstance(value, ast.Attribute) and value.attr.isupper()
