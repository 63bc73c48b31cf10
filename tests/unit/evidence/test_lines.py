"""Findings of a test as text, of which a person reads a few."""

from __future__ import annotations

from fixtures.evidence.lines import MOST, shown


def test_a_few_findings_are_all_shown() -> None:
    assert shown([]) == ""
    assert shown(["one", 2]) == "one\n2"
    assert shown(range(MOST)).splitlines() == [str(number) for number in range(MOST)]


def test_of_many_some_are_shown_and_their_number_is_told_first() -> None:
    lines = shown(range(MOST + 1)).splitlines()
    assert lines[0] == "0 (41 like this)" and lines[-1] == "… and 1 more" and len(lines) == MOST + 1
    assert shown(["a\n  detail", "b", "c"], most=2) == "a (3 like this)\n  detail\nb\n… and 1 more"


def test_those_that_are_shown_are_from_all_over_the_list() -> None:
    lines = [f"u{number // 100} is wrong {number}" for number in range(300)]
    text = shown(lines, most=6)
    assert [text.count(node) for node in ("u0", "u1", "u2")] == [3, 2, 1]
    assert len(set(text.splitlines())) == 7
