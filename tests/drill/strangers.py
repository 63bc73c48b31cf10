"""Containers of somebody else in the drill's lab, which its contract is about."""

from __future__ import annotations

from pathlib import Path

from lab.images import DEMO_IMAGE

CONTRACT = Path(__file__).with_name("contract.yaml")
OVERLAYS = ("vxlan", "swarm")
"""Overlays whose containers are started by `docker run --network flatnet-…` on every node."""
STRANGERS = (("u1", "drill-web", "a", 80), ("u2", "drill-api", "a", 8080), ("u2", "drill-db", "b", 5432))
"""Node, name, subnet, port."""


def start_command(name: str, subnet: str, port: int) -> list[str]:
    """The command that starts one of them on its node."""
    settings = ["--name", name, "--label", "drill=shop", "--network", f"flatnet-{subnet}", "--env", f"PORT={port}"]
    return ["docker", "run", "--detach", *settings, DEMO_IMAGE]
