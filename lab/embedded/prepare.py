"""Writes what a lab starts from into its run directory: plan, keys, files of the machines, inventories."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.inventory import Inventory, dump
from lab.underlay import LAN

from . import faces, files, foreign, plan, roots
from .cgroups import parent_of
from .keys import make_key
from .plan import LabSpec
from .userland import Userland, borrowed
from .vm import files as vm_files
from .vm import image as vm_image
from .vm import kvm
from .vm.clock import tsc_khz
from .vm.qemu import EMULATED, plan_vm

if TYPE_CHECKING:
    from .credentials import Credentials

SYSCTLS = {
    # Docker closes FORWARD when it is the one to switch routing on (and never otherwise).
    "net.ipv4.ip_forward": 0,
    # Answers leave by the overlay, questions come by the underlay: loose (RFC 3704 §2.4).
    "net.ipv4.conf.all.rp_filter": 2,
    "net.ipv4.conf.default.rp_filter": 2,
    "net.bridge.bridge-nf-call-iptables": 1,
}
BASTION_SYSCTLS = {"net.ipv4.icmp_ratelimit": 0}
"""Every connection that is not granted is rejected at once, not once a second (icmp(7))."""
OUTSIDE = "mgmt"
"""The bridge of a foreign lab's management network."""


def write(spec: LabSpec) -> None:
    """Write everything that the supervisor and the machines read when they start."""
    mask = os.umask(0o022)  # users of a foreign lab's machines read some of it
    try:
        _write(spec)
    finally:
        os.umask(mask)


def _write(spec: LabSpec) -> None:
    inventory = plan.inventory(spec)
    credentials = _credentials(spec.state) if spec.foreign else None
    runner_key = make_key(spec.state / "keys" / "runner", comment="flatnet-runner")
    known = []
    trees = {name: roots.find(release).tree for name, release in spec.roots().items()}
    images = {name: vm_image.need(release) for name, release in spec.vms().items()}
    machines = [
        _machine(node.name, {"eth0": (LAN, f"{node.address}/{spec.underlay.prefixlen}")}, SYSCTLS, trees.get(node.name))
        for node in inventory.nodes
    ]
    rate = tsc_khz() if images else None
    for node, entry in zip(inventory.nodes, machines, strict=True):
        if node.name in images:
            folder = images[node.name].folder
            entry["vm"] = plan_vm(folder, kvm.accelerator(folder), rate)
            host_key = vm_files.write_vm(spec.state, inventory, node, runner_key, entry["cables"])
        else:
            userland = Userland(trees.get(node.name))
            host_key = files.write_node(spec.state, inventory, node, runner_key, credentials, userland)
        known.append(f"{node.address} {host_key}")
        if node.ssh.port is not None:
            known.append(f"[{node.address}]:{node.ssh.port} {host_key}")
    places = [_place("manager", LAN, str(spec.manager))]
    if credentials is not None:
        known.append(_bastion(spec, inventory, credentials, machines))
        through = {"to": str(spec.underlay), "via": str(foreign.BASTION_OUTSIDE.ip)}
        places += [_place(desk.name, OUTSIDE, str(desk.address), through) for desk in foreign.DESKS.values()]
    (spec.state / "known_hosts").write_text("\n".join(known) + "\n", encoding="utf-8")
    document = {
        "name": spec.name,
        "groups": parent_of(spec.state.parent),
        "bridges": [LAN, OUTSIDE] if spec.foreign else [LAN],
        "nodes": machines,
        "places": places,
        "spec": _plain(spec),
    }
    (spec.state / "plan.json").write_text(json.dumps(document, indent=1), encoding="utf-8")


def _credentials(state: Path) -> Credentials:
    from .credentials import make_credentials  # certificates take 20 ms to import, and an ordinary lab has none

    return make_credentials(state)


def _machine(
    name: str, cables: Mapping[str, tuple[str, str]], sysctls: Mapping[str, int], tree: Path | None = None
) -> dict[str, Any]:
    """What the supervisor makes a machine from. `cables`: {interface: (bridge, address with prefix)}.

    `tree`: its root file system; None: that of this machine.
    """
    return {
        "name": name,
        "cables": [
            {"interface": interface, "bridge": bridge, "address": address, "mac": _mac(address)}
            for interface, (bridge, address) in cables.items()
        ],
        "init": ["runsvdir", "-P", "/etc/flatnet/service"],
        "sysctls": dict(sysctls),
        "root": None if tree is None else str(tree),
        "borrowed": borrowed(),
        "vm": None,
    }


def _mac(address: str) -> str:
    """The MAC of an interface, from its address such as 192.168.56.3/24; locally administered (IEEE 802)."""
    return ":".join(f"{byte:02x}" for byte in (0x02, 0xF1, *IPv4Interface(address).ip.packed))


def _place(name: str, bridge: str, address: str, *routes: Mapping[str, str]) -> dict[str, Any]:
    """A network namespace on a bridge without processes of its own, from which a runner reaches the cluster."""
    return {"name": name, "bridge": bridge, "address": address, "routes": list(routes)}


def _bastion(spec: LabSpec, inventory: Inventory, credentials: Credentials, machines: list[dict[str, Any]]) -> str:
    """Add the bastion to the machines, and write its files; its line of known_hosts."""
    inside = foreign.bastion_address(inventory)
    host_key = files.write_bastion(spec.state, inventory, spec.manager.ip, credentials)
    cables = {
        "eth0": (LAN, f"{inside}/{spec.underlay.prefixlen}"),
        "eth1": (OUTSIDE, str(foreign.BASTION_OUTSIDE)),
    }
    machines.append(_machine(foreign.BASTION, cables, BASTION_SYSCTLS))
    return f"{foreign.BASTION},{inside},{foreign.BASTION_OUTSIDE.ip} {host_key}"


def _plain(spec: LabSpec) -> dict[str, Any]:
    return {key: str(value) if isinstance(value, IPv4Network) else value for key, value in asdict(spec).items()}


def write_inventories(spec: LabSpec, facts: Mapping[str, Any]) -> None:
    """Write the lab's own inventory, and the cluster files of a foreign lab's faces, with the pids of `facts`."""
    own = plan.inventory(
        spec,
        manager_pid=facts["manager"],
        supervisor_pid=facts["supervisor"],
        emulated=[name for name, accelerator in facts["vms"].items() if accelerator == EMULATED],
    )
    (spec.state / "inventory.yaml").write_text(dump(own), encoding="utf-8")
    if spec.foreign:
        namespaces = {name: Path(f"/proc/{pid}/ns/net") for name, pid in facts["desks"].items()}
        faces.write(own, spec.state, namespaces)
