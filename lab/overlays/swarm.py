"""Docker's own attachable overlay networks: one swarm over all engines, one network per subnet.

Swarm's managers allocate the addresses, and its gossip protocol (NetworkDB) tells every node where
each address is. Tunnel and bridge of a network are in a namespace of their own, which a node has
only while one of its containers is attached to that network. There is no way from a node to a
container. Every container also has an interface on the node's docker_gwbridge, masqueraded, for
destinations outside the overlay.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any

import docker
import requests
from docker.types import EndpointSpec, IPAMConfig, IPAMPool, ServiceMode

from lab.images import DEMO_IMAGE

from ..errors import HarnessError, LabError
from ..waiting import READY_TIMEOUT_S, wait_for
from . import sandbox
from .base import MIN_MTU, Capabilities, Link, Overlay, Peer, VxlanTunnel
from .options import Option

if TYPE_CHECKING:
    from docker.models.containers import Container

    from lab.access.cluster import ClusterAccess, NodeAccess

PORT = 2377
OVERHEAD = 50
"""Outer Ethernet 14 + IPv4 20 + UDP 8 + VXLAN 8 bytes (RFC 7348 §5)."""
ESP_ROOM = 26
"""What Docker leaves beside that for ESP and its padding in an encrypted network, bytes; it rounds down to a multiple
of four (libnetwork, drivers/overlay)."""
ATTACHMENT_S = 20.0
"""After so long Docker gives up an attachment that the manager has not answered (daemon/cluster, 20.10)."""
ATTEMPTS = 3
OPEN_S, MODULES_S = 100.0, 60.0
"""Bounds on the time until every node has joined the networks, and has loaded the modules for it, seconds; longer on
slow nodes."""
OPENER = "flatnet-opener"
MODULES = ("vxlan", "ip_vs", "ip_vs_rr", "xt_ipvs", "xt_mark", "xt_policy", "xt_u32", "esp4", "xfrm_user")
"""Modules that a node's part of a network needs; where they are missing, Docker says so itself."""
POOLS = ("10.0.0.0/16", "10.253.0.0/16", "172.30.0.0/16")
"""Candidates for swarm's own ingress network; the first that overlaps nothing is taken."""


