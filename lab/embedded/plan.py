"""What an embedded lab will be: pure planning, before anything is made.

The inventory of a lab follows from its specification alone, so tests can be
parametrized over nodes and subnets without a lab being up.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Network
from pathlib import Path

from lab.errors import UsageError
from lab.inventory import Commands, Consul, Inventory, Node, Nomad, Overlay, Power, Runner, Ssh
from lab.overlays import IN_LABS, OVERLAYS
from lab.overlays.weave import WeaveProxy
from lab.overlays.weave_launch import PROXY_SOCKET
from lab.programs import find_program

from . import foreign
from .cgroups import RUN_ROOT
from .debian import RELEASE_NAME
from .roots import MACHINE

SV = "sv -w 20 {action} /etc/flatnet/service/{service}"
ENGINE_SOCKET = "unix:///run/docker.sock"
MOVE_NOMAD = "sed -i 's#{old}#{new}#g' /run/flatnet/nomad.json /etc/flatnet/service/nomad/run && " + SV.format(
    action="restart", service="nomad"
)
"""Has a node's Nomad use another socket of Docker."""
MOST_NODES = 20
VM, NAMESPACES = "vm", "namespaces"
"""Kinds of nodes, as `--machines` names them."""
VM_RELEASE = "bookworm"
"""The release of a virtual machine for which `--root` names none."""
PATIENCE = 6.0
"""By this factor an emulated node is given more time. One was up in 42 s, of which a node in namespaces takes 2; three
on two cores that other work shared took 30 s to start a container at worst (see fixtures/resilience/pace.py)."""
FAMILIES = ("4", "46")
CONSUL_SERVERS = 3
NOMAD_SERVERS = 3


def run_root() -> Path:
    """Where labs keep their run directories (`FLATNET_RUN`, else /run/flatnet)."""
    return Path(os.environ.get("FLATNET_RUN", RUN_ROOT))


