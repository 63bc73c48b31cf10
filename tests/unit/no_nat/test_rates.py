"""A rate and its interval: known values, and what happens at the edges."""

from __future__ import annotations

import pytest

from fixtures.no_nat.rates import Rate, percent


@pytest.mark.parametrize(
    ("count", "of", "least", "most"),
    [
        # The roots of (p̂ - p)² = z² p (1 - p) / n, computed with 30 digits.
        (21, 2000, 0.006878, 0.015999),
        (10, 2000, 0.002718, 0.009180),
        (5, 10, 0.236593, 0.763407),
        (0, 2000, 0.0, 0.001917),
        (2000, 2000, 0.998083, 1.0),
        (1, 1, 0.206549, 1.0),
    ],
)
def test_the_interval_is_wilsons(count: int, of: int, least: float, most: float) -> None:
    assert Rate(count, of).interval == pytest.approx((least, most), abs=2e-6)


def test_an_interval_holds_its_rate_and_stays_within_0_and_1() -> None:
    for of in (1, 2, 17, 2000, 50_000):
        for count in {0, 1, of // 2, of - 1, of}:
            least, most = Rate(count, of).interval
            assert 0 <= least <= count / of <= most <= 1
            assert least < most


def test_more_datagrams_make_the_interval_narrower() -> None:
    widths = [most - least for least, most in (Rate(of // 100, of).interval for of in (100, 2000, 50_000))]
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0105, "1.05"), (0.0004, "0.04"), (0.0999, "9.99"), (0.1, "10"), (0.1234, "12.3"), (1.0, "100")],
)
def test_a_share_is_written_with_the_digits_that_say_something(share: float, text: str) -> None:
    assert percent(share) == text


def test_a_rate_is_written_with_its_interval() -> None:
    assert str(Rate(21, 2000)) == "1.05 % (95 %: 0.69 to 1.60 %)"


def test_nothing_counted_has_no_rate() -> None:
    with pytest.raises(ZeroDivisionError):
        _ = Rate(0, 0).interval
