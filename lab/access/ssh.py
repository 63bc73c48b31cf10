"""Runs commands on a node over SSH (paramiko). Host keys are verified, and every wait has a limit."""

from __future__ import annotations

import logging
import threading

import paramiko

from lab.errors import HarnessError, LabError
from lab.inventory import Node

from .shell import CONNECT_TIMEOUT_S, Command, Shell, command_line, describe_error

# Every error is raised here. Without a handler, paramiko's threads would print it too, with a traceback.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class _UnknownHostKey(paramiko.SSHException):
    """The file of known hosts has no key for the host."""


class _RefuseUnknownHosts(paramiko.MissingHostKeyPolicy):
    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        raise _UnknownHostKey(hostname)


class SshShell(Shell):
    """One SSH connection to a node, opened at first use and opened again after it was lost."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
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
        where = f"node {node.name}: ssh {ssh.user or 'root'}@{node.address}:{ssh.port or 22}"
        client = paramiko.SSHClient()
        try:
            client.load_host_keys(str(ssh.known_hosts))
        except (OSError, paramiko.SSHException) as error:
            raise LabError(f"node {node.name}: ssh.known_hosts {ssh.known_hosts}: {error}") from None
        client.set_missing_host_key_policy(_RefuseUnknownHosts())
        try:
            client.connect(
                str(node.address),
                port=ssh.port or 22,
                username=ssh.user or "root",
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
            raise LabError(f"{where}: {describe_error(error)}") from None
        except (OSError, EOFError) as error:
            raise LabError(f"{where}: unreachable: {describe_error(error)}") from None
        return client

    def channel(self, command: Command, *, timeout_s: float = CONNECT_TIMEOUT_S) -> paramiko.Channel:
        """Start a command and return its channel, which carries its stdin and stdout.

        Raises LabError as `connect` does, and HarnessError when the command cannot be started.
        """
        transport = self.connect()
        try:
            channel = transport.open_session(timeout=timeout_s)
            channel.settimeout(timeout_s)
            channel.exec_command(command_line(command))
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise HarnessError(
                f"node {self.node.name}: {command_line(command)[:80]}: {describe_error(error)}"
            ) from None
        return channel

    def host_key(self) -> str:
        """The node's host key, base64. Raises LabError as `connect` does."""
        return self.connect().get_remote_server_key().get_base64()

    def close(self) -> None:
        """Close the connection; a later call opens a new one."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None
