"""What a fault is: a name, what it imitates, what has to notice it, where it applies, and how it is done and undone."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from lab.access.cluster import ClusterAccess, NodeAccess
from lab.inventory import Inventory

from ..errors import LabError, UsageError
from ..overlays import adapter
from ..overlays.evpn import Evpn
from ..overlays.routed import Routed
from ..overlays.swarm import Swarm
from ..overlays.vxlan import Vxlan
from ..overlays.wireguard import Wireguard
from .packages import zipped

SCRIPTS = Path(__file__).parent / "scripts"
SWITCH = "switch"
PLACE = "/run/flatnet-faults"
"""Folder of a fault's own files on a node. It is on the node's /run, so it goes with the node."""
TABLE = "flatnet_fault"
"""Name of the packet-filter tables that faults add."""
ANY_OVERLAY: tuple[str, ...] = ()
BY_BGP = (Evpn.name,)
"""Overlays whose tunnels are told by BGP EVPN."""
ENCRYPTED = (Wireguard.name,)
ROUTED = (Routed.name, *ENCRYPTED)
"""Overlays whose nodes route between their parts of a subnet."""
BRIDGED = (Vxlan.name, *BY_BGP, *ROUTED)
"""Overlays with Docker's bridge driver on a bridge per subnet and node."""

NAMED_BY_DOCKER = (*BRIDGED, Swarm.name)
"""Overlays in whose networks Docker's own DNS answers."""


class Where(StrEnum):
    """Where a fault acts."""

    NODE = "one node"
    ALL = "every node"
    SWITCH = "the underlay's switch"


@dataclass(frozen=True)
class Action:
    """A shell script for one place, and the script that takes it back.

    `undo` is run also when `do` was not, or only in part, and may be run twice.
    """

    place: str
    """A node's name, or `switch`."""
    do: str
    undo: str


def load_rules(rules: str) -> str:
    """A shell script that hands rules to `nft -f`."""
    return f"nft -f - <<'RULES'\n{rules}\nRULES"


