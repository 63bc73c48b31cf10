"""Which reasons blame a fault rightly."""

from __future__ import annotations

import pytest

from lab.faults import FAULTS
from lab.faults.blame import lacking

LOST = "4 of 90 edges, such as u1/a1->u2/a2-udp: lost, left the sender's interface, never seen at the receiver"


@pytest.mark.parametrize(
    ("pattern", "reason", "right"),
    [
        ("{node}", f"{LOST}; last seen on u2's tunnel vx-a; u2's bridge fn-a never saw it", True),
        ("{node}", f"{LOST}; last seen on u1's NIC eth0; u3's NIC eth0 never saw it", False),
        ("{node}", LOST, False),
        ("{node}", "u2/a2 received it and did not answer", False),
        ("{node}", "u2: legacy drops what crosses fn-a", True),
        ("{node}", "the agent on u2, or u3", True),
        ("{node}", "u20: legacy drops", False),
        ("{node}", "node u2", True),
        ("{node}", "http://u2/x at 10.u2", False),
        ("{container}", "u2/a2 and u3/squatter hold 10.32.0.4", True),
        ("{container}", LOST, False),
        ("{container}", "u2 holds 10.32.0.4", False),
        ("{peer}", "u2 does not see u1", True),
        ("{peer}", "u2 does not see u3", False),
        ("last seen on {node}'s tunnel", f"{LOST}; last seen on u2's tunnel vx-a; u2's bridge fn-a never saw it", True),
        ("lost|late", LOST, True),
        ("lost", "late", False),
    ],
)
def test_a_pattern_is_found_where_the_reason_accuses(pattern: str, reason: str, right: bool) -> None:
    assert lacking([pattern], reason, "u2", "u1") == ([] if right else [pattern])


def test_every_pattern_has_to_be_there_and_those_that_are_not_are_named() -> None:
    assert lacking(["{node}", "lost", "FORWARD"], f"{LOST}; u2 dropped packets", "u2") == ["FORWARD"]


PLACELESS = {
    "job-not-registered-again": "the answer lacks an address, which names no node",
    "job-never-deregistered": "Consul's answer about a removed job names an address, not a node",
    "advertisements-between-subnets": "a bridge floods what it gets, so that every node shows it",
    "arp-between-subnets": "a bridge floods what it gets, so that every node shows it",
    "ipv6-link-local-leak": "a bridge floods what it gets, so that every node shows it",
    "multicast-leaks": "a bridge floods what it gets, so that every node shows it",
    "router-messages-between-subnets": "a bridge floods what it gets, so that every node shows it",
    "subnets-in-one-l2": "a bridge floods what it gets, so that every node shows it",
}
"""Faults whose node no reason names yet, and why."""


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if not fault.benign])
def test_every_fault_says_how_it_has_to_be_blamed(name: str) -> None:
    """A place and a kind at least; the place alone would be named by many a wrong reason."""
    fault = FAULTS[name]
    assert len(fault.blames) >= 2, "declare the patterns that a right reason has (lab/faults/blame.py)"
    assert any("{" in pattern for pattern in fault.blames) or fault.where.value != "one node" or name in PLACELESS
    for name, patterns in fault.blames_in.items():
        assert name in fault.must_fail and len(patterns) >= 2
