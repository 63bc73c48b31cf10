"""Waiting for a lock in a file (flock(2)), for a bounded time."""

from __future__ import annotations

import fcntl
import time

from .errors import HarnessError

_PAUSE_S = 0.01
"""flock(2) waits without end or not at all; SIGALRM, which would end it, is the bound of tests."""


def acquire(descriptor: int, *, alone: bool, within_s: float, where: str) -> None:
    """Lock an open file, shared or `alone`, as soon as its other holders let go of it.

    The kernel releases it when the file is closed, also with a process that is killed. Raises HarnessError with
    `where` when it is not free `within_s` seconds.
    """
    operation = (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB
    until = time.monotonic() + within_s
    while True:
        try:
            fcntl.flock(descriptor, operation)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise HarnessError(
                    f"{where}: another process has held its lock for {within_s:g} s; end that one (`fuser` names it)"
                ) from None
        else:
            return
        time.sleep(_PAUSE_S)