@dataclass(frozen=True)
class Site:
    """The lab that a fault is planned for, and the node that it was asked to act on."""

    inventory: Inventory
    cluster: ClusterAccess
    node: NodeAccess

    @cached_property
    def overlay(self) -> Vxlan:
        """The overlay's adapter. Raises UsageError when it is not vxlan, whose bridges and tunnels faults act on."""
        overlay = adapter(self.inventory)
        if not isinstance(overlay, Vxlan):
            raise UsageError(
                f"overlay {overlay.name}: this fault acts on the bridges and tunnels of vxlan; use a lab with vxlan"
            )
        return overlay

    @cached_property
    def bridged(self) -> Vxlan | Routed:
        """The overlay's adapter. Raises UsageError when it has no bridge of Docker's for each subnet and node."""
        overlay = adapter(self.inventory)
        if not isinstance(overlay, Vxlan | Routed):
            raise UsageError(
                f"overlay {overlay.name}: this fault acts on Docker's bridges, one for each subnet and node; "
                f"use a lab with {' or '.join(BRIDGED)}"
            )
        return overlay

    @cached_property
    def routed(self) -> Routed:
        """The overlay's adapter. Raises UsageError when its nodes do not route between parts of a subnet."""
        overlay = adapter(self.inventory)
        if not isinstance(overlay, Routed):
            raise UsageError(
                f"overlay {overlay.name}: this fault acts on routes between nodes; use a lab with {' or '.join(ROUTED)}"
            )
        return overlay

    @cached_property
    def encrypted(self) -> Wireguard:
        """The overlay's adapter. Raises UsageError when its nodes are not joined by WireGuard."""
        overlay = adapter(self.inventory)
        if not isinstance(overlay, Wireguard):
            raise UsageError(
                f"overlay {overlay.name}: this fault acts on WireGuard's interface; use a lab with {ENCRYPTED[0]}"
            )
        return overlay

    @cached_property
    def by_bgp(self) -> Evpn:
        """The overlay's adapter. Raises UsageError when its tunnels are not told by BGP EVPN."""
        overlay = adapter(self.inventory)
        if not isinstance(overlay, Evpn):
            raise UsageError(f"overlay {overlay.name}: this fault acts on BGP EVPN; use a lab with {BY_BGP[0]}")
        return overlay

    @property
    def peer_index(self) -> int:
        """The number of the first other node in the inventory, from 0."""
        return list(self.cluster.nodes).index(self.others[0].name)

    @property
    def index(self) -> int:
        """The node's number in the inventory, from 0."""
        return list(self.cluster.nodes).index(self.node.name)

    @property
    def others(self) -> list[NodeAccess]:
        """Every node but the one that was asked for."""
        return [node for node in self.cluster.nodes.values() if node.name != self.node.name]

    @property
    def range(self) -> str:
        """The overlay's whole range, or the network that holds all its subnets."""
        return str(self.inventory.overlay.span)

    @property
    def networks6(self) -> str:
        """The IPv6 networks of the subnets, as nft lists them."""
        return ", ".join(str(self.overlay.subnets6[subnet]) for subnet in self.subnets)

    @property
    def subnets(self) -> list[str]:
        """Names of the subnets, the default one first."""
        return list(self.inventory.overlay.subnets)

    def on_node(self, do: str, undo: str) -> list[Action]:
        """The one action of a fault that acts on its node alone."""
        return [Action(self.node.name, do, undo)]

    def table(self, rules: str, *, family: str = "ip", node: NodeAccess | None = None) -> Action:
        """Add a packet-filter table with these chains on the node (or on `node`), and remove it."""
        name = f"{family} {TABLE}"
        return Action(
            (node or self.node).name,
            load_rules(f"table {name} {{\n{rules}\n}}"),
            f"nft add table {name}; nft delete table {name}",
        )

    def iptables(self, rule: str, *, table: str = "filter", program: str = "iptables") -> list[Action]:
        """Put a rule first into a chain (`CHAIN match…`) by iptables, and remove it."""
        chain, _, match = rule.partition(" ")
        return self.on_node(
            f"{program} -w 5 -t {table} -I {chain} {match}",
            f"while {program} -w 5 -t {table} -D {chain} {match} 2>/dev/null; do :; done",
        )

    def sysctls(self, values: dict[str, str]) -> list[Action]:
        """Set kernel settings, and set them back to what they are now."""
        now = {key: self.node.run(["sysctl", "-n", key]).stdout.strip() for key in values}

        def lines(pairs: dict[str, str]) -> str:
            return "\n".join(f"sysctl -q -w {key}={value}" for key, value in pairs.items())

        return self.on_node(lines(values), lines(now))

    def daemon(self, name: str, program: str, *arguments: str, packages: Sequence[str] = ()) -> list[Action]:
        """Start a Python program of `scripts/` that goes on running on the node, and end it.

        It prints `ready` once it has begun, and takes back what it changed at SIGTERM. `packages`: pure Python
        packages of the runner's own installation that it imports; they are copied to the node with it, because
        a node has only what its distribution brings.
        """
        here = f"{PLACE}/{name}"
        copies = [_file(f"{here}/{program}", (SCRIPTS / program).read_bytes())]
        copies += [_file(f"{here}/{package}.zip", zipped(package)) for package in packages]
        path = ":".join(f"{here}/{package}.zip" for package in packages)
        command = shlex.join(["env", f"PYTHONPATH={path}", "python3", "-u", f"{here}/{program}", *arguments])
        start = "\n".join(
            [
                "set -e",
                f"mkdir -p {here}",
                *copies,
                f": >{here}/log",
                f"setsid {command} >{here}/log 2>&1 </dev/null & echo $! >{here}/pid",
                f"for try in $(seq 100); do ! grep -q '^ready' {here}/log || exit 0; sleep 0.05; done",
                f"tail -n 1 {here}/log >&2",
                "exit 1",
            ]
        )
        return self.on_node(
            start,
            f"if [ -f {here}/pid ]; then kill $(cat {here}/pid) 2>/dev/null\n"
            f"for try in $(seq 200); do kill -0 $(cat {here}/pid) 2>/dev/null || break; sleep 0.05; done; fi\n"
            f"rm -rf {here}",
        )

    def other_ip(self, name: str, *, after: str, do: str, undo: str) -> list[Action]:
        """Replace the node's `ip` by one that runs `ip DO` after each command that succeeded and is like `after`.

        `after`: a pattern of the shell's `case` for the arguments. `name`: the fault's folder in PLACE. `undo` is run
        when the node's own `ip` is back.
        """
        here = f"{PLACE}/{name}"
        program = self.node.run("readlink -f $(command -v ip)").stdout.strip()
        return self.on_node(
            f"""set -e
mkdir -p {here}
cp {program} {here}/ip
cat >{here}/forgetful <<'SCRIPT'
#!/bin/sh
{here}/ip "$@" || exit
case "$*" in
    {after}) {here}/ip {do} ;;
esac
SCRIPT
chmod 755 {here}/forgetful
mount --bind {here}/forgetful {program}""",
            f"while umount {program} 2>/dev/null; do :; done\nrm -rf {here}\n{undo}",
        )

    def exposed(self, subnet: str | None = None) -> list[Action]:
        """Expose the node to the subnet if it is hidden; nothing when it is exposed already."""
        name = subnet or self.subnets[0]
        if self.bridged.exposed(self.node, name) is not None or isinstance(self.bridged, Routed):
            return []
        bridge, address = self.overlay.bridge(name), self.overlay.gateway(name, self.index)
        return self.on_node(
            f"ip address replace {address} dev {bridge}",
            f"ip address del {address} dev {bridge} 2>/dev/null || true",
        )

    def exposed6(self, subnet: str) -> list[Action]:
        """Give the node its IPv6 address in the subnet if it has none; nothing when it has one already."""
        if self.overlay.exposed6(self.node, subnet) is not None:
            return []
        bridge, address = self.overlay.bridge(subnet), self.overlay.gateway6(subnet, self.index)
        return self.on_node(
            f"ip address replace {address} dev {bridge} nodad",
            f"ip address del {address} dev {bridge} 2>/dev/null || true",
        )


