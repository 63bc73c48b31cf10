"""Kernel VXLAN (RFC 7348): one bridge and one VNI per subnet, Docker's bridge driver on top.

Each node allocates from its own part of the subnet, so that two engines never allocate the same
address. Nothing is masqueraded. A bridge has an address only while its node is exposed.
"""

from __future__ import annotations

import json
import shlex
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import TYPE_CHECKING, Any

from docker.types import IPAMConfig, IPAMPool

from lab.answers import reading

from ..errors import LabError
from . import legs, sandbox
from .apart import rules_between
from .base import MIN_MTU, Capabilities, Link, Overlay, Peer, VxlanTunnel
from .options import Option
from .slices import slice_of

if TYPE_CHECKING:
    from lab.access.cluster import ClusterAccess, NodeAccess

MANY_NODES = 10
"""More nodes than these forget each subnet's neighbours when they were reached: twenty know 380 in each network, and
the kernel that they share holds 1024 (net.ipv4.neigh.default.gc_thresh3)."""
SLICE6_BITS = 16
"""Nodes take their IPv6 addresses from parts of a subnet whose prefix is so much longer: u1 of fd00:10:32::/64 from
fd00:10:32:0:1::/80."""
UDP_PORT = 4789
FIRST_VNI = 4200
OVERHEAD = 50
"""Outer Ethernet 14 + IPv4 20 + UDP 8 + VXLAN 8 bytes (RFC 7348 §5)."""


