"""The mutants that `python -m tests.mutation` makes of a module."""

from __future__ import annotations

import ast

import pytest

from tests.mutation.mutants import mutants


def changes(source: str) -> set[str]:
    return {mutant.change for mutant in mutants(source)}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = a == b", {"a == b → a != b"}),
        ("x = a < b", {"a < b → a >= b", "a < b → a <= b"}),
        ("x = a in b", {"a in b → a not in b"}),
        ("x = a and b", {"a and b → a or b", "a and b → a", "a and b → b"}),
        ("x = not a", {"not a → a"}),
        ("if a:\n    x = b", {"a → not a"}),
        ("x = b if a else c", {"a → not a"}),
        ("x = [b for b in c if b]", {"b → not b"}),
        ("x = 2", {"2 → 3", "2 → 1"}),
        ("x = True", {"True → False"}),
        ("x = a == 'b'", {"a == 'b' → a != 'b'", "'b' → 'not b'"}),
        ("x = a + b", {"a + b → a - b"}),
        ("x = any(a)", {"any(a) → all(a)"}),
        ("def f():\n    return a", {"return a → return None"}),
        ("f(a)", {"f(a) → pass"}),
        ("raise a", {"raise a → pass"}),
        ("a.b = c", {"a.b = c → pass"}),
        ("a += b", {"a += b → pass"}),
    ],
)
def test_what_is_changed(source: str, expected: set[str]) -> None:
    assert changes(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        '"""Text."""',
        "x: Literal[1]",
        "x = 'text'",
        "x = f'text {1}'",
        "assert a < 1",
        "x = a",
        "return_none = lambda: a",
    ],
)
def test_what_is_left_as_it_is(source: str) -> None:
    assert changes(source) == set()


def test_each_mutant_is_one_change_of_the_whole_module_and_knows_its_line() -> None:
    source = "x = 1\n\n\ndef f(a):\n    return a < x"
    made = list(mutants(source))
    assert [mutant.line for mutant in made] == [1, 1, 5, 5, 5]
    texts = {ast.unparse(mutant.tree) for mutant in made}
    assert len(texts) == 5 and "x = 1\n\ndef f(a):\n    return a <= x" in texts
    assert all(sum(one != other for one, other in zip(text, source, strict=False)) for text in texts)
