"""The facts of a run: outcomes of probes, results of tests, status of requirements, the verdict."""

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
    """What a run established about a requirement."""

    PASS = "pass"
    FAIL = "fail"
    NOT_PROVED = "not-proved"
    NOT_APPLICABLE = "not-applicable"
    KNOWN_ISSUE = "known-issue"
    ERROR = "error"


SYMBOLS = {
    Status.PASS: "✓",
    Status.FAIL: "✗",
    Status.ERROR: "!",
    Status.NOT_PROVED: "?",
    Status.NOT_APPLICABLE: "-",
    Status.KNOWN_ISSUE: "k",
}
"""One character for each status, so that colour is not the only difference."""


class NotProved(Exception):
    """The claim could be neither proved nor refuted; the message says why."""


class Violated(AssertionError):
    """A requirement is violated, as code that a suite called has found.

    Any other AssertionError fails a requirement only where a suite raised it; elsewhere it is an error of the
    instrument.
    """


@dataclass(frozen=True)
class Requirement:
    """One entry of suites/catalogue.yaml."""

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
    """{outcome of a probe: number of probes}"""


@dataclass(frozen=True)
class RequirementResult:
    """The status of a requirement, with the tests that it follows from."""

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
    """The verdict of a run: one word, the exit code, and what they follow from.

    `verdict` is conformant, not-conformant, not-proved or error.
    """

    verdict: str
    exit_code: int
    requirements: tuple[RequirementResult, ...]
    probes: Mapping[str, int]
    """{outcome of a probe: number of probes}, over all tests"""
