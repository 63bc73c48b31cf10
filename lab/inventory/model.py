"""The inventory: what a cluster file holds, and what the embedded lab emits.

The suites know a cluster by its inventory alone: nodes and how to reach them, the overlay with its range and
subnets, where Consul and Nomad answer.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from ruamel.yaml import YAML

from lab.errors import InventoryError

from .families import Family, IPNetwork, Network6, insist_on_networks, refuse_number
from .names import Names, NameSource, insist_on_sources
from .paths import resolve
from .reading import describe, read_mapping

Address = Annotated[IPv4Address, BeforeValidator(refuse_number("10.32.0.0/16"))]
Network = Annotated[IPv4Network, BeforeValidator(refuse_number("10.32.0.0/16"))]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
DockerName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]*$")]
Via = Literal["ssh", "docker", "nomad"]
Become = Literal["none", "sudo", "docker"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Ssh(_Strict):
    """How a node is reached over SSH. Host keys are always verified against files of known hosts.

    What a key of the cluster file leaves open is taken from `config`, OpenSSH's own client configuration
    (ssh_config(5)), for the node's name.
    """

    user: str | None = None
    """Default: the user of `config`, else root."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """Default: the port of `config`, else 22."""
    key: Path | None = None
    """A private key."""
    certificate: Path | None = None
    """The certificate of `key` (ssh-keygen -s), where it is not `KEY-cert.pub`."""
    passphrase_file: Path | None = None
    passphrase_command: tuple[str, ...] | None = None
    """A command of the runner that prints the passphrase of `key`."""
    agent: bool = False
    """Offer the keys of the SSH agent at SSH_AUTH_SOCK as well."""
    known_hosts: Path | None = None
    config: Path | None = None
    jump: str | None = Field(default=None, pattern=r"^[^\s,]+(,[^\s,]+)*$")
    """Machines on the way, as ProxyJump has them: `user@host:port`, several separated by commas."""


class Tls(_Strict):
    """How a server's certificate is verified, and which certificate the client shows."""

    ca: Path
    """The certificate of the authority that signed the server's certificate, PEM."""
    certificate: Path | None = None
    key: Path | None = None
    server_name: str | None = None
    """The name in the server's certificate, where it is not the address that is dialled."""

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together; write both, or neither")
        return self


class Commands(_Strict):
    """Commands that an operator would run on a node, run as the SSH user."""

    stop_docker: str = "systemctl stop docker docker.socket"
    start_docker: str = "systemctl start docker"
    stop_consul: str = "systemctl stop consul"
    start_consul: str = "systemctl start consul"
    nomad_by_engine: str | None = None
    """Has the node's Nomad use the engine's own socket; None: whatever it uses stays."""
    nomad_by_proxy: str | None = None
    """Has it use the socket of Weave's proxy."""

    @model_validator(mode="after")
    def _both_ways(self) -> Self:
        if (self.nomad_by_engine is None) != (self.nomad_by_proxy is None):
            raise ValueError("nomad_by_engine and nomad_by_proxy belong together; write both, or neither")
        return self


class Power(_Strict):
    """Commands of the *runner* that switch a node off at once, and on again."""

    off: tuple[str, ...]
    on: tuple[str, ...]


class Node(_Strict):
    """One machine that runs containers."""

    name: Name
    address: Address
    ssh: Ssh = Ssh()
    via: Via = "ssh"
    """How commands and the probe agent reach the node: a shell over SSH; the engine's API, by a privileged container
    that enters the host; Nomad's exec API, in a system job that Flatnet registers."""
    become: Become = "none"
    """How the SSH user becomes root: it is root; `sudo -n`; or, being in the group docker, a privileged container."""
    docker: str = Field(default="unix:///var/run/docker.sock", pattern=r"^(unix:///|tcp://)")
    """The engine's socket on the node, or `tcp://HOST:PORT` that the runner dials."""
    docker_tls: Tls | None = None
    agent_image: str | None = None
    """The image of the privileged container, where the node has no Python; default: Flatnet's demo image."""
    consul_server: bool = False
    nomad_server: bool = False
    interface: str = "eth0"
    commands: Commands = Commands()
    power: Power | None = None
    patience: float = Field(default=1.0, ge=1.0)
    """By this factor it is given more time than a machine of its own: an emulated one is slow, and not wrong."""

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        by_ssh = self.via == "ssh" or (self.via == "docker" and self.docker.startswith("unix:"))
        if by_ssh and self.ssh.key is None and self.ssh.config is None and not self.ssh.agent:
            raise ValueError("ssh.key: is missing; write it, or ssh.config, or ssh.agent: true")
        if by_ssh and self.ssh.known_hosts is None and self.ssh.config is None:
            raise ValueError("ssh.known_hosts: is missing; write it, or ssh.config: host keys are always verified")
        if self.docker_tls is not None and not self.docker.startswith("tcp:"):
            raise ValueError(f"docker_tls: goes with tcp://HOST:PORT only, and docker is {self.docker}; leave one out")
        return self

    @property
    def by_engine(self) -> bool:
        """Whether commands reach the node by its Docker engine; they end when the engine does."""
        return self.via == "docker" or (self.via == "ssh" and self.become == "docker")


