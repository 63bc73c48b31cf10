"""A lock in a file is waited for, and not without end."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from lab.errors import HarnessError
from lab.locks import acquire


def held(path: Path, *, alone: bool) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    acquire(descriptor, alone=alone, within_s=0, where="the lock")
    return descriptor


@pytest.mark.parametrize(("first", "second"), [(True, True), (True, False), (False, True)])
def test_a_lock_that_stays_taken_is_one_error(tmp_path: Path, first: bool, second: bool) -> None:
    holder = held(tmp_path / "lock", alone=first)
    with pytest.raises(HarnessError, match=r"^the lock: another process has held its lock for 0 s; end that one"):
        held(tmp_path / "lock", alone=second)
    os.close(holder)
    os.close(held(tmp_path / "lock", alone=second))


def test_two_may_share_a_lock(tmp_path: Path) -> None:
    descriptors = [held(tmp_path / "lock", alone=False) for _ in range(2)]
    with pytest.raises(HarnessError):
        held(tmp_path / "lock", alone=True)
    for descriptor in descriptors:
        os.close(descriptor)


def test_a_lock_is_taken_when_it_becomes_free(tmp_path: Path) -> None:
    holder = held(tmp_path / "lock", alone=True)
    threading.Timer(0.1, os.close, (holder,)).start()
    waiting = os.open(tmp_path / "lock", os.O_RDWR)
    acquire(waiting, alone=True, within_s=30, where="the lock")
    with pytest.raises(HarnessError):
        held(tmp_path / "lock", alone=False)
    os.close(waiting)
