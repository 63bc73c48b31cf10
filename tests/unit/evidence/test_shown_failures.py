"""What is shown of failed tests: messages without the dump."""

from __future__ import annotations

import pytest

from fixtures.evidence.shown_failures import without_dump


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
