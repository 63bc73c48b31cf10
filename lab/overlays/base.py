"""The interface between Flatnet and an overlay, which every adapter implements."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

import docker
from docker.types import EndpointConfig

from lab.inventory import Inventory, Node

from ..errors import HarnessError, UsageError
from .options import Option, wrong_options

if TYPE_CHECKING:
    from lab.access.cluster import ClusterAccess, NodeAccess

V = TypeVar("V", str, int, bool)
MIN_MTU = 68
"""The smallest MTU of an IPv4 link, bytes (RFC 791)."""


class NoAddress(HarnessError):
    """A container has no address in the subnet that it was made for."""


@dataclass(frozen=True)
class Capabilities:
    """What the overlay declares that it can do: the facts `overlay.*` in the applicability of requirements."""

    expose: bool
    """A node can be given a way to the containers (`expose`), and it can be taken back (`hide`)."""
    subnets: bool
    """Containers can be put into subnets that the overlay promises to keep apart."""
    restart: bool = True
    """A node's part in it can be stopped and started while the Docker engine runs on."""
    proxy: bool = False
    """Containers join it through a proxy of the Docker API."""
    peers: bool = True
    """The overlay on a node knows the other nodes (`peers`)."""
    addresses: bool = True
    """Whoever makes a container can choose its address (`attach_at`)."""
    always: bool = False
    """Nodes have a way to the containers at all times, which Flatnet neither gives nor takes."""
    closed: bool = False
    """Machines of the underlay that are not nodes have no way to the containers."""
    moves: bool = True
    """A container on another node can take over the address of one that has gone."""
    encrypted: bool = False
    """What containers send each other cannot be read on the underlay."""
    vxlan: bool = False
    """Nodes send each other what is of a subnet in VXLAN (`vxlan_of`), encrypted or not."""
    names: Literal["", "node", "swarm"] = ""
    """How far Docker's own DNS tells the names of containers: within a node, or a swarm with the names of its services;
    "": containers are in no network of Docker's that has it, or nobody has tried it."""

    @property
    def services(self) -> bool:
        """Services of Docker's can be made in it, each with an address of its own that leads to its tasks."""
        return self.names == "swarm"

    @property
    def reach(self) -> bool:
        """Nodes reach the containers while a run lasts: always, or because they are exposed."""
        return self.expose or self.always


@dataclass(frozen=True)
class Peer:
    """A node, as the overlay on another node sees it."""

    name: str
    address: IPv4Address
    established: bool
    detail: str = ""


@dataclass(frozen=True)
class Link:
    """An interface on the path between containers, and the network namespace that it is in."""

    name: str
    netns: str | None = None
    """Path of the namespace on the node; None: the node's own."""


@dataclass(frozen=True)
class VxlanTunnel:
    """The VXLAN (RFC 7348) in which nodes send each other what is of one subnet."""

    port: int
    """The UDP port that nodes take it at."""
    vni: int


