"""What a fault is: a name, what it imitates, what has to notice it, and how it is done and undone."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from lab.access.cluster import ClusterAccess, NodeAccess
from lab.inventory import Inventory

from ..errors import LabError, UsageError
from ..overlays import adapter
from ..overlays.vxlan import Vxlan

SCRIPTS = Path(__file__).parent / "scripts"
SWITCH = "switch"
PLACE = "/run/flatnet-faults"
"""Where a fault's own files live on a node: on its /run, so gone with the node."""


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


@dataclass(frozen=True)
class Site:
    """The lab a fault is planned for, and the node it was asked to act on."""

    inventory: Inventory
    cluster: ClusterAccess
    node: NodeAccess

    @cached_property
    def overlay(self) -> Vxlan:
        """The overlay's adapter. Raises UsageError when the faults here do not know its datapath."""
        overlay = adapter(self.inventory)
        if not isinstance(overlay, Vxlan):
            raise UsageError(f"faults act on the vxlan overlay's bridges and tunnels; this lab has {overlay.name}")
        return overlay

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
        """The overlay's whole range."""
        return str(self.inventory.overlay.range)

    @property
    def subnets(self) -> list[str]:
        """Names of the subnets, the default one first."""
        return list(self.inventory.overlay.subnets)

    def on_node(self, do: str, undo: str) -> list[Action]:
        """The one action of a fault that acts on its node alone."""
        return [Action(self.node.name, do, undo)]

    def table(self, rules: str, *, family: str = "ip", node: NodeAccess | None = None) -> Action:
        """A packet-filter table of its own with these chains, and its removal."""
        name = f"{family} flatnet_fault"
        return Action(
            (node or self.node).name,
            f"nft -f - <<'RULES'\ntable {name} {{\n{rules}\n}}\nRULES",
            f"nft add table {name}; nft delete table {name}",
        )

    def iptables(self, rule: str, *, table: str = "filter", program: str = "iptables") -> list[Action]:
        """A rule put first into a chain (`CHAIN match…`) by iptables, and its removal."""
        chain, _, match = rule.partition(" ")
        return self.on_node(
            f"{program} -w 5 -t {table} -I {chain} {match}",
            f"while {program} -w 5 -t {table} -D {chain} {match} 2>/dev/null; do :; done",
        )

    def sysctls(self, values: dict[str, str]) -> list[Action]:
        """Kernel settings, and what they are now."""
        now = {key: self.node.run(["sysctl", "-n", key]).stdout.strip() for key in values}

        def lines(pairs: dict[str, str]) -> str:
            return "\n".join(f"sysctl -q -w {key}={value}" for key, value in pairs.items())

        return self.on_node(lines(values), lines(now))

    def daemon(self, name: str, program: str, *arguments: str) -> list[Action]:
        """A Python program of `scripts/` that goes on running on the node, and its end.

        It says `ready` on its output once it has begun; what it changed it takes back at SIGTERM.
        """
        text = (SCRIPTS / program).read_text()
        here = f"{PLACE}/{name}"
        words = shlex.join(["python3", "-u", f"{here}/{program}", *arguments])
        return self.on_node(
            f"set -e\nmkdir -p {here}\ncat >{here}/{program} <<'PROGRAM'\n{text}\nPROGRAM\n"
            f": >{here}/log\nsetsid {words} >{here}/log 2>&1 </dev/null & echo $! >{here}/pid\n"
            f"for look in $(seq 100); do ! grep -q '^ready' {here}/log || exit 0; sleep 0.05; done\n"
            f"cat {here}/log >&2; exit 1",
            f"if [ -f {here}/pid ]; then kill $(cat {here}/pid) 2>/dev/null\n"
            f"for look in $(seq 200); do kill -0 $(cat {here}/pid) 2>/dev/null || break; sleep 0.05; done; fi\n"
            f"rm -rf {here}",
        )

    def exposed(self, subnet: str | None = None) -> list[Action]:
        """What exposes the node to the subnet if it is hidden; nothing when it is exposed already."""
        name = subnet or self.subnets[0]
        if self.overlay.exposed(self.node, name) is not None:
            return []
        bridge, address = self.overlay.bridge(name), self.overlay.gateway(name, self.index)
        return self.on_node(
            f"ip address replace {address} dev {bridge}",
            f"ip address del {address} dev {bridge} 2>/dev/null || true",
        )


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
    """Requirements that fail while it stands."""
    may_fail: tuple[str, ...] = ()
    """Requirements that can fail as a consequence, or go unproved."""
    where: Where = Where.NODE
    kind: tuple[str, ...] = ()
    """Words of which a failed requirement's reason names one, when it does not name the place."""
    needs: str = ""
    """A kernel facility without which it cannot be made: a command that tries it, on the node."""
    default_node: int = 1
    """Place of the node it acts on when none is named: not the first, at which tests look first."""

    @property
    def benign(self) -> bool:
        """A change that no requirement may be accused for."""
        return not self.must_fail and not self.may_fail

    def actions(self, site: Site) -> list[Action]:
        """What has to be done. Raises LabError when the node's kernel cannot do it."""
        if self.needs:
            tried = site.node.run(self.needs, check=False)
            if tried.exit_status != 0:
                raise LabError(
                    f"fault {self.name}: node {site.node.name}'s kernel lacks what it needs: {tried.stderr.strip()}"
                )
        return self.plan(site)
