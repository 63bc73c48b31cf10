"""Docker's own attachable overlay networks: one swarm over all engines, one network per subnet.

Swarm's managers hand out the addresses and its gossip (NetworkDB) tells every node where
each address is. Tunnel and bridge of a network live in a namespace of its own, which a
node has only while a container of it is attached to that network. Nodes are not part of
it: there is no way from a node to a container. Every container also has a leg on the
node's docker_gwbridge, masqueraded, for what is outside the overlay.
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any

import docker
from docker.types import IPAMConfig, IPAMPool

from lab.embedded.images import DEMO_IMAGE

from ..errors import HarnessError, LabError
from ..waiting import wait_for
from .base import Capabilities, Link, Overlay, Peer

if TYPE_CHECKING:
    from docker.models.containers import Container

    from lab.access.cluster import ClusterAccess, NodeAccess

PORT = 2377
OVERHEAD = 50
"""Outer Ethernet 14 + IPv4 20 + UDP 8 + VXLAN 8 bytes (RFC 7348 §5)."""
POOLS = ("10.0.0.0/16", "10.253.0.0/16", "172.30.0.0/16")
"""Where swarm's own ingress network may be put: the first that nothing else uses."""
GOSSIP_S = 10
"""What the gossip is given to tell a node of a new container, seconds."""
SANDBOXES = "/var/run/docker/netns"


