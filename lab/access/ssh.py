"""The way to a node over SSH (paramiko), through other machines where the cluster file or ssh_config says so.

Host keys are verified on every hop, and every wait has a limit. A server allows a connection a number of sessions
(MaxSessions, sshd_config(5); OpenSSH's default is 10): a shell opens a further connection for the session that the
ones before refuse.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import random
import shlex
import socket
import subprocess
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path

import paramiko
from paramiko.auth_strategy import AuthSource, AuthStrategy, InMemoryPrivateKey

from lab.errors import HarnessError, LabError
from lab.inventory import Node, Ssh

from .shell import COMMAND_TIMEOUT_S, CONNECT_TIMEOUT_S, Command, Shell, command_line, describe_error
from .ssh_route import DEFAULT_PORT, Hop, route
from .ssh_transport import OrderedTransport

# Every error is raised here. Without a handler, paramiko's threads would print it too, with a traceback.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

MOST_SESSIONS = 8
"""Sessions that are opened on one connection: fewer than OpenSSH's default of 10, since a server counts one that
was closed until its process has ended."""
MOST_CONNECTIONS = 16
ATTEMPTS = 4
"""How often a server is dialled that hangs up before its greeting, as sshd does at random when more than
MaxStartups (sshd_config(5), default 10:30:100) clients are logging in."""
PASSPHRASE_TIMEOUT_S = 60.0


class _UnknownHostKey(paramiko.SSHException):
    """The files of known hosts have no key for the host."""


class _RefuseUnknownHosts(paramiko.MissingHostKeyPolicy):
    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        raise _UnknownHostKey(hostname)


class _Keys(AuthStrategy):
    """Offers the given keys, one after the other, and then those of the SSH agent."""

    def __init__(self, user: str, keys: Sequence[paramiko.PKey], agent: bool) -> None:
        super().__init__(ssh_config=paramiko.SSHConfig())
        self._user, self._keys, self._agent = user, keys, agent

    def get_sources(self) -> Iterator[AuthSource]:
        for key in self._keys:
            yield InMemoryPrivateKey(self._user, key)
        if self._agent:
            for agent_key in paramiko.Agent().get_keys():
                yield InMemoryPrivateKey(self._user, agent_key)


class Jumps:
    """The connections to machines on the way, shared by all nodes behind them; opened at first use."""

    def __init__(self) -> None:
        self._clients: dict[tuple[Hop, ...], paramiko.SSHClient] = {}
        self._lock = threading.Lock()
        self._keys: dict[tuple[tuple[Path, ...], Path | None, Ssh], list[paramiko.PKey]] = {}
        self._keys_lock = threading.Lock()

    def keys(self, where: str, hop: Hop, ssh: Ssh) -> list[paramiko.PKey]:
        """The private keys for a hop, read once: a passphrase costs a second of processor. Raises LabError."""
        place = (hop.keys, hop.certificate, ssh)
        with self._keys_lock:
            if place not in self._keys:
                self._keys[place] = _load_keys(where, hop, ssh)
            return self._keys[place]

    def dial(self, node: Node, hops: tuple[Hop, ...], timeout_s: float) -> socket.socket | paramiko.Channel:
        """A connection to the last hop's port, through the ones before. Raises LabError."""
        *before, last = hops
        if before:
            transport = self._transport(node, tuple(before), timeout_s)
            try:
                return transport.open_channel("direct-tcpip", (last.host, last.port), ("", 0), timeout=timeout_s)
            except (paramiko.SSHException, OSError, EOFError) as error:
                raise LabError(
                    f"node {node.name}: ssh {before[-1]} reaches no {last.host}:{last.port}: {describe_error(error)}; "
                    "the machine on the way must forward to it (AllowTcpForwarding, a route, a firewall)"
                ) from None
        if last.proxy_command is not None:
            command = last.proxy_command.replace("%h", last.host).replace("%p", str(last.port)).replace("%r", last.user)
            return paramiko.ProxyCommand(command)  # type: ignore[return-value]  # it has a socket's methods
        try:
            return socket.create_connection((last.host, last.port), timeout=timeout_s)
        except OSError as error:
            raise LabError(f"node {node.name}: ssh {last}: unreachable: {describe_error(error)}") from None

    def _transport(self, node: Node, hops: tuple[Hop, ...], timeout_s: float) -> paramiko.Transport:
        with self._lock:
            client = self._clients.get(hops)
            transport = client.get_transport() if client is not None else None
            if transport is not None and transport.is_active():
                return transport
        made = log_in(node, hops, self, timeout_s)
        with self._lock:
            current = self._clients.get(hops)
            transport = current.get_transport() if current is not None else None
            if transport is not None and transport.is_active():  # another thread was faster
                made.close()
                return transport
            self._clients[hops] = made
        transport = made.get_transport()
        if transport is None:
            raise LabError(f"node {node.name}: ssh {hops[-1]}: the connection closed while it was opened")
        return transport

    def close(self) -> None:
        """Close every connection; later calls open them again."""
        with self._lock:
            closing = list(self._clients.values())
            self._clients.clear()
        for client in reversed(closing):
            client.close()