class Overlay(ABC):
    """The adapter of one kind of container network, for the nodes of one inventory."""

    name: ClassVar[str]
    options: ClassVar[tuple[Option, ...]] = ()
    """What `overlay.options` can hold for it."""
    named_networks: ClassVar[bool] = True
    """Its subnets are Docker networks, whose names `overlay.networks` can give."""
    dual_stack: ClassVar[bool] = False
    """Its subnets can have IPv6 networks (`overlay.subnets6`)."""
    made_by_labs: ClassVar[bool] = True
    """An embedded lab can have it."""
    sliced: ClassVar[bool] = False
    """Each node's Docker network is a part of the subnet of its own (`link_network`)."""
    bridge_filtering: ClassVar[bool | None] = None
    """Whether bridged packets have to pass iptables (net.bridge.bridge-nf-call-iptables); None: either will do."""
    encrypts_on_request: ClassVar[bool] = False
    """A lab can have it encrypted (`overlay.options.encrypted`), by ESP of the nodes' kernels."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Programs that the runner must have to make a lab with this overlay."""

    packet_filter: ClassVar[str] = ""
    """The back end (`legacy`, `nft`) that the overlay itself writes to; a lab's engines then write there too."""

    @classmethod
    def lacking(cls) -> str | None:
        """What this machine lacks to make a lab with it, and how to get it, in one line; None: nothing."""
        return None

    @classmethod
    def refuses_engine(cls, version: tuple[int, ...]) -> str | None:
        """Why it does not work with a Docker engine of that version, such as (26, 1, 5), in one line; None: it does."""
        return None

    @classmethod
    def lab_options(cls, *, own_kernels: bool) -> dict[str, str | int | bool]:
        """The value of `overlay.options` in the inventory of a lab.

        `own_kernels`: every node is a machine with a kernel of its own, which is one of Debian; else some of them, or
        all, share this machine's.
        """
        return {}

    def __init__(self, inventory: Inventory) -> None:
        """Raises UsageError when the inventory gives the adapter options or networks that it does not have."""
        self.inventory = inventory
        self.subnets = inventory.overlay.subnets
        self.subnets6 = inventory.overlay.subnets6
        self.networks = inventory.overlay.networks
        if wrong := wrong_options(self.name, self.options, inventory.overlay.options, self.subnets):
            raise UsageError(wrong)
        if self.networks and not self.named_networks:
            raise UsageError(f"overlay.networks: containers join {self.name} without a Docker network; leave it out")

        if self.subnets6 and not self.dual_stack:
            raise UsageError(f"overlay.subnets6: Flatnet knows overlay {self.name} with IPv4 only; leave it out")
        if "docker" in inventory.names_by and not self.capabilities.names:
            raise UsageError(f"dns: docker: Docker's DNS is not known on overlay {self.name}; leave docker out")

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What the overlay can do, as the adapter or the cluster file declares it."""

    def option(self, key: str, default: V) -> V:
        """The value of an option of the cluster file."""
        value = self.inventory.overlay.options.get(key, default)
        assert isinstance(value, type(default))
        return value

    @abstractmethod
    def deploy(self, cluster: ClusterAccess) -> None:
        """Set the overlay up on nodes that do not have it yet (those of an embedded lab)."""

    @abstractmethod
    def prove(self, cluster: ClusterAccess) -> None:
        """Return when a packet has passed between every pair of peers. The demo image has been loaded before.

        Raises HarnessError naming the node whose packet did not come through.
        """

    @abstractmethod
    def start(self, node: NodeAccess) -> None:
        """Start the node's part in the overlay if it does not run, as after a boot or after `stop`.

        What `deploy` wrote is still on the node's disk, and its Docker engine answers.
        """

    def stop(self, node: NodeAccess) -> None:
        """Stop the node's part in the overlay at once; its containers stay. Raises HarnessError when that fails."""
        raise HarnessError(f"node {node.name}: overlay {self.name} cannot be stopped; it declares so (restart=False)")

    def endpoint(self, node: Node) -> str:
        """The Docker endpoint on the node through which a container joins the overlay."""
        return node.docker

    @abstractmethod
    def attach(self, subnet: str) -> dict[str, Any]:
        """Arguments for `docker.containers.create` that put the container into `subnet`."""

    def attach_at(self, subnet: str, address: str, address6: str = "") -> dict[str, Any]:
        """Arguments for `docker.containers.create` that put the container into `subnet` with this address.

        `address6`: with this IPv6 address, too; empty: with whichever the engine chooses, if any. Raises HarnessError
        where the overlay declares that it cannot.
        """
        network = self.network_of(subnet)
        if network is None or not self.capabilities.addresses:
            raise HarnessError(f"overlay {self.name}: no address can be chosen; it declares so (addresses=False)")
        chosen = EndpointConfig("1.25", ipv4_address=address, ipv6_address=address6 or None)
        return {**self.attach(subnet), "networking_config": {network: chosen}}

    def attach_as(self, subnet: str, aliases: Sequence[str]) -> dict[str, Any]:
        """Arguments for `docker.containers.create` that put the container into `subnet`, with aliases in Docker's DNS.

        Raises HarnessError where the subnet is not a Docker network.
        """
        network = self.network_of(subnet)
        if network is None:
            raise HarnessError(f"overlay {self.name}: a container can have no alias, since {subnet} is not a network")
        return {**self.attach(subnet), "networking_config": {network: EndpointConfig("1.25", aliases=list(aliases))}}

    @abstractmethod
    def network_of(self, subnet: str) -> str | None:
        """Name of the Docker network that is `subnet`; None when there is none."""

    def address_of(self, node: NodeAccess, details: Mapping[str, Any], subnet: str) -> IPv4Address:
        """A container's overlay address according to Docker, or to the overlay where Docker does not know it.

        `details`: what `docker inspect` says of the container on `node`. Raises NoAddress when there is none.
        """
        networks = details["NetworkSettings"]["Networks"]
        entry = networks.get(self.network_of(subnet)) or {}
        if not entry.get("IPAddress"):
            name = details["Name"].lstrip("/")
            raise NoAddress(
                f"container {name} on {node.name}: Docker has no address for it in {self.network_of(subnet)}"
            )
        address = ip_address(entry["IPAddress"])
        assert isinstance(address, IPv4Address)
        return address

    def address6_of(self, node: NodeAccess, details: Mapping[str, Any], subnet: str) -> IPv6Address | None:
        """A container's IPv6 address according to Docker; None where the subnet has IPv4 only.

        `details` as for `address_of`. Raises NoAddress when it has none and should.
        """
        if subnet not in self.subnets6:
            return None
        network = self.network_of(subnet)
        given = (details["NetworkSettings"]["Networks"].get(network) or {}).get("GlobalIPv6Address")
        if not given:
            name = details["Name"].lstrip("/")
            raise NoAddress(f"container {name} on {node.name}: Docker has no IPv6 address for it in {network}")
        return IPv6Address(given)

    def holders(self, node: NodeAccess) -> list[tuple[str, str]]:
        """(address, `node/container`) of every address of every running container, according to Docker and the overlay.

        Raises HarnessError when the engine does not answer.
        """
        try:
            running = node.docker.containers.list(ignore_removed=True)
        except docker.errors.DockerException as error:
            raise HarnessError(f"node {node.name}: Docker: {error}") from None
        return [
            (network[key], f"{node.name}/{container.name}")
            for container in running
            for network in container.attrs["NetworkSettings"]["Networks"].values()
            for key in ("IPAddress", "GlobalIPv6Address")
            if network.get(key)
        ]

    @abstractmethod
    def expose(self, node: NodeAccess, subnet: str) -> None:
        """Give the node a way to the containers of `subnet`. Raises HarnessError when that is not possible."""

    @abstractmethod
    def hide(self, node: NodeAccess, subnet: str) -> None:
        """Take that way away."""

    @abstractmethod
    def exposed(self, node: NodeAccess, subnet: str) -> IPv4Address | None:
        """The node's own address in `subnet`; None when the node is hidden."""

    def exposed6(self, node: NodeAccess, subnet: str) -> IPv6Address | None:
        """The node's own IPv6 address in `subnet`; None when it has none there."""
        return None

    @abstractmethod
    def peers(self, node: NodeAccess) -> tuple[Peer, ...]:
        """The other nodes, as the overlay on this node sees them."""

    def wait_until_known(self, node: NodeAccess, subnet: str, addresses: Collection[str]) -> bool:
        """Wait until the overlay on `node` knows containers on other nodes, by `addresses`; False when time ran out.

        Only overlays that send addresses in messages of their own need it. One that learns them from
        traffic, as this default assumes, has nothing to wait for.
        """
        return True

    def forwards_by_program(self, node: NodeAccess) -> bool:
        """Whether a program on this node forwards packets between nodes, rather than its kernel.

        The kernel does not count what such a program has no time for. Raises HarnessError when it cannot be told.
        """
        return False

    @abstractmethod
    def mtu(self, subnet: str) -> int | None:
        """MTU of a container's interface, bytes; None where nothing declares it."""

    def hops(self) -> int:
        """Number of routers between containers of one subnet on two nodes; 0: they share one L2 network."""
        return 0

    def hops_on_node(self) -> int:
        """Number of routers between containers of one subnet on one node."""
        return self.hops()

    def hops_between(self, node: str, other: str) -> int:
        """Number of routers between containers of one subnet on these nodes, by their names."""
        return self.hops_on_node() if node == other else self.hops()

    def link_network(self, node: NodeAccess, subnet: str) -> IPv4Network:
        """The part of `subnet` that a container on the node reaches without a router; this default: all of it.

        Raises HarnessError where it depends on the node, which does not tell.
        """
        return self.subnets[subnet]

    def towards_nodes(self, node: NodeAccess) -> str:
        """The node's interface that routes to other nodes' parts of a subnet lead into; this default: the NIC."""
        return node.node.interface

    def vxlan_of(self, node: NodeAccess, subnet: str) -> VxlanTunnel:
        """The VXLAN of a subnet, as the node knows it. Raises HarnessError where there is none, or it is not told."""
        raise HarnessError(f"node {node.name}: overlay {self.name} has no VXLAN; it declares so (vxlan=False)")

    def service_source(self, node: NodeAccess, subnet: str) -> str:
        """The source that tasks see of whoever on the node asks a service's own address in the subnet.

        Raises HarnessError where there are no such services, or it is not told.
        """
        raise HarnessError(f"node {node.name}: overlay {self.name} has no services; it declares so (services=False)")

    @abstractmethod
    def links(self, node: NodeAccess) -> dict[str, Link]:
        """The node's interfaces on the path, from container to underlay: {"bridge a": …, "tunnel a": …, "NIC": …}.

        Interfaces that the overlay makes only while a container is attached are left out until then.
        """
