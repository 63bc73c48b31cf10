"""A routed network: each node has a part of each subnet, and the nodes route between these parts; no tunnel, no NAT.

Docker's bridge driver gives each node a bridge per subnet with an address at all times, so nodes reach containers
always. What keeps subnets apart, and strangers out, is a packet filter on the node of the container that a packet is
for: it lets in what comes from the same subnet and from nodes, and nothing else.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import TYPE_CHECKING, Any, ClassVar

from docker.types import IPAMConfig, IPAMPool

from lab.answers import reading

from ..errors import HarnessError
from . import legs, sandbox
from .base import MIN_MTU, Capabilities, Link, Overlay, Peer
from .options import Option
from .slices import slice_of

if TYPE_CHECKING:
    from lab.access.cluster import ClusterAccess, NodeAccess

MTU = 1500
CHAIN = "FLATNET-ROUTED"
"""The chain of the filter; DOCKER-USER, which Docker keeps over its own restarts, jumps to it."""
FIRST_ROUTED_ENGINE = 27
"""The first Docker whose bridge networks have a gateway mode (27.0.1 release notes)."""


class Routed(Overlay):
    """The adapter of bridge networks between which the nodes route; static routes, and no daemon."""

    name = "routed"
    sliced = True
    encrypted: ClassVar[bool] = False
    """Whether it is declared encrypted where the file says nothing."""
    options: ClassVar[tuple[Option, ...]] = (
        Option("bridge", str, each_subnet=True),
        Option("mtu", int, least=MIN_MTU),
        Option("restart", bool),
        Option("peers", bool),
        Option("closed", bool),
        Option("encrypted", bool),
    )

    @classmethod
    def lab_options(cls, *, own_kernels: bool) -> dict[str, str | int | bool]:
        return {"restart": True, "closed": True}

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            expose=False,
            subnets=True,
            restart=self.option("restart", False),
            peers=self.option("peers", True),
            always=True,
            closed=self.option("closed", False),
            moves=False,
            encrypted=self.option("encrypted", self.encrypted),
            names="node",
        )

    def network_of(self, subnet: str) -> str:
        return self.networks.get(subnet, f"flatnet-{subnet}")

    def bridge(self, subnet: str) -> str:
        """Name of the subnet's bridge on every node."""
        return self.option(f"bridge.{subnet}", f"fn-{subnet}"[:15])

    def slice_of(self, subnet: str, index: int) -> IPv4Network:
        """The part of `subnet` that a lab's node `index` has."""
        return slice_of(subnet, self.subnets[subnet], index, len(self.inventory.nodes))

    def gateway(self, subnet: str, index: int) -> IPv4Interface:
        """The address of a lab's node `index` in its part of `subnet`, which is its containers' gateway."""
        own = self.slice_of(subnet, index)
        return IPv4Interface(f"{own[1]}/{own.prefixlen}")

    def link_network(self, node: NodeAccess, subnet: str) -> IPv4Network:
        """The node's part of the subnet, according to its engine. Raises HarnessError."""
        network, name = sandbox.inspect(node, self.network_of(subnet)), self.network_of(subnet)
        for pool in ((network or {}).get("IPAM") or {}).get("Config") or ():
            with reading(f"node {node.name}: Docker's description of network {name}"):
                given = IPv4Network(pool["Subnet"]) if ":" not in pool["Subnet"] else None
            if given is not None and given.subnet_of(self.subnets[subnet]):
                return given
        raise HarnessError(f"node {node.name}: Docker has no network {name} with a part of {self.subnets[subnet]}")

    def _index(self, node: NodeAccess) -> int:
        return [peer.name for peer in self.inventory.nodes].index(node.name)

    # -- a lab -----------------------------------------------------------------

    def deploy(self, cluster: ClusterAccess) -> None:
        cluster.each(self._deploy_on)

    def _deploy_on(self, node: NodeAccess) -> None:
        version = str(node.docker.version().get("Version", ""))
        for subnet in self.subnets:
            address = self.gateway(subnet, self._index(node))
            pool = IPAMPool(subnet=str(address.network), gateway=str(address.ip))
            node.docker.networks.create(
                self.network_of(subnet),
                driver="bridge",
                ipam=IPAMConfig(pool_configs=[pool]),
                options={
                    "com.docker.network.bridge.name": self.bridge(subnet),
                    "com.docker.network.driver.mtu": str(self.mtu(subnet)),
                    **network_options(version),
                },
            )
        self.start(node)

    def prove(self, cluster: ClusterAccess) -> None:
        cluster.each(self._reach_peers)

    def _reach_peers(self, node: NodeAccess) -> None:
        index = self._index(node)
        for subnet in self.subnets:
            for other in range(len(self.inventory.nodes)):
                if other != index:
                    target = self.gateway(subnet, other).ip
                    node.run(["busybox", "ping", "-c", "1", "-W", "5", str(target)], timeout_s=8)

    def start(self, node: NodeAccess) -> None:
        """Write the filter, then the routes to the other nodes' parts."""
        node.run("\n".join(["set -e", *self._filter(node), *self._links_up(node), *self._routes(node, "replace")]))

    def stop(self, node: NodeAccess) -> None:
        """Remove the routes; the filter stays, so that nothing is open meanwhile."""
        node.run("\n".join(["set -e", *self._routes(node, "delete"), *self._links_down(node)]))

    def _links_up(self, node: NodeAccess) -> list[str]:
        """Lines of shell that make what the routes lead into, where that is not the NIC."""
        return []

    def _links_down(self, node: NodeAccess) -> list[str]:
        return []

    def _routes(self, node: NodeAccess, verb: str) -> list[str]:
        return [
            shlex.join(["ip", "route", verb, str(self.slice_of(subnet, index)), *self._way_to(node, str(peer.address))])
            for subnet in self.subnets
            for index, peer in enumerate(self.inventory.nodes)
            if peer.name != node.name
        ]

    def _way_to(self, node: NodeAccess, peer: str) -> list[str]:
        """Words of `ip route` for the way to another node."""
        return ["via", peer, "dev", node.node.interface]

    def _filter(self, node: NodeAccess) -> list[str]:
        return [
            f"iptables-restore --noflush --wait 5 <<'RULES'\n*filter\n:{CHAIN} - [0:0]",
            *self._rules(node),
            "COMMIT\nRULES",
            f"iptables -w 5 -C DOCKER-USER -j {CHAIN} 2>/dev/null || iptables -w 5 -I DOCKER-USER -j {CHAIN}",
        ]

    def _rules(self, node: NodeAccess) -> list[str]:
        index = self._index(node)
        parts = {self.bridge(name): (whole, self.slice_of(name, index)) for name, whole in self.subnets.items()}
        return filter_rules(parts, [str(peer.address) for peer in self.inventory.nodes])

    # -- containers and nodes ----------------------------------------------------

    def attach(self, subnet: str) -> dict[str, Any]:
        return {"network": self.network_of(subnet)}

    def expose(self, node: NodeAccess, subnet: str) -> None:
        raise HarnessError(
            f"node {node.name}: overlay {self.name} has no expose, since nodes always reach the containers; "
            "it declares so (expose=False)"
        )

    def hide(self, node: NodeAccess, subnet: str) -> None:
        """Do nothing: a node is always exposed."""

    def exposed(self, node: NodeAccess, subnet: str) -> IPv4Address | None:
        return legs.own_address(node, self.subnets[subnet], self.bridge(subnet))

    def peers(self, node: NodeAccess) -> tuple[Peer, ...]:
        """The other nodes; established are those to which a route for a part of every subnet leads."""
        shown = node.run(["ip", "-json", "-4", "route", "show"]).stdout
        with reading(f"node {node.name}: ip -json route"):
            routed = parse_routes(shown)
        return tuple(self._peer(str(peer.address), peer.name, routed) for peer in self.inventory.nodes
                     if peer.name != node.name)  # fmt: skip

    def _peer(self, address: str, name: str, routed: list[tuple[IPv4Network, str]]) -> Peer:
        reached = [network for network, gateway in routed if gateway == address]
        lost = [name for name, whole in self.subnets.items() if not any(part.subnet_of(whole) for part in reached)]
        parts = ", ".join(f"subnet {one}" for one in lost)
        return Peer(
            name=name,
            address=IPv4Address(address),
            established=not lost,
            detail=f"no route by {address} to a part of {parts}" if lost else "a route to its part of every subnet",
        )

    def mtu(self, subnet: str) -> int:
        return self.option("mtu", MTU)

    def hops(self) -> int:
        return 2

    def hops_on_node(self) -> int:
        return 0

    def links(self, node: NodeAccess) -> dict[str, Link]:
        bridges = {f"bridge {subnet}": Link(self.bridge(subnet)) for subnet in self.subnets}
        return {**bridges, "NIC": Link(node.node.interface)}