class Swarm(Overlay):
    """Needs neither a daemon nor a route of its own on the nodes."""

    name = "swarm"
    capabilities = Capabilities(expose=False, subnets=True, restart=False)

    def network_of(self, subnet: str) -> str:
        return f"flatnet-{subnet}"

    def deploy(self, cluster: ClusterAccess) -> None:
        """One manager, the rest workers: the managers' quorum is not what is judged."""
        first, *others = cluster.nodes.values()
        first.docker.swarm.init(**_addresses(first), default_addr_pool=[str(self._pool())])
        token = first.docker.swarm.attrs["JoinTokens"]["Worker"]

        def join(node: NodeAccess) -> None:
            node.docker.swarm.join([f"{first.address}:{PORT}"], token, **_addresses(node))

        cluster.each(join, others)
        wait_for("swarm", lambda: self._not_ready(first))
        for subnet in self.subnets:
            self._create_network(first, subnet)

    def _pool(self) -> IPv4Network:
        taken = [self.inventory.overlay.range] + [network for network in [self.inventory.underlay] if network]
        for pool in map(IPv4Network, POOLS):
            if not any(pool.overlaps(network) for network in taken):
                return pool
        raise LabError(f"overlay.range {self.inventory.overlay.range} leaves no room for swarm's ingress network")

    def _not_ready(self, manager: NodeAccess) -> str | None:
        states = {
            entry["Description"]["Hostname"]: entry["Status"]["State"]
            for entry in manager.docker.api.nodes()
            if "Hostname" in entry.get("Description", {})
        }
        wrong = [
            f"{node.name} is {states.get(node.name, 'not there')}"
            for node in self.inventory.nodes
            if states.get(node.name) != "ready"
        ]
        return ", ".join(wrong) or None

    def _create_network(self, manager: NodeAccess, subnet: str) -> None:
        manager.docker.networks.create(
            self.network_of(subnet),
            driver="overlay",
            attachable=True,
            ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=str(self.subnets[subnet]))]),
        )

    def prove(self, cluster: ClusterAccess) -> None:
        """An anchor per node and subnet is started and stays, then all of them hear each other.

        A node takes a network's tunnel down with its last container, and one that comes while
        that goes on is refused by Docker; with an anchor the networks stand as long as the lab.
        """
        anchors = cluster.each(self._anchor)

        def hear(node: NodeAccess) -> None:
            script = ["set -e"]
            for subnet, anchor in anchors[node.name].items():
                enter = f"nsenter -t {anchor.attrs['State']['Pid']} -n busybox ping -c 1 -W 1"
                for peer, theirs in anchors.items():
                    if peer != node.name:
                        # Gossip of the address may still be on its way: the first packet may find no one.
                        address = self.address_of(cluster.nodes[peer], theirs[subnet].attrs, subnet)
                        script.append(f"until {enter} {address}; do :; done")
            node.run("\n".join(script))

        cluster.each(hear)

    def _anchor(self, node: NodeAccess) -> dict[str, Container]:
        """One after the other: Docker loses one of two networks that come to a worker at the same time."""
        made = {}
        for subnet in self.subnets:
            try:
                made[subnet] = node.docker.containers.run(
                    DEMO_IMAGE,
                    ["sleep", "2147483647"],
                    detach=True,
                    name=_anchor_name(subnet),
                    restart_policy={"Name": "always"},
                    stop_signal="SIGKILL",
                    **self.attach(subnet),
                )
                made[subnet].reload()
            except docker.errors.DockerException as error:
                raise LabError(f"node {node.name}: subnet {subnet}: Docker: {error}") from None
        return made

    def start(self, node: NodeAccess) -> None:
        """An engine that is in a swarm starts its part by itself; it is there when the anchors run again."""
        wait_for(f"node {node.name}: swarm", lambda: self._adrift(node))

    def _adrift(self, node: NodeAccess) -> str | None:
        try:
            state = node.docker.info()["Swarm"]["LocalNodeState"]
            if state != "active":
                return f"the node is {state}"
            anchors = [_anchor_name(subnet) for subnet in self.subnets]
            for handle in node.docker.containers.list(all=True):
                # Docker starts them itself once, and gives up when it does not know the network yet.
                if handle.name in anchors and handle.status != "running":
                    handle.start()
        except docker.errors.APIError as error:
            return str(error.explanation)
        return None

    def attach(self, subnet: str) -> dict[str, Any]:
        return {"network": self.network_of(subnet)}

    def expose(self, node: NodeAccess, subnet: str) -> None:
        raise HarnessError(f"node {node.name}: overlay swarm has no way to let a node in ({subnet}); it declares so")

    def hide(self, node: NodeAccess, subnet: str) -> None:
        """Nodes are never let in."""

    def exposed(self, node: NodeAccess, subnet: str) -> IPv4Address | None:
        return None

    def peers(self, node: NodeAccess) -> tuple[Peer, ...]:
        """Peers by the node's own NetworkDB; all of them share the ingress network, where there is one."""
        known = {entry["IP"] for network in self._networks(node) for entry in network.get("Peers") or ()}
        return tuple(
            Peer(
                name=peer.name,
                address=peer.address,
                established=str(peer.address) in known,
                detail="in the gossip of the swarm's networks"
                if str(peer.address) in known
                else "not in the gossip of any network of the swarm",
            )
            for peer in self.inventory.nodes
            if peer.name != node.name
        )

    def _networks(self, node: NodeAccess) -> list[dict[str, Any]]:
        try:
            listed = node.docker.api.networks(filters={"scope": "swarm"})
            found = [node.docker.api.inspect_network(one["Id"]) for one in listed]
        except docker.errors.DockerException as error:
            raise HarnessError(f"node {node.name}: Docker: {error}") from None
        ingress = [network for network in found if network["Ingress"]]
        names = {self.network_of(subnet) for subnet in self.subnets}
        return ingress or [network for network in found if network["Name"] in names]

    def mtu(self, subnet: str) -> int:
        return 1500 - OVERHEAD

    def links(self, node: NodeAccess) -> dict[str, Link]:
        found = {}
        for subnet in self.subnets:
            place = self._sandbox(node, subnet)
            if place is not None:
                found[f"bridge {subnet}"] = Link("br0", place)
                found[f"tunnel {subnet}"] = Link("vxlan0", place)
        return {**found, "NIC": Link(node.node.interface)}

    def _sandbox(self, node: NodeAccess, subnet: str) -> str | None:
        """Path of the namespace with bridge and tunnel; None while the node has no part in the network."""
        for network in node.docker.api.networks(names=[self.network_of(subnet)]):
            if network["Name"] == self.network_of(subnet):
                place = f"{SANDBOXES}/1-{network['Id'][:10]}"
                return place if node.run(["test", "-e", place], check=False).exit_status == 0 else None
        return None

    def settle(self, node: NodeAccess, subnet: str, addresses: Collection[str]) -> bool:
        """The gossip writes every container of another node into this node's neighbour table."""
        place = self._sandbox(node, subnet)
        if place is None or not addresses:
            return True
        known = f"nsenter --net={place} ip neighbour show to $address"
        script = [
            f"until=$(($(date +%s) + {GOSSIP_S}))",
            f"for address in {' '.join(addresses)}; do",
            f"until {known} | grep -q .; do [ $(date +%s) -lt $until ] || exit 1; sleep 0.02; done",
            "done",
        ]
        return node.run("\n".join(script), timeout_s=GOSSIP_S * 2, check=False).exit_status == 0


def _anchor_name(subnet: str) -> str:
    return f"flatnet-anchor-{subnet}"


def _addresses(node: NodeAccess) -> dict[str, Any]:
    return {
        "advertise_addr": node.address,
        "listen_addr": f"{node.address}:{PORT}",
        "data_path_addr": node.address,
    }
