"""Folders of the cache that are made once and used by labs: none is used half made, and none is removed in use.

A folder `NAME-KEY` gets that name when it is complete. It has a file of facts, on which labs that use the folder hold a
shared lock (flock(2)).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from lab.errors import LabError

MARK = "_"
"""Stands in the name of a folder that is being made or removed, and never in the name of a release."""


@contextlib.contextmanager
def locked(place: Path, name: str, what: str) -> Iterator[None]:
    """Keep others from making or removing folders of that name. Raises LabError, which begins with `what`."""
    place.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(place / f".{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError(f"{what}: another command makes or removes it; wait for that") from None
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def draft(place: Path, name: str) -> Iterator[Path]:
    """A folder in which something is made, to be renamed when it is complete; else nothing of it stays."""
    folder = place / f".{name}{MARK}{os.getpid()}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_drafts(place: Path, name: str) -> None:
    """Remove what a command that was killed left half made or half removed. The caller holds the lock of `name`."""
    for folder in place.glob(f".{name}{MARK}*"):
        shutil.rmtree(folder)


def complete(place: Path) -> list[Path]:
    """The complete folders, by name."""
    entries = sorted(place.iterdir()) if place.is_dir() else []
    return [entry for entry in entries if entry.is_dir() and not entry.name.startswith(".")]


def discard(folder: Path, name: str, facts: str) -> bool:
    """Remove a folder unless a lab uses it; return whether it is gone. It is renamed first: nobody finds a part of it.

    `facts`: the name of its file of facts.
    """
    descriptor = os.open(folder / facts, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        condemned = folder.with_name(f".{name}{MARK}{os.getpid()}-removed")
        folder.rename(condemned)
        shutil.rmtree(condemned)
        return True
    finally:
        os.close(descriptor)


def size(tree: Path) -> int:
    """The space that the files of a tree take, bytes; a file with several names counts once."""
    seen: dict[int, int] = {}
    for folder, _, names in os.walk(tree):
        for name in names:
            facts = os.lstat(os.path.join(folder, name))
            seen[facts.st_ino] = facts.st_blocks * 512
    return sum(seen.values())
