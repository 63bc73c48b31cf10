"""Bad input: one clear line and the right error, never a traceback, a hang or a pass. The night tries far more."""

from __future__ import annotations

import time

import pytest

from tests.fuzz import SURFACES
from tests.fuzz.driver import drive
from tests.fuzz.surface import LONGEST_LINE, MOST_S, Surface, attempt, unclear

INPUTS = 50
"""For each surface, always the same ones: some six seconds for all."""


@pytest.mark.parametrize("name", SURFACES)
def test_bad_input_ends_in_one_clear_line(name: str) -> None:
    tally = drive(SURFACES[name], INPUTS)
    assert not tally.bad, "\n".join(tally.bad)
    assert tally.endings["read"] >= len(SURFACES[name].seeds) and tally.endings.total() >= INPUTS


def surface(read: object, *errors: type[Exception]) -> Surface:
    return Surface("x", ["good"], lambda random, value: value, read, errors, "file: ")  # type: ignore[arg-type]


def test_a_crash_is_found() -> None:
    tally = drive(surface(lambda value: int(value)), 3)
    assert tally.endings["crash"] == 4 and "ValueError" in tally.bad[0]


def test_a_hang_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.surface.MOST_S", 0.05)

    def read(value: object) -> None:
        while True:
            time.monotonic()

    assert attempt(surface(read), "good").ending == "hang" and MOST_S > 1


def test_a_good_input_that_is_refused_is_found() -> None:
    def read(value: object) -> None:
        raise ValueError("file: is not good; correct it")

    assert "good, and refused" in drive(surface(read, ValueError), 1).bad[0]


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("other: wrong; correct it", "does not begin"),
        ("file: a\nb", "has '\\n' in it"),
        ("file: \x1b[31m", "has '\\x1b' in it"),
        ("file: \ud800", "has '\\ud800' in it"),
        ("file: " + "x" * LONGEST_LINE, "has 2006 characters"),
    ],
)
def test_what_is_not_one_clear_line_is_found(message: str, why: str) -> None:
    assert unclear(message, "file: ").startswith(why)
    assert unclear("file: line 3: wrong; correct it", "file: ") == ""
