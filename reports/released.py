"""The released catalogue: a digest of every requirement, by which a gate knows that nobody has made one weaker.

`python -m reports.table` writes the file, suites/released.txt, with the table of requirements: `NET-1 must 3f0c…`, a
line each.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from .model import Requirement
from .requirements import CATALOGUE, SUITES

RELEASED = f"{SUITES}/released.txt"
_DIGITS = 16
"""Hexadecimal digits of a requirement's digest: 64 bits."""


def digest(requirements: Mapping[str, Requirement]) -> str:
    """The SHA-256 of a catalogue: of what it asks for, not of its comments and layout."""
    return hashlib.sha256(released_text(requirements).encode()).hexdigest()


def released_text(requirements: Mapping[str, Requirement]) -> str:
    """The content of suites/released.txt."""
    return "".join(f"{one.id} {one.level} {_digest(one)}\n" for one in requirements.values())


def _digest(requirement: Requirement) -> str:
    asked = json.dumps(asdict(requirement), sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(asked.encode()).hexdigest()[:_DIGITS]


def differences(root: Path, requirements: Mapping[str, Requirement]) -> str | None:
    """How the catalogue in the checkout `root` differs from the released one, as one line; None when it does not."""
    place = root / RELEASED
    try:
        released = dict(_entry(line) for line in place.read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError):
        return f"{place}: is missing or damaged, so nobody can tell whether {CATALOGUE} is the released one"
    mine = dict(_entry(line) for line in released_text(requirements).splitlines())
    said = [f"{name} is missing" for name in released if name not in mine]
    for name, (level, made) in mine.items():
        if name not in released:
            said.append(f"{name} is new")
        elif released[name][0] != level:
            said.append(f"{name} is a {level}, released as a {released[name][0]}")
        elif released[name][1] != made:
            said.append(f"{name} asks for something else")
    return f"{root / CATALOGUE}: is not the released one: {'; '.join(said)}" if said else None


def _entry(line: str) -> tuple[str, tuple[str, str]]:
    name, level, made = line.split()
    return name, (level, made)
