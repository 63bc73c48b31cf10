"""Containers of somebody else in the drill's lab, which its contract is about."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

from lab.images import DEMO_IMAGE
from lab.inventory import Inventory
from lab.overlays import adapter
from lab.overlays.vxlan import Vxlan

CONTRACT = Path(__file__).with_name("contract.yaml")
OVERLAYS = ("vxlan", "swarm")
"""Overlays whose containers are started by `docker run --network flatnet-…` on every node."""
STRANGERS = (("u1", "drill-web", "a", 80), ("u2", "drill-api", "a", 8080), ("u2", "drill-db", "b", 5432))
"""Node, name, subnet, port."""


def start_command(name: str, subnet: str, port: int, address: IPv4Address | None = None) -> list[str]:
    """The command that starts one of them on its node, with this address."""
    settings = ["--name", name, "--label", "drill=shop", "--network", f"flatnet-{subnet}", "--env", f"PORT={port}"]
    settings += ["--ip", str(address)] if address is not None else []
    return ["docker", "run", "--detach", *settings, DEMO_IMAGE]


def last_address(inventory: Inventory, node: str, subnet: str) -> IPv4Address | None:
    """The last address of the node's slice; None where the overlay has none.

    Faults act on the first addresses of a slice, and are meant for the containers of the run.
    """
    overlay = adapter(inventory)
    if not isinstance(overlay, Vxlan):
        return None
    place = [each.name for each in inventory.nodes].index(node)
    return overlay.slice_of(subnet, place)[-2]
