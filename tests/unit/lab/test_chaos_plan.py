"""Which kills a seed draws."""

from __future__ import annotations

import signal

import pytest

from tests.chaos.driver import interrupted_early
from tests.chaos.plan import ENDINGS, IMPOSSIBLE, Phase, Victim, draw

MANY = draw(1, 3000)


def test_a_seed_draws_the_same_kills_and_another_one_others() -> None:
    assert draw(7, 50) == draw(7, 50) != draw(8, 50)
    assert draw(7, 50)[:10] == draw(7, 10)


def test_every_phase_and_victim_comes_up_and_none_that_is_not_there() -> None:
    drawn = {(kill.phase, kill.victim) for kill in MANY}
    assert drawn == {(phase, victim) for phase in Phase for victim in Victim} - IMPOSSIBLE


def test_commands_end_in_every_way_and_daemons_are_killed() -> None:
    assert {kill.ending for kill in MANY if kill.victim is Victim.COMMAND} == set(ENDINGS)
    assert {kill.ending for kill in MANY if kill.victim is Victim.ENGINE} == {signal.SIGKILL}


def test_moments_are_spread_over_the_phase() -> None:
    counts = [sum(int(kill.moment * 10) == tenth for kill in MANY) for tenth in range(10)]
    assert min(counts) > 200, counts


@pytest.mark.parametrize(
    ("text", "early"),
    [
        ("Traceback (most recent call last):\n  File x\nKeyboardInterrupt\n", True),
        ("seed: 7\nTraceback (most recent call last):\n  File x\nKeyboardInterrupt\n", False),
        ("Traceback (most recent call last):\n  File x\nOSError\n", False),
        ("", False),
    ],
)
def test_an_interrupt_before_the_first_line_is_pythons_own(text: str, early: bool) -> None:
    assert interrupted_early(text) is early
