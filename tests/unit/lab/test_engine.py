"""The Docker client speaks to an engine through tunnels, with the public parts of the SDK only."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Iterator
from typing import cast

import docker
import pytest
from docker.constants import DEFAULT_DOCKER_API_VERSION

from lab.access import engine
from lab.access.dialling import dial_engine
from lab.access.shell import Shell
from lab.errors import HarnessError
from lab.inventory import Node

from .test_tunnel import FakeChannel, tunnels

NODE = Node.model_validate(
    {"name": "u1", "address": "192.168.56.3", "ssh": {"key": "key", "known_hosts": "known_hosts"}}
)
FRAME = b"\x01\x00\x00\x00" + struct.pack(">I", 7) + b"at once"
"""What a container wrote to its standard output, as the engine frames it."""


class FakeEngine:
    """Answers the API at the other end of each channel that its shell opens."""

    def __init__(self, version: object = {"ApiVersion": "1.41"}, *, up: bool = True) -> None:
        self.node = NODE
        self.version, self.up = version, up
        self.commands: list[str] = []
        self.paths: list[str] = []
        self.channels: list[FakeChannel] = []

    def channel(self, command: str) -> FakeChannel:
        self.commands.append(command)
        channel = FakeChannel(b"" if self.up else b"dial unix /run/docker.sock:\nconnect: no such file or directory\n")
        self.channels.append(channel)
        if self.up:
            threading.Thread(target=self._serve, args=(channel.command,), daemon=True).start()
        else:
            channel.command.close()
        return channel

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), sock.makefile("rb") as requests:
            while line := requests.readline():
                path = line.split()[1].decode()
                headers = dict(line.strip().lower().split(b": ", 1) for line in iter(requests.readline, b"\r\n"))
                requests.read(int(headers.get(b"content-length", b"0")))
                self.paths.append(path)
                if path.endswith("/start"):
                    sock.sendall(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n" + FRAME)
                    sock.shutdown(socket.SHUT_RDWR)
                    return
                body = json.dumps(self.version).encode()
                sock.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
                    + body
                )

    def open_channels(self) -> int:
        return sum(not channel.closed.is_set() for channel in self.channels)

    @property
    def shell(self) -> Shell:
        return cast(Shell, self)


def connect(fake: FakeEngine, endpoint: str = NODE.docker) -> docker.DockerClient:
    """A client of the fake engine, over the socket that a real run would dial."""
    return engine.connect(NODE.name, endpoint, lambda on_stderr: dial_engine(fake.shell, endpoint, on_stderr))


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    for thread in tunnels():
        thread.join(10)
    assert not tunnels()


@pytest.mark.parametrize(
    ("offered", "spoken"),
    [("1.41", "1.41"), (DEFAULT_DOCKER_API_VERSION, DEFAULT_DOCKER_API_VERSION), ("1.99", DEFAULT_DOCKER_API_VERSION)],
    ids=["an older engine", "the same", "a newer engine"],
)
def test_the_newest_version_that_both_know_is_spoken(offered: str, spoken: str) -> None:
    fake = FakeEngine({"ApiVersion": offered})
    client = connect(fake)
    client.version()
    assert client.api.api_version == spoken
    assert fake.paths == ["/version", f"/v{spoken}/version"]
    client.close()


def test_the_engine_is_reached_at_the_inventorys_socket_or_at_another() -> None:
    fake = FakeEngine()
    for endpoint in (NODE.docker, "unix:///run/weave/weave.sock"):
        connect(fake, endpoint).close()
    assert [line.split("; else")[0].rsplit("exec ")[1] for line in fake.commands] == [
        f"docker --host {NODE.docker} system dial-stdio",
        "docker --host unix:///run/weave/weave.sock system dial-stdio",
    ]


@pytest.mark.parametrize(
    ("fake", "message"),
    [
        (
            FakeEngine(up=False),
            "node u1: Docker at unix:///x does not answer: "
            "dial unix /run/docker.sock: connect: no such file or directory",
        ),
        (
            FakeEngine({"ApiVersion": "1.18"}),
            "node u1: Docker at unix:///x does not answer: "
            "API versions below 1.24 are no longer supported by this library.",
        ),
        (FakeEngine({}), "node u1: unix:///x answers, but names no version of the Docker API"),
    ],
    ids=["no engine", "a version that the SDK has dropped", "something else"],
)
def test_an_engine_that_cannot_be_used_is_an_error_in_one_line(fake: FakeEngine, message: str) -> None:
    with pytest.raises(HarnessError) as raised:
        connect(fake, "unix:///x")
    assert str(raised.value) == message


def test_requests_one_after_the_other_share_a_channel() -> None:
    fake = FakeEngine()
    client = connect(fake)
    for _ in range(5):
        client.version()
    assert len(fake.channels) == fake.open_channels() == 1
    client.close()
    assert fake.channels[0].closed.wait(10)


def test_a_connection_that_the_engine_closed_is_replaced_without_an_error() -> None:
    fake = FakeEngine()
    client = connect(fake)
    fake.channels[0].close()
    for thread in tunnels():
        thread.join(10)
    assert client.version() == {"ApiVersion": "1.41"}
    assert len(fake.channels) == 2
    client.close()


def test_a_client_can_be_used_after_it_was_closed() -> None:
    fake = FakeEngine()
    client = connect(fake)
    client.close()
    assert client.version() == {"ApiVersion": "1.41"}
    client.close()


def test_this_machines_proxy_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "socks5://192.0.2.1:3128")
    fake = FakeEngine()
    client = connect(fake)
    assert client.version() == {"ApiVersion": "1.41"}
    client.close()


def test_what_exec_prints_at_once_is_not_lost() -> None:
    fake = FakeEngine()
    client = connect(fake)
    assert client.api.exec_start("0" * 64) == FRAME[8:]
    client.close()
