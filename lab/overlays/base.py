"""What Flatnet asks of an overlay; every adapter answers the same small interface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING, Any, ClassVar

import docker

from lab.inventory import Inventory, Node

from ..errors import HarnessError

if TYPE_CHECKING:
    from lab.access.cluster import ClusterAccess, NodeAccess


@dataclass(frozen=True)
class Capabilities:
    """What the overlay says of itself; the catalogue's `overlay.*` facts."""

    expose: bool
    """Nodes are let in by an act of its own, and shut out by another."""
    subnets: bool
    """Containers can be put into subnets that are promised to be separate."""
    restart: bool = True
    """A node's part in it can be stopped and started apart from the Docker engine."""
    proxy: bool = False
    """Containers enter it through a proxy of the Docker API."""


@dataclass(frozen=True)
class Peer:
    """One node as another one's overlay sees it."""

    name: str
    address: IPv4Address
    established: bool
    detail: str = ""


@dataclass(frozen=True)
class Link:
    """An interface on the way, and the network namespace of the node that it is in."""

    name: str
    netns: str | None = None
    """Path of the namespace on the node; None: the node's own."""


class Overlay(ABC):
    """Adapter of one kind of container network over the nodes of an inventory."""

    name: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    bridge_filtering: ClassVar[bool | None] = None
    """Bridged packets have to pass iptables (net.bridge.bridge-nf-call-iptables); None: either will do."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Programs the runner must have before a lab with this overlay can be made."""

    packet_filter: ClassVar[str] = ""
    """The back end (`legacy`, `nft`) that the overlay itself writes to; a lab's engines then do so too."""

    @classmethod
    def lacking(cls) -> str | None:
        """What keeps this machine from making a lab with it, with the way out, in one line; None: nothing."""
        return None

    @classmethod
    def lab_options(cls) -> dict[str, str | int | bool]:
        """What the inventory of an embedded lab says in `overlay.options`."""
        return {}

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.subnets = inventory.overlay.subnets

    @abstractmethod
    def deploy(self, cluster: ClusterAccess) -> None:
        """Make the overlay on nodes that have none (the embedded lab)."""

    @abstractmethod
    def prove(self, cluster: ClusterAccess) -> None:
        """Return when a packet has passed between every pair of peers; the demo image is loaded.

        Raises HarnessError naming the node whose packet did not come through.
        """

    @abstractmethod
    def start(self, node: NodeAccess) -> None:
        """Start the node's part in the overlay, if it does not run: after a boot, after `stop`.

        What was deployed is still on the node's disk, and its Docker engine answers.
        """

    def stop(self, node: NodeAccess) -> None:
        """End the node's part in the overlay at once; its containers stay. Raises HarnessError if it can't."""
        raise HarnessError(f"node {node.name}: overlay {self.name} has no part of its own to stop; it declares so")

    def endpoint(self, node: Node) -> str:
        """The Docker endpoint on the node by which a container gets into the overlay."""
        return node.docker

    @abstractmethod
    def attach(self, subnet: str) -> dict[str, Any]:
        """Arguments of `docker.containers.create` that put a container into `subnet`."""

    @abstractmethod
    def network_of(self, subnet: str) -> str | None:
        """Name of the Docker network behind `subnet`, where there is one."""

    def address_of(self, node: NodeAccess, details: Mapping[str, Any], subnet: str) -> IPv4Address:
        """A container's overlay address by Docker's word (`details` is its inspect answer on `node`).

        Where Docker does not know it, by the overlay's own word. Raises HarnessError when there is none.
        """
        networks = details["NetworkSettings"]["Networks"]
        entry = networks.get(self.network_of(subnet)) or {}
        if not entry.get("IPAddress"):
            name = details["Name"].lstrip("/")
            raise HarnessError(f"container {name} on {node.name}: Docker names no address in {self.network_of(subnet)}")
        address = ip_address(entry["IPAddress"])
        assert isinstance(address, IPv4Address)
        return address

    def holders(self, node: NodeAccess) -> list[tuple[str, str]]:
        """(address, container) of everything that runs on the node, by the word of Docker and the overlay.

        Raises HarnessError when the engine does not answer.
        """
        try:
            running = node.docker.containers.list(ignore_removed=True)
        except docker.errors.DockerException as error:
            raise HarnessError(f"node {node.name}: Docker: {error}") from None
        return [
            (entry["IPAddress"], f"{node.name}/{handle.name}")
            for handle in running
            for entry in handle.attrs["NetworkSettings"]["Networks"].values()
            if entry.get("IPAddress")
        ]

    @abstractmethod
    def expose(self, node: NodeAccess, subnet: str) -> None:
        """Give the node a way to the containers of `subnet`. Raises HarnessError if it can't."""

    @abstractmethod
    def hide(self, node: NodeAccess, subnet: str) -> None:
        """Take that way back."""

    @abstractmethod
    def exposed(self, node: NodeAccess, subnet: str) -> IPv4Address | None:
        """The node's own address in `subnet`, or None when it is hidden."""

    @abstractmethod
    def peers(self, node: NodeAccess) -> tuple[Peer, ...]:
        """The other nodes as this node's overlay sees them."""

    def settle(self, node: NodeAccess, subnet: str, addresses: Collection[str]) -> bool:
        """Wait until `node`'s part of the overlay knows of new containers on other nodes; False when it did not.

        For overlays that spread addresses by messages of their own; one that learns them from
        traffic has nothing to wait for.
        """
        return True

    @abstractmethod
    def mtu(self, subnet: str) -> int:
        """MTU of a container's interface, bytes."""

    def hops(self) -> int:
        """Routers between two containers of one subnet (0: one L2 network)."""
        return 0

    @abstractmethod
    def links(self, node: NodeAccess) -> dict[str, Link]:
        """Interfaces of the node on the way, in order: {"bridge a": …, "tunnel a": …, "NIC": …}.

        What the overlay makes only while a container is attached is left out until then.
        """
