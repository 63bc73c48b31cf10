"""The options of `python -m lab discover`: from what a person types to the ways to the nodes."""

from __future__ import annotations

import argparse
import re
import socket
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError

from lab.errors import UsageError
from lab.inventory import Node, Nomad, Ssh, Tls

from .cluster import short
from .services import NOMAD_PORT
from .survey import Target

ENGINE_PORT = {True: 2376, False: 2375}
"""Docker's TCP port, with and without TLS (IANA)."""
_HOME = Path("~/.ssh")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add them to the parser of the command."""
    parser.add_argument("hosts", nargs="*", metavar="[USER@]HOST[:PORT]", help="a node, or several; one may be enough")
    parser.add_argument("--user", help="SSH user (default: that of --config, else root)")
    parser.add_argument("--key", type=Path, metavar="FILE", help="private key")
    parser.add_argument("--certificate", type=Path, metavar="FILE", help="the key's certificate")
    parser.add_argument("--passphrase-file", type=Path, metavar="FILE", help="holds the key's passphrase")
    parser.add_argument("--agent", action="store_true", help="use the keys of the SSH agent")
    parser.add_argument("--known-hosts", type=Path, metavar="FILE", help="host keys (default: ~/.ssh/known_hosts)")
    parser.add_argument("--config", type=Path, metavar="FILE", help="OpenSSH's client configuration")
    parser.add_argument("--jump", metavar="[USER@]HOST[:PORT]", help="machine on the way, as ProxyJump")
    parser.add_argument("--become", choices=("none", "sudo", "docker"), help="how it becomes root (default: tried)")
    parser.add_argument("--via", choices=("ssh", "docker", "nomad"), default="ssh", help="default: ssh")
    parser.add_argument("--docker", metavar="URL", help="the engine, such as tcp://{address}:2376")
    parser.add_argument("--tls", type=Path, metavar="DIR", help="ca.pem, cert.pem and key.pem for that")
    parser.add_argument("--nomad", metavar="URL", help="Nomad's HTTP API, such as http://192.168.56.3:4646")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="holds Nomad's ACL token")
    parser.add_argument("--name", default="cluster", help="the cluster's name in reports")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write there, if there is no such file yet")


class Ways:
    """How nodes are reached, from the options. Raises UsageError when they do not fit together."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        if options.via == "docker" and options.docker is None and options.tls is None:
            raise UsageError("--via docker: give --docker tcp://{address}:PORT, or --tls DIR, or both")
        if (options.via == "nomad") != (options.nomad is not None):
            raise UsageError("discover: --via nomad and --nomad URL go together; give both, or neither")
        if bool(options.hosts) is (options.via == "nomad"):
            raise UsageError(
                "discover: name a node" if not options.hosts else "--via nomad: Nomad names the nodes itself"
            )
        self.ssh = _ssh(options) if options.via == "ssh" else {}
        self.common: dict[str, object] = {} if options.via == "ssh" else {"via": options.via}
        self._tls = _tls(options.tls) if options.tls is not None else None
        if self._tls is not None and options.via != "nomad":
            self.common["docker_tls"] = {key: str(path) for key, path in self._tls.items()}
        if options.become not in (None, "none"):
            self.common["become"] = options.become

    def node(self, name: str, address: str) -> Node:
        """The node, with the way to it."""
        keys: dict[str, object] = {"name": name, "address": address, "ssh": Ssh.model_validate(self.ssh)}
        if self._options.via == "docker" or self._options.docker is not None:
            default = f"tcp://{{address}}:{ENGINE_PORT[self._tls is not None]}"
            keys["docker"] = (self._options.docker or default).format(address=address)
        if self._options.via == "docker":
            keys["via"] = "docker"
        if self._tls is not None:
            keys["docker_tls"] = Tls.model_validate(self._tls)
        if self._options.become is not None:
            keys["become"] = self._options.become
        try:
            return Node.model_validate(keys)
        except ValidationError as error:
            wrong = error.errors()[0]
            place = ".".join(map(str, wrong["loc"]))
            raise UsageError(
                f"{name}: {place} {wrong['msg'].removeprefix('Value error, ')}".replace(": :", ":")
            ) from None

    def nomad(self) -> Nomad | None:
        """The section `nomad` of somebody who is reached by it; None for another way."""
        if self._options.nomad is None:
            return None
        url = urlsplit(self._options.nomad)
        if url.scheme not in ("http", "https") or url.hostname is None or (url.scheme == "https") != bool(self._tls):
            raise UsageError(
                f"--nomad {self._options.nomad}: write http://HOST:PORT, or https://… together with --tls DIR"
            )
        token = self._options.token_file
        if token is not None and not token.expanduser().is_file():
            raise UsageError(f"--token-file {token}: no such file; give the path of one")
        return Nomad(
            http_host=url.hostname,
            http_port=url.port or NOMAD_PORT,
            token_file=None if token is None else token.expanduser().resolve(),
            tls=None if self._tls is None else Tls.model_validate(self._tls),
        )

    def docker_of(self, address: str) -> str | None:
        """The key `docker` of a node's entry; None where it is the default."""
        if self._options.via == "nomad":
            return None
        endpoint = self.node("any", address).docker
        return None if endpoint == Node.model_fields["docker"].default else endpoint


