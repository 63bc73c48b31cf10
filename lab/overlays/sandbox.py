"""What Docker's overlay driver keeps for a network on a node: its namespace, its neighbour table, its gossip."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

import docker
import requests

from lab.answers import reading
from lab.inventory import Inventory

from ..errors import HarnessError
from .base import Link, Peer, VxlanTunnel

if TYPE_CHECKING:
    from lab.access.cluster import NodeAccess

GOSSIP_S = 10
"""How long to wait until a node has learned of a new container by gossip, seconds."""
VXLAN_PORT = 4789
"""Unless the swarm was made with another one (`--data-path-port`)."""
SANDBOXES = "/var/run/docker/netns"


def inspect(node: NodeAccess, name: str) -> dict[str, Any] | None:
    """The network of that name as the node's engine describes it; None when the engine does not know it.

    A worker of a swarm knows an overlay network only while one of its containers is attached to it. Raises
    HarnessError when the engine does not answer.
    """
    try:
        for network in node.docker.api.networks(names=[name]):
            if network["Name"] == name:  # the filter also finds names that contain it
                found: dict[str, Any] = node.docker.api.inspect_network(network["Id"])
                return found
    except docker.errors.NotFound:  # it went between the two requests
        return None
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        raise HarnessError(f"node {node.name}: Docker: {error}") from None
    return None


def netns_of(node: NodeAccess, network_id: str) -> str | None:
    """Path of the namespace with bridge and tunnel; None while no container of the node is in the network."""
    netns = f"{SANDBOXES}/1-{network_id[:10]}"
    return netns if node.run(f"if [ -e {shlex.quote(netns)} ]; then echo there; fi").stdout else None


def links(subnet: str, netns: str) -> dict[str, Link]:
    """Bridge and tunnel of a network in its namespace."""
    return {f"bridge {subnet}": Link("br0", netns), f"tunnel {subnet}": Link("vxlan0", netns)}


def vxlan_of(node: NodeAccess, name: str) -> VxlanTunnel:
    """The VXLAN of an overlay network. Raises HarnessError when the engine does not tell it."""
    network = inspect(node, name)
    try:
        told = node.docker.info()["Swarm"]
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        raise HarnessError(f"node {node.name}: Docker: {error}") from None
    with reading(f"node {node.name}: network {name}: Docker"):
        vni = ((network or {}).get("Options") or {})["com.docker.network.driver.overlay.vxlanid_list"]
        port = (told.get("Cluster") or {}).get("DataPathPort") or VXLAN_PORT  # workers are not told it
        return VxlanTunnel(int(port), int(vni))


def balancer_of(node: NodeAccess, name: str) -> str:
    """The address of an overlay network's load balancer on the node, which Docker puts in the place of a sender's.

    Raises HarnessError when the engine tells none.
    """
    network = inspect(node, name)
    with reading(f"node {node.name}: network {name}: Docker"):
        own = ((network or {}).get("Containers") or {})[f"lb-{name}"]
        return str(own["IPv4Address"]).partition("/")[0]


def gossip_peers(inventory: Inventory, node: NodeAccess, names: Iterable[str]) -> tuple[Peer, ...]:
    """The other nodes, established when this node's NetworkDB has them, by the overlay networks of these names.

    All nodes of a swarm share the ingress network; where there is none, the networks themselves are looked at.
    """
    known = {peer["IP"] for network in _overlay_networks(node, set(names)) for peer in network.get("Peers") or ()}
    return tuple(
        Peer(
            name=peer.name,
            address=peer.address,
            established=str(peer.address) in known,
            detail="in the gossip of the swarm's networks"
            if str(peer.address) in known
            else "not in the gossip of any network of the swarm",
        )
        for peer in inventory.nodes
        if peer.name != node.name
    )


def _overlay_networks(node: NodeAccess, names: set[str]) -> list[dict[str, Any]]:
    try:
        listed = node.docker.api.networks(filters={"scope": "swarm"})
        found = [node.docker.api.inspect_network(network["Id"]) for network in listed]
    except docker.errors.DockerException as error:
        raise HarnessError(f"node {node.name}: Docker: {error}") from None
    ingress = [network for network in found if network["Ingress"]]
    return ingress or [network for network in found if network["Name"] in names]


def wait_until_known(node: NodeAccess, netns: str | None, addresses: Collection[str]) -> bool:
    """Wait until the network's neighbour table has every address; Docker adds one when gossip brings it.

    False when time ran out; True at once where the node has no part in the network.
    """
    if netns is None or not addresses:
        return True
    show_entry = f"nsenter --net={shlex.quote(netns)} ip neighbour show to $address"
    script = [
        "set -e",
        f"until=$(($(date +%s) + {GOSSIP_S}))",
        f"for address in {shlex.join(addresses)}; do",
        "while :; do",
        f"entry=$({show_entry})",
        'if [ -n "$entry" ]; then break; fi',
        "if [ $(date +%s) -ge $until ]; then echo late; exit; fi",
        "sleep 0.02",
        "done",
        "done",
    ]
    return not node.run("\n".join(script), timeout_s=GOSSIP_S * 2).stdout