class Vxlan(Overlay):
    """The adapter of kernel VXLAN: static flood lists, a learning FDB, and no daemon."""

    name = "vxlan"
    dual_stack = True
    options = (
        Option("bridge", str, each_subnet=True),
        Option("tunnel", str, each_subnet=True),
        Option("vni", int, each_subnet=True),
        Option("port", int, least=1),
        Option("mtu", int, least=MIN_MTU),
        Option("restart", bool),
        Option("encrypted", bool),
    )

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            expose=True,
            subnets=True,
            closed=True,
            restart=self.option("restart", True),
            encrypted=self.option("encrypted", False),
            vxlan=True,
            names="node",
        )

    def network_of(self, subnet: str) -> str:
        return self.networks.get(subnet, f"flatnet-{subnet}")

    def bridge(self, subnet: str) -> str:
        """Name of the subnet's bridge on every node."""
        return self.option(f"bridge.{subnet}", f"fn-{subnet}"[:15])

    def tunnel(self, subnet: str) -> str:
        """Name of the subnet's VXLAN interface on every node."""
        return self.option(f"tunnel.{subnet}", f"vx-{subnet}"[:15])

    def vxlan_of(self, node: NodeAccess, subnet: str) -> VxlanTunnel:
        return VxlanTunnel(int(self.option("port", UDP_PORT)), int(self.vni(subnet)))

    def vni(self, subnet: str) -> int:
        """The subnet's VXLAN network identifier."""
        return self.option(f"vni.{subnet}", FIRST_VNI + list(self.subnets).index(subnet))

    def _index(self, node: NodeAccess) -> int:
        return [peer.name for peer in self.inventory.nodes].index(node.name)

    def slice_of(self, subnet: str, index: int) -> IPv4Network:
        """The part of `subnet` from which node `index` allocates; the first part is for the nodes themselves."""
        return slice_of(subnet, self.subnets[subnet], index, len(self.inventory.nodes))

    def gateway(self, subnet: str, index: int) -> IPv4Interface:
        """The address of node `index` in `subnet` while it is exposed, which is its containers' gateway."""
        whole = self.subnets[subnet]
        return IPv4Interface(f"{whole[index + 1]}/{whole.prefixlen}")

    def slice6_of(self, subnet: str, index: int) -> IPv6Network:
        """The part of the subnet's IPv6 network from which node `index` allocates; the first is for the nodes."""
        whole = self.subnets6[subnet]
        prefix = whole.prefixlen + SLICE6_BITS
        if prefix > 120:
            raise LabError(f"overlay.subnets6.{subnet}: {whole} is too small; choose /64")
        return IPv6Network((int(whole.network_address) + ((index + 1) << (128 - prefix)), prefix))

    def gateway6(self, subnet: str, index: int) -> IPv6Interface:
        """The IPv6 address of node `index` in `subnet` while it is exposed."""
        whole = self.subnets6[subnet]
        return IPv6Interface(f"{whole[index + 1]}/{whole.prefixlen}")

    def deploy(self, cluster: ClusterAccess) -> None:
        cluster.each(self._deploy_on)

    def prove(self, cluster: ClusterAccess) -> None:
        # Nodes are exposed for a moment, so that each can send to each through every tunnel.
        cluster.each(self._expose_all)
        try:
            cluster.each(self._reach_peers)
        finally:
            cluster.each(self._hide_all)

    def _deploy_on(self, node: NodeAccess) -> None:
        index = self._index(node)
        for subnet in self.subnets:
            pool = IPAMPool(
                subnet=str(self.subnets[subnet]),
                iprange=str(self.slice_of(subnet, index)),
                gateway=str(self.gateway(subnet, index).ip),
            )
            pools = [pool]
            if subnet in self.subnets6:
                pools.append(
                    IPAMPool(
                        subnet=str(self.subnets6[subnet]),
                        iprange=str(self.slice6_of(subnet, index)),
                        gateway=str(self.gateway6(subnet, index).ip),
                    )
                )
            node.docker.networks.create(
                self.network_of(subnet),
                driver="bridge",
                enable_ipv6=subnet in self.subnets6,
                ipam=IPAMConfig(pool_configs=pools),
                options={
                    "com.docker.network.bridge.name": self.bridge(subnet),
                    "com.docker.network.bridge.enable_ip_masquerade": "false",
                    "com.docker.network.driver.mtu": str(self.mtu(subnet)),
                },
            )
        self.start(node)
        self._hide_all(node)  # the engine gives every bridge its gateway's address

    def start(self, node: NodeAccess) -> None:
        """Make the tunnels with their flood lists; the bridges are made by Docker."""
        script = ["set -e"]
        for subnet in self.subnets:
            tunnel, bridge = shlex.quote(self.tunnel(subnet)), shlex.quote(self.bridge(subnet))
            nic, own = shlex.quote(node.node.interface), shlex.quote(node.address)
            port = int(self.option("port", UDP_PORT))
            script += [
                f"if [ ! -e /sys/class/net/{tunnel} ]; then",
                f"ip link add {tunnel} type vxlan id {int(self.vni(subnet))} dstport {port} local {own} dev {nic}",
                f"ip link set {tunnel} mtu {int(self.mtu(subnet))} master {bridge} up",
                *(
                    f"bridge fdb append 00:00:00:00:00:00 dev {tunnel} dst {shlex.quote(str(peer.address))}"
                    for peer in self.inventory.nodes
                    if peer.name != node.name
                ),
                "fi",
            ]
        node.run("\n".join([*script, *self.kept_apart()]))

    def kept_apart(self) -> list[str]:
        """Lines of shell that keep the subnets apart where the engine does not do so by itself."""
        bridges = [self.bridge(subnet) for subnet in self.subnets]
        return rules_between(bridges, ["iptables", *(["ip6tables"] if self.subnets6 else [])])

    def stop(self, node: NodeAccess) -> None:
        node.run(
            "\n".join(["set -e", *(f"ip link delete {shlex.quote(self.tunnel(subnet))}" for subnet in self.subnets)])
        )

    def _expose_all(self, node: NodeAccess) -> None:
        for subnet in self.subnets:
            self.expose(node, subnet)

    def _hide_all(self, node: NodeAccess) -> None:
        for subnet in self.subnets:
            self.hide(node, subnet)

    def _reach_peers(self, node: NodeAccess) -> None:
        index = self._index(node)
        for subnet in self.subnets:
            for other in range(len(self.inventory.nodes)):
                if other != index:
                    targets = [str(self.gateway(subnet, other).ip)]
                    if subnet in self.subnets6:
                        targets.append(str(self.gateway6(subnet, other).ip))
                    for target in targets:
                        node.run(["busybox", "ping", "-c", "1", "-W", "5", target], timeout_s=8)
            if len(self.inventory.nodes) > MANY_NODES:
                node.run(["ip", "neighbour", "flush", "dev", self.bridge(subnet)])

    def attach(self, subnet: str) -> dict[str, Any]:
        return {"network": self.network_of(subnet)}

    def expose(self, node: NodeAccess, subnet: str) -> None:
        """Give the subnet's bridge the addresses that the node's engine gives its containers as their gateways."""
        network = sandbox.inspect(node, self.network_of(subnet)) or {}
        address = legs.gateway_of(network, self.subnets[subnet]) or self.gateway(subnet, self._index(node))
        legs.give(node, self.bridge(subnet), address)
        if subnet in self.subnets6:
            address6 = legs.gateway6_of(network, self.subnets6[subnet]) or self.gateway6(subnet, self._index(node))
            legs.give(node, self.bridge(subnet), address6)

    def hide(self, node: NodeAccess, subnet: str) -> None:
        legs.take(node, self.bridge(subnet), self.subnets[subnet])
        if subnet in self.subnets6:
            legs.take(node, self.bridge(subnet), self.subnets6[subnet])

    def exposed(self, node: NodeAccess, subnet: str) -> IPv4Address | None:
        return legs.own_address(node, self.subnets[subnet], self.bridge(subnet))

    def exposed6(self, node: NodeAccess, subnet: str) -> IPv6Address | None:
        if subnet not in self.subnets6:
            return None
        return legs.own_address6(node, self.subnets6[subnet], self.bridge(subnet))

    def peers(self, node: NodeAccess) -> tuple[Peer, ...]:
        """The other nodes; established are those that are in the flood list of every subnet's tunnel."""
        flood_lists: list[set[str]] = []
        for subnet in self.subnets:
            shown = node.run(["bridge", "-json", "fdb", "show", "dev", self.tunnel(subnet)]).stdout
            with reading(f"node {node.name}: bridge -json fdb"):
                flood_lists.append(parse_flood_list(shown))
        return tuple(
            Peer(
                name=peer.name,
                address=peer.address,
                established=all(str(peer.address) in flooded for flooded in flood_lists),
                detail="in the flood list of every tunnel"
                if all(str(peer.address) in flooded for flooded in flood_lists)
                else "missing from the flood list of some tunnel",
            )
            for peer in self.inventory.nodes
            if peer.name != node.name
        )

    def mtu(self, subnet: str) -> int:
        return self.option("mtu", 1500 - OVERHEAD)

    def links(self, node: NodeAccess) -> dict[str, Link]:
        found = {}
        for subnet in self.subnets:
            found[f"bridge {subnet}"] = Link(self.bridge(subnet))
            found[f"tunnel {subnet}"] = Link(self.tunnel(subnet))
        return {**found, "NIC": Link(node.node.interface)}


def parse_flood_list(shown: str) -> set[str]:
    """The addresses to which a tunnel floods, in what `bridge -json fdb show` printed."""
    flood = [entry for entry in json.loads(shown) if entry["mac"] == "00:00:00:00:00:00"]
    return {str(entry["dst"]) for entry in flood if "dst" in entry}
