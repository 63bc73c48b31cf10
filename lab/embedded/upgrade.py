"""Gives a node of a running lab another root file system, as a full upgrade of its distribution and a reboot would.

The node keeps its disk, that is all below /var: engine, containers, addresses, Consul's and Nomad's state.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from lab.access.cluster import ClusterAccess
from lab.errors import HarnessError, LabError, UsageError
from lab.overlays import OVERLAYS, adapter

from . import lifecycle, roots
from .readiness import Progress, await_recovery, boot
from .services import write_services, written_for
from .userland import Userland

STOP_TIMEOUT_S = 60.0
STOP = """\
for service in nomad docker consul; do
    place=/etc/flatnet/service/$service
    [ ! -d $place ] || sv -w 15 force-stop $place || sv -w 5 down $place || exit 1
done"""
"""The order in which a shutdown stops them; a service that does not stop within 15 s is killed, as by systemd later."""


def upgrade(lab: lifecycle.RunningLab, name: str, release: str, progress: Progress) -> None:
    """Stop a node's daemons, end it, start it with the programs of a release, and wait until it is back.

    `release` may be the one that the node has (a reboot), an older one (engines do not promise that), or MACHINE. What
    the node was exposed to, it is exposed to afterwards. The calling thread joins the lab's manager namespace. Raises
    UsageError, LabError before anything is stopped, and HarnessError naming what does not come back.
    """
    began = time.monotonic()
    if name not in (node.name for node in lab.inventory.nodes):
        named = ", ".join(node.name for node in lab.inventory.nodes)
        raise UsageError(f"lab {lab.name!r} has no node {name!r}; it has: {named}")
    if name in lab.vms:
        raise UsageError(f"upgrade {name}: it is a virtual machine, which keeps its release; make a lab with another")
    if name not in lab.nodes:
        raise LabError(f"node {name} is off; start it with `python -m lab power-on {name} --lab {lab.name}`")
    root = None if release == roots.MACHINE else roots.find(release)
    refused = None if root is None else OVERLAYS[lab.inventory.overlay.name].refuses_engine(root.docker)
    if refused is not None:
        raise LabError(f"upgrade {name}: {refused}")
    overlay = adapter(lab.inventory)
    lifecycle.join(lab.inventory)
    cluster = ClusterAccess(lab.inventory)
    access = cluster.nodes[name]
    try:
        exposed = {}
        if overlay.capabilities.expose:
            exposed = {subnet: overlay.exposed(access, subnet) is not None for subnet in overlay.subnets}
        progress(f"{name}: Docker {access.docker.version()['Version']}", time.monotonic() - began)
        access.run(STOP, timeout_s=STOP_TIMEOUT_S)
        progress(f"{name}: its daemons have stopped", time.monotonic() - began)
        access.reset()
        lifecycle.request(lab.name, op="power-off", node=name)
        _write_services(lab, name, None if root is None else root.tree)
        lifecycle.request(lab.name, op="power-on", node=name, root="" if root is None else str(root.tree))
        progress(f"{name}: started with the root file system {release}", time.monotonic() - began)
        boot(lab.inventory, name)
        for subnet, was in exposed.items():
            if was:
                overlay.expose(access, subnet)
            else:
                overlay.hide(access, subnet)
        progress(f"{name}: Docker {access.docker.version()['Version']}", time.monotonic() - began)
    finally:
        cluster.close()
    try:
        await_recovery(lab.inventory)
    except HarnessError as error:
        raise LabError(f"upgrade {name}: {error}") from None
    progress("Consul has a leader and all its voters", time.monotonic() - began)


def power_on(lab: lifecycle.RunningLab, name: str) -> None:
    """Start a node that is off with the root file system that it had, and wait until it is back.

    The calling thread joins the lab's manager namespace. Raises LabError.
    """
    if name in lab.roots and name not in {*lab.nodes, *lab.vms}:
        root = lab.roots[name]
        tree = None if root is None else Path(root)
        if not written_for(lab.state / "nodes" / name, Userland(tree)):  # an upgrade was killed; else they are its own
            _write_services(lab, name, tree)
    lifecycle.request(lab.name, op="power-on", node=name)
    lifecycle.join(lab.inventory)
    boot(lab.inventory, name)


def _write_services(lab: lifecycle.RunningLab, name: str, tree: Path | None) -> None:
    plan = json.loads((lab.state / "plan.json").read_text(encoding="utf-8"))
    others: bool = plan["spec"]["foreign"]
    write_services(lab.state / "nodes" / name, lab.inventory, lab.inventory.node(name), Userland(tree), others=others)
