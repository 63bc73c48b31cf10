"""Every overlay keeps the adapters' contract on a lab of its own, and a suite runs on each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, TypeVar

import pytest

from lab.access import operations
from lab.access.cluster import ClusterAccess, NodeAccess
from lab.embedded import lifecycle as embedded
from lab.errors import HarnessError
from lab.images import DEMO_IMAGE
from lab.inventory import Inventory, dump, load
from lab.overlays import IN_LABS, OVERLAYS, Overlay, adapter
from lab.waiting import wait_for

from .conftest import ROOT, lab_command

T = TypeVar("T")
NODES = 2
BRIDGED = {"bridge": "bridge", "tunnel": "vxlan"}
BY_ROUTER = {"bridge": "bridge", "router": "veth"}
KINDS = {
    "vxlan": BRIDGED,
    "swarm": BRIDGED,
    "evpn": BRIDGED,
    "routed": {"bridge": "bridge"},
    "wireguard": {"bridge": "bridge"},
    "weave-plugin": BY_ROUTER,
    "weave-proxy": BY_ROUTER,
    "docker-vxlan": BRIDGED,
    "docker-swarm": BRIDGED,
}
"""For each overlay, the links that it has per subnet: {role: kind of interface, as the kernel names it}."""
BY_NAME: dict[str, tuple[str, dict[str, str | int | bool]]] = {
    "docker-vxlan": ("vxlan", {"expose": "bridge", "mtu": 1450}),
    "docker-swarm": ("swarm", {"driver": "overlay", "mtu": 1450}),
}
"""Networks of a lab's overlay as the adapter docker sees them: {name here: (the lab's overlay, options)}."""
KNOWN_TO_DISCOVER = ("vxlan", "swarm", "routed", "wireguard", "evpn")
"""Overlays that `python -m lab discover` recognises by what the nodes show."""
IGNORES_SUBNETS = {"weave-plugin"}
"""Overlays that put every container into the default subnet: Weave's plugin does not read WEAVE_CIDR."""


@dataclass(frozen=True)
class Deployed:
    """A lab with an overlay, and a thread in its manager namespace in which everything is done."""

    overlay: Overlay
    cluster: ClusterAccess
    thread: ThreadPoolExecutor
    run_dir: Path
    """Where the lab keeps its state."""
    name: str
    """The lab's name, and the key of KINDS."""
    chosen: tuple[str, ...]
    """The options by which pytest finds it."""

    def do(self, function: Callable[..., T], *arguments: Any) -> T:
        return self.thread.submit(function, *arguments).result()

    def each(self, function: Callable[[NodeAccess], T]) -> dict[str, T]:
        return self.do(self.cluster.each, function)


def skip_unless_available(overlay: str) -> None:
    """Skip the test where the machine lacks what the overlay needs, as its adapter declares."""
    lacking = OVERLAYS[overlay].lacking()
    if lacking is not None:
        pytest.skip(lacking)


@pytest.fixture(
    scope="module",
    params=[*sorted(IN_LABS), *(pytest.param(name, marks=pytest.mark.nightly) for name in sorted(BY_NAME))],
)
def deployed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """A new lab of two nodes with the overlay."""
    run_dir, name = tmp_path_factory.mktemp("run"), request.param
    made_of, options = BY_NAME.get(name, (name, {}))
    skip_unless_available(made_of)
    up = lab_command("up", "--lab", name, "--overlay", made_of, "--nodes", str(NODES), "--no-nomad", run_dir=run_dir)
    assert up.returncode == 0, up.stdout + up.stderr
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(max_workers=1) as thread:
        patch.setenv("FLATNET_RUN", str(run_dir))
        try:
            inventory, chosen = embedded.attach(name).inventory, ("--lab", name)
            if options:
                inventory = by_name(inventory, options)
                file = run_dir / "cluster.yaml"
                file.write_text(dump(inventory))
                chosen = ("--cluster", str(file))
            # Threads inherit the namespace of the one that starts them; the test process stays outside.
            thread.submit(embedded.join, inventory).result()
            cluster = ClusterAccess(inventory)
            yield Deployed(adapter(inventory), cluster, thread, run_dir, name, chosen)
            thread.submit(cluster.close).result()
        finally:
            lab_command("down", "--lab", name, run_dir=run_dir)


def by_name(inventory: Inventory, options: dict[str, str | int | bool]) -> Inventory:
    """The lab's inventory with its Docker networks by their names, as somebody else's."""
    subnets = inventory.overlay.subnets
    networks = {subnet: str(adapter(inventory).network_of(subnet)) for subnet in subnets}
    overlay = {"name": "docker", "range": None, "networks": networks, "options": options}
    return inventory.model_copy(update={"overlay": inventory.overlay.model_copy(update=overlay)})