@dataclass(frozen=True)
class LabSpec:
    """What a person may choose about a lab. Raises UsageError when it makes no sense."""

    name: str = "lab"
    nodes: int = 3
    overlay: str = "vxlan"
    underlay: IPv4Network = IPv4Network("192.168.56.0/24")
    range: IPv4Network = IPv4Network("10.32.0.0/16")
    subnet_prefix: int = 24
    nomad: bool = True
    """Nomad runs in it, where the machine has one: it takes longer to come than all the rest."""
    foreign: bool = False
    """It looks like somebody else's cluster (lab.embedded.foreign)."""
    families: str = "4"
    """The address families of its overlay: `4`, or `46` for both."""
    root: str = ""
    """Where the nodes have their programs: `trixie`, or `u1=trixie,u2=bookworm`; those not named: the machine."""
    machines: str = ""
    """Which nodes are virtual machines: `vm`, or `u3=vm`; the others are namespaces."""
    encrypted: bool = False
    """Its overlay encrypts what nodes send each other, which it does not unless asked."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,15}", self.name):
            raise UsageError(f"lab name {self.name!r}: use 1 to 16 of a-z, 0-9 and '-', beginning with a letter")
        if not 1 <= self.nodes <= MOST_NODES:
            raise UsageError(f"--nodes {self.nodes}: a lab has 1 to {MOST_NODES} nodes")
        if self.overlay not in IN_LABS:
            lacking = OVERLAYS[self.overlay].lacking() if self.overlay in OVERLAYS else None
            raise UsageError(lacking or f"--overlay {self.overlay}: unknown; there are: {', '.join(sorted(IN_LABS))}")
        if self.families not in FAMILIES:
            raise UsageError(f"--families {self.families}: choose {' or '.join(FAMILIES)}")
        if self.families == "46" and not OVERLAYS[self.overlay].dual_stack:
            able = ", ".join(sorted(name for name, kind in IN_LABS.items() if kind.dual_stack))
            raise UsageError(
                f"--families 46: a lab with overlay {self.overlay} has IPv4 only; leave it out, or choose {able}"
            )
        if self.encrypted and not OVERLAYS[self.overlay].encrypts_on_request:
            able = ", ".join(sorted(name for name, kind in IN_LABS.items() if kind.encrypts_on_request))
            raise UsageError(
                f"--encrypted: a lab with overlay {self.overlay} does not encrypt on request; leave it out, or "
                f"choose {able}"
            )
        self._check_networks()
        if self.foreign and self.machines:
            raise UsageError("--foreign and --machines exclude each other; leave one of them out")
        self.roots()

    def _check_networks(self) -> None:
        if not 18 <= self.subnet_prefix <= 26:
            raise UsageError(f"--subnet-prefix {self.subnet_prefix}: choose 18 to 26")
        if self.underlay.overlaps(self.range):
            raise UsageError(f"underlay {self.underlay} overlaps the overlay range {self.range}")
        if self.underlay.num_addresses < self.nodes + 4:
            raise UsageError(f"underlay {self.underlay} has no room for {self.nodes} nodes")
        for kind, network in (("underlay", self.underlay), ("overlay range", self.range)):
            if self.foreign and network.overlaps(foreign.MANAGEMENT):
                raise UsageError(f"{kind} {network} overlaps {foreign.MANAGEMENT}, a foreign lab's management network")

    @property
    def state(self) -> Path:
        """The lab's run directory."""
        return run_root() / self.name

    def node_names(self) -> tuple[str, ...]:
        """u1, u2, … as in the reference set-up."""
        return tuple(f"u{index}" for index in range(1, self.nodes + 1))

    def roots(self) -> dict[str, str]:
        """{node: release} of the nodes in namespaces that have a root file system of their own. Raises UsageError."""
        machines = self.vms()
        return {name: release for name, release in self._releases().items() if name not in machines}

    def vms(self) -> dict[str, str]:
        """{node: release} of the nodes that are virtual machines. Raises UsageError."""
        releases = self._releases()
        return {name: releases.get(name, VM_RELEASE) for name in chosen_machines(self.machines, self.node_names())}

    def _releases(self) -> dict[str, str]:
        chosen = chosen_by_node("--root", self.root, self.node_names(), "RELEASE", "u1=trixie,u2=bookworm")
        for release in chosen.values():
            if not RELEASE_NAME.fullmatch(release):
                raise UsageError(f"--root {self.root}: {release!r} is not a name of a Debian release, such as trixie")
        return {node: release for node, release in chosen.items() if release != MACHINE}

    def address(self, index: int) -> IPv4Address:
        """Underlay address of node `index` (0-based): u1 is .3."""
        return self.underlay[3 + index]

    @property
    def manager(self) -> IPv4Interface:
        """The runner's own address on the underlay."""
        return IPv4Interface(f"{self.underlay[1]}/{self.underlay.prefixlen}")

    def subnets(self) -> dict[str, IPv4Network]:
        """Two subnets of the range: `a` (default) and `b`."""
        first, second, *_ = self.range.subnets(new_prefix=self.subnet_prefix)
        return {"a": first, "b": second}

    def subnets6(self) -> dict[str, IPv6Network]:
        """The IPv6 networks of the subnets; none where the lab has IPv4 only."""
        if self.families != "46":
            return {}
        return {name: IPv6Network(f"fd00:10:32:{number}::/64") for number, name in enumerate(self.subnets())}


def chosen_machines(text: str, nodes: Sequence[str]) -> list[str]:
    """The nodes that `--machines` makes virtual machines: `vm` all of them, `u1=vm,u3=vm` those. Raises UsageError."""
    chosen = chosen_by_node("--machines", text, nodes, VM, "u3=vm")
    for kind in chosen.values():
        if kind not in (VM, NAMESPACES):
            raise UsageError(f"--machines {text}: {kind!r} is not a kind of node; there are: {VM}, {NAMESPACES}")
    return [node for node, kind in chosen.items() if kind == VM]


