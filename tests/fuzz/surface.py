"""What reads something foreign, as the fuzzer sees it, and how one input is tried."""

from __future__ import annotations

import contextlib
import signal
import time
import traceback
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

MOST_S, MOST_WAITED_S = 5.0, 60.0
"""Seconds of processor time that one input may take, and seconds by the clock, which a busy machine stretches; longer
is a hang."""
LONGEST_LINE = 2000
"""Characters of an error that a person can still read."""
Ending = Literal["read", "refused", "crash", "hang", "unclear"]


@dataclass(frozen=True)
class Surface:
    """Something that reads foreign input.

    `read` gets a changed seed; it may return, or raise one of `errors`, whose message is one line that begins as
    `begins` says. Everything else is a crash.
    """

    name: str
    seeds: Sequence[Any]
    change: Callable[[Random, Any], Any]
    read: Callable[[Any], object]
    errors: tuple[type[Exception], ...]
    begins: str = ""
    """Empty: not checked."""


@dataclass(frozen=True)
class Tried:
    """How one input ended; `why` says what is wrong with it, empty when nothing is."""

    ending: Ending
    why: str
    seconds: float
    said: str = ""
    """The message of the error by which it was refused."""


@dataclass
class Tally:
    """What became of all inputs of a surface."""

    endings: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    bad: list[str] = field(default_factory=list)

    def add(self, tried: Tried, value: object) -> None:
        """Count one input."""
        self.endings[tried.ending] += 1
        self.slowest_s = max(self.slowest_s, tried.seconds)
        if tried.why:
            self.bad.append(f"{tried.ending}: {tried.why}\ninput: {value!r:.3000}")


class _Hang(BaseException):
    """An input took longer than MOST_S. Not an Exception, so that nothing under test takes it for an error."""


@contextlib.contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise _Hang

    timers = {signal.ITIMER_PROF: (signal.SIGPROF, seconds), signal.ITIMER_REAL: (signal.SIGALRM, MOST_WAITED_S)}
    before = {number: signal.signal(number, stop) for number, _ in timers.values()}
    for timer, (_, most) in timers.items():
        signal.setitimer(timer, most)
    try:
        yield
    finally:
        for timer in timers:
            signal.setitimer(timer, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def attempt(surface: Surface, value: Any) -> Tried:
    """Have a surface read one input."""
    began = time.process_time()
    ending: Ending = "read"
    why = said = ""
    try:
        with _at_most(MOST_S):
            surface.read(value)
    except surface.errors as error:
        said = str(error)
        why = unclear(said, surface.begins, details=" packet filter rules" in said)
        ending = "unclear" if why else "refused"
    except _Hang:
        ending, why = "hang", f"not read within {MOST_S:g} s"
    except Exception as error:  # noqa: BLE001 - whatever else it raises is what is looked for
        ending, why = "crash", "".join(traceback.format_exception(error)[-6:])[-3000:]
    return Tried(ending, why, time.process_time() - began, said)


def unclear(message: str, begins: str, *, details: bool = False) -> str:
    """What keeps an error's message from being one clear line; empty when nothing does.

    `details`: what a command printed may follow on further lines.
    """
    if not message.startswith(begins):
        return f"does not begin with {begins!r}: {message!r:.500}"
    odd = [letter for letter in message if unicodedata.category(letter) in ("Cc", "Cs") or letter in "\u202e\u2028"]
    if set(odd) - set("\n\t" if details else ""):
        return f"has {odd[0]!r} in it: {message!r:.500}"
    first = message.partition("\n")[0]
    if len(first) > LONGEST_LINE:
        return f"has {len(first)} characters: {message!r:.500}"
    return "" if first.strip() else "is empty"


def make_input(surface: Surface, seed: int) -> Any:
    """The input that a number stands for: one of the surface's seeds, changed."""
    random = Random(seed)
    return surface.change(random, random.choice(surface.seeds))
