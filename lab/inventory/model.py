"""The inventory: what a cluster file holds, and what the embedded lab emits.

The model is the whole contract between a cluster and the suites: nodes and how to
reach them, the overlay with its range and subnets, where Consul and Nomad answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from lab.errors import InventoryError

from .reading import in_words, read_mapping


def _no_number(value: object) -> object:
    """YAML reads `10` and `no` as numbers, which ipaddress would take for addresses."""
    if isinstance(value, int):
        raise ValueError("write an address as text, such as 10.32.0.0/16")
    return value


Address = Annotated[IPv4Address, BeforeValidator(_no_number)]
Network = Annotated[IPv4Network, BeforeValidator(_no_number)]
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
    """Commands a node understands for what an operator does to it, run as the SSH user."""

    stop_docker: str = "systemctl stop docker docker.socket"
    start_docker: str = "systemctl start docker"
    stop_consul: str = "systemctl stop consul"
    start_consul: str = "systemctl start consul"


class Power(_Strict):
    """Commands of the *runner* that take a node away at once, and bring it back."""

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
    """The container network: its adapter, its range, and the subnets cut from it."""

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
    """Where Nomad's HTTP API answers on every node's address; every node runs a client."""

    http_port: int = Field(default=4646, ge=1, le=65535)
    datacenter: str = "dc1"
    token_file: Path | None = None


class Runner(_Strict):
    """Where the test process has to stand to reach the nodes."""

    namespace: Path | None = None
    """A network namespace to join before the first connection (`/proc/PID/ns/net`)."""
    switch: Path | None = None
    """The namespace that carries the underlay's bridge, where a partition can be made."""


class Inventory(_Strict):
    """A cluster, complete enough to test it."""

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
                    f"overlay.subnets.{name}: {subnet} is outside overlay.range {self.overlay.range}; cut it from there"
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
        """The node of that name; KeyError lists those there are."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(f"no node {name!r}; nodes: {', '.join(node.name for node in self.nodes)}")

    @property
    def default_subnet(self) -> str:
        """The first subnet written is the default one."""
        return next(iter(self.overlay.subnets))


def _unique(key: str, values: Iterable[str]) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{key}: {value!r} is used twice; every node has its own")
        seen.add(value)


def load(path: Path) -> Inventory:
    """Read a cluster file (YAML).

    Relative paths in it (keys, known_hosts) are taken from the file's own folder.
    Raises InventoryError, one line: file, key, what is wrong.
    """
    data = read_mapping(path)
    _inherit_ssh(path, data)
    try:
        inventory = Inventory.model_validate(data)
    except ValidationError as error:
        raise InventoryError(f"{path}: {in_words(error, Inventory, data)}") from None
    return _absolute(inventory, path)


def dump(inventory: Inventory) -> str:
    """The inventory as the YAML text that `load` reads back."""
    data = inventory.model_dump(mode="json", exclude_none=True)
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


def _inherit_ssh(path: Path, data: dict[str, object]) -> None:
    """A top-level `ssh` is the default of every node's; a node's own keys win."""
    common = data.pop("ssh", {})
    nodes = data.get("nodes")
    if not isinstance(common, dict):
        raise InventoryError(f"{path}: ssh: {common!r} is no mapping of keys")
    if not isinstance(nodes, list):
        return
    for node in nodes:
        if isinstance(node, dict) and isinstance(node.get("ssh", {}), dict):
            node["ssh"] = {**common, **node.get("ssh", {})}


def _absolute(inventory: Inventory, path: Path) -> Inventory:
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
        raise InventoryError(f"{path}: {key}: no file {file}")
    return file
