"""Bounds follow the machine: longer where its engine is slow, never shorter than stated."""

from __future__ import annotations

import pytest

from fixtures.resilience.pace import MOST, UNHURRIED_S, stretch


@pytest.mark.parametrize(
    ("took_s", "factor"),
    [
        (0.0, 1.0),
        (UNHURRIED_S, 1.0),
        (UNHURRIED_S * 1.5, 1.5),
        (UNHURRIED_S * MOST, MOST),
        (UNHURRIED_S * MOST * 3, MOST),
    ],
)
def test_a_bound_is_stretched_as_the_engine_is_slow(took_s: float, factor: float) -> None:
    assert stretch(took_s) == factor


def test_a_bound_is_stretched_at_least_as_the_inventory_declares() -> None:
    assert stretch(0.0, 6.0) == 6.0
    assert stretch(UNHURRIED_S * 8, 6.0) == 8.0
