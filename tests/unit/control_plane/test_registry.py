"""Stopping one of Consul's servers, and agents that do not run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import consul
import pytest
import requests

from fixtures.control_plane.observation import NO_CONSENSUS, Consensus
from fixtures.control_plane.registry import AgentRefused, NoLeader, Registry
from lab.errors import HarnessError
from reports.plugin import classify

WELL = Consensus(frozenset({"u1", "u2", "u3"}), frozenset({"u1"}))


class Server:
    """A server of Consul that notes which commands its node runs."""

    def __init__(self, name: str, ran: list[str]) -> None:
        commands = SimpleNamespace(stop_consul=f"stop {name}", start_consul=f"start {name}")
        self.name, self._ran, self.access = name, ran, SimpleNamespace(node=SimpleNamespace(commands=commands))

    def __str__(self) -> str:
        return self.name

    def run(self, command: str, timeout_s: float) -> None:
        self._ran.append(command)


@pytest.fixture
def ran() -> list[str]:
    """Commands that were run on nodes."""
    return []


def registry(ran: list[str], **unwell: Consensus) -> Any:
    """A registry of three servers; the others than those given follow u1."""
    made: Any = Registry.__new__(Registry)
    made.__dict__["servers"] = tuple(Server(name, ran) for name in ("u1", "u2", "u3"))
    made._clients = {}
    made._cluster = SimpleNamespace(patience=1.0)
    made.consensus = lambda server: unwell.get(server.name, WELL)
    return made


def test_a_server_is_stopped_and_started_where_all_are_well(ran: list[str]) -> None:
    made = registry(ran)
    with made.stopped(made.servers[0]):
        assert ran == ["stop u1"]
    assert ran == ["stop u1", "start u1"]


@pytest.mark.parametrize("seen", [NO_CONSENSUS, Consensus(WELL.voters, frozenset())], ids=["down", "no leader"])
def test_no_server_is_stopped_where_another_one_is_not_well(ran: list[str], seen: Consensus) -> None:
    """With two of three servers down there is not a quorum: the cluster would be harmed, and nothing be proved."""
    made = registry(ran, u2=seen)
    with pytest.raises(Exception, match=r"^Consul's servers are not all well \(see CP-2\).*: u2: ") as raised:
        made.stopped(made.servers[0]).__enter__()
    assert classify(raised.value) == "not-proved"
    assert not ran


def test_an_agent_that_does_not_run_is_no_error_of_the_instrument() -> None:
    assert classify(AgentRefused("node u2: Consul does not run")) == "not-proved"


def leader_known(leader: str | Exception) -> Any:
    """A registry whose agents, when they are asked who leads, answer this."""

    def ask() -> str:
        if isinstance(leader, Exception):
            raise leader
        return leader

    made: Any = Registry.__new__(Registry)
    made.client = lambda *_: SimpleNamespace(status=SimpleNamespace(leader=ask))
    return made


def outcome(made: Any, error: Exception) -> HarnessError:
    """What a call raises when the client raises `error`."""

    def fail(_: Any) -> None:
        raise error

    with pytest.raises(HarnessError) as raised:
        made.call(Server("u2", []), fail)
    return raised.value


@pytest.mark.parametrize(
    "error",
    [consul.ConsulException("500 No cluster leader"), requests.ReadTimeout("no answer in time")],
    ids=["it says so", "it is held"],
)
def test_a_registry_without_a_leader_is_no_error_of_the_instrument(error: Exception) -> None:
    raised = outcome(leader_known(""), error)
    assert isinstance(raised, NoLeader)
    assert classify(raised) == "not-proved"
    assert str(raised) == f"node u2: Consul has no leader (see CP-2): {error}"


@pytest.mark.parametrize(
    "leader", ["10.77.0.1:8300", requests.ReadTimeout("no answer in time")], ids=["there is one", "it does not say"]
)
def test_any_other_failure_of_a_call_is_an_error(leader: str | Exception) -> None:
    raised = outcome(leader_known(leader), requests.ReadTimeout("no answer in time"))
    assert classify(raised) == "error"
    assert str(raised) == "node u2: Consul: no answer in time"
