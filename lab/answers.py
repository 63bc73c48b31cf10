"""Reading what others answered: a shape that nobody expected is an error of the instrument, in one line."""

from __future__ import annotations

import contextlib
import math
import struct
import zlib
from collections.abc import Iterator

from lab.errors import HarnessError

ODD = (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, struct.error, zlib.error)
"""What Python raises where a key is missing, a value has another type, or a text is not what it should be."""
LONGEST_REASON = 160
"""Characters of Python's own words that the line repeats."""


@contextlib.contextmanager
def reading(where: str) -> Iterator[None]:
    """Turn ODD into HarnessError: `where` answered something else than its documentation says.

    Around the lines that take an answer apart, or as the decorator of a pure function that does. Errors that say more,
    HarnessError above all, pass.
    """
    try:
        yield
    except ODD as error:
        raise HarnessError(f"{where}: {describe(error)}; see what answers there, and which version it is") from None


def describe(error: BaseException) -> str:
    """What is odd about an answer, given what reading it raised."""
    said = f"{type(error).__name__}: {error}"
    return f"its answer cannot be read ({said if len(said) <= LONGEST_REASON else said[:LONGEST_REASON] + '…'})"


def whole(value: object, most: int = (1 << 64) - 1) -> int:
    """The value, if it is a whole number from 0 to `most`. Raises TypeError or ValueError."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r:.40} is not a whole number")
    if not 0 <= value <= most:
        raise ValueError(f"{value} is not from 0 to {most}")
    return value


def whole_or_none(value: object) -> int | None:
    """The value, if it is a whole number or None. Raises TypeError or ValueError."""
    return None if value is None else whole(value)


def seconds(value: object) -> float:
    """The value, if it is a finite number of seconds. Raises TypeError or ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r:.40} is not a number")
    if not math.isfinite(value):
        raise ValueError(f"{value} is not finite")
    return float(value)


def text(value: object) -> str:
    """The value, if it is text. Raises TypeError."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is not text")
    return value
