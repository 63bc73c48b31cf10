"""Waiting for a part of the lab until a check of it succeeds."""

from __future__ import annotations

import time
from collections.abc import Callable

from .errors import LabError

READY_TIMEOUT_S = 30.0
_PAUSE_S = 0.02


def wait_for(what: str, why_not: Callable[[], str | None], *, timeout_s: float = READY_TIMEOUT_S) -> None:
    """Call `why_not`, which returns what is still wrong, until it returns None. Raises LabError with the last one."""
    until = time.monotonic() + timeout_s
    while (wrong := why_not()) is not None:
        if time.monotonic() > until:
            raise LabError(f"{what} not ready within {timeout_s:g} s: {wrong}")
        time.sleep(_PAUSE_S)