class Overlay(_Strict):
    """The container network: the name of its adapter, its subnets, and the range that holds them if there is one."""

    name: str
    range: Network | None = None
    """The network that all its addresses belong to; leave it out where the subnets are scattered."""
    subnets: dict[Name, Network] = Field(min_length=1)
    subnets6: dict[Name, Network6] = {}
    """The IPv6 network that a subnet has beside its IPv4 one: of every subnet, or of none."""
    networks: dict[Name, DockerName] = {}
    """The Docker network of a subnet, where its name is not the adapter's default."""
    options: dict[str, str | int | bool] = {}
    """What else the adapter has to know; each adapter has its own."""

    @property
    def families(self) -> tuple[Family, ...]:
        """The address families that its containers have."""
        return (Family.V4, Family.V6) if self.subnets6 else (Family.V4,)

    def networks_in(self, family: Family) -> Mapping[str, IPNetwork]:
        """{subnet: its network of that family}; empty when the overlay does not have it."""
        return self.subnets if family is Family.V4 else self.subnets6

    @property
    def ranges(self) -> tuple[IPv4Network, ...]:
        """The networks that hold every address of the overlay and no other: its range, else its subnets."""
        return tuple(self.subnets.values()) if self.range is None else (self.range,)

    @property
    def span(self) -> IPv4Network:
        """One network that holds all of it: its range, else the smallest that does, which may hold more."""
        if self.range is not None:
            return self.range
        first, *others = self.subnets.values()
        while not all(subnet.subnet_of(first) for subnet in others):
            first = first.supernet()
        return first


class Service(_Strict):
    """How the HTTP API of an agent is reached that runs on every node."""

    token_file: Path | None = None
    token_env: str | None = None
    """The variable of the runner's environment that holds the token, such as CONSUL_HTTP_TOKEN."""
    tls: Tls | None = None
    """Speak HTTPS."""
    through: Literal["runner", "node"] = "runner"
    """Who dials: the runner the node's address, or a process on the node 127.0.0.1."""
    http_host: str | None = None
    """The address to dial, where it is another one."""

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if self.token_file is not None and self.token_env is not None:
            raise ValueError("token_file and token_env exclude each other; write one of them")
        return self


class Consul(Service):
    """Where Consul answers: HTTP and DNS on every node's address."""

    http_port: int = Field(default=8500, ge=1, le=65535)
    dns_port: int = Field(default=53, ge=1, le=65535)
    datacenter: str = "dc1"
    domain: str = "consul"
    service_ttl_s: int = Field(default=0, ge=0)


class Nomad(Service):
    """Where Nomad's HTTP API answers, on every node's address; every node runs a client."""

    http_port: int = Field(default=4646, ge=1, le=65535)
    datacenter: str = "dc1"
    namespace: str | None = None
    """Nomad's own namespace for jobs; default: Nomad's default."""
    agent_driver: Literal["raw_exec", "docker"] = "raw_exec"
    """The driver of the system job by which `via: nomad` reaches the nodes."""


class Runner(_Strict):
    """From which network namespaces the test process reaches the nodes."""

    namespace: Path | None = None
    """A network namespace to join before the first connection (`/proc/PID/ns/net`)."""
    switch: Path | None = None
    """The namespace that holds the underlay's bridge, where a partition can be made."""


