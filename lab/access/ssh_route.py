"""Which SSH servers lie on the way to a node, from the cluster file and from OpenSSH's own client configuration.

`ssh -G` (ssh(1)) resolves a configuration file: OpenSSH itself reads Host, Match, Include and its defaults, and
opens no connection. Host keys are always verified, whatever StrictHostKeyChecking is set to.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lab.errors import LabError
from lab.inventory import Node, Ssh

RESOLVE_TIMEOUT_S = 10.0
DEFAULT_PORT = 22
NO_NAME = "flatnet.invalid"
"""A name that no configuration has an entry for: its options are those of every host (RFC 2606)."""


@dataclass(frozen=True)
class Hop:
    """One SSH server on the way, with all that is needed to log in there."""

    host: str
    """The address or name that is dialled, from the hop before."""
    port: int
    user: str
    keys: tuple[Path, ...]
    certificate: Path | None
    known_hosts: tuple[Path, ...]
    host_key_alias: str | None = None
    """The name in `known_hosts`, where it is not the host's (HostKeyAlias)."""
    proxy_command: str | None = None
    """A command of the runner whose standard input and output are the connection (ProxyCommand)."""

    def __str__(self) -> str:
        return f"{self.user}@{self.host}:{self.port}"


@dataclass(frozen=True)
class JumpHost:
    """One entry of ProxyJump: `[user@]host[:port]`."""

    host: str
    user: str | None
    port: int | None


def route(node: Node) -> tuple[Hop, ...]:
    """The servers on the way to a node, the node last. Raises LabError when `ssh.config` cannot be resolved."""
    ssh = node.ssh
    options = _read_options(node, ssh, node.name)
    dialled = options.get("hostname", [node.name])[0]
    if dialled == node.name:  # a name need not be one that resolves
        dialled = str(node.address)
        if _without_name(options) == _without_name(_read_options(node, ssh, NO_NAME)):
            options = _read_options(node, ssh, dialled)
            dialled = options.get("hostname", [dialled])[0]
    last = _hop(JumpHost(dialled, ssh.user, ssh.port), ssh, options)
    jump = ssh.jump or options.get("proxyjump", ["none"])[0]
    return (*_jumps(node, ssh, jump, seen=(node.name,)), last)


def _without_name(options: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return {option: values for option, values in options.items() if option not in ("host", "hostname")}


def _jumps(node: Node, ssh: Ssh, jump: str, seen: tuple[str, ...]) -> tuple[Hop, ...]:
    """The hops of a ProxyJump value, each after those that the configuration puts before it."""
    hops: list[Hop] = []
    for entry in read_jump(jump):
        if entry.host in seen:
            raise LabError(f"node {node.name}: ssh: the way leads through {entry.host!r} twice; correct ProxyJump")
        options = _read_options(node, ssh, entry.host)
        before = options.get("proxyjump", ["none"])[0] if not hops else "none"
        hops += _jumps(node, ssh, before, (*seen, entry.host))
        host = options.get("hostname", [entry.host])[0]
        hops.append(_hop(replace(entry, host=host), ssh, options))
    return tuple(hops)


def read_jump(text: str) -> tuple[JumpHost, ...]:
    """The entries of a ProxyJump value, `none` being none (ssh_config(5))."""
    if text == "none":
        return ()
    entries = []
    for part in text.split(","):
        user, at, place = part.removeprefix("ssh://").rpartition("@")
        host, colon, port = place.rpartition(":")
        if not colon or not port.isdecimal():
            host, port = place, ""
        entries.append(JumpHost(host.strip("[]"), user if at else None, int(port) if port else None))
    return tuple(entries)


def _hop(entry: JumpHost, ssh: Ssh, options: Mapping[str, list[str]]) -> Hop:
    """A hop from what the cluster file sets and, for what it leaves open, from the configuration's options."""

    def files(option: str) -> tuple[Path, ...]:
        paths = [Path(word).expanduser() for value in options.get(option, ()) for word in value.split()]
        return tuple(path for path in paths if path.is_file())

    certificates = (ssh.certificate,) if ssh.certificate is not None else files("certificatefile")
    alias = options.get("hostkeyalias")
    command = options.get("proxycommand", ["none"])[0]
    return Hop(
        host=entry.host,
        port=entry.port or int(options.get("port", [DEFAULT_PORT])[0]),
        user=entry.user or options.get("user", [ssh.user or "root"])[0],
        keys=(ssh.key,) if ssh.key is not None else files("identityfile"),
        certificate=certificates[0] if certificates else None,
        known_hosts=(ssh.known_hosts,)
        if ssh.known_hosts is not None
        else files("userknownhostsfile") + files("globalknownhostsfile"),
        host_key_alias=alias[0] if alias else None,
        proxy_command=None if command == "none" else command,
    )


def _read_options(node: Node, ssh: Ssh, name: str) -> dict[str, list[str]]:
    """{option, lower case: its values} of a host name in `ssh.config`; empty without one. Raises LabError."""
    if ssh.config is None:
        return {}
    where = f"node {node.name}: ssh.config {ssh.config}"
    try:
        done = subprocess.run(
            ["ssh", "-G", "-T", "-F", str(ssh.config), "--", name],
            stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=RESOLVE_TIMEOUT_S, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise LabError(f"{where}: is read by OpenSSH's `ssh`, which is not here; install openssh-client") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LabError(f"{where}: ssh -G {name}: {error}") from None
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise LabError(f"{where}: {reason}; correct it")
    return read_options(done.stdout)


def read_options(listing: str) -> dict[str, list[str]]:
    """{option: its values} from the output of `ssh -G`, one option a line."""
    options: dict[str, list[str]] = {}
    for line in listing.splitlines():
        option, _, value = line.partition(" ")
        options.setdefault(option, []).append(value)
    return options
