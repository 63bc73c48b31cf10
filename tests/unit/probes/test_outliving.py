"""An agent that goes on when the runner's way to it ends, is found again, and ends by itself without a runner."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any, cast

import pytest

from fixtures.evidence.waiting import eventually
from fixtures.probes import outliving
from fixtures.probes.outliving import AgentGone, OutlivingAgent, OutOfReach
from lab.access.cluster import NodeAccess
from lab.errors import HarnessError


class Way:
    """A way to a program on this machine, that can be cut."""

    def __init__(self, words: Sequence[str]) -> None:
        self._sock, there = socket.socketpair()
        self.process = subprocess.Popen([sys.executable, "-c", *words], stdin=there.fileno(), stdout=there.fileno())
        there.close()

    def sendall(self, data: bytes) -> None:
        self._sock.sendall(data)

    def recv(self, size: int) -> bytes:
        return self._sock.recv(size)

    def settimeout(self, seconds: float | None) -> None:
        self._sock.settimeout(seconds)

    def close(self) -> None:
        self._sock.close()


class Node:
    """As much of a NodeAccess as an agent needs."""

    name = "n1"
    by_engine = False
    patience = 1.0

    def __init__(self) -> None:
        self.ways: list[Way] = []
        self.open = True
        self.shell = self.node = self

    def python(self, words: Sequence[str], timeout_s: float = 0) -> Way:
        if not self.open:
            raise HarnessError("no way")
        self.ways.append(Way(words))
        return self.ways[-1]

    def reset(self) -> None: ...
    def close(self) -> None: ...


@pytest.fixture
def node() -> Iterator[Node]:
    made = Node()
    yield made
    for way in made.ways:
        way.close()
        way.process.terminate()
        way.process.wait()


def agent_on(node: Node) -> OutlivingAgent:
    return OutlivingAgent(cast(NodeAccess, node))


def pid_of(agent: OutlivingAgent) -> int:
    return int(agent.call("hello")[0]["pid"])


def find(agent: OutlivingAgent) -> int | None:
    with contextlib.suppress(OutOfReach):
        return pid_of(agent)
    return None


def test_an_agent_goes_on_when_its_way_is_cut_and_is_found_again(node: Node) -> None:
    agent = agent_on(node)
    pid = pid_of(agent)
    for _ in range(2):
        node.ways[-1].close()
        with pytest.raises(OutOfReach):
            agent.call("hello")
        assert eventually(lambda: find(agent), bool, within_s=30, what="it is found").value == pid
    agent.close()


def test_a_way_that_is_cut_without_having_ended_gives_place_to_a_new_one(node: Node) -> None:
    """The connection before is still open at the agent's end: a new one takes its place all the same."""
    agent = agent_on(node)
    pid = pid_of(agent)
    agent._client = None
    assert eventually(lambda: find(agent), bool, within_s=30, what="it is found").value == pid
    agent.close()


def test_the_runner_waits_while_there_is_no_way(node: Node) -> None:
    agent = agent_on(node)
    pid = pid_of(agent)
    node.ways[-1].close()
    node.open = False
    for _ in range(3):
        with pytest.raises(OutOfReach):
            agent.call("hello")
    node.open = True
    assert eventually(lambda: find(agent), bool, within_s=30, what="it is found").value == pid
    agent.close()


def test_an_agent_that_was_told_to_leave_is_gone(node: Node) -> None:
    agent = agent_on(node)
    agent.close()
    node.ways[0].process.wait(20)
    with pytest.raises(AgentGone, match="node n1: the agent that measured there has ended"):
        agent.call("hello")


def test_a_dead_runner_means_a_dead_agent_after_a_bounded_time(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outliving, "QUIET_S", 1.0)
    agent_on(node)
    node.ways[0].close()
    assert node.ways[0].process.wait(20) == 0


def test_what_an_agent_refuses_is_not_a_lost_way(node: Node) -> None:
    agent = agent_on(node)
    with pytest.raises(HarnessError) as error:
        agent.call("start")
    assert "no mesh is open" in str(error.value) and not isinstance(error.value, OutOfReach | AgentGone)
    agent.close()


def test_a_large_answer_does_not_hold_up_the_agent(node: Node) -> None:
    """The runner reads nothing while it is cut off: the agent waits for it with nothing else."""
    agent = agent_on(node)
    client: Any = agent._client
    for _ in range(40):
        client._channel.sendall(b"\0\0\0\x12\0\0\0\0" + b'{"op": "settings"}')
    pid = eventually(lambda: _other(agent), bool, within_s=30, what="another way finds it").value
    assert pid
    agent.close()


def _other(agent: OutlivingAgent) -> int | None:
    agent._client = None
    return find(agent)
