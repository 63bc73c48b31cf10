"""What an accident or an operator does to a cluster: power, the engine, a cut in the underlay.

Every act returns when it is done, can be undone, and undoing what was not done is no error.
"""

from __future__ import annotations

import subprocess
from collections.abc import Collection
from pathlib import Path

from lab.embedded.supervisor import PORT
from lab.errors import HarnessError
from lab.inventory import Inventory, Node

from .cluster import NodeAccess

POWER_TIMEOUT_S = 120.0
SERVICE_TIMEOUT_S = 60.0
_CUT = "flatnet-cut"


def stop_docker(node: NodeAccess) -> None:
    """Stop the Docker engine, and with it every container that it does not keep alive."""
    node.run(node.node.commands.stop_docker, timeout_s=SERVICE_TIMEOUT_S)


def start_docker(node: NodeAccess) -> None:
    """Start the Docker engine; it may not answer yet."""
    node.run(node.node.commands.start_docker, timeout_s=SERVICE_TIMEOUT_S)


def power_off(node: Node) -> None:
    """Take the node away at once. Raises HarnessError when the inventory has no power for it."""
    _run(node, "off")


def power_on(node: Node) -> None:
    """Bring the node back; its daemons may not answer yet."""
    _run(node, "on")


def _run(node: Node, which: str) -> None:
    if node.power is None:
        raise HarnessError(f"node {node.name}: the inventory has no `power` for it")
    command = node.power.off if which == "off" else node.power.on
    checkout = Path(__file__).resolve().parents[2]
    try:
        done = subprocess.run(
            command, cwd=checkout, capture_output=True, text=True, timeout=POWER_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HarnessError(f"node {node.name}: power.{which}: {error}") from None
    if done.returncode != 0:
        raise HarnessError(f"node {node.name}: power.{which}: {' '.join(command)}: {done.stderr.strip()}")


def cut(inventory: Inventory, side: Collection[str]) -> None:
    """Let nothing pass at the switch between the nodes of `side` and the other nodes; the runner reaches all.

    Raises HarnessError when the inventory has no switch, or its packet filter refuses.
    """
    here = ", ".join(f'"{PORT}{node.name}"' for node in inventory.nodes if node.name in side)
    there = ", ".join(f'"{PORT}{node.name}"' for node in inventory.nodes if node.name not in side)
    _filter(
        inventory,
        f"""
        table bridge {_CUT} {{
            chain forward {{
                type filter hook forward priority 0;
                iifname {{ {here} }} oifname {{ {there} }} counter drop
                iifname {{ {there} }} oifname {{ {here} }} counter drop
            }}
        }}""",
    )


def heal(inventory: Inventory) -> None:
    """Take the cut away."""
    _filter(inventory, f"table bridge {_CUT}\ndelete table bridge {_CUT}")


def _filter(inventory: Inventory, rules: str) -> None:
    if inventory.runner.switch is None:
        raise HarnessError("the inventory has no runner.switch where the underlay could be cut")
    done = subprocess.run(
        ["nsenter", f"--net={inventory.runner.switch}", "nft", "-f", "-"],
        input=rules, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise HarnessError(f"runner.switch {inventory.runner.switch}: nft: {done.stderr.strip()}")
