"""Makes a fresh lab ready: waits until every daemon answers and the overlay's peers reach each other."""

from __future__ import annotations

import shlex
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path

import consul
import docker
import requests

from lab.access import consul as consul_api
from lab.access import nomad
from lab.access.cluster import ClusterAccess, NodeAccess
from lab.errors import HarnessError, LabError
from lab.images import demo_image
from lab.inventory import Inventory, Node
from lab.overlays import adapter
from lab.programs import find_program
from lab.waiting import READY_TIMEOUT_S, wait_for

from .acl import make_consul_tokens, make_nomad_tokens
from .foreign import bastion_address
from .preflight import NO_NOMAD

BANNER_TIMEOUT_S = 2.0
Progress = Callable[[str, float], None]
BOOT_TIMEOUT_S = 100.0
"""Bound on an engine's start, seconds: it waits several times for a network plugin that runs in a container itself."""


def make_ready(inventory: Inventory, progress: Progress, *, foreign: Path | None = None) -> None:
    """Bring a lab from bare nodes to a working cluster. Raises LabError naming what does not come.

    `foreign`: the run directory of a lab with a foreign face; its Consul and Nomad get their policies and tokens.
    """
    began = time.monotonic()
    cluster = ClusterAccess(inventory)

    def report(step: str) -> None:
        progress(step, time.monotonic() - began)

    try:
        with ThreadPoolExecutor(max_workers=2) as pool:
            stop = threading.Event()
            consul = pool.submit(_consul_ready, cluster, stop, foreign) if inventory.consul is not None else None
            try:
                cluster.each(_ssh_ready)
                report("ssh answers on every node")
                if foreign is not None:
                    _sshd_ready("bastion", bastion_address(inventory))
                    cluster.each(lambda node: _sshd_ready(node.name, node.node.address))
                    report("ssh for others answers on the bastion and on every node")
                cluster.each(_docker_ready)
                report("Docker answers on every node")
                images = pool.submit(cluster.each, load_demo_image)
                overlay = adapter(inventory)
                overlay.deploy(cluster)
                report(f"overlay {overlay.name} is made")
                images.result()
                report("demo image loaded on every node")
                overlay.prove(cluster)
                report(f"overlay {overlay.name}: every pair of peers passes packets")
                if consul is not None:
                    consul.result()
                    report("Consul has a leader and all its voters")
                if inventory.nomad is not None:
                    if foreign is not None:
                        make_nomad_tokens(inventory, foreign)
                    _nomad_ready(cluster)
                    report("Nomad has a leader, all its servers, and every client ready")
                elif find_program("nomad") is None:
                    report(f"no Nomad on this machine: {NO_NOMAD}")
            except BaseException:
                stop.set()
                raise
    except HarnessError as error:
        raise error if isinstance(error, LabError) else LabError(str(error)) from None
    finally:
        cluster.close()


def await_recovery(inventory: Inventory) -> None:
    """Wait until Consul on every node, and Nomad, work again in a lab that was healed.

    An agent that was cut off takes some seconds to find its leader. Raises LabError naming what does not come.
    """
    cluster = ClusterAccess(inventory)
    try:
        if inventory.consul is not None:
            for node in cluster.nodes.values():
                client = consul_api.connect(node, inventory.consul, timeout_s=2 * node.node.patience)
                until_s = READY_TIMEOUT_S * inventory.patience
                wait_for(f"Consul on {node.name}", partial(_consul_unready, inventory, client), timeout_s=until_s)
        if inventory.nomad is not None:
            _nomad_ready(cluster)
    finally:
        cluster.close()


def boot(inventory: Inventory, name: str) -> None:
    """Bring a node that was just started into the cluster, as its own boot scripts would.

    Raises LabError naming what does not come.
    """
    cluster = ClusterAccess(inventory)
    try:
        node = cluster.nodes[name]
        _ssh_ready(node)
        _docker_ready(node, timeout_s=BOOT_TIMEOUT_S)
        adapter(inventory).start(node)  # Nomad comes back later; tests that need it wait for it themselves
    finally:
        cluster.close()


