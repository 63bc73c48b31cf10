"""Docker networks as they are: each subnet is the network that the cluster calls so, whatever its driver.

Flatnet knows only what Docker knows of such a network, so the cluster file declares the rest in `overlay.options`:

- `driver`: of the networks, such as `overlay`, `macvlan` or a plugin's name. With `overlay` the engines themselves know
  the other nodes, so CP-1 applies; otherwise nothing that Flatnet can ask knows them.
- `hops`: routers between two containers of a subnet (default 0: they share one L2 network).
- `mtu`: of a container's interface, bytes; `python -m lab check` compares it with the networks' own option.
- `encrypted`: what containers of different nodes send each other cannot be read on the underlay (PATH-8).
- `expose`: how nodes reach containers. `none` (default): there is nothing that Flatnet could give or take; `always`:
  nodes have a way at all times; `bridge`: a node has one while the network's bridge has the gateway's address, which
  Flatnet gives and takes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

from ..errors import HarnessError, LabError
from ..waiting import wait_for
from . import legs, sandbox
from .base import MIN_MTU, Capabilities, Link, Overlay, Peer, VxlanTunnel
from .options import Option

if TYPE_CHECKING:
    from lab.access.cluster import ClusterAccess, NodeAccess

EXPOSE = ("none", "always", "bridge")
OWN_DRIVERS = ("", "bridge", "overlay", "macvlan", "ipvlan")
"""Drivers whose addresses Docker itself hands out, so that one can be chosen; a plugin's may not let anybody."""
_BRIDGE_NAME = "com.docker.network.bridge.name"


def bridge_of(network: Mapping[str, Any]) -> str | None:
    """Name of the network's bridge in the node's own namespace; None for another driver than bridge."""
    if network["Driver"] != "bridge":
        return None
    return (network.get("Options") or {}).get(_BRIDGE_NAME) or f"br-{network['Id'][:12]}"


def parent_of(network: Mapping[str, Any]) -> str | None:
    """The node's interface that a macvlan or ipvlan network is on; None for another driver."""
    if network["Driver"] not in ("macvlan", "ipvlan"):
        return None
    return (network.get("Options") or {}).get("parent") or None


