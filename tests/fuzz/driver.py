"""Tries many inputs of a surface; hypothesis chooses them."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as begin_with
from hypothesis import strategies as st

from .surface import Surface, Tally, Tried, attempt, make_input

NUMBERS = st.integers(0, 2**63 - 1)
"""Each stands for one input (`make_input`)."""


def must_be_read(tried: Tried) -> Tried:
    """What is wrong when a good input is refused: then nothing is tried behind what refuses it."""
    return replace(tried, ending="unclear", why=f"good, and refused: {tried.said}") if tried.said else tried


def drive(surface: Surface, inputs: int, seed: int | None = None) -> Tally:
    """Try so many inputs; all are tried, also after a bad one. Without a seed they are always the same."""
    tally = Tally()

    @settings(
        max_examples=inputs, deadline=None, database=None, phases=[Phase.generate], derandomize=seed is None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(NUMBERS)
    def one(number: int) -> None:
        value = make_input(surface, number)
        tally.add(attempt(surface, value), value)

    one = one if seed is None else begin_with(seed)(one)
    for value in surface.seeds:
        tally.add(must_be_read(attempt(surface, value)), value)
    one()
    return tally
