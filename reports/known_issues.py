"""Accepted failures: one list of the project's, each entry with an owner, a link and a last day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from .model import TestResult
from .reading import describe_first, read_yaml


class KnownIssuesError(ValueError):
    """The file of known issues cannot be used; the message names the file and the entry."""


class KnownIssue(BaseModel):
    """A failure of a requirement that its owner accepts until a day."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requirement: str
    tests: str = "*"
    """Shell pattern over test ids."""
    owner: str = Field(min_length=2)
    expires: date
    link: str = Field(pattern=r"^https?://|^[A-Z]+-\d+$|^#\d+$")
    reason: str = Field(min_length=5)


def load(path: Path, today: date) -> tuple[KnownIssue, ...]:
    """Read the file: YAML, a list of entries. Raises KnownIssuesError when it is malformed or an entry has expired."""
    try:
        data = read_yaml(path)
        entries = TypeAdapter(tuple[KnownIssue, ...]).validate_python(() if data is None else data)
    except ValidationError as error:
        raise KnownIssuesError(f"{path}: {describe_first(error)}") from None
    except ValueError as error:
        raise KnownIssuesError(str(error)) from None
    for entry in entries:
        if entry.expires < today:
            raise KnownIssuesError(
                f"{path}: {entry.requirement}: expired on {entry.expires}; {entry.owner} must fix the failure or renew "
                "the entry"
            )
    return entries


def match_failures(
    issues: Sequence[KnownIssue], results: Sequence[TestResult]
) -> tuple[dict[str, set[str]], list[str]]:
    """({requirement: ids of failed tests that an entry accepts}, a sentence for each entry without a failure)."""
    accepted: dict[str, set[str]] = {}
    unused = []
    for issue in issues:
        matching = {
            result.nodeid
            for result in results
            if result.outcome == "failed"
            and issue.requirement in result.requirements
            and fnmatchcase(result.nodeid, issue.tests)
        }
        if matching:
            accepted.setdefault(issue.requirement, set()).update(matching)
        else:
            unused.append(f"{issue.requirement} ({issue.tests}): no failure matches it any more; remove it")
    return accepted, unused
