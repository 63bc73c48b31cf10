"""Accepted failures: one central list, each entry owned, linked, dated, and strict."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from .model import TestResult
from .reading import read_yaml


class KnownIssuesError(ValueError):
    """The file of known issues cannot be used; names the file and the entry."""


class KnownIssue(BaseModel):
    """A failure that its owner answers for until a day."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requirement: str
    tests: str = "*"
    """Shell pattern over test ids."""
    owner: str = Field(min_length=2)
    expires: date
    link: str = Field(pattern=r"^https?://|^[A-Z]+-\d+$|^#\d+$")
    reason: str = Field(min_length=5)


def load(path: Path, today: date) -> tuple[KnownIssue, ...]:
    """Read the file (YAML, a list). Raises KnownIssuesError: malformed, or an entry that has expired."""
    try:
        data = read_yaml(path)
        entries = TypeAdapter(tuple[KnownIssue, ...]).validate_python(() if data is None else data)
    except ValidationError as error:
        first = error.errors()[0]
        raise KnownIssuesError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except ValueError as error:
        raise KnownIssuesError(str(error)) from None
    for entry in entries:
        if entry.expires < today:
            raise KnownIssuesError(
                f"{path}: {entry.requirement}: expired on {entry.expires}; {entry.owner} has to mend or renew it"
            )
    return entries


def cover(issues: Sequence[KnownIssue], results: Sequence[TestResult]) -> tuple[dict[str, set[str]], list[str]]:
    """({requirement: covered test ids}, entries that match no failure, in words)."""
    covered: dict[str, set[str]] = {}
    idle = []
    for issue in issues:
        hits = {
            result.nodeid
            for result in results
            if result.outcome == "failed"
            and issue.requirement in result.requirements
            and fnmatchcase(result.nodeid, issue.tests)
        }
        if hits:
            covered.setdefault(issue.requirement, set()).update(hits)
        else:
            idle.append(f"{issue.requirement} ({issue.tests}): no failure matches it any more; remove it")
    return covered, idle