@dataclass(frozen=True)
class Attached:
    """A container of the test, with its address according to the overlay and to itself."""

    name: str
    subnet: str
    address: IPv4Address
    own: dict[str, int]
    """{address: MTU in bytes} of its interfaces, according to its own `ip address`."""
    pid: int


@pytest.fixture(scope="module")
def attached(deployed: Deployed) -> Iterator[dict[str, list[Attached]]]:
    """One container per subnet on every node: {node: containers}."""

    def attach(node: NodeAccess) -> list[Attached]:
        return [_attach(deployed.overlay, node, subnet) for subnet in deployed.overlay.subnets]

    made = deployed.each(attach)
    yield made

    def remove(node: NodeAccess) -> None:
        for container in made[node.name]:
            node.docker.containers.get(container.name).remove(force=True)

    deployed.each(remove)


def _attach(overlay: Overlay, node: NodeAccess, subnet: str) -> Attached:
    engine = node.docker_at(overlay.endpoint(node.node))
    handle = engine.containers.run(DEMO_IMAGE, detach=True, name=f"test-{subnet}", **overlay.attach(subnet))
    handle.reload()
    pid = handle.attrs["State"]["Pid"]
    links = json.loads(node.run(["nsenter", "-t", str(pid), "-n", "ip", "-json", "-4", "address"]).stdout)
    own = {entry["local"]: link["mtu"] for link in links for entry in link["addr_info"]}
    return Attached(f"test-{subnet}", subnet, overlay.address_of(node, handle.attrs, subnet), own, pid)


def test_an_attached_container_has_an_address_of_its_subnet(
    deployed: Deployed, attached: dict[str, list[Attached]]
) -> None:
    containers = [container for on_node in attached.values() for container in on_node]
    assert len(containers) == NODES * len(deployed.overlay.subnets)
    assert len({container.address for container in containers}) == len(containers)
    for container in containers:
        ignored = deployed.overlay.name in IGNORES_SUBNETS
        subnet = deployed.cluster.inventory.default_subnet if ignored else container.subnet
        assert container.address in deployed.overlay.subnets[subnet]
        assert container.own[str(container.address)] == deployed.overlay.mtu(container.subnet)


def test_containers_of_a_subnet_reach_each_other_across_nodes(
    deployed: Deployed, attached: dict[str, list[Attached]]
) -> None:
    def ping_others(node: NodeAccess) -> dict[str, bool]:
        known = {}
        for source in attached[node.name]:
            others = [
                str(container.address)
                for name, on_node in attached.items()
                for container in on_node
                if name != node.name and container.subnet == source.subnet
            ]
            known[source.subnet] = deployed.overlay.wait_until_known(node, source.subnet, others)
            for address in others:
                node.run(["nsenter", "-t", str(source.pid), "-n", "busybox", "ping", "-c", "1", "-W", "3", address])
        return known

    known = deployed.each(ping_others)
    assert known == {name: dict.fromkeys(deployed.overlay.subnets, True) for name in deployed.cluster.nodes}


def test_every_node_has_every_other_as_its_peer_or_the_adapter_says_that_nothing_knows_them(deployed: Deployed) -> None:
    if not deployed.overlay.capabilities.peers:
        with pytest.raises(HarnessError, match="node u1: nothing is known of the overlay's peers"):
            deployed.each(deployed.overlay.peers)
        return
    for name, peers in deployed.each(deployed.overlay.peers).items():
        others = {node.name: node.address for node in deployed.cluster.inventory.nodes if node.name != name}
        assert {peer.name: peer.address for peer in peers} == others
        assert all(peer.established for peer in peers), peers


def test_the_links_on_the_path_are_where_the_adapter_says(
    deployed: Deployed, attached: dict[str, list[Attached]]
) -> None:
    def find_kinds(node: NodeAccess) -> dict[str, str]:
        found = {}
        for role, link in deployed.overlay.links(node).items():
            enter = ["nsenter", f"--net={link.netns}"] if link.netns else []
            shown = json.loads(node.run([*enter, "ip", "-json", "-details", "link", "show", "dev", link.name]).stdout)
            found[role] = shown[0].get("linkinfo", {}).get("info_kind", "")
        return found

    subnets, kinds_of = deployed.overlay.subnets, KINDS[deployed.name]
    expected = {f"{role} {subnet}": kind for subnet in subnets for role, kind in kinds_of.items()}
    for kinds in deployed.each(find_kinds).values():
        assert {role: kind for role, kind in kinds.items() if role != "NIC"} == expected
        assert "NIC" in kinds


