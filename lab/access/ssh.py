"""Runs commands on a node over SSH (paramiko). Host keys are verified, and every wait has a limit."""

from __future__ import annotations

import contextlib
import logging
import shlex
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import paramiko

from lab.errors import HarnessError, LabError
from lab.inventory import Node

# Every error is raised here. Without a handler, paramiko's threads would print it too, with a traceback.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

CONNECT_TIMEOUT_S = 10.0
COMMAND_TIMEOUT_S = 20.0
_PIECE_BYTES = 65536


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


class _UnknownHostKey(paramiko.SSHException):
    """The file of known hosts has no key for the host."""


class _RefuseUnknownHosts(paramiko.MissingHostKeyPolicy):
    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        raise _UnknownHostKey(hostname)


class Shell:
    """One SSH connection to a node, opened at first use and opened again after it was lost."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._client: paramiko.SSHClient | None = None
        self._lock = threading.Lock()

    def connect(self, *, timeout_s: float = CONNECT_TIMEOUT_S) -> paramiko.Transport:
        """The live transport. Raises LabError: node unreachable, host key unknown or wrong, or our key refused."""
        with self._lock:
            if self._client is not None:
                transport = self._client.get_transport()
                if transport is not None and transport.is_active():
                    return transport
                self._client.close()
            self._client = self._open(timeout_s)
            transport = self._client.get_transport()
            if transport is None:
                raise LabError(f"node {self.node.name}: SSH connection closed while it was opened")
            return transport

    def _open(self, timeout_s: float) -> paramiko.SSHClient:
        node, ssh = self.node, self.node.ssh
        where = f"node {node.name}: ssh {ssh.user}@{node.address}:{ssh.port}"
        client = paramiko.SSHClient()
        try:
            client.load_host_keys(str(ssh.known_hosts))
        except (OSError, paramiko.SSHException) as error:
            raise LabError(f"node {node.name}: ssh.known_hosts {ssh.known_hosts}: {error}") from None
        client.set_missing_host_key_policy(_RefuseUnknownHosts())
        try:
            client.connect(
                str(node.address),
                port=ssh.port,
                username=ssh.user,
                key_filename=str(ssh.key),
                timeout=timeout_s,
                banner_timeout=timeout_s,
                auth_timeout=timeout_s,
                allow_agent=False,
                look_for_keys=False,
            )
        except paramiko.BadHostKeyException:
            raise LabError(
                f"{where}: its host key is not the one in {ssh.known_hosts}; "
                "if the node was reinstalled, put its new key there; otherwise another machine answers in its place"
            ) from None
        except paramiko.AuthenticationException:
            raise LabError(f"{where}: key {ssh.key} was refused; add its public half to authorized_keys") from None
        except _UnknownHostKey:
            raise LabError(
                f"{where}: no host key for it in {ssh.known_hosts}; add one (ssh-keyscan, then compare it)"
            ) from None
        except paramiko.SSHException as error:
            raise LabError(f"{where}: {_reason(error)}") from None
        except (OSError, EOFError) as error:
            raise LabError(f"{where}: unreachable: {_reason(error)}") from None
        return client

    def channel(self, command: str | Sequence[str], *, timeout_s: float = CONNECT_TIMEOUT_S) -> paramiko.Channel:
        """Start a command and return its channel, which carries its stdin and stdout.

        Raises LabError as `connect` does, and HarnessError when the command cannot be started.
        """
        transport = self.connect()
        try:
            channel = transport.open_session(timeout=timeout_s)
            channel.settimeout(timeout_s)
            channel.exec_command(_quote(command))
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise HarnessError(f"node {self.node.name}: {_quote(command)[:80]}: {_reason(error)}") from None
        return channel

    def run(
        self,
        command: str | Sequence[str],
        *,
        timeout_s: float = COMMAND_TIMEOUT_S,
        stdin: str = "",
        check: bool = True,
    ) -> CommandResult:
        """Run a command until it ends.

        A sequence is quoted for the remote shell; a string is passed to it unchanged. Raises CommandFailed
        when `check` is set and the exit status is not 0, and HarnessError when the connection was lost or
        the command took longer than `timeout_s`.
        """
        line = _quote(command)
        began = time.monotonic()
        channel = self.channel(command)
        try:
            channel.settimeout(timeout_s)
            if stdin:
                channel.sendall(stdin.encode())
            channel.shutdown_write()
            with self._close_after(channel, timeout_s):
                stdout, stderr = _read_outputs(channel)
                status = channel.recv_exit_status() if not channel.closed or channel.exit_status_ready() else -1
        except (TimeoutError, OSError, EOFError, paramiko.SSHException) as error:
            raise HarnessError(f"node {self.node.name}: {line}: {_reason(error)}") from None
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
    def _close_after(self, channel: paramiko.Channel, timeout_s: float) -> Iterator[None]:
        """Close the channel after `timeout_s`, which ends every wait on it."""
        timer = threading.Timer(timeout_s, channel.close)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def close(self) -> None:
        """Close the connection; a later call opens a new one."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None


def _read_outputs(channel: paramiko.Channel) -> tuple[str, str]:
    """Read standard output and standard error to their ends, at the same time, so that neither fills up."""
    errors = bytearray()

    def read_errors() -> None:
        with contextlib.suppress(OSError):
            while piece := channel.recv_stderr(_PIECE_BYTES):
                errors.extend(piece)

    reader = threading.Thread(target=read_errors, daemon=True)
    reader.start()
    output = bytearray()
    while piece := channel.recv(_PIECE_BYTES):
        output.extend(piece)
    reader.join()
    return output.decode(errors="replace"), errors.decode(errors="replace")


def _quote(command: str | Sequence[str]) -> str:
    """A command line for the remote shell: a string as it is, the words of a sequence quoted."""
    return command if isinstance(command, str) else shlex.join(command)


def _reason(error: BaseException) -> str:
    """What went wrong, in a few words; never empty."""
    if isinstance(error, TimeoutError | socket.timeout):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__