def log_in(node: Node, hops: tuple[Hop, ...], jumps: Jumps, timeout_s: float) -> paramiko.SSHClient:
    """A client that is logged in at the last of `hops`.

    Raises LabError: it is unreachable, its host key is unknown or wrong, or every key was refused.
    """
    hop = hops[-1]
    where = f"node {node.name}: ssh {hop}"
    if not hop.known_hosts:
        raise LabError(f"{where}: there is no file of known hosts; write ssh.known_hosts, or UserKnownHostsFile")
    strategy = _Keys(hop.user, jumps.keys(where, hop, node.ssh), node.ssh.agent)
    files = ", ".join(str(path) for path in hop.known_hosts)
    for attempt in range(ATTEMPTS):
        client = paramiko.SSHClient()
        _load_known_hosts(where, client, hop)
        sock = jumps.dial(node, hops, timeout_s)
        try:
            client.connect(
                hop.host_key_alias or hop.host,
                port=DEFAULT_PORT if hop.host_key_alias else hop.port,  # decides the name in known_hosts, no more
                username=hop.user,
                sock=sock,
                timeout=timeout_s,
                banner_timeout=timeout_s,
                auth_timeout=timeout_s,
                auth_strategy=strategy,
                transport_factory=OrderedTransport,
            )
            return client
        except paramiko.BadHostKeyException:
            reason = (
                f"its host key is not the one in {files}; "
                "if the node was reinstalled, put its new key there; otherwise another machine answers in its place"
            )
        except paramiko.AuthenticationException:
            tried = ", ".join(str(key) for key in hop.keys) or "no key"
            offered = f"{tried} and the SSH agent's keys" if node.ssh.agent else tried
            reason = f"key {offered} was refused; add its public half to authorized_keys"
        except _UnknownHostKey:
            reason = f"no host key for it in {files}; add one (ssh-keyscan, then compare it)"
        except (paramiko.SSHException, OSError, EOFError) as error:
            transport = client.get_transport()
            greeted = transport is not None and transport.remote_version
            reason = f"unreachable: {describe_error(error)}" if isinstance(error, OSError) else describe_error(error)
            if not greeted and attempt + 1 < ATTEMPTS:
                client.close()
                sock.close()
                time.sleep(random.uniform(0.05, 0.4))  # nothing to observe: the server drops clients at random
                continue
        client.close()
        sock.close()
        raise LabError(f"{where}: {reason}") from None
    raise AssertionError("the last attempt returns or raises")


def _load_known_hosts(where: str, client: paramiko.SSHClient, hop: Hop) -> None:
    client.set_missing_host_key_policy(_RefuseUnknownHosts())
    for path in hop.known_hosts:
        try:
            client.load_system_host_keys(str(path))
        except (OSError, paramiko.SSHException) as error:
            raise LabError(f"{where}: known hosts {path}: {error}") from None


def _load_keys(where: str, hop: Hop, ssh: Ssh) -> list[paramiko.PKey]:
    """The private keys, with their certificate. Raises LabError when one cannot be read."""
    keys = []
    for path in hop.keys:
        try:
            try:
                key = paramiko.PKey.from_path(path)
            except (TypeError, paramiko.PasswordRequiredException):  # it is encrypted
                passphrase = _read_passphrase(where, ssh)
                if passphrase is None:
                    raise LabError(
                        f"{where}: key {path} has a passphrase; write ssh.passphrase_file or ssh.passphrase_command, "
                        "or use the SSH agent (ssh.agent: true)"
                    ) from None
                secret = passphrase.encode()
                key = paramiko.PKey.from_path(path, secret)  # type: ignore[arg-type]  # it takes bytes, and says str
            if hop.certificate is not None:
                key.load_certificate(str(hop.certificate))
        except (OSError, ValueError, TypeError, paramiko.SSHException, paramiko.pkey.UnknownKeyType) as error:
            raise LabError(f"{where}: key {path} cannot be used: {describe_error(error)}") from None
        keys.append(key)
    if not keys and not ssh.agent:
        raise LabError(f"{where}: there is no key; write ssh.key, an IdentityFile that exists, or ssh.agent: true")
    return keys


