"""Silences of a paced flow: what counts as one, how long it was, and what is only a sender or a receiver held up."""

from __future__ import annotations

import pytest

from fixtures.change.silences import LATE_S, judge_flow, within

PACE = 0.02


def sent(count: int = 50, start: float = 5.0) -> list[tuple[int, float]]:
    return [(number, start + number * PACE) for number in range(count)]


def came(made: list[tuple[int, float]], without: range = range(0), after: float = 1000.0) -> dict[int, float]:
    return {number: at + after for number, at in made if number not in without}


def test_a_flow_of_which_everything_came_has_no_silence() -> None:
    found = judge_flow(sent(), came(sent()))
    assert (found.sent, found.lost, found.silences, found.longest) == (50, 0, (), None)
    assert found.jitter_s == pytest.approx(0, abs=1e-9) and found.unwatched_s == pytest.approx(PACE)


@pytest.mark.parametrize(("first", "last"), [(10, 10), (10, 14), (1, 48)])
def test_lost_datagrams_are_a_silence_of_their_own_length(first: int, last: int) -> None:
    found = judge_flow(sent(), came(sent(), range(first, last + 1)))
    (silence,) = found.silences
    assert silence.lost == found.lost == last - first + 1
    assert silence.seconds == pytest.approx(PACE * silence.lost)
    assert silence.began == pytest.approx(1005 + (first - 1) * PACE) and silence.over
    assert silence.ended == pytest.approx(silence.began + silence.seconds)


def test_each_silence_is_told_and_the_longest_is_the_longest() -> None:
    arrivals = {number: at for number, at in came(sent()).items() if number not in (5, 20, 21, 22, 40)}
    found = judge_flow(sent(), arrivals)
    assert [silence.lost for silence in found.silences] == [1, 3, 1]
    assert found.longest is not None and found.longest.lost == 3


def test_the_end_without_an_arrival_is_a_silence_that_is_not_over() -> None:
    (silence,) = judge_flow(sent(), came(sent(), range(40, 50))).silences
    assert not silence.over and silence.lost == 10 and silence.seconds == pytest.approx(10 * PACE)


def test_a_flow_of_which_nothing_came_was_silent_throughout() -> None:
    found = judge_flow(sent(), {})
    (silence,) = found.silences
    assert found.lost == silence.lost == 50 and not silence.over and silence.seconds == pytest.approx(49 * PACE)
    assert judge_flow([], {}).silences == () and judge_flow([], {}).sent == 0


def test_a_sender_that_was_held_up_is_not_a_silence_but_is_told() -> None:
    made = sent(20) + [(number, at + 0.5) for number, at in sent(50)[20:]]
    found = judge_flow(made, came(made))
    assert found.silences == () and found.unwatched_s == pytest.approx(0.5 + PACE)


def test_what_came_late_is_a_silence_without_a_loss() -> None:
    arrivals = came(sent())
    held = {number: max(at, 1005.6) for number, at in arrivals.items() if number >= 10}
    found = judge_flow(sent(), {**arrivals, **held})
    (silence,) = found.silences
    assert silence.lost == found.lost == 0 and silence.seconds == pytest.approx(1005.6 - (1005.18 + PACE))


@pytest.mark.parametrize(("by", "silences"), [(0.09, 0), (0.11, 1)])
def test_how_late_is_late(by: float, silences: int) -> None:
    arrivals = came(sent())
    arrivals[10] += by
    found = judge_flow(sent(), arrivals)
    assert len(found.silences) == silences and LATE_S == 0.1
    assert found.jitter_s == pytest.approx(0.0 if silences else by, abs=1e-6)
    assert not judge_flow(sent(), arrivals, late_s=0.2).silences


def test_a_loss_beside_a_late_one_counts_the_longer_time() -> None:
    arrivals = came(sent(), range(10, 12))
    arrivals[12] += 0.3
    (silence,) = judge_flow(sent(), arrivals).silences
    assert silence.seconds == pytest.approx(2 * PACE + 0.3)


def test_marks_between_two_times() -> None:
    assert within([(0, 1.0), (1, 2.0), (2, 3.0)], 2.0, 3.0) == [(1, 2.0), (2, 3.0)]


@pytest.mark.parametrize("held_up", [20, 21])
def test_a_sender_that_was_held_up_beside_a_loss_does_not_make_the_silence_longer(held_up: int) -> None:
    made = sent(held_up) + [(number, at + 0.5) for number, at in sent(50)[held_up:]]
    (silence,) = judge_flow(made, came(made, range(20, 21))).silences
    assert silence.lost == 1 and silence.seconds == pytest.approx(PACE)