class Inventory(_Strict):
    """Everything that has to be known of a cluster to test it."""

    name: Name
    kind: Literal["embedded", "cluster"] = "cluster"
    underlay: Network | None = None
    nodes: tuple[Node, ...] = Field(min_length=1)
    without: tuple[Name, ...] = ()
    """Nodes of the overlay that are not tested, since they are down or slow, say: nothing dials them."""
    overlay: Overlay
    consul: Consul | None = None
    nomad: Nomad | None = None
    dns: Names | None = None
    """Who tells the names of containers; None: Consul, where there is a section `consul`."""
    runner: Runner = Runner()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _unique("nodes[].name", (node.name for node in self.nodes))
        _unique("nodes[].address", (str(node.address) for node in self.nodes))
        for name in self.without:
            if name not in {node.name for node in self.nodes}:
                known = ", ".join(node.name for node in self.nodes)
                raise ValueError(f"without: there is no node {name}; nodes: {known}")
        if not self.tested:
            raise ValueError("without: names every node, so that none is left to be tested; leave one out of it")
        if self.nomad is None and any(node.via == "nomad" for node in self.nodes):
            raise ValueError("via: nomad needs a section `nomad`; write it, or choose another way")
        insist_on_networks(self.overlay.subnets, self.overlay.subnets6)
        insist_on_sources(self.dns, consul=self.consul is not None)
        subnets = list(self.overlay.subnets.items())
        for name in self.overlay.networks:
            if name not in self.overlay.subnets:
                known = ", ".join(self.overlay.subnets)
                raise ValueError(f"overlay.networks.{name}: is not a subnet; overlay.subnets has: {known}")
        for name, subnet in subnets:
            if self.overlay.range is not None and not subnet.subnet_of(self.overlay.range):
                raise ValueError(
                    f"overlay.subnets.{name}: {subnet} is not within overlay.range {self.overlay.range}; "
                    "choose another, or leave overlay.range out"
                )
        for index, (name, subnet) in enumerate(subnets):
            for other, taken in subnets[:index]:
                if subnet.overlaps(taken):
                    raise ValueError(
                        f"overlay.subnets.{name}: {subnet} overlaps overlay.subnets.{other} {taken}; keep them apart"
                    )
        self._apart()
        return self

    def _apart(self) -> None:
        """Raise ValueError when the overlay holds a node's address, or overlaps the underlay."""
        declared = self.overlay.range
        parts = {f"overlay.subnets.{name}": subnet for name, subnet in self.overlay.subnets.items()}
        for key, network in (parts if declared is None else {"overlay.range": declared}).items():
            for node in self.nodes:
                if node.address in network:
                    raise ValueError(
                        f"nodes.{node.name}.address: {node.address} lies inside {key} {network}; "
                        "give the node's address on the underlay"
                    )
            if self.underlay is not None and self.underlay.overlaps(network):
                raise ValueError(f"underlay: {self.underlay} overlaps {key} {network}; keep them apart")

    def node(self, name: str) -> Node:
        """The node of that name. Raises KeyError, which lists the names."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(f"no node {name!r}; nodes: {', '.join(node.name for node in self.nodes)}")

    @property
    def tested(self) -> tuple[Node, ...]:
        """The nodes without those that are left out."""
        return tuple(node for node in self.nodes if node.name not in self.without)

    @property
    def names_by(self) -> tuple[NameSource, ...]:
        """The sources of names that are tested."""
        return self.dns if self.dns is not None else (("consul",) if self.consul is not None else ())

    @property
    def patience(self) -> float:
        """The factor of the slowest node that is tested."""
        return max(node.patience for node in self.tested)

    @property
    def default_subnet(self) -> str:
        """The name of the default subnet, the first one that the file holds."""
        return next(iter(self.overlay.subnets))


def _unique(key: str, values: Iterable[str]) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{key}: {value!r} is used twice; give every node its own")
        seen.add(value)


def load(path: Path) -> Inventory:
    """Read a cluster file (YAML).

    Relative paths in it (keys, known_hosts) start at the file's own folder.
    Raises InventoryError, one line: file, key, what is wrong, what to do.
    """
    data = read_mapping(path)
    _inherit(path, data)
    try:
        inventory = Inventory.model_validate(data)
    except ValidationError as error:
        raise InventoryError(f"{path}: {describe(error, Inventory, data)}") from None
    return _absolute(inventory, path)


def dump(inventory: Inventory) -> str:
    """The inventory as YAML, which `load` reads back."""
    data = inventory.model_dump(mode="json", exclude_none=True)
    text = io.StringIO()
    YAML().dump(data, text)  # keeps the order of the keys
    return text.getvalue()


INHERITED = ("via", "become", "docker", "docker_tls", "agent_image")
"""Keys of a node that can stand at the top of the file, for all nodes."""


def _inherit(path: Path, data: dict[str, object]) -> None:
    """Give every node the keys of the top-level `ssh` and those of INHERITED; its own keys take precedence."""
    common = data.pop("ssh", {})
    inherited = {key: data.pop(key) for key in INHERITED if key in data}
    nodes = data.get("nodes")
    if not isinstance(common, dict):
        raise InventoryError(f"{path}: ssh: {common!r} is not a mapping of keys; write some below it")
    if not isinstance(nodes, list):
        return
    for node in nodes:
        if isinstance(node, dict) and isinstance(node.get("ssh", {}), dict):
            node["ssh"] = {**common, **node.get("ssh", {})}
            for key, value in inherited.items():
                node.setdefault(key, value)


def _absolute(inventory: Inventory, path: Path) -> Inventory:
    """The inventory with absolute paths. Raises InventoryError when a file does not exist."""
    nodes = []
    for node in inventory.nodes:
        where = f"nodes.{node.name}"
        found: dict[str, object] = {"ssh": resolve(node.ssh, path, f"{where}.ssh")}
        if node.docker_tls is not None:
            found["docker_tls"] = resolve(node.docker_tls, path, f"{where}.docker_tls")
        nodes.append(node.model_copy(update=found))
    changed: dict[str, object] = {"nodes": tuple(nodes)}
    for name, service in (("consul", inventory.consul), ("nomad", inventory.nomad)):
        if service is not None:
            made = resolve(service, path, name)
            if service.tls is not None:
                made = made.model_copy(update={"tls": resolve(service.tls, path, f"{name}.tls")})
            changed[name] = made
    return inventory.model_copy(update=changed)
