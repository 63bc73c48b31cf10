"""Waiting for a part of the lab until a check of it succeeds."""

from __future__ import annotations

import time
from collections.abc import Callable

from .errors import LabError

READY_TIMEOUT_S = 30.0
_PAUSE_S = 0.02


def wait_for(what: str, look: Callable[[], str | None], *, timeout_s: float = READY_TIMEOUT_S) -> None:
    """Call `look` until it returns None; it returns what is still wrong. Raises LabError with the last of it."""
    until = time.monotonic() + timeout_s
    while (wrong := look()) is not None:
        if time.monotonic() > until:
            raise LabError(f"{what} not ready within {timeout_s:g} s: {wrong}")
        time.sleep(_PAUSE_S)
