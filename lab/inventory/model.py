"""The inventory: what a cluster file holds, and what the embedded lab emits.

The suites know a cluster by its inventory alone: nodes and how to reach them, the overlay with its range and
subnets, where Consul and Nomad answer.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from ruamel.yaml import YAML

from lab.errors import InventoryError

from .reading import describe, read_mapping


def _refuse_number(value: object) -> object:
    """Refuse what YAML reads as a number or a truth value: ipaddress would accept it as an address."""
    if isinstance(value, int):
        raise ValueError("write an address as text, such as 10.32.0.0/16")
    return value


Address = Annotated[IPv4Address, BeforeValidator(_refuse_number)]
Network = Annotated[IPv4Network, BeforeValidator(_refuse_number)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,30}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Ssh(_Strict):
    """How commands reach a node. Host keys are always verified against `known_hosts`."""

    user: str = "root"
    port: int = Field(default=22, ge=1, le=65535)
    key: Path
    known_hosts: Path


class Commands(_Strict):
    """Commands that an operator would run on a node, run as the SSH user."""

    stop_docker: str = "systemctl stop docker docker.socket"
    start_docker: str = "systemctl start docker"
    stop_consul: str = "systemctl stop consul"
    start_consul: str = "systemctl start consul"


class Power(_Strict):
    """Commands of the *runner* that switch a node off at once, and on again."""

    off: tuple[str, ...]
    on: tuple[str, ...]


class Node(_Strict):
    """One machine that runs containers."""

    name: Name
    address: Address
    ssh: Ssh
    docker: str = Field(default="unix:///var/run/docker.sock", pattern=r"^unix:///")
    consul_server: bool = False
    nomad_server: bool = False
    interface: str = "eth0"
    commands: Commands = Commands()
    power: Power | None = None


class Overlay(_Strict):
    """The container network: the name of its adapter, its range, and the subnets within it."""

    name: str
    range: Network
    subnets: dict[Name, Network] = Field(min_length=1)
    options: dict[str, str | int | bool] = {}


class Consul(_Strict):
    """Where Consul answers: HTTP and DNS on every node's address."""

    http_port: int = Field(default=8500, ge=1, le=65535)
    dns_port: int = Field(default=53, ge=1, le=65535)
    datacenter: str = "dc1"
    domain: str = "consul"
    token_file: Path | None = None
    service_ttl_s: int = Field(default=0, ge=0)


class Nomad(_Strict):
    """Where Nomad's HTTP API answers, on every node's address; every node runs a client."""

    http_port: int = Field(default=4646, ge=1, le=65535)
    datacenter: str = "dc1"
    token_file: Path | None = None


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
    overlay: Overlay
    consul: Consul | None = None
    nomad: Nomad | None = None
    runner: Runner = Runner()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _unique("nodes[].name", (node.name for node in self.nodes))
        _unique("nodes[].address", (str(node.address) for node in self.nodes))
        subnets = list(self.overlay.subnets.items())
        for name, subnet in subnets:
            if not subnet.subnet_of(self.overlay.range):
                raise ValueError(
                    f"overlay.subnets.{name}: {subnet} is not within overlay.range {self.overlay.range}; choose another"
                )
        for index, (name, subnet) in enumerate(subnets):
            for other, taken in subnets[:index]:
                if subnet.overlaps(taken):
                    raise ValueError(
                        f"overlay.subnets.{name}: {subnet} overlaps overlay.subnets.{other} {taken}; keep them apart"
                    )
        for node in self.nodes:
            if node.address in self.overlay.range:
                raise ValueError(
                    f"nodes.{node.name}.address: {node.address} lies inside overlay.range {self.overlay.range}; "
                    "give the node's address on the underlay"
                )
        if self.underlay is not None and self.underlay.overlaps(self.overlay.range):
            raise ValueError(f"underlay: {self.underlay} overlaps overlay.range {self.overlay.range}; keep them apart")
        return self

    def node(self, name: str) -> Node:
        """The node of that name. Raises KeyError, which lists the names."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(f"no node {name!r}; nodes: {', '.join(node.name for node in self.nodes)}")

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
    _inherit_ssh(path, data)
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


def _inherit_ssh(path: Path, data: dict[str, object]) -> None:
    """Give every node the keys of the top-level `ssh`; its own keys take precedence."""
    common = data.pop("ssh", {})
    nodes = data.get("nodes")
    if not isinstance(common, dict):
        raise InventoryError(f"{path}: ssh: {common!r} is not a mapping of keys; write some below it")
    if not isinstance(nodes, list):
        return
    for node in nodes:
        if isinstance(node, dict) and isinstance(node.get("ssh", {}), dict):
            node["ssh"] = {**common, **node.get("ssh", {})}


def _absolute(inventory: Inventory, path: Path) -> Inventory:
    """The inventory with absolute paths. Raises InventoryError when a file does not exist."""
    folder = path.resolve().parent
    nodes = []
    for node in inventory.nodes:
        files = {}
        for key in ("key", "known_hosts"):
            files[key] = _file(path, f"nodes.{node.name}.ssh.{key}", folder / getattr(node.ssh, key).expanduser())
        nodes.append(node.model_copy(update={"ssh": node.ssh.model_copy(update=files)}))
    found: dict[str, object] = {"nodes": tuple(nodes)}
    for name, service in (("consul", inventory.consul), ("nomad", inventory.nomad)):
        if service is not None and service.token_file is not None:
            token = _file(path, f"{name}.token_file", folder / service.token_file.expanduser())
            found[name] = service.model_copy(update={"token_file": token})
    return inventory.model_copy(update=found)


def _file(path: Path, key: str, file: Path) -> Path:
    if not file.is_file():
        raise InventoryError(f"{path}: {key}: no file {file}; correct the path")
    return file
