"""The way to a node by its Docker engine: a privileged container that enters the host.

It needs no shell on the node, and root nowhere but in the engine. The container is this process's own and ends
with it: its only process reads an input that the engine closes when our connection to it ends.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import docker
import docker.models.containers
import requests
from docker.types import LogConfig
from docker.utils.socket import STDERR

from lab.errors import HarnessError, LabError
from lab.inventory import Node

from .engine import Dial, upgrade
from .shell import CONNECT_TIMEOUT_S, Command, Shell, command_line, describe_error
from .streams import Output

LABEL = "flatnet.agent"
"""Label of the container; its value is different for every process."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LIFETIME_S = 6 * 3600
"""The container ends by itself after so many seconds, should the engine miss the end of the connection."""
ERRORS = (docker.errors.DockerException, requests.RequestException, OSError)


class EngineShell(Shell):
    """Commands of the host, run by `docker exec` in a privileged container (`nsenter`, nsenter(1))."""

    def __init__(
        self, node: Node, engine: Callable[[], docker.DockerClient], dial: Dial, image: Callable[[], str]
    ) -> None:
        """`dial` opens a socket to the engine; `image` returns the container's image, which it has loaded."""
        super().__init__(node)
        self._dial = dial
        self._engine = engine
        self._image = image
        self._container: docker.models.containers.Container | None = None
        self._input: socket.socket | None = None
        self._lock = threading.Lock()

    def connect(self, *, timeout_s: float = CONNECT_TIMEOUT_S) -> docker.models.containers.Container:
        """The container, started when it is not there. Raises LabError when the engine refuses it."""
        with self._lock:
            if self._container is None:
                try:
                    self._container, self._input = self._start()
                except ERRORS as error:
                    raise LabError(
                        f"node {self.node.name}: Docker starts no privileged container, by which `via: docker` and "
                        f"`become: docker` enter the node: {describe_error(error)}"
                    ) from None
            return self._container

    def _start(self) -> tuple[docker.models.containers.Container, socket.socket]:
        name = f"flatnet-agent-{uuid.uuid4().hex[:12]}"
        container = self._engine().containers.create(
            self._image(),
            ["timeout", str(LIFETIME_S), "cat"],
            entrypoint=[],
            name=name,
            labels={LABEL: name},
            privileged=True,
            pid_mode="host",
            network_mode="host",
            ipc_mode="host",
            stdin_open=True,
            auto_remove=True,
            log_config=LogConfig(type="none"),
        )
        try:
            ours = self._upgrade(f"/containers/{container.id}/attach?stdin=1&stream=1", {})
            container.start()
        except BaseException:
            with contextlib.suppress(*ERRORS):
                container.remove(force=True)
            raise
        return container, ours

    def _upgrade(self, path: str, body: dict[str, bool]) -> socket.socket:
        return upgrade(self._dial, self._engine().api.api_version, path, body)

    def channel(self, command: Command, *, timeout_s: float = CONNECT_TIMEOUT_S) -> ExecChannel:
        words = ["nsenter", "-t", "1", "-m", "-u", "-i", "-n", "-r", "-w", "/bin/sh", "-c", command_line(command)]
        return self._exec(words, timeout_s)

    def python(self, words: Sequence[str], *, timeout_s: float = CONNECT_TIMEOUT_S) -> ExecChannel:
        """Start Python: the node's own, or that of `agent_image` where the cluster file names one."""
        program = ["python3", "-c", *words]
        if self.node.agent_image is None:
            return self.channel(program, timeout_s=timeout_s)
        return self._exec(program, timeout_s)

    def _exec(self, words: list[str], timeout_s: float) -> ExecChannel:
        container = self.connect(timeout_s=timeout_s)
        api = self._engine().api
        try:
            number = api.exec_create(container.id, words, stdin=True, privileged=True, environment={"PATH": PATH})["Id"]
            stream = self._upgrade(f"/exec/{number}/start", {"Detach": False, "Tty": False})
            return ExecChannel(stream, lambda: api.exec_inspect(number), timeout_s)
        except docker.errors.NotFound:
            with self._lock:
                self._container = None  # its engine was restarted
            raise HarnessError(f"node {self.node.name}: the container of `via: docker` is gone") from None
        except ERRORS as error:
            raise HarnessError(f"node {self.node.name}: {words[-1][:80]}: {describe_error(error)}") from None

    def close(self) -> None:
        """End the container; a later call starts another one."""
        with self._lock:
            container, self._container = self._container, None
            stream, self._input = self._input, None
        if stream is not None:
            stream.close()
        if container is not None:
            with contextlib.suppress(*ERRORS):  # it has ended by itself, or the engine has
                container.remove(force=True)


class ExecChannel:
    """A command that `docker exec` runs: its input, and its outputs told apart by Docker's frames.

    A frame has a head of 8 bytes: the number of the output, three zeros, and the length of what follows, big endian
    (Docker's API, "Stream format" of ContainerAttach).
    """

    HEAD = 8

    def __init__(self, stream: socket.socket, inspect: Callable[[], dict[str, Any]], timeout_s: float) -> None:
        self._stream = stream
        self._inspect = inspect
        self._timeout_s: float | None = timeout_s
        self._outputs = {False: Output(), True: Output()}
        threading.Thread(target=self._receive, name="docker exec", daemon=True).start()

    def _receive(self) -> None:
        with contextlib.suppress(OSError):
            while len(head := self._read(self.HEAD)) == self.HEAD:
                left = int.from_bytes(head[4:], "big")
                output = self._outputs[head[0] == STDERR]
                while left and (piece := self._stream.recv(min(left, 1 << 16))):
                    output.feed(piece)
                    left -= len(piece)
        for output in self._outputs.values():
            output.end()

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size and (piece := self._stream.recv(size - len(data))):
            data += piece
        return data

    def sendall(self, data: bytes, /) -> None:
        self._stream.sendall(data)

    def shutdown_write(self) -> None:
        with contextlib.suppress(OSError):  # the command has ended
            self._stream.shutdown(socket.SHUT_WR)

    def recv(self, size: int, /) -> bytes:
        return self._outputs[False].read(size, self._timeout_s)

    def recv_stderr(self, size: int, /) -> bytes:
        return self._outputs[True].read(size, self._timeout_s)

    def recv_stderr_ready(self) -> bool:
        return self._outputs[True].ready

    def settimeout(self, seconds: float | None, /) -> None:
        self._timeout_s = seconds

    def recv_exit_status(self) -> int:
        """The exit status once both outputs have ended; -1 when the connection ended before the command."""
        limit = CONNECT_TIMEOUT_S if self._timeout_s is None else self._timeout_s
        until = time.monotonic() + limit
        if not self._outputs[False].wait_for_end(limit):
            return -1
        while time.monotonic() < until:
            try:
                found = self._inspect()
            except ERRORS:
                return -1
            if not found["Running"]:
                return int(found["ExitCode"]) if found["ExitCode"] is not None else -1
            if self._stream.fileno() < 0:
                return -1
            time.sleep(0.01)  # the engine notes the status after the end of the output
        return -1

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.shutdown(socket.SHUT_RDWR)  # wakes the receiver
        for output in self._outputs.values():
            output.end()
        self._stream.close()