def network_options(version: str) -> dict[str, str]:
    """Options of a bridge network whose containers are routed to, for a Docker engine of that version.

    Docker 28 drops what is routed to containers of a network in its default mode (raw/PREROUTING).
    """
    major = version.partition(".")[0]
    if major.isdecimal() and int(major) >= FIRST_ROUTED_ENGINE:
        return {"com.docker.network.bridge.gateway_mode_ipv4": "routed"}
    return {"com.docker.network.bridge.enable_ip_masquerade": "false"}


def filter_rules(bridges: Mapping[str, tuple[IPv4Network, IPv4Network]], nodes: Sequence[str]) -> list[str]:
    """Rules of the filter, as iptables-save writes them. `bridges`: {bridge: (its subnet, the node's part of it)}.

    A container sends from the node's part of its subnet only; it receives from its subnet and from `nodes`' addresses.
    """
    rules = [f"-A {CHAIN} -i {bridge} ! -s {own} -j DROP" for bridge, (_, own) in bridges.items()]
    for bridge, (whole, _) in bridges.items():
        rules += [f"-A {CHAIN} -o {bridge} -s {match} -j ACCEPT" for match in (whole, *nodes)]
        rules.append(f"-A {CHAIN} -o {bridge} -j DROP")
    return rules + [f"-A {CHAIN} -i {bridge} -j ACCEPT" for bridge in bridges]


def parse_routes(shown: str) -> list[tuple[IPv4Network, str]]:
    """(destination, gateway) of routes by a gateway, in what `ip -json route show` printed."""
    return [
        (IPv4Network(route["dst"]), str(route["gateway"]))
        for route in json.loads(shown)
        if "gateway" in route and route["dst"] != "default"
    ]