def _ssh_ready(node: NodeAccess) -> None:
    def why_not() -> str | None:
        try:
            node.shell.connect()  # a closed port is refused at once; the key exchange takes seconds on a slow machine
        except LabError as error:
            return str(error)
        return None

    wait_for(f"node {node.name}: sshd", why_not, timeout_s=boot_s(node.node))


def boot_s(node: Node) -> float:
    """How long a node's kernel and init may take until daemons answer, seconds: an emulated machine boots first."""
    return READY_TIMEOUT_S if node.patience == 1 else BOOT_TIMEOUT_S * node.patience


def _sshd_ready(machine: str, address: IPv4Address) -> None:
    """Wait until an sshd sends its banner (RFC 4253 §4.2) at port 22."""

    def why_not() -> str | None:
        try:
            with socket.create_connection((str(address), 22), timeout=BANNER_TIMEOUT_S) as connection:
                return None if connection.recv(4) == b"SSH-" else "no banner"
        except OSError as error:
            return str(error)

    wait_for(f"{machine}: sshd", why_not)


def _docker_ready(node: NodeAccess, *, timeout_s: float = READY_TIMEOUT_S) -> None:
    socket_path, endpoint = shlex.quote(node.node.docker.removeprefix("unix://")), shlex.quote(node.node.docker)
    script = f"until curl -sf --unix-socket {socket_path} http://docker/_ping >/dev/null; do sleep 0.02; done"
    fallback = f"until docker --host {endpoint} version >/dev/null 2>&1; do sleep 0.05; done"
    node.run(f"if command -v curl >/dev/null; then {script}; else {fallback}; fi", timeout_s=timeout_s)
    _ = node.docker


def load_demo_image(node: NodeAccess) -> None:
    """Load the demo image into the node's engine. Raises HarnessError when it refuses."""
    try:
        node.docker.images.load(demo_image())
    except (docker.errors.DockerException, requests.RequestException, OSError, EOFError) as error:
        reason = str(error) or "the connection was lost"
        raise HarnessError(f"node {node.name}: Docker refused the demo image: {reason}") from None


def _consul_ready(cluster: ClusterAccess, stop: threading.Event, foreign: Path | None) -> None:
    """Wait until one of Consul's servers lists all voters, a leader and all nodes."""
    inventory = cluster.inventory
    assert inventory.consul is not None
    if foreign is not None:
        make_consul_tokens(inventory, foreign, stop.is_set)
    server = next(node for node in cluster.nodes.values() if node.node.consul_server)
    client = consul_api.connect(server, inventory.consul, timeout_s=2 * server.node.patience)

    def why_not() -> str | None:
        if stop.is_set():
            raise LabError("Consul: given up, another part of the lab failed")
        return _consul_unready(inventory, client)

    wait_for(f"Consul on {server.name}", why_not, timeout_s=READY_TIMEOUT_S * inventory.patience)


def _consul_unready(inventory: Inventory, client: consul_api.ConsulClient) -> str | None:
    """What is still missing according to the agent of `client`; None when nothing is."""
    servers = sum(node.consul_server for node in inventory.nodes)
    try:
        peers = client.operator.raft_config()["Servers"]
        _, members = client.catalog.nodes()
    except (requests.RequestException, consul.ConsulException, ValueError, KeyError) as error:
        return type(error).__name__
    voters = [peer for peer in peers if peer["Voter"]]
    if len(voters) < servers or not any(peer["Leader"] for peer in peers):
        return f"{len(voters)} of {servers} voters"
    if len(members) < len(inventory.nodes):
        return f"{len(members)} of {len(inventory.nodes)} nodes in its registry"
    return None


def _nomad_ready(cluster: ClusterAccess) -> None:
    """Wait until one of Nomad's servers lists all servers and ready clients."""
    inventory = cluster.inventory
    settings = inventory.nomad
    assert settings is not None
    server = next(node for node in cluster.nodes.values() if node.node.nomad_server)
    why_not = partial(nomad.unready, inventory, nomad.connect(server, settings, timeout_s=2 * inventory.patience))
    wait_for("Nomad", why_not, timeout_s=READY_TIMEOUT_S * inventory.patience)
