"""Every mutant of a module: one small change of its syntax tree each. Pure.

What is changed: comparisons (turned round, and by one at their boundary), `and`/`or` (exchanged, and each operand
left out), `not`, bare conditions, numbers (one more, one less), True and False, strings and bytes that are compared,
arithmetic, `any`/`all` and `min`/`max`, what is returned, and calls, `raise`, `break`, `continue`, `+=` and
assignments to attributes and items (left out).

What is not: annotations, docstrings, the wording of messages, and `assert`, which only tells the type checker.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

_TURNED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.GtE, ast.LtE),
    ast.LtE: (ast.Gt, ast.Lt),
    ast.Gt: (ast.LtE, ast.GtE),
    ast.GtE: (ast.Lt, ast.Gt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),  # codespell:ignore notin
    ast.NotIn: (ast.In,),  # codespell:ignore notin
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
}
_CALLED = {"any": "all", "all": "any", "min": "max", "max": "min"}
_LEFT_OUT = (ast.Raise, ast.Break, ast.Continue, ast.AugAssign, ast.Delete)


@dataclass(frozen=True)
class Mutant:
    """One changed module."""

    line: int
    """Of the original, from 1; its tests are those that run this line."""
    before: str
    after: str
    tree: ast.Module

    @property
    def change(self) -> str:
        """What was changed, on one line: `a < b → a <= b`."""
        return f"{self.before} → {self.after}"


def mutants(source: str) -> Iterator[Mutant]:
    """Every mutant of a module's source, in the order of its lines."""
    tree = ast.parse(source)
    places = sorted(_places(tree), key=lambda place: (place[0].lineno, place[0].col_offset))
    for node, parent, field, number in places:
        for changed in _changes(node, parent, field):
            made = _with(tree, (parent, field, number), changed)
            yield Mutant(node.lineno, _text(node), _text(changed), made)


_Place = tuple[ast.expr | ast.stmt, ast.AST, str, int | None]


def _places(parent: ast.AST) -> Iterator[_Place]:
    """(node, its parent, the parent's field, its place in the field's list) of what may be changed."""
    for field, value in ast.iter_fields(parent):
        if field in ("annotation", "returns", "decorator_list", "type_comment"):
            continue
        several = value if isinstance(value, list) else [value]
        for number, node in enumerate(several):
            if not isinstance(node, ast.AST) or isinstance(node, ast.Assert | ast.JoinedStr):
                continue
            if isinstance(node, ast.expr | ast.stmt) and not _is_docstring(node):
                yield node, parent, field, number if isinstance(value, list) else None
            yield from _places(node)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _changes(node: ast.AST, parent: ast.AST, field: str) -> Iterator[ast.AST]:
    """What may stand in the node's place."""
    if isinstance(node, ast.Compare):
        yield from _comparisons(node)
    elif isinstance(node, ast.BoolOp):
        yield from _without_an_operand(node)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub | ast.Invert):
        yield node.operand
    elif isinstance(node, ast.Constant):
        yield from _constants(node, parent)
    elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        yield ast.BinOp(node.left, _ARITHMETIC[type(node.op)](), node.right)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLED:
        yield ast.Call(ast.Name(_CALLED[node.func.id], ast.Load()), node.args, node.keywords)
    elif isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
        yield ast.Return(ast.Constant(None))
    elif _can_be_left_out(node):
        yield ast.Pass()
    is_condition = field == "test" or (isinstance(parent, ast.comprehension) and field == "ifs")
    if is_condition and not isinstance(node, ast.Compare | ast.UnaryOp | ast.Constant):
        yield ast.UnaryOp(ast.Not(), node)  # type: ignore[arg-type]


def _comparisons(node: ast.Compare) -> Iterator[ast.AST]:
    for number, operator in enumerate(node.ops):
        for turned in _TURNED[type(operator)]:
            yield ast.Compare(node.left, [*node.ops[:number], turned(), *node.ops[number + 1 :]], node.comparators)


def _without_an_operand(node: ast.BoolOp) -> Iterator[ast.AST]:
    yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    for number in range(len(node.values)):
        left = [*node.values[:number], *node.values[number + 1 :]]
        yield left[0] if len(left) == 1 else ast.BoolOp(node.op, left)


def _constants(node: ast.Constant, parent: ast.AST) -> Iterator[ast.AST]:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int | float):
        yield ast.Constant(value + 1)
        yield ast.Constant(value - 1)
    elif isinstance(value, str) and value and isinstance(parent, ast.Compare):
        yield ast.Constant(f"not {value}")
    elif isinstance(value, bytes) and value and isinstance(parent, ast.Compare):
        yield ast.Constant(b"not " + value)


def _can_be_left_out(node: ast.AST) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call)
    if isinstance(node, ast.Assign):
        return not all(isinstance(target, ast.Name | ast.Tuple) for target in node.targets)
    return isinstance(node, _LEFT_OUT)


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _with(tree: ast.Module, place: tuple[ast.AST, str, int | None], changed: ast.AST) -> ast.Module:
    """A copy of the tree with `changed` at that place; the tree itself stays."""
    parent, field, number = place
    kept = getattr(parent, field)
    setattr(parent, field, changed if number is None else [*kept[:number], changed, *kept[number + 1 :]])
    made = copy.deepcopy(tree)
    setattr(parent, field, kept)
    return ast.fix_missing_locations(made)


def _text(node: ast.AST) -> str:
    """The node as source on one line, a compound statement by its first."""
    return ast.unparse(ast.fix_missing_locations(copy.deepcopy(node))).partition("\n")[0]
