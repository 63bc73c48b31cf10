"""What a step of the walk-through makes of dials, peers and routes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import IPv4Address

import pytest

from fixtures.dns.registrations import Registration
from fixtures.walkthrough.reach import (
    DialResult,
    answered_by,
    destinations,
    endpoints,
    unestablished,
    unreached,
    without_route,
)
from lab.overlays.base import Peer


@dataclass(frozen=True)
class Container:
    name: str


REACHED = DialResult("u1", "u2/a1-0f", "a1-0f", "a1-0f")
BY_ANOTHER = replace(REACHED, source="u3", answered="a2-1e")
TIMED_OUT = replace(REACHED, source="u2", answered="ETIMEDOUT")


def test_a_dial_reaches_its_target_only_when_that_one_answers() -> None:
    assert unreached([REACHED]) == []
    assert unreached([REACHED, BY_ANOTHER, TIMED_OUT]) == [
        "u3 dialled u2/a1-0f: a2-1e",
        "u2 dialled u2/a1-0f: ETIMEDOUT",
    ]
    assert str(REACHED) == "u1 dialled u2/a1-0f: it answered"


def test_a_dial_that_any_of_the_containers_answered_is_told() -> None:
    assert answered_by([TIMED_OUT], [Container("a1-0f")]) == []
    assert answered_by([REACHED, BY_ANOTHER, TIMED_OUT], [Container("a1-0f")]) == [str(REACHED)]
    assert answered_by([REACHED, BY_ANOTHER], [Container("a1-0f"), Container("a2-1e")]) == [
        str(REACHED),
        str(BY_ANOTHER),
    ]


def test_no_dial_at_all_proves_nothing() -> None:
    with pytest.raises(ValueError, match="nobody was dialled"):
        unreached([])
    with pytest.raises(ValueError, match="nobody was dialled"):
        answered_by([], [Container("a1-0f")])


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