def _file(place: str, content: bytes) -> str:
    """A line of shell that writes a file."""
    return f"base64 -d >{place} <<'CONTENT'\n{base64.encodebytes(content).decode()}CONTENT"


Plan = Callable[[Site], list[Action]]


@dataclass(frozen=True)
class Fault:
    """One way in which a container network breaks."""

    name: str
    imitates: str
    """What happens in the field, one sentence."""
    source: str
    """A public issue or document that describes it."""
    plan: Plan
    must_fail: tuple[str, ...]
    """Requirements that fail while it is injected."""
    may_fail: tuple[str, ...] = ()
    """Requirements that can fail as a consequence, or become not proved."""
    where: Where = Where.NODE
    overlays: tuple[str, ...] = (Vxlan.name,)
    """Overlays that it can act on; ANY_OVERLAY: it does not touch the overlay's own devices."""
    needs_nomad: bool = False
    """It acts on Nomad, so a lab without Nomad cannot have it."""
    needs_ipv6: bool = False
    """It acts on IPv6, so a lab without it (`--families 46`) cannot have it."""
    blames: tuple[str, ...] = ()
    """What the reason of a requirement that must fail has to say, as patterns that all have to be found in it: the
    node, the kind of failure, and the interface, rule, route or entry by which the fault acts (lab.faults.blame)."""
    blames_in: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Patterns for single requirements instead of `blames`: {requirement: patterns}. One that sees only what the fault
    did to it cannot name what it acts by."""
    needs: str = ""
    """A kernel facility without which it cannot be made: a command that tries it, on the node."""
    default_node: int = 1
    """Index of the node that it acts on when none is named: not the first one, where tests begin."""

    @property
    def benign(self) -> bool:
        """Whether it is a change that must not fail any requirement."""
        return not self.must_fail and not self.may_fail

    @property
    def applies_to(self) -> str:
        """The labs that can have it, for people: `vxlan`, `any overlay`, `vxlan with Nomad`."""
        overlays = ", ".join(self.overlays) or "any overlay"
        more = [word for word, needed in (("Nomad", self.needs_nomad), ("IPv6", self.needs_ipv6)) if needed]
        return f"{overlays} with {' and '.join(more)}" if more else overlays

    def obstacle(self, inventory: Inventory) -> str:
        """Why a lab with this inventory cannot have the fault; empty when it can."""
        if self.overlays and inventory.overlay.name not in self.overlays:
            return f"it acts on {' or '.join(self.overlays)}, and this lab has {inventory.overlay.name}"
        if self.needs_nomad and inventory.nomad is None:
            return "it acts on Nomad, and this lab has none"
        if self.needs_ipv6 and not inventory.overlay.subnets6:
            return "it acts on IPv6, and this lab has IPv4 only (--families 46)"
        return ""

    def check(self, inventory: Inventory) -> None:
        """Raise UsageError, one line, when a lab with this inventory cannot have the fault."""
        obstacle = self.obstacle(inventory)
        if obstacle:
            raise UsageError(f"fault {self.name}: {obstacle}; `python -m lab faults` says where each one applies")

    def actions(self, site: Site) -> list[Action]:
        """What has to be done. Raises UsageError when it does not apply here, LabError when the kernel cannot do it."""
        self.check(site.inventory)
        if self.needs:
            tried = site.node.run(self.needs, check=False)
            if tried.exit_status != 0:
                raise LabError(
                    f"fault {self.name}: node {site.node.name}'s kernel lacks what it needs: {tried.stderr.strip()}"
                )
        return self.plan(site)
