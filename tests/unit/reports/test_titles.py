"""What a test is called in the report: a sentence that a person would write."""

from __future__ import annotations

import pytest

from fixtures.containers.fleet import Slot
from fixtures.probes.delivery import Transport
from reports.titles import in_words, severity, title

NO_NAT = (
    "No device on the way rewrites\nsource or destination.\n\nExpected: addresses are those that the sender used.\n"
)


@pytest.mark.parametrize(
    ("docstring", "parameters", "expected"),
    [
        (NO_NAT, {}, "No device on the way rewrites source or destination"),
        (
            NO_NAT,
            {"pair": "u1/a1 → u2/a2", "transport": "udp"},
            "u1/a1 → u2/a2, udp: no device on the way rewrites source or destination",
        ),
        ("No port is mapped.", {"subnet": "a"}, "subnet a: no port is mapped"),
        ("A job that was stopped leaves no name.", {"by": "network"}, "network: a job that was stopped leaves no name"),
        ("ARP is answered.", {"node": "u1"}, "u1: ARP is answered"),
        ("Nomad's servers agree.", {"node": "u1"}, "u1: Nomad's servers agree"),
        ("Consul agrees.", {"node": "u1"}, "u1: Consul agrees"),
        ("SRV tells the port.", {"node": "u1"}, "u1: SRV tells the port"),
    ],
)
def test_a_title_is_the_promise_and_whom_it_is_about(docstring: str, parameters: dict[str, str], expected: str) -> None:
    assert title(docstring, parameters) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((Slot("a1", "a", "u1"), Slot("a2", "a", "u2")), "u1/a1 → u2/a2"),
        (Slot("a1", "a", "u1"), "u1/a1"),
        (Transport.UDP, "udp"),
        ("u1", "u1"),
        ([1, 2, 3], "1, 2, 3"),
        (7, "7"),
    ],
)
def test_a_parameter_reads_as_a_person_writes_it(value: object, text: str) -> None:
    assert in_words(value) == text


@pytest.mark.parametrize(
    ("levels", "expected"), [(["must"], "critical"), (["should"], "normal"), (["should", "must"], "critical")]
)
def test_a_must_is_critical(levels: list[str], expected: str) -> None:
    assert severity(levels) == expected
