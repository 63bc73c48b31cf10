"""What a run finds: outcomes of probes, results of tests, status of requirements, a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """How a probe ended (DESIGN §3)."""

    DELIVERED = "delivered"
    ANSWERED = "answered"
    REWRITTEN = "rewritten"
    MISDELIVERED = "misdelivered"
    REFUSED = "refused"
    REJECTED = "rejected"
    LOST = "lost"
    NOT_SENT = "not_sent"


class Status(StrEnum):
    """What is known of a requirement after a run."""

    PASS = "pass"
    FAIL = "fail"
    NOT_PROVED = "not-proved"
    NOT_APPLICABLE = "not-applicable"
    KNOWN_ISSUE = "known-issue"
    ERROR = "error"


class NotProved(Exception):
    """The claim could be neither proved nor refuted; says why."""


@dataclass(frozen=True)
class Requirement:
    """One entry of the catalogue."""

    id: str
    statement: str
    level: str
    source: str
    suite: str
    applies: tuple[str, ...] = ()
    disruptive: bool = False


@dataclass(frozen=True)
class TestResult:
    """How one test ended; `outcome` is passed, failed, error, not-proved or skipped."""

    __test__ = False

    nodeid: str
    requirements: tuple[str, ...]
    outcome: str
    reason: str = ""
    duration_s: float = 0.0
    probes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class RequirementResult:
    """A requirement's status, and the tests it rests on."""

    requirement: Requirement
    status: Status
    planned: int = 0
    passed: int = 0
    failed: int = 0
    errors: int = 0
    reason: str = ""
    tests: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What a run says of a cluster."""

    verdict: str
    exit_code: int
    requirements: tuple[RequirementResult, ...]
    probes: Mapping[str, int]
