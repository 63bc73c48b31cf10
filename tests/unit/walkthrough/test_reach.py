"""What a step of the walk-through makes of dials, peers and routes."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from fixtures.dns.registrations import Registration
from fixtures.probes.blocked import Leaked
from fixtures.walkthrough.reach import (
    DialResult,
    assert_unanswered,
    destinations,
    endpoints,
    unestablished,
    unreached,
    without_route,
)
from lab.overlays.base import Peer
from reports.model import NotProved

REACHED = DialResult("u1", "u2/a1-0f", "a1-0f", "a1-0f")
BY_ANOTHER = replace(REACHED, source="u3", answered="a2-1e")
TIMED_OUT = replace(REACHED, source="u2", answered="ETIMEDOUT", error="ETIMEDOUT")
CONTROL = replace(REACHED, source="u3/a3-2c")
FAILED_CONTROL = replace(CONTROL, answered="ECONNREFUSED", error="ECONNREFUSED")


def test_a_dial_reaches_its_target_only_when_that_one_answers() -> None:
    assert unreached([REACHED]) == []
    assert unreached([REACHED, BY_ANOTHER, TIMED_OUT]) == [
        "u3 dialled u2/a1-0f: a2-1e",
        "u2 dialled u2/a1-0f: ETIMEDOUT",
    ]
    assert str(REACHED) == "u1 dialled u2/a1-0f: it answered"


@pytest.mark.parametrize("error", ["ETIMEDOUT", "ECONNREFUSED", "ENETUNREACH"])
def test_a_blocked_dial_is_proved_by_controls_before_and_after(error: str) -> None:
    assert_unanswered([replace(TIMED_OUT, answered=error, error=error)], [CONTROL], [CONTROL])


@pytest.mark.parametrize("after", [[CONTROL], [FAILED_CONTROL], []])
def test_a_dial_that_any_of_the_targets_answered_is_a_leak_whatever_the_controls(after: list[DialResult]) -> None:
    other = DialResult("u3", "u1/a2-1e", "a2-1e", "a1-0f")
    with pytest.raises(Leaked) as leak:
        assert_unanswered([TIMED_OUT, REACHED, other], [CONTROL], after)
    assert str(leak.value).splitlines() == [str(REACHED), str(other)]


@pytest.mark.parametrize(
    ("forbidden", "before", "after", "why"),
    [
        ([], [CONTROL], [CONTROL], "nothing was dialled"),
        ([TIMED_OUT], [], [CONTROL], "u2/a1-0f: nobody who may reach it dialled it before"),
        ([TIMED_OUT], [CONTROL], [], "u2/a1-0f: nobody who may reach it dialled it after"),
        ([TIMED_OUT], [FAILED_CONTROL], [CONTROL], r"control u3/a3-2c dialled u2/a1-0f: ECONNREFUSED \(before\)"),
        ([TIMED_OUT], [CONTROL], [FAILED_CONTROL], r"control u3/a3-2c dialled u2/a1-0f: ECONNREFUSED \(after\)"),
        ([TIMED_OUT, BY_ANOTHER], [CONTROL], [CONTROL], "u3 dialled u2/a1-0f: a2-1e"),
        ([replace(TIMED_OUT, answered="EMFILE", error="EMFILE")], [CONTROL], [CONTROL], "a1-0f: EMFILE"),
    ],
    ids=["no dial", "none before", "none after", "failed before", "failed after", "somebody else", "own error"],
)
def test_a_silent_target_without_working_controls_proves_nothing(
    forbidden: list[DialResult], before: list[DialResult], after: list[DialResult], why: str
) -> None:
    with pytest.raises(NotProved, match=why):
        assert_unanswered(forbidden, before, after)


def test_no_dial_at_all_proves_nothing() -> None:
    with pytest.raises(NotProved, match="nobody was dialled"):
        unreached([])


def test_peers_without_an_established_connection_are_told() -> None:
    up = Peer("u2", IPv4Address("192.168.56.4"), established=True, detail="sleeve")
    down = Peer("u3", IPv4Address("192.168.56.5"), established=False, detail="connection refused")
    assert unestablished({"u1": [up, down], "u2": [replace(up, name="u1")]}) == ["u1 -> u3: connection refused"]
    assert unestablished({"u1": [up]}) == []


ROUTES = """[{"dst":"10.32.0.0/24","protocol":"kernel","scope":"link","prefsrc":"10.32.0.1","flags":[]},
 {"dst":"224.0.0.0/4","scope":"link","flags":[]}]"""


def test_a_node_without_the_route_is_told() -> None:
    found = destinations(ROUTES)
    assert found == {"10.32.0.0/24", "224.0.0.0/4"}
    assert without_route({"u1": found}, "10.32.0.0/24") == []
    assert without_route({"u1": found, "u2": {"10.32.1.0/24"}, "u3": set()}, "10.32.0.0/24") == [
        "u2 has no route to 10.32.0.0/24, only to 10.32.1.0/24",
        "u3 has no route to 10.32.0.0/24, only to nothing",
    ]


def test_registrations_lead_to_addresses_and_ports() -> None:
    registrations = [Registration("web", f"web-{port}", "u1", "192.168.56.3", port) for port in (0, 80)]
    assert endpoints(registrations) == {("192.168.56.3", 0), ("192.168.56.3", 80)}
