"""A void measurement is made again, a measurement with a result never."""

from __future__ import annotations

import pytest

from fixtures.probes.assessment import StoodStill
from fixtures.probes.measuring import MEASUREMENTS, measure
from lab.errors import HarnessError


class Measured:
    """Measurements that end as `outcomes` say: an exception or a result each."""

    def __init__(self, *outcomes: object) -> None:
        self.outcomes = list(outcomes)
        self.windows: list[float] = []
        self.reports: list[str] = []

    def __call__(self, window_s: float) -> object:
        self.windows.append(window_s)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def run(self) -> object:
        return measure(self, 0.5, self.reports.append)


def test_a_result_is_final_whatever_it_is() -> None:
    measured = Measured("failed", "passed")
    assert measured.run() == "failed"
    assert (measured.windows, measured.reports) == ([0.5], [])


def test_a_void_measurement_is_made_again_with_a_longer_window_and_reported() -> None:
    measured = Measured(StoodStill("node u2: busy"), "result")
    assert measured.run() == "result"
    assert measured.windows == [0.5, 1.0]
    assert measured.reports == ["measurement 1 is void: node u2: busy; measured again with a window of 1 s"]


def test_measurements_that_are_all_void_are_an_error() -> None:
    measured = Measured(*[StoodStill(f"void {number}") for number in range(MEASUREMENTS)])
    with pytest.raises(StoodStill, match=f"^void {MEASUREMENTS - 1}$"):
        measured.run()
    assert len(measured.windows) == MEASUREMENTS


@pytest.mark.parametrize("error", [HarnessError("a recorder lost packets"), AssertionError("a leak")])
def test_another_error_is_no_reason_to_measure_again(error: Exception) -> None:
    measured = Measured(error, "result")
    with pytest.raises(type(error)):
        measured.run()
    assert len(measured.windows) == 1


def late(result: object) -> str:
    return "2 controls were answered too late" if result == "late" else ""


def test_a_late_result_is_measured_again_and_the_last_one_counts() -> None:
    measured = Measured("late", "in time")
    assert measure(measured, 0.5, measured.reports.append, late) == "in time"
    assert measured.windows == [0.5, 1.0]
    assert measured.reports == [
        "measurement 1 is void: 2 controls were answered too late; measured again with a window of 1 s"
    ]
    always = Measured(*["late"] * MEASUREMENTS)
    assert measure(always, 0.5, always.reports.append, late) == "late"
    assert len(always.windows) == MEASUREMENTS
