"""What an accident or an operator does to a cluster: power, the Docker engine, a cut in the underlay.

Each function returns when its command has ended. Everything here can be undone, and undoing what was
not done is not an error.
"""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Sequence
from pathlib import Path

from lab.errors import HarnessError
from lab.inventory import Inventory, Node
from lab.underlay import switch_port

from .cluster import NodeAccess

POWER_TIMEOUT_S = 120.0
SERVICE_TIMEOUT_S = 60.0
SWITCH_TIMEOUT_S = 20.0
CUT_TABLE = "flatnet-cut"
"""Name of the packet-filter table at the switch that holds a cut."""


def stop_docker(node: NodeAccess) -> None:
    """Stop the Docker engine, and with it every container that it does not keep alive."""
    node.run(node.node.commands.stop_docker, timeout_s=SERVICE_TIMEOUT_S)


def start_docker(node: NodeAccess) -> None:
    """Start the Docker engine; it may not answer yet."""
    node.run(node.node.commands.start_docker, timeout_s=SERVICE_TIMEOUT_S)


def power_off(node: Node) -> None:
    """Take the node away without a shutdown. Raises HarnessError when the inventory has no power for it."""
    _switch_power(node, "off")


def power_on(node: Node) -> None:
    """Bring the node back; its daemons may not answer yet. Raises HarnessError likewise."""
    _switch_power(node, "on")


def _switch_power(node: Node, position: str) -> None:
    if node.power is None:
        raise HarnessError(f"node {node.name}: the inventory has no `power` for it; add `power.off` and `power.on`")
    command = node.power.off if position == "off" else node.power.on
    checkout = Path(__file__).resolve().parents[2]
    try:
        done = subprocess.run(
            command,
            cwd=checkout,
            capture_output=True,
            text=True,
            timeout=POWER_TIMEOUT_S * node.patience,
            check=False,
            encoding="utf-8",
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HarnessError(f"node {node.name}: power.{position}: {error}") from None
    if done.returncode != 0:
        raise HarnessError(f"node {node.name}: power.{position}: {' '.join(command)}: {done.stderr.strip()}")


def cut(inventory: Inventory, side: Collection[str]) -> None:
    """Drop at the switch everything between the nodes named in `side` and the other nodes.

    The runner still reaches all of them. Raises HarnessError when the inventory has no switch, or nft fails.
    """
    _load_filter(inventory, cut_rules([node.name for node in inventory.nodes], side))


def heal(inventory: Inventory) -> None:
    """Take the cut away. Raises HarnessError likewise."""
    _load_filter(inventory, heal_rules())


def cut_rules(nodes: Sequence[str], side: Collection[str], table: str = CUT_TABLE) -> str:
    """Rules for `nft -f` that drop at the switch what passes between `side` and the rest of `nodes` (names)."""
    here = ", ".join(f'"{switch_port(name)}"' for name in nodes if name in side)
    there = ", ".join(f'"{switch_port(name)}"' for name in nodes if name not in side)
    return f"""\
table bridge {table} {{
    chain forward {{
        type filter hook forward priority 0;
        iifname {{ {here} }} oifname {{ {there} }} counter drop
        iifname {{ {there} }} oifname {{ {here} }} counter drop
    }}
}}
"""


def heal_rules(table: str = CUT_TABLE) -> str:
    """Rules for `nft -f` that remove what `cut_rules` added, whether it is there or not."""
    return f"table bridge {table}\ndelete table bridge {table}\n"


def run_at_switch(
    inventory: Inventory, command: Sequence[str], stdin: str, *, timeout_s: float = SWITCH_TIMEOUT_S
) -> None:
    """Run a command in the switch's network namespace. Raises HarnessError when there is no switch, or it fails."""
    switch = inventory.runner.switch
    if switch is None:
        raise HarnessError("runner.switch: the inventory has none where the underlay could be cut; only a lab has one")
    try:
        done = subprocess.run(
            ["nsenter", f"--net={switch}", *command],
            input=stdin, capture_output=True, encoding="utf-8", timeout=timeout_s, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HarnessError(f"runner.switch {switch}: {command[0]}: {error}") from None
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise HarnessError(f"runner.switch {switch}: {command[0]}: {lines[0]}")


def _load_filter(inventory: Inventory, rules: str) -> None:
    run_at_switch(inventory, ["nft", "-f", "-"], rules)
