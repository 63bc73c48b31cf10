"""Who asks what at the same time."""

from __future__ import annotations

import pytest

from fixtures.dns.resolver import in_turns


@pytest.mark.parametrize(
    ("askers", "turns"),
    [
        ("", []),
        ("abc", [[0, 1, 2]]),
        ("aaa", [[0], [1], [2]]),
        ("abacab", [[0, 1, 3], [2, 5], [4]]),
    ],
)
def test_an_asker_asks_one_question_at_a_time(askers: str, turns: list[list[int]]) -> None:
    """All askers ask side by side, and each question is asked once."""
    assert in_turns(list(askers)) == turns