def _ssh(options: argparse.Namespace) -> dict[str, str | int | bool]:
    found: dict[str, str | int | bool] = {}
    config, hosts = options.config, options.known_hosts
    if options.key is None and config is None and not options.agent:
        config = _HOME / "config"
        if not config.expanduser().is_file():
            raise UsageError("discover: no way in by SSH; give --key FILE, --agent, or --config FILE")
    if hosts is None and config is None:
        hosts = _HOME / "known_hosts"
    users = {match[1] for host in options.hosts if (match := re.fullmatch(r"([^@]+)@.*", host))}
    ports = {int(match[1]) for host in options.hosts if (match := re.fullmatch(r".*[^:]:(\d+)", host))}
    if len(users) > 1 or len(ports) > 1:
        raise UsageError("discover: the hosts have several users or ports; give them in --config")
    user = options.user or next(iter(users), None)
    for key, value in (("user", user), ("port", next(iter(ports), None))):
        if value is not None:
            found[key] = value
    files = {"key": options.key, "certificate": options.certificate, "passphrase_file": options.passphrase_file}
    for key, path in {**files, "known_hosts": hosts, "config": config}.items():
        if path is not None:
            file = path.expanduser().resolve()
            if not file.is_file():
                raise UsageError(f"--{key.replace('_', '-')} {path}: no such file; give the path of one")
            found[key] = str(file)
    if options.agent:
        found["agent"] = True
    if options.jump is not None:
        found["jump"] = options.jump
    return found


def _tls(folder: Path) -> dict[str, Path]:
    files = {"ca": "ca.pem", "certificate": "cert.pem", "key": "key.pem"}
    found = {key: folder.expanduser().resolve() / name for key, name in files.items()}
    for path in found.values():
        if not path.is_file():
            raise UsageError(f"--tls {folder}: no {path.name} in it; give the folder of Docker's client certificate")
    return found


def targets_of(hosts: list[str]) -> list[Target]:
    """The nodes that a person named: an address, or a name that is resolved here or by OpenSSH's configuration."""
    return [_target(re.sub(r":\d+$", "", host.rpartition("@")[2])) for host in hosts]


def _target(host: str) -> Target:
    try:
        return Target(short(host), IPv4Address(host))
    except AddressValueError:
        pass
    try:
        return Target(short(host), IPv4Address(socket.gethostbyname(host)))
    except OSError:
        # Only a configuration, or the machine on the way, knows the name; the node itself tells its address.
        return Target(host if re.fullmatch(r"[a-z][a-z0-9-]*", host) else short(host), IPv4Address("0.0.0.0"))