class Docker(Overlay):
    """The adapter of Docker networks that others have made, by their own names."""

    name = "docker"
    dual_stack = True
    made_by_labs = False
    options = (
        Option("driver", str),
        Option("hops", int),
        Option("mtu", int, least=MIN_MTU),
        Option("expose", str, choices=EXPOSE),
        Option("encrypted", bool),
    )

    @classmethod
    def lacking(cls) -> str | None:
        return "overlay docker is for cluster files, since it makes no network itself; choose another one for a lab"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            expose=self._by_bridge,
            subnets=True,
            restart=False,
            peers=self.option("driver", "") == "overlay",
            addresses=self.option("driver", "") in OWN_DRIVERS,
            always=self.option("expose", "none") == "always",
            closed=self._by_bridge,
            moves=self.hops() == 0,
            encrypted=self.option("encrypted", False),
            vxlan=self.option("driver", "") == "overlay",
            names="swarm" if self.option("driver", "") == "overlay" else "node",
        )

    @property
    def _by_bridge(self) -> bool:
        return self.option("expose", "none") == "bridge"

    def network_of(self, subnet: str) -> str:
        return self.networks.get(subnet, subnet)

    def network(self, node: NodeAccess, subnet: str) -> dict[str, Any]:
        """The network of `subnet`, as the node's engine describes it. Raises HarnessError when there is none."""
        found = sandbox.inspect(node, self.network_of(subnet))
        if found is None:
            raise HarnessError(f"node {node.name}: subnet {subnet}: Docker has no network {self.network_of(subnet)}")
        return found

    def service_source(self, node: NodeAccess, subnet: str) -> str:
        return sandbox.balancer_of(node, self.network_of(subnet))

    def vxlan_of(self, node: NodeAccess, subnet: str) -> VxlanTunnel:
        return sandbox.vxlan_of(node, self.network_of(subnet))

    def deploy(self, cluster: ClusterAccess) -> None:
        raise LabError(str(self.lacking()))

    def prove(self, cluster: ClusterAccess) -> None:
        raise LabError(str(self.lacking()))

    def start(self, node: NodeAccess) -> None:
        """Wait until the engine knows its networks again; one of a swarm only has to be in the swarm again."""

        def find_missing() -> str | None:
            if self.option("driver", "") == "overlay":
                state = node.docker.info()["Swarm"]["LocalNodeState"]
                return None if state == "active" else f"the node is {state} in its swarm"
            names = [self.network_of(subnet) for subnet in self.subnets]
            lost = [name for name in names if sandbox.inspect(node, name) is None]
            return f"no network {', '.join(lost)}" if lost else None

        wait_for(f"node {node.name}: Docker networks", find_missing)

    def attach(self, subnet: str) -> dict[str, Any]:
        return {"network": self.network_of(subnet)}

    def expose(self, node: NodeAccess, subnet: str) -> None:
        bridge = self._bridge(node, subnet)
        address = legs.gateway_of(self.network(node, subnet), self.subnets[subnet])
        if address is None:
            raise HarnessError(
                f"node {node.name}: Docker names no gateway of network {self.network_of(subnet)}, which would be the "
                "node's address there; make the network with one, or declare another overlay.options.expose"
            )
        legs.give(node, bridge, address)

    def hide(self, node: NodeAccess, subnet: str) -> None:
        if self._by_bridge:
            legs.take(node, self._bridge(node, subnet), self.subnets[subnet])

    def _bridge(self, node: NodeAccess, subnet: str) -> str:
        if not self._by_bridge:
            declared = self.option("expose", "none")
            raise HarnessError(
                f"node {node.name}: cannot be exposed to subnet {subnet}; "
                f"the file declares overlay.options.expose: {declared}"
            )
        network = self.network(node, subnet)
        bridge = bridge_of(network)
        if bridge is None:
            raise HarnessError(
                f"node {node.name}: network {self.network_of(subnet)} has driver {network['Driver']} and no bridge of "
                "the node's own; declare another overlay.options.expose"
            )
        return bridge

    def exposed(self, node: NodeAccess, subnet: str) -> IPv4Address | None:
        """The node's own address in `subnet`, on whichever interface it is; None when it has none."""
        return legs.own_address(node, self.subnets[subnet], self._bridge(node, subnet) if self._by_bridge else None)

    def peers(self, node: NodeAccess) -> tuple[Peer, ...]:
        """The nodes in this node's NetworkDB. Raises HarnessError where the file does not declare driver overlay."""
        if not self.capabilities.peers:
            raise HarnessError(
                f"node {node.name}: nothing is known of the overlay's peers; the file does not declare "
                "overlay.options.driver: overlay"
            )
        return sandbox.gossip_peers(self.inventory, node, [self.network_of(subnet) for subnet in self.subnets])

    def wait_until_known(self, node: NodeAccess, subnet: str, addresses: Collection[str]) -> bool:
        """Wait until a network of the driver overlay has every address in its neighbour table."""
        network = sandbox.inspect(node, self.network_of(subnet))
        if network is None or network["Driver"] != "overlay":
            return True
        return sandbox.wait_until_known(node, sandbox.netns_of(node, network["Id"]), addresses)

    def mtu(self, subnet: str) -> int | None:
        return self.option("mtu", 0) or None

    def hops(self) -> int:
        return self.option("hops", 0)

    def links(self, node: NodeAccess) -> dict[str, Link]:
        found: dict[str, Link] = {}
        for subnet in self.subnets:
            network = sandbox.inspect(node, self.network_of(subnet))
            if network is not None:
                found |= self._links_of(node, subnet, network)
        return {**found, "NIC": Link(node.node.interface)}

    def _links_of(self, node: NodeAccess, subnet: str, network: Mapping[str, Any]) -> dict[str, Link]:
        if network["Driver"] == "overlay":
            netns = sandbox.netns_of(node, network["Id"])
            return {} if netns is None else sandbox.links(subnet, netns)
        parent = parent_of(network)
        if parent is not None and parent != node.node.interface:
            return {f"parent {subnet}": Link(parent)}
        bridge = bridge_of(network)
        if bridge is None:
            return {}
        tunnels = legs.tunnels_in(node, bridge)
        return {f"bridge {subnet}": Link(bridge)} | ({f"tunnel {subnet}": Link(tunnels[0])} if tunnels else {})