def _read_passphrase(where: str, ssh: Ssh) -> str | None:
    """The passphrase of the key, without the line's end; None when the cluster file names no source of it."""
    if ssh.passphrase_file is not None:
        return ssh.passphrase_file.read_text(encoding="utf-8").removesuffix("\n")
    if ssh.passphrase_command is None:
        return None
    command = shlex.join(ssh.passphrase_command)
    try:
        done = subprocess.run(
            ssh.passphrase_command,
            stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=PASSPHRASE_TIMEOUT_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LabError(f"{where}: ssh.passphrase_command: {command}: {describe_error(error)}") from None
    if done.returncode != 0:  # what it printed may be a secret
        raise LabError(f"{where}: ssh.passphrase_command: {command}: exit status {done.returncode}")
    return done.stdout.removesuffix("\n")


class _Connection:
    """One SSH connection to a node, and the sessions that are open on it."""

    def __init__(self, client: paramiko.SSHClient, transport: paramiko.Transport) -> None:
        self.client = client
        self.transport = transport
        self._sessions: weakref.WeakSet[paramiko.Channel] = weakref.WeakSet()

    @property
    def sessions(self) -> int:
        """The number of sessions that are open."""
        return sum(not session.closed for session in self._sessions)

    def open_session(self, timeout_s: float) -> paramiko.Channel:
        session = self.transport.open_session(timeout=timeout_s)
        self._sessions.add(session)
        return session


class SshShell(Shell):
    """SSH connections to a node: one, and more where the server allows too few sessions on it.

    With `sudo`, commands run by `sudo -n`, which asks for no password.
    """

    def __init__(self, node: Node, jumps: Jumps, *, sudo: bool = False) -> None:
        super().__init__(node)
        self._jumps = jumps
        self._sudo = sudo
        self._sudo_works = False
        self._connections: list[_Connection] = []
        self._lock = threading.RLock()

    def connect(self, *, timeout_s: float = CONNECT_TIMEOUT_S) -> paramiko.Transport:
        """The first live connection. Raises LabError: unreachable, host key unknown or wrong, key or sudo refused."""
        transport = self._connection(0, timeout_s * self.node.patience).transport
        if self._sudo and not self._sudo_works:
            self._check_sudo()
        return transport

    def _check_sudo(self) -> None:
        session = self._start("sudo -n true", COMMAND_TIMEOUT_S * self.node.patience)
        with contextlib.closing(session):
            status = session.recv_exit_status()
            said = session.recv_stderr(4096).decode(errors="replace").strip().splitlines()
        if status != 0:
            user = self._hops[-1].user
            raise LabError(
                f"node {self.node.name}: become: sudo: `sudo -n` as {user}: "
                f"{said[-1] if said else f'exit status {status}'}; allow it in sudoers: {user} ALL=(root) NOPASSWD: ALL"
            )
        self._sudo_works = True

    @functools.cached_property
    def _hops(self) -> tuple[Hop, ...]:
        return route(self.node)

    def _connection(self, index: int, timeout_s: float) -> _Connection:
        """The live connection of that number, opened if there are not so many."""
        with self._lock:
            self._connections = [one for one in self._connections if one.transport.is_active()]
            while len(self._connections) <= index:
                client = log_in(self.node, self._hops, self._jumps, timeout_s)
                transport = client.get_transport()
                if transport is None:
                    raise LabError(f"node {self.node.name}: the SSH connection closed while it was opened")
                self._connections.append(_Connection(client, transport))
            return self._connections[index]

    def _open_session(self, timeout_s: float) -> paramiko.Channel:
        """A new session on the first connection that has room and grants one."""
        for index in range(MOST_CONNECTIONS):
            fresh = index >= len(self._connections)
            connection = self._connection(index, timeout_s)
            if connection.sessions >= MOST_SESSIONS:
                continue
            try:
                return connection.open_session(timeout_s)
            except paramiko.ChannelException as error:  # refused, and the connection lives
                if fresh:
                    raise paramiko.SSHException(
                        f"sshd refuses the first session of a connection: {error}; look at MaxSessions in sshd_config"
                    ) from None
        raise paramiko.SSHException(f"{MOST_CONNECTIONS} SSH connections have no room for a further session")

    def _start(self, line: str, timeout_s: float) -> paramiko.Channel:
        try:
            session = self._open_session(timeout_s)
            session.settimeout(timeout_s)
            session.exec_command(line)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise HarnessError(f"node {self.node.name}: {line[:80]}: {describe_error(error)}") from None
        return session

    def channel(self, command: Command, *, timeout_s: float = CONNECT_TIMEOUT_S) -> paramiko.Channel:
        """Start a command and return its channel, which carries its stdin and stdout.

        Raises LabError as `connect` does, and HarnessError when the command cannot be started.
        """
        self.connect(timeout_s=timeout_s)
        line = command_line(command)
        whole = f"exec sudo -n -- sh -c {shlex.quote(line)}" if self._sudo else line
        return self._start(whole, timeout_s * self.node.patience)

    def host_key(self) -> str:
        """The node's host key, base64. Raises LabError as `connect` does."""
        return self.connect().get_remote_server_key().get_base64()

    def close(self) -> None:
        """Close every connection; a later call opens a new one."""
        with self._lock:
            closing, self._connections = self._connections, []
            self._sudo_works = False
        for connection in closing:
            connection.client.close()
