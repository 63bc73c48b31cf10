"""What the terminal shows of failed tests: messages without the dump, the first of each function."""

from __future__ import annotations

import pytest

from fixtures.evidence.shown_failures import SHOWN, group, without_dump


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("u1/a1->u2/a2: lost\n  never seen\nassert [1] == [2]\n  At index 0", "u1/a1->u2/a2: lost\n  never seen"),
        ("said: assert it\nassert x", "said: assert it"),
        ("assert 1 == 2\n +  where 1 = f()", "assert 1 == 2\n +  where 1 = f()"),
        ("raised by hand", "raised by hand"),
    ],
)
def test_the_message_stands_alone(text: str, message: str) -> None:
    assert without_dump(text) == message


def test_failures_are_grouped_by_test_function() -> None:
    ids = ["x.py::f[1]", "x.py::g", "x.py::f[2]", "x.py::f[3[a]]", "y.py::f[1]", "x.py::f[4]"]
    whole, rest = group(ids, shown=2)
    assert whole == ["x.py::f[1]", "x.py::g", "x.py::f[2]", "y.py::f[1]"]
    assert rest == {"x.py::f": ["x.py::f[3[a]]", "x.py::f[4]"]}


def test_two_of_a_function_are_shown_unless_another_number_is_asked_for() -> None:
    ids = ["x.py::f[1]", "x.py::f[2]", "x.py::f[3]"]
    assert (SHOWN, group(ids)) == (2, (ids[:2], {"x.py::f": ids[2:]}))
    assert group(ids, shown=3) == (ids, {})