class Swarm(Overlay):
    """The adapter of Docker Swarm; it needs no daemon beside the Docker engine."""

    name = "swarm"
    encrypts_on_request = True
    options = (Option("mtu", int, least=MIN_MTU), Option("encrypted", bool))

    @property
    def capabilities(self) -> Capabilities:
        encrypted = self.option("encrypted", False)
        return Capabilities(expose=False, subnets=True, restart=False, encrypted=encrypted, vxlan=True, names="swarm")

    def network_of(self, subnet: str) -> str:
        return self.networks.get(subnet, f"flatnet-{subnet}")

    def deploy(self, cluster: ClusterAccess) -> None:
        """Make the first node the manager and the others workers: the quorum of managers is not under test."""
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
        taken = [*self.inventory.overlay.ranges] + [network for network in [self.inventory.underlay] if network]
        for pool in map(IPv4Network, POOLS):
            if not any(pool.overlaps(network) for network in taken):
                return pool
        raise LabError(
            f"overlay.range {self.inventory.overlay.span}: no room beside it for swarm's ingress network; "
            f"choose one that leaves one of {', '.join(POOLS)} free"
        )

    def _not_ready(self, manager: NodeAccess) -> str | None:
        states = {
            member["Description"]["Hostname"]: member["Status"]["State"]
            for member in manager.docker.api.nodes()
            if "Hostname" in member.get("Description", {})
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
            options={"encrypted": ""} if self.option("encrypted", False) else {},
        )

    def prove(self, cluster: ClusterAccess) -> None:
        """Start a container on every node in every subnet, the anchors, and wait until they reach each other.

        The anchors stay as long as the lab. Without them a node removes a network's tunnel with its last
        container, and Docker refuses a container that is started meanwhile.
        """
        slow = self.inventory.patience > 1
        opener = self._open_networks(cluster) if slow else None
        anchors = cluster.each(self._start_anchors)
        if opener is not None:
            opener.remove()

        def reach_other_anchors(node: NodeAccess) -> None:
            script = ["set -e"]
            for subnet, anchor in anchors[node.name].items():
                enter = f"nsenter -t {anchor.attrs['State']['Pid']} -n busybox ping -c 1 -W 1"
                for peer, others in anchors.items():
                    if peer != node.name:
                        # The first packets are lost when the gossip about the address is still under way.
                        address = self.address_of(cluster.nodes[peer], others[subnet].attrs, subnet)
                        script.append(f"until {enter} {address}; do :; done")
            node.run("\n".join(script))

        cluster.each(reach_other_anchors)

    def _open_networks(self, cluster: ClusterAccess) -> Any:
        """Have every node join every network, by a service with a task on each; the service.

        A slow node takes longer to make its part of a network than Docker waits for a container that is attached
        (ATTACHMENT_S), and takes it away again then. Tasks of services have no such bound. Raises LabError.
        """
        manager, *_ = cluster.nodes.values()
        cluster.each(lambda node: node.run(f"{shlex.join(['modprobe', '-qa', *MODULES])}; true", timeout_s=MODULES_S))
        try:
            services: Any = manager.docker.services
            service = services.create(
                DEMO_IMAGE,
                ["sleep", "2147483647"],
                name=OPENER,
                networks=[self.network_of(subnet) for subnet in self.subnets],
                mode=ServiceMode("global"),
                endpoint_spec=EndpointSpec(mode="dnsrr"),
                stop_grace_period=0,
            )
            wait_for("swarm", lambda: self._not_open(service), timeout_s=OPEN_S * self.inventory.patience)
        except docker.errors.DockerException as error:
            raise LabError(f"swarm: its networks are not on every node: Docker: {error}") from None
        return service

    def _not_open(self, service: Any) -> str | None:
        running = [task for task in service.tasks() if task["Status"]["State"] == "running"]
        missing = len(self.inventory.nodes) - len(running)
        return f"{missing} nodes have not joined its networks" if missing else None

    def _start_anchors(self, node: NodeAccess) -> dict[str, Container]:
        """{subnet: anchor}. One after the other, since a worker loses one of two networks that it joins at once.

        The ingress network may still be the other one, so a start that Docker refuses is made again.
        """
        anchors = {}
        for subnet in self.subnets:
            try:
                anchor = node.docker.containers.create(
                    DEMO_IMAGE,
                    ["sleep", "2147483647"],
                    name=_anchor_name(subnet),
                    restart_policy={"Name": "always"},
                    stop_signal="SIGKILL",
                    **self.attach(subnet),
                )
                wait_for(
                    f"node {node.name}: subnet {subnet}: Docker",
                    partial(_refusal, anchor),
                    timeout_s=ATTEMPTS * ATTACHMENT_S * node.node.patience,
                )
                anchor.reload()
            except (docker.errors.DockerException, requests.RequestException) as error:
                raise LabError(f"node {node.name}: subnet {subnet}: Docker: {error}") from None
            anchors[subnet] = anchor
        return anchors

    def start(self, node: NodeAccess) -> None:
        """Wait until the engine has rejoined the swarm, which it does by itself, and the anchors run again."""
        timeout_s = READY_TIMEOUT_S * node.node.patience
        wait_for(f"node {node.name}: swarm", lambda: self._not_rejoined(node), timeout_s=timeout_s)

    def _not_rejoined(self, node: NodeAccess) -> str | None:
        try:
            state = node.docker.info()["Swarm"]["LocalNodeState"]
            if state != "active":
                return f"the node is {state}"
            anchors = [_anchor_name(subnet) for subnet in self.subnets]
            for container in node.docker.containers.list(all=True):
                # Docker tries to start them once, and gives up when it does not know the network yet.
                if container.name in anchors and container.status != "running":
                    container.start()
        except docker.errors.APIError as error:
            return str(error.explanation)
        return None

    def attach(self, subnet: str) -> dict[str, Any]:
        return {"network": self.network_of(subnet)}

    def expose(self, node: NodeAccess, subnet: str) -> None:
        raise HarnessError(f"node {node.name}: overlay swarm cannot expose a node to subnet {subnet}; it declares so")

    def hide(self, node: NodeAccess, subnet: str) -> None:
        """Do nothing: a node is never exposed."""

    def exposed(self, node: NodeAccess, subnet: str) -> IPv4Address | None:
        return None

    def peers(self, node: NodeAccess) -> tuple[Peer, ...]:
        """The nodes in this node's NetworkDB, all of which share the ingress network, where there is one."""
        return sandbox.gossip_peers(self.inventory, node, [self.network_of(subnet) for subnet in self.subnets])

    def mtu(self, subnet: str) -> int:
        most = 1500 - OVERHEAD
        if self.option("encrypted", False):
            most = (most - ESP_ROOM) // 4 * 4
        return int(self.option("mtu", most))

    def links(self, node: NodeAccess) -> dict[str, Link]:
        found: dict[str, Link] = {}
        for subnet in self.subnets:
            netns = self._netns_of(node, subnet)
            if netns is not None:
                found |= sandbox.links(subnet, netns)
        return {**found, "NIC": Link(node.node.interface)}

    def service_source(self, node: NodeAccess, subnet: str) -> str:
        return sandbox.balancer_of(node, self.network_of(subnet))

    def vxlan_of(self, node: NodeAccess, subnet: str) -> VxlanTunnel:
        return sandbox.vxlan_of(node, self.network_of(subnet))

    def _netns_of(self, node: NodeAccess, subnet: str) -> str | None:
        network = sandbox.inspect(node, self.network_of(subnet))
        return None if network is None else sandbox.netns_of(node, network["Id"])

    def wait_until_known(self, node: NodeAccess, subnet: str, addresses: Collection[str]) -> bool:
        """Wait until the network's neighbour table has every address; Docker adds one when gossip brings it."""
        return sandbox.wait_until_known(node, self._netns_of(node, subnet), addresses)


def _refusal(container: Container) -> str | None:
    """Why Docker does not start a container; None when it has."""
    try:
        container.start()
    except docker.errors.APIError as error:
        return str(error.explanation)
    return None


def _anchor_name(subnet: str) -> str:
    return f"flatnet-anchor-{subnet}"


def _addresses(node: NodeAccess) -> dict[str, Any]:
    return {
        "advertise_addr": node.address,
        "listen_addr": f"{node.address}:{PORT}",
        "data_path_addr": node.address,
    }
