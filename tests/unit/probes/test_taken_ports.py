"""A port that another process has: what the agent answers, and what its client raises."""

from __future__ import annotations

import errno
import json
import os
import socket

import pytest

from fixtures.probes.agent import endpoint, flows
from fixtures.probes.agent.formats import MESSAGE, TCP, UDP
from fixtures.probes.agent.kernel import Refusal
from fixtures.probes.client import AgentClient, PortTaken
from lab.errors import HarnessError


class RefusingSocket:
    """A socket whose `bind` fails."""

    family = socket.AF_INET
    code = 0

    def __init__(self, *_: object) -> None:
        self.closed = False

    def setblocking(self, on: bool) -> None: ...

    def setsockopt(self, *_: object) -> None: ...

    def close(self) -> None:
        self.closed = True

    def recvmsg(self, *_: object) -> None:
        raise BlockingIOError

    def bind(self, address: tuple[str, int]) -> None:
        raise OSError(self.code, os.strerror(self.code))


class Namespaces:
    def enter(self, path: str | None) -> None: ...


class Agent:
    namespaces = Namespaces()

    def drop(self, sock: object) -> None: ...

    def watch(self, *_: object) -> None: ...


@pytest.fixture(params=[errno.EADDRINUSE, errno.EACCES], ids=["taken", "forbidden"])
def taken(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether `bind` fails because the port is taken, and not for another reason."""
    code: int = request.param
    monkeypatch.setattr(RefusingSocket, "code", code)
    monkeypatch.setattr("socket.socket", RefusingSocket)
    return code == errno.EADDRINUSE


@pytest.mark.parametrize("protocol", [TCP, UDP])
def test_a_server_that_cannot_bind_names_the_port_only_if_it_is_taken(taken: bool, protocol: int) -> None:
    server = endpoint.Endpoint.__new__(endpoint.Endpoint)
    server.sockets, server.netns, server.agent = [], None, Agent()
    with pytest.raises(Refusal, match="port 80 in the node") as refused:
        server.serve(protocol, 80, 4)
    assert refused.value.taken_port == (80 if taken else None)


def test_a_sink_that_cannot_bind_names_the_port_only_if_it_is_taken(taken: bool) -> None:
    with pytest.raises(Refusal, match="port 80 in the node") as refused:
        flows.Sink(Agent(), None, 4, 80)
    assert refused.value.taken_port == (80 if taken else None)


class Channel:
    """Answers every request with the same reply."""

    def __init__(self, reply: dict[str, object]) -> None:
        text = json.dumps(reply).encode()
        self.left = MESSAGE.pack(len(text), 0) + text

    def sendall(self, data: bytes, /) -> None: ...

    def recv(self, size: int, /) -> bytes:
        piece, self.left = self.left[:size], self.left[size:]
        return piece

    def settimeout(self, seconds: float | None, /) -> None: ...

    def close(self) -> None: ...


def test_a_taken_port_is_an_exception_of_its_own() -> None:
    client = AgentClient(Channel({"refused": "TCP port 80 in the node: in use", "taken_port": 80}), "u1")
    with pytest.raises(PortTaken, match=r"^node u1: TCP port 80 in the node: in use$") as refused:
        client.call("open")
    assert refused.value.port == 80 and client.alive


@pytest.mark.parametrize("reply", [{"refused": "setns: gone"}, {"refused": "setns: gone", "taken_port": None}])
def test_any_other_refusal_is_not(reply: dict[str, object]) -> None:
    with pytest.raises(HarnessError, match=r"^node u1: setns: gone$") as refused:
        AgentClient(Channel(reply), "u1").call("open")
    assert not isinstance(refused.value, PortTaken)
