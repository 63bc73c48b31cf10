"""Waiting for a condition, by a clock that the test moves: too late is a failure, and the message has the value."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from fixtures.control_plane.observation import Consensus
from fixtures.evidence import waiting
from fixtures.evidence.waiting import NotInTime, Seen, describe_value, eventually, eventually_none
from lab.errors import HarnessError
from reports.model import NotProved


class Clock:
    """Time that passes only in `sleep`, and where a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(waiting, "time", made)
    return made


def counting() -> Callable[[], int]:
    numbers: Iterator[int] = iter(range(1, 10**6))
    return lambda: next(numbers)


def wait(until: int, *, within_s: float = 1.0, every_s: float = 0.25) -> Seen[int]:
    return eventually(counting(), lambda seen: seen >= until, within_s=within_s, every_s=every_s, what="the count")


@pytest.mark.parametrize(("until", "after"), [(1, 0.0), (2, 0.25), (5, 1.0)])
def test_in_time(clock: Clock, until: int, after: float) -> None:
    assert wait(until) == Seen(until, after, until)


def test_one_attempt_is_made_even_without_time(clock: Clock) -> None:
    assert wait(1, within_s=0) == Seen(1, 0.0, 1)


def test_a_late_success_is_a_failure_that_says_how_late(clock: Clock) -> None:
    with pytest.raises(NotInTime, match=r"the count: late by 0\.25 s \(bound 1 s, attempt 6\); then: 6$"):
        wait(6)


@pytest.mark.parametrize("first_reading", [True, False], ids=["the only reading", "a later one"])
def test_a_reading_that_outlasts_the_bound_proves_nothing(clock: Clock, first_reading: bool) -> None:
    """It began in time, so the condition may have been true in time as well."""
    answers = iter([True] if first_reading else [False, True])

    def read() -> bool:
        answer = next(answers)
        clock.now += 3.0 if answer else 0.0
        return answer

    with pytest.raises(NotProved, match=r"took from 0\.\d\d s to 3\.\d\d s, so whether it was within 1 s is unknown$"):
        eventually(read, bool, within_s=1.0, what="the condition")


def test_a_condition_that_never_comes_true_fails_with_the_last_value(clock: Clock) -> None:
    with pytest.raises(NotInTime, match=r"not within 1 s, nor within 2\.25 s; at the last of 10 attempts: 10$"):
        wait(1000)


def test_there_is_an_attempt_after_the_bound_however_long_one_takes(clock: Clock) -> None:
    def slow() -> int:
        clock.now += 5
        return 1

    with pytest.raises(NotInTime, match=r"at the last of 1 attempts: 1"):
        eventually(slow, lambda seen: seen == 2, within_s=1, what="it")


def test_an_instrument_that_fails_ends_the_waiting(clock: Clock) -> None:
    def broken() -> int:
        raise HarnessError("node u1: lost")

    with pytest.raises(HarnessError, match="node u1: lost"):
        eventually(broken, lambda seen: True, within_s=1, what="it")
    with pytest.raises(ZeroDivisionError):
        eventually(lambda: 0, lambda seen: bool(1 // seen), within_s=1, what="it")
    assert clock.now == 1000.0


def test_real_time_passes() -> None:
    assert eventually(counting(), lambda seen: seen == 3, within_s=60, every_s=0.001, what="the count").attempts == 3


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"u1": Consensus(frozenset({"u2", "u1"}), frozenset({"u1"}))}, "u1: voters u1, u2; leader u1"),
        ({"u1": "ready", "u2": {80}}, "u1: ready; u2: 80"),
        ({}, "nothing"),
        (frozenset({"b", "a"}), "a, b"),
        (set(), "nothing"),
        ([["x"], HarnessError("no answer")], "x; no answer"),
        ([], "nothing"),
        ({("10.0.0.2", 0)}, "(10.0.0.2, 0)"),
        ("one line", "one line"),
        (Seen(1, 0.0, 1), "Seen(value=1, after_s=0.0, attempts=1)"),
    ],
)
def test_values_are_written_as_a_person_writes_them(value: object, text: str) -> None:
    assert describe_value(value) == text


def test_what_is_wrong_is_said_before_how_long_it_was_waited_for(clock: Clock) -> None:
    with pytest.raises(NotInTime) as late:
        eventually_none(lambda: ["u1 is down", "u2 is down"], within_s=1, every_s=0.25, what="all is up")
    first, second, waited = str(late.value).splitlines()
    assert (first, second, waited) == ("u1 is down", "u2 is down", "all is up: not within 1 s, nor within 2.25 s")


def test_what_was_wrong_is_said_when_it_was_mended_too_late(clock: Clock) -> None:
    numbers = counting()
    with pytest.raises(NotInTime, match=r"^u1 is down\nall is up: late by 0\.25 s \(bound 1 s, attempt 6\)$"):
        eventually_none(lambda: ["u1 is down"] if numbers() < 6 else [], within_s=1, every_s=0.25, what="all is up")


def test_nothing_wrong_is_no_wait(clock: Clock) -> None:
    assert eventually_none(list, within_s=1, what="all is up").attempts == 1
