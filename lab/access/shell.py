"""How commands run on a node, whatever the way to it: SSH, the engine's API or Nomad's.

A way to a node is a subclass of `Shell` that opens channels; running a command to its end is the same for all.
"""

from __future__ import annotations

import contextlib
import shlex
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import paramiko

from lab.errors import HarnessError
from lab.inventory import Node

CONNECT_TIMEOUT_S = 10.0
COMMAND_TIMEOUT_S = 20.0
PIECE_BYTES = 65536
MOST_OUTPUT = 64 << 20
"""Bytes that one command may print: a node that prints without end must not fill the runner's memory."""
CONNECTION_ERRORS = (OSError, EOFError, paramiko.SSHException)
"""What a channel's calls raise when the connection is lost, or does not answer in time (TimeoutError)."""

Command = str | Sequence[str]
"""A string is passed to the node's shell unchanged; the words of a sequence are quoted for it."""


class Channel(Protocol):
    """A command that runs on a node: its standard input and both outputs (paramiko.Channel is one).

    Calls raise TimeoutError after the time that `settimeout` set, and one of CONNECTION_ERRORS when the connection is
    lost.
    """

    def sendall(self, data: bytes, /) -> object:
        """Write to the command's standard input."""

    def shutdown_write(self) -> object:
        """End the command's standard input."""

    def recv(self, size: int, /) -> bytes:
        """Up to `size` bytes of its standard output; b"" at its end."""

    def recv_stderr(self, size: int, /) -> bytes:
        """Up to `size` bytes of its standard error; b"" at its end."""

    def recv_stderr_ready(self) -> bool:
        """Whether `recv_stderr` would return at once."""

    def settimeout(self, seconds: float | None, /) -> object:
        """How long the other calls wait, seconds; None: without end."""

    def recv_exit_status(self) -> int:
        """Wait for the command's end; its exit status, -1 when there is none."""

    def close(self) -> object:
        """End the command's input and give up its outputs. It may be called at any time, and from any thread."""


@dataclass(frozen=True)
class CommandResult:
    """What a command did. As text it is complete, for the message of an assertion."""

    node: str
    command: str
    exit_status: int
    stdout: str
    stderr: str
    duration_s: float

    def __str__(self) -> str:
        lines = [f"{self.node}$ {self.command}", f"exit status {self.exit_status} after {self.duration_s:.2f} s"]
        for name, text in (("stdout", self.stdout), ("stderr", self.stderr)):
            lines += [f"{name}: {line}" for line in text.splitlines()]
        return "\n".join(lines)


class CommandFailed(HarnessError):
    """A command ended with an exit status other than 0; `result` is its CommandResult."""

    def __init__(self, result: CommandResult) -> None:
        super().__init__(str(result))
        self.result = result


class Shell(ABC):
    """The way to one node, opened at first use and opened again after it was lost. Commands run as root."""

    def __init__(self, node: Node) -> None:
        self.node = node

    @abstractmethod
    def connect(self, *, timeout_s: float = CONNECT_TIMEOUT_S) -> object:
        """Open the way to the node. Raises LabError, which says what is in the way."""

    @abstractmethod
    def channel(self, command: Command, *, timeout_s: float = CONNECT_TIMEOUT_S) -> Channel:
        """Start a command and return its channel.

        Raises LabError as `connect` does, and HarnessError when the command cannot be started.
        """

    def python(self, words: Sequence[str], *, timeout_s: float = CONNECT_TIMEOUT_S) -> Channel:
        """Start the node's Python with a program and its arguments; its channel. Raises as `channel` does."""
        return self.channel(["python3", "-c", *words], timeout_s=timeout_s)

    @abstractmethod
    def close(self) -> None:
        """Close the way; a later call opens it again."""

    def host_key(self) -> str | None:
        """The public key by which the node was recognised, base64; None when this way verifies none of the node's."""
        return None

    def run(
        self, command: Command, *, timeout_s: float = COMMAND_TIMEOUT_S, stdin: str = "", check: bool = True
    ) -> CommandResult:
        """Run a command until it ends.

        Raises CommandFailed when `check` is set and the exit status is not 0, and HarnessError when the connection
        was lost or the command took longer than `timeout_s` (times the node's `patience`).
        """
        timeout_s *= self.node.patience
        line = command_line(command)
        began = time.monotonic()
        channel = self.channel(command)
        try:
            channel.settimeout(timeout_s)
            if stdin:
                channel.sendall(stdin.encode())
            channel.shutdown_write()
            with _close_after(channel, timeout_s):
                stdout, stderr = _read_outputs(channel)
                status = channel.recv_exit_status()
        except _TooMuch:
            raise HarnessError(f"node {self.node.name}: {line}: it printed more than {MOST_OUTPUT} bytes") from None
        except CONNECTION_ERRORS as error:
            raise HarnessError(f"node {self.node.name}: {line}: {describe_error(error)}") from None
        finally:
            channel.close()
        duration = time.monotonic() - began
        if status < 0:
            reason = f"not ended within {timeout_s:g} s" if duration >= timeout_s else "the connection was lost"
            raise HarnessError(f"node {self.node.name}: {line}: {reason}")
        result = CommandResult(self.node.name, line, status, stdout, stderr, duration)
        if check and status != 0:
            raise CommandFailed(result)
        return result


@contextlib.contextmanager
def _close_after(channel: Channel, timeout_s: float) -> Iterator[None]:
    """Close the channel after `timeout_s`, which ends every wait on it."""
    timer = threading.Timer(timeout_s, channel.close)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class _TooMuch(Exception):
    """A command printed more than MOST_OUTPUT."""


def _read_outputs(channel: Channel) -> tuple[str, str]:
    """Read standard output and standard error to their ends, at the same time, so that neither fills up.

    Raises _TooMuch, and CONNECTION_ERRORS.
    """
    errors = bytearray()

    def read_errors() -> None:
        with contextlib.suppress(OSError):
            while len(errors) <= MOST_OUTPUT and (piece := channel.recv_stderr(PIECE_BYTES)):
                errors.extend(piece)
        if len(errors) > MOST_OUTPUT:
            channel.close()

    reader = threading.Thread(target=read_errors, daemon=True)
    reader.start()
    output = bytearray()
    while piece := channel.recv(PIECE_BYTES):
        output.extend(piece)
        if len(output) > MOST_OUTPUT:
            raise _TooMuch
    reader.join()
    if len(errors) > MOST_OUTPUT:
        raise _TooMuch
    return output.decode(errors="replace"), errors.decode(errors="replace")


def command_line(command: Command) -> str:
    """A command line for the node's shell: a string as it is, the words of a sequence quoted."""
    return command if isinstance(command, str) else shlex.join(command)


def describe_error(error: BaseException) -> str:
    """What went wrong, in a few words; never empty."""
    if isinstance(error, TimeoutError | socket.timeout):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return " ".join(str(error).split()) or type(error).__name__
