"""What a fault is, and how it is put in and taken out.

A fault is commands for a node's shell, run over SSH like everything else. What undoes them is
written down before they run, in the lab's own directory, so that any process can heal the lab.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..access import ClusterAccess, NodeAccess
from ..errors import LabError, UsageError
from ..files import machine_id
from ..inventory import Inventory, Node
from ..overlays.vxlan import Vxlan

REGISTER = "faults.json"


@dataclass(frozen=True)
class Site:
    """The node a fault acts on, and what its commands have to know of the lab around it."""

    inventory: Inventory
    node: Node

    @property
    def a(self) -> str:
        """The default subnet."""
        return str(self.inventory.overlay.subnets[self.inventory.default_subnet])

    @property
    def b(self) -> str:
        """The second subnet."""
        return str(list(self.inventory.overlay.subnets.values())[1])

    @property
    def range(self) -> str:
        """The overlay's whole range."""
        return str(self.inventory.overlay.range)

    @property
    def peer(self) -> Node:
        """The node after this one."""
        nodes = list(self.inventory.nodes)
        return nodes[(nodes.index(self.node) + 1) % len(nodes)]

    @property
    def peer_machine_id(self) -> str:
        """The machine-id of `peer`, in an embedded lab."""
        return machine_id(self.peer.name, self.inventory.name)

    def slice(self, node: Node) -> str:
        """The part of the default subnet from which `node` gives addresses (overlay vxlan)."""
        place = list(self.inventory.nodes).index(node)
        return str(Vxlan(self.inventory).slice_of(self.inventory.default_subnet, place))


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong in the field."""

    name: str
    imitates: str
    """What happened to somebody, in a sentence."""
    source: str
    """Who describes it: documentation, RFC, or `field` for what operators tell each other."""
    inject: Callable[[Site], Sequence[str]]
    """Shell commands, run in order; the first that fails ends the injection."""
    undo: Callable[[Site], Sequence[str]]
    """Shell commands that work however far the injection came; failures are ignored."""
    must_fail: tuple[str, ...]
    """Requirements that cannot hold while the fault is in."""
    may_fail: tuple[str, ...] = ()
    """Requirements that can go with them, by chance or by how the lab happens to use them."""
    node: int = 0
    """Place of the node it acts on when none is named."""
    disruptive: bool = False
    """Its proof disturbs the lab: HOST-1 and their like."""
    overlays: tuple[str, ...] = ("vxlan",)
    """Overlays whose parts its commands know."""

    @property
    def benign(self) -> bool:
        """Nothing may be accused."""
        return not self.must_fail and not self.may_fail


def choose(known: dict[str, Fault], text: str, inventory: Inventory) -> tuple[Fault, Node]:
    """FAULT or FAULT@NODE. Raises UsageError that lists what there is."""
    name, _, place = text.partition("@")
    if name not in known:
        raise UsageError(f"fault {name!r} is unknown; `python -m lab faults` lists those there are")
    fault = known[name]
    if inventory.overlay.name not in fault.overlays:
        raise UsageError(f"fault {name} is made for overlay {', '.join(fault.overlays)}, not {inventory.overlay.name}")
    nodes = {node.name: node for node in inventory.nodes}
    if place and place not in nodes:
        raise UsageError(f"fault {name}: there is no node {place!r}; nodes: {', '.join(nodes)}")
    return fault, nodes[place] if place else list(inventory.nodes)[fault.node]


def inject(state: Path, inventory: Inventory, fault: Fault, node: Node) -> None:
    """Put a fault in. Raises LabError, with the fault taken out again, when a command fails."""
    site = Site(inventory, node)
    register = state / REGISTER
    entries = _read(register)
    entries.append({"fault": fault.name, "node": node.name, "undo": list(fault.undo(site))})
    register.write_text(json.dumps(entries, indent=1))
    cluster = ClusterAccess(inventory)
    try:
        access = cluster.nodes[node.name]
        for command in fault.inject(site):
            done = access.run(command, check=False)
            if done.exit_status:
                undo(access, fault.undo(site))
                register.write_text(json.dumps(entries[:-1], indent=1))
                last = (done.stderr.strip() or done.stdout.strip() or "no word").splitlines()[-1]
                raise LabError(f"fault {fault.name}: node {node.name} refuses `{command}`: {last}")
    finally:
        cluster.close()


def heal(state: Path, inventory: Inventory) -> list[str]:
    """Take every fault out, the last one first; names as FAULT@NODE. Doing it again does nothing."""
    register = state / REGISTER
    entries = _read(register)
    cluster = ClusterAccess(inventory)
    try:
        for entry in reversed(entries):
            undo(cluster.nodes[entry["node"]], entry["undo"])
    finally:
        cluster.close()
    register.unlink(missing_ok=True)
    return [f"{entry['fault']}@{entry['node']}" for entry in entries]


def injected(state: Path) -> list[str]:
    """Faults that are in, as FAULT@NODE."""
    return [f"{entry['fault']}@{entry['node']}" for entry in _read(state / REGISTER)]


def undo(access: NodeAccess, commands: Sequence[str]) -> None:
    """Run commands that take a fault out; one that has nothing to do fails, and that is well."""
    for command in commands:
        access.run(command, check=False)


def _read(register: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(register.read_text()) if register.exists() else []
    return entries