def chosen_by_node(option: str, text: str, nodes: Sequence[str], word: str, example: str) -> dict[str, str]:
    """{node: what is chosen for it} of an option such as `trixie` (for all nodes) or `u1=trixie,u2=bookworm`.

    `word` stands for a choice in a message, `example` shows one. Raises UsageError: not such a text, an unknown node,
    or a node that is named twice.
    """
    words = [part.strip() for part in text.split(",")] if text.strip() else []
    if len(words) == 1 and "=" not in text:
        return dict.fromkeys(nodes, words[0])
    chosen: dict[str, str] = {}
    for part in words:
        node, equals, choice = (piece.strip() for piece in part.partition("="))
        if not equals or not choice:
            raise UsageError(f"{option} {text}: {part!r} is not NODE={word}; write one such as {example}")
        if node not in nodes:
            raise UsageError(f"{option} {text}: no node {node!r}; there are: {', '.join(nodes)}")
        if node in chosen:
            raise UsageError(f"{option} {text}: node {node!r} is named twice; leave one out")
        chosen[node] = choice
    return chosen


def inventory(
    spec: LabSpec,
    *,
    manager_pid: int | None = None,
    supervisor_pid: int | None = None,
    emulated: Collection[str] | None = None,
) -> Inventory:
    """The inventory that the lab of `spec` emits; without pids, the planned one.

    `emulated`: the virtual machines that run without KVM; None: all of them.

    Nomad is in it where it is wanted and the machine has one (`python -m lab fetch nomad`).
    """
    nomad = Nomad() if spec.nomad and find_program("nomad") is not None else None
    ssh = Ssh(key=spec.state / "keys" / "runner", known_hosts=spec.state / "known_hosts")
    commands = Commands(
        stop_docker=SV.format(action="stop", service="docker"),
        start_docker=SV.format(action="start", service="docker"),
        stop_consul=SV.format(action="stop", service="consul"),
        start_consul=SV.format(action="start", service="consul"),
    )
    if nomad is not None and issubclass(OVERLAYS[spec.overlay], WeaveProxy):
        ways = {
            "nomad_by_engine": MOVE_NOMAD.format(old=PROXY_SOCKET, new=ENGINE_SOCKET),
            "nomad_by_proxy": MOVE_NOMAD.format(old=ENGINE_SOCKET, new=PROXY_SOCKET),
        }
        commands = commands.model_copy(update=ways)
    machines = spec.vms()
    slow = machines if emulated is None else emulated
    options = OVERLAYS[spec.overlay].lab_options(own_kernels=set(machines) == set(spec.node_names()))
    nodes = tuple(
        Node(
            name=name,
            address=spec.address(index),
            ssh=ssh,
            docker=ENGINE_SOCKET,
            consul_server=index < CONSUL_SERVERS,
            nomad_server=nomad is not None and index < NOMAD_SERVERS,
            commands=Commands() if name in machines else commands,  # a machine's units have their usual names
            patience=PATIENCE if name in slow else 1.0,
            power=Power(
                off=(sys.executable, "-m", "lab", "power-off", name, "--lab", spec.name),
                on=(sys.executable, "-m", "lab", "power-on", name, "--lab", spec.name),
            ),
        )
        for index, name in enumerate(spec.node_names())
    )
    made = Inventory(
        name=spec.name,
        kind="embedded",
        underlay=spec.underlay,
        nodes=nodes,
        overlay=Overlay(
            name=spec.overlay,
            range=spec.range,
            subnets=spec.subnets(),
            subnets6=spec.subnets6(),
            options=options | ({"encrypted": True} if spec.encrypted else {}),
        ),
        consul=Consul(),
        nomad=nomad,
        runner=Runner(
            namespace=Path(f"/proc/{manager_pid}/ns/net") if manager_pid else None,
            switch=Path(f"/proc/{supervisor_pid}/ns/net") if supervisor_pid else None,
        ),
    )
    if OVERLAYS[spec.overlay](made).capabilities.names:
        made = made.model_copy(update={"dns": ("consul", "docker")})
    return foreign.own_inventory(made, spec.state) if spec.foreign else made
