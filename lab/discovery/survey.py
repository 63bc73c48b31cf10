"""Asks the nodes: first those that a person names, then every one that these know of."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import IPv4Address, IPv4Network

import docker
import requests

from lab.access.cluster import ClusterAccess, NodeAccess
from lab.answers import ODD
from lab.errors import HarnessError
from lab.inventory import Inventory, Node, Overlay

from .cluster import same_node, short
from .questions import ASK_HTTP, SCRIPT, Engine, Survey, read_host, read_http
from .services import SERVICE_PORTS, members_of, urls

SIDE_BY_SIDE = 32
"""Nodes that are asked at the same time."""
HTTP_TIMEOUT_S = 60.0
CONNECT_TIMEOUT_S = 2.0
_NOWHERE = Overlay(name="docker", subnets={"unknown": IPv4Network("255.255.255.255/32")})
"""The overlay of an inventory that is made only to reach nodes."""
MakeNode = Callable[[str, str], Node]
"""(name, address) → the node, with the way to it that the person gave."""
Report = Callable[[str], None]


@dataclass(frozen=True)
class Target:
    """A node that somebody names."""

    name: str
    address: IPv4Address


def survey(targets: Sequence[Target], make_node: MakeNode, report: Report) -> list[Survey]:
    """The answers of the targets, and of every node that they know; `report` is told each step in words."""
    surveys = _ask_all([make_node(target.name, str(target.address)) for target in targets], report)
    while True:
        known = [
            member
            for member in members_of(surveys)
            if not any(same_node(one, member) for one in surveys) and member.address
        ]
        if not known:
            return surveys
        names = [member.name.partition(".")[0] or member.address for member in known]
        report(f"{', '.join(names)}: known to {', '.join(dict.fromkeys(member.known_to for member in known))}")
        surveys += _ask_all(
            [make_node(short(name), member.address) for name, member in zip(names, known, strict=True)], report
        )


def _ask_all(nodes: Sequence[Node], report: Report) -> list[Survey]:
    """The nodes' answers, side by side, in their order."""

    def do(node: Node) -> Survey:
        found = ask(node)
        wrong = "; ".join(found.errors.values())
        told = found.host.hostname if found.host is not None else node.name
        report(f"{told} ({found.address}): {wrong or 'answered'}")
        return found

    with ThreadPoolExecutor(max_workers=SIDE_BY_SIDE) as pool:
        return list(pool.map(do, nodes))


def ask(node: Node) -> Survey:
    """Everything that one node is asked.

    An SSH user that is not root is asked for what it sees; Docker's socket takes one of the group docker, else
    `sudo -n` is tried. By the engine's API alone there is no shell, and starting a container to have one would
    change the node.
    """
    inventory = Inventory(name="discovery", nodes=(node,), overlay=_NOWHERE)
    found = Survey(node.name, str(node.address))
    if node.via == "ssh":
        asked = node if node.become != "docker" else node.model_copy(update={"become": "none"})
        found = _with(inventory, asked, lambda access: _ask_shell(access, found))
        if found.host is None:
            return found
        become = node.become
        if become == "none" and found.host.uid != 0:
            become = "docker" if "docker" in found.host.groups else "sudo" if found.host.sudo else "none"
            if become == "none":
                wrong = f"user {found.host.user} is not root, may not use `sudo -n`, and is not in the group docker"
                return replace(
                    found, errors={**found.errors, "docker": f"{wrong}; use another user, or allow one of these"}
                )
        found = replace(found, become=become)
        if become == "sudo" and asked.become == "none":
            asked = asked.model_copy(update={"become": "sudo"})
            found = _with(inventory, asked, lambda access: _ask_shell(access, found))
        return _with(inventory, asked, lambda access: _ask_engine(access, found))
    return _with(inventory, node, lambda access: _ask_engine(access, found))


def _with(inventory: Inventory, node: Node, do: Callable[[NodeAccess], Survey]) -> Survey:
    cluster = ClusterAccess(inventory.model_copy(update={"nodes": (node,)}))
    try:
        return do(cluster.nodes[node.name])
    finally:
        cluster.close()


def _ask_shell(node: NodeAccess, found: Survey) -> Survey:
    try:
        host = read_host(node.run(SCRIPT, check=False).stdout)
    except (HarnessError, *ODD) as error:
        return replace(found, errors={**found.errors, "node": _reason(error, node.name)})
    known = {str(one.ip) for addresses in host.addresses.values() for one in addresses}
    if found.address not in known and host.reached_at in known:
        found = replace(found, address=host.reached_at)  # it was dialled by a name, or through another machine
    found = replace(found, host=host)
    if not host.python:
        return replace(found, errors={**found.errors, "http": "Consul and Nomad were not asked: it has no python3"})
    try:
        asked = node.run(["python3", "-c", ASK_HTTP, *urls(found.address)], timeout_s=HTTP_TIMEOUT_S)
        found = replace(found, http=read_http(asked.stdout))
        return replace(found, from_runner=frozenset(filter(partial(_reached, found.address), SERVICE_PORTS)))
    except (HarnessError, *ODD) as error:
        return replace(found, errors={**found.errors, "http": f"Consul and Nomad: {_reason(error, node.name)}"})


def _ask_engine(node: NodeAccess, found: Survey) -> Survey:
    try:
        api = node.docker.api
        info = api.info()
        manager = bool((info.get("Swarm") or {}).get("ControlAvailable"))
        networks = tuple(api.inspect_network(network["Id"]) for network in api.networks())
        members = tuple(api.nodes()) if manager else ()
        return replace(found, engine=Engine(info, api.version(), networks, members))
    except (HarnessError, docker.errors.DockerException, requests.RequestException, OSError, *ODD) as error:
        return replace(found, errors={**found.errors, "docker": _reason(error, node.name)})


def _reached(address: str, port: int) -> bool:
    """Whether this process can connect; nothing is sent."""
    try:
        with socket.create_connection((address, port), CONNECT_TIMEOUT_S):
            return True
    except OSError:
        return False


def _reason(error: Exception, name: str) -> str:
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[0].removeprefix(f"node {name}: ")