def test_a_node_is_exposed_or_the_adapter_says_that_it_cannot_be(deployed: Deployed) -> None:
    overlay, node = deployed.overlay, deployed.cluster.nodes["u1"]
    for subnet, network in overlay.subnets.items():
        exposed_as = partial(deployed.do, overlay.exposed, node, subnet)
        if overlay.capabilities.always:
            deployed.do(overlay.hide, node, subnet)
            assert exposed_as() in network
            with pytest.raises(HarnessError, match="node u1"):
                deployed.do(overlay.expose, node, subnet)
            continue
        assert exposed_as() is None
        if overlay.capabilities.expose:
            for _ in range(2):
                deployed.do(overlay.expose, node, subnet)
                assert exposed_as() in network
        else:
            with pytest.raises(HarnessError, match="node u1"):
                deployed.do(overlay.expose, node, subnet)
        deployed.do(overlay.hide, node, subnet)
        assert exposed_as() is None


def test_a_container_without_an_overlay_address_is_an_error(deployed: Deployed) -> None:
    for subnet in deployed.overlay.subnets:
        details = {
            "Id": "0" * 64,
            "Name": "/lost",
            "NetworkSettings": {"Networks": {"bridge": {"IPAddress": "172.17.0.2"}}},
        }
        with pytest.raises(HarnessError, match="container lost"):
            deployed.do(deployed.overlay.address_of, deployed.cluster.nodes["u1"], details, subnet)


def test_discover_proposes_the_overlay_that_the_lab_has(deployed: Deployed, tmp_path: Path) -> None:
    if deployed.name not in KNOWN_TO_DISCOVER:
        pytest.skip("its networks are recognised as those of another overlay, or by Weave's own report")
    inventory, file = deployed.cluster.inventory, tmp_path / "cluster.yaml"
    ssh = inventory.nodes[0].ssh
    done = deployed.do(
        partial(
            subprocess.run,
            [
                *(
                    sys.executable,
                    "-m",
                    "lab",
                    "discover",
                    "--key",
                    str(ssh.key),
                    "--known-hosts",
                    str(ssh.known_hosts),
                ),
                *("--out", str(file), *(f"root@{node.address}" for node in inventory.nodes)),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    )
    assert done.returncode == 0, done.stdout + done.stderr
    made = load(file)
    assert (made.overlay.name, made.overlay.subnets) == (deployed.name, inventory.overlay.subnets), file.read_text()
    assert not made.overlay.options, "all is as in a lab"
    found, own = adapter(made), deployed.overlay
    assert [found.network_of(subnet) for subnet in made.overlay.subnets] == [
        own.network_of(subnet) for subnet in own.subnets
    ]
    for peers in deployed.each(found.peers).values():
        assert all(peer.established for peer in peers), peers


def test_containers_reach_each_other_without_nat_on_every_overlay(deployed: Deployed, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "suites/no_nat", *deployed.chosen, "--out", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "FLATNET_RUN": str(deployed.run_dir)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    verdict = json.loads((tmp_path / "latest" / "verdict.json").read_text())
    statuses = {name: entry["status"] for name, entry in verdict["requirements"].items()}
    assert statuses["NET-1"] == "pass", done.stdout
    assert not {"fail", "error"} & set(statuses.values()), statuses
    assert done.returncode == 0, done.stdout


def test_an_overlay_that_is_declared_encrypted_and_is_not_fails(deployed: Deployed, tmp_path: Path) -> None:
    """PATH-8 reads the probes of plain VXLAN on the underlay."""
    if deployed.name != "vxlan":
        pytest.skip("one overlay without encryption is enough")
    overlay = deployed.cluster.inventory.overlay
    options = {"options": {**overlay.options, "encrypted": True}}
    file = tmp_path / "cluster.yaml"
    declared = deployed.cluster.inventory.model_copy(update={"overlay": overlay.model_copy(update=options)})
    file.write_text(dump(declared))
    chosen = ["suites/path/test_encryption.py", "--cluster", str(file), "--out", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *chosen],
        cwd=ROOT,
        env={**os.environ, "FLATNET_RUN": str(deployed.run_dir)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    judged = json.loads((tmp_path / "latest" / "verdict.json").read_text())["requirements"]["PATH-8"]
    assert done.returncode == 1 and judged["status"] == "fail", done.stdout
    assert "can be read at" in judged["reason"] and "protocol 17" in judged["reason"]


def test_a_docker_client_still_works_after_the_engine_was_restarted(deployed: Deployed) -> None:
    node = deployed.cluster.nodes["u2"]

    def restart() -> str:
        before = node.docker.version()["Version"]
        operations.stop_docker(node)
        operations.start_docker(node)
        wait_for("engine of u2", lambda: None if node.run("docker version", check=False).exit_status == 0 else "down")
        return f"{before} {node.docker.version()['Version']}"

    before, after = deployed.do(restart).split()
    assert before == after
