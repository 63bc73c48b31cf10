"""A stream of bytes that one thread fills and another one reads."""

from __future__ import annotations

import threading

MOST_BYTES = 16 << 20
"""As much is kept for a reader that is slow; then the thread that fills waits for it."""


class Output:
    """What a command has written and nobody has read yet."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._ended = False
        self._changed = threading.Condition()

    def feed(self, data: bytes) -> None:
        """Add what has arrived; wait while the reader is MOST_BYTES behind."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._data) < MOST_BYTES or self._ended)
            if not self._ended:
                self._data += data
            self._changed.notify_all()

    def end(self) -> None:
        """Nothing more will arrive, or nobody will read it."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def ready(self) -> bool:
        """Whether `read` returns at once with data."""
        with self._changed:
            return bool(self._data)

    def read(self, size: int, timeout_s: float | None) -> bytes:
        """Up to `size` bytes, b"" at the end. Raises TimeoutError after `timeout_s` seconds (None: without end)."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._data or self._ended, timeout_s):
                raise TimeoutError
            taken = bytes(self._data[:size])
            del self._data[:size]
            self._changed.notify_all()
            return taken

    def wait_for_end(self, timeout_s: float | None) -> bool:
        """Whether the end arrived within `timeout_s` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._ended, timeout_s)
