"""A cause: what explains failed tests, in words and as verdict.json has it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Certainty = Literal["seen", "inferred", "guess"]
"""`seen`: the rule, entry or interface itself was seen. `inferred`: it follows from which edges failed, and which did
not. `guess`: neither; it is where to look first."""


@dataclass(frozen=True)
class Cause:
    """What explains failed tests."""

    text: str
    """One sentence: where, what, how, by what."""
    certainty: Certainty
    node: str = ""
    """Where it acts; empty: on no single node."""
    peer: str = ""
    """The other node, where it is between two."""
    place: str = ""
    """Between whom: `from u1 to other nodes`."""
    what: str = ""
    """`tcp 443`, `icmp, tcp and udp`."""
    how: str = ""
    """`dropped`, `rewritten`, `redirected`, `leaked`, `late`, …"""
    hop: str = ""
    """The interface where it was seen last, or first seen changed."""
    rule: str = ""
    """The packet-filter rule, route or entry, where one was seen."""
    requirements: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    """Ids of the failed tests that it explains."""
    unproved: int = 0
    """Tests that prove nothing because of it."""
    evidence: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    """What speaks against it, and what else would have failed if it were something else."""
    command: str = ""
    """Shows it."""
    issue: str = ""
    """A public issue where the pattern is known."""

    @property
    def where(self) -> str:
        """Node, place and interface in one line; those that are known."""
        return ", ".join(dict.fromkeys(part for part in (self.node, self.place, self.hop) if part))

    def document(self) -> dict[str, Any]:
        """As verdict.json has it."""
        return {
            "sentence": self.text,
            "certainty": self.certainty,
            "guess": self.certainty == "guess",
            "where": self.where,
            "node": self.node,
            "peer": self.peer,
            "hop": self.hop,
            "what": self.what,
            "how": self.how,
            "rule": self.rule,
            "requirements": list(self.requirements),
            "tests": list(self.tests),
            "unproved": self.unproved,
            "evidence": list(self.evidence),
            "against": list(self.against),
            "command": self.command,
            "issue": self.issue,
        }


@dataclass(frozen=True)
class Explanation:
    """The causes of a run, ranked, and the tests that none of them explains."""

    causes: tuple[Cause, ...] = ()
    unexplained: tuple[str, ...] = field(default=())
    """`NET-1 test_every_container…[a]: its reason`, of each failed test that no cause explains."""
