"""What of a steady state is handed over to the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.probes.mesh import Mesh
from fixtures.resilience.deviations import SteadyState
from fixtures.resilience.steady_state import SteadyStates
from lab.access.http import PermissionDenied
from lab.errors import HarnessError
from lab.inventory import Family
from reports.edges import JudgedEdge
from reports.model import Outcome

from .edges import delivery, edge

FIRST, SECOND, THIRD = ("a1", "a3"), ("a3", "a1"), ("a4", "a1")


class Noted:
    """Evidence that notes the edges it is given."""

    def __init__(self) -> None:
        self.edges: list[JudgedEdge] = []
        self.parties: dict[str, tuple[str, str]] = {}

    def judged(self, edges: Iterable[JudgedEdge], parties: Mapping[str, tuple[str, str]]) -> None:
        self.edges += edges
        self.parties.update(parties)


def steady_states(noted: Noted) -> SteadyStates:
    probe: Any = SimpleNamespace(
        neighbours=lambda families: [edge(*ends) for ends in (FIRST, SECOND, THIRD)], edges=lambda *_: []
    )
    cluster: Any = SimpleNamespace(nodes={}, families=(Family.V4,))
    fleet: Any = SimpleNamespace(everyone=list)
    evidence: Any = noted
    return SteadyStates(cluster, fleet, probe, None, evidence)


def test_edges_that_held_before_are_handed_over_as_they_are_now() -> None:
    noted = Noted()
    states = steady_states(noted)
    after = Mesh((delivery(*FIRST), delivery(*SECOND, Outcome.LOST), delivery(*THIRD, Outcome.LOST)))
    seen = states.observe(SteadyState(frozenset({str(edge(*FIRST)), str(edge(*SECOND))}), frozenset()), lambda _: after)
    assert not seen.steady
    states.hand_over(seen)
    assert [(one.source, one.destination, one.holds) for one in noted.edges] == [
        ("u1/a1", "u2/a3", True),
        ("u2/a3", "u1/a1", False),
    ]
    assert sorted(noted.parties) == ["u1/a1", "u2/a3"]


class Agent:
    """A Consul agent that notes whom it is told to join."""

    def __init__(self, error: Exception | None = None) -> None:
        self.agent, self.joined, self._error = self, list[str](), error

    def members(self) -> list[dict[str, Any]]:
        names = ("u1", "u2", "u3", "client-of-another-datacenter")
        return [{"Name": name, "Addr": f"10.77.0.{number}", "Port": 8301} for number, name in enumerate(names, 1)]

    def join(self, address: str) -> bool:
        if self._error is not None:
            raise self._error
        self.joined.append(address)
        return True


def rejoin(agent: Agent) -> str:
    states = steady_states(Noted())
    registry = SimpleNamespace(client=lambda _: agent)
    given: Any = states
    given._names = (registry, None, None)
    given._cluster = SimpleNamespace(nodes=dict.fromkeys(("u1", "u2", "u3")))
    node: Any = SimpleNamespace(name="u3")
    return states.rejoin(node)


def test_a_node_that_was_cut_off_joins_the_others_again() -> None:
    agent = Agent()
    assert rejoin(agent) == "; Consul joins u1, u2"
    assert agent.joined == ["10.77.0.1:8301", "10.77.0.2:8301"]


def test_without_the_right_to_join_serf_finds_the_members() -> None:
    assert rejoin(Agent(PermissionDenied("403"))) == "; Consul looks for its members by itself: 403"


def test_nothing_is_handed_over_of_what_could_not_be_seen() -> None:
    noted = Noted()
    steady_states(noted).hand_over(HarnessError("node u2: no answer"))
    assert not noted.edges


@pytest.mark.parametrize("families", [(Family.V4,), (Family.V4, Family.V6)])
def test_neighbours_are_those_of_every_family_that_the_overlay_has(families: tuple[Family, ...]) -> None:
    states: Any = steady_states(Noted())
    states._cluster = SimpleNamespace(nodes={}, families=families)
    states._probe = SimpleNamespace(
        neighbours=lambda given: [edge(*FIRST)] if given == families else [], edges=lambda *_: []
    )
    assert states.edges() == [edge(*FIRST)]
