"""What is injected into a lab, kept in its run directory so that any process can heal it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.access import operations
from lab.access.cluster import ClusterAccess
from lab.embedded import readiness
from lab.inventory import Inventory, Node
from lab.locks import acquire

from ..errors import HarnessError, LabError, UsageError
from .model import SWITCH, Fault, Site

TIMEOUT_S = 90.0
LOCK_S = 600.0
"""How long another process may hold the list of what is injected, seconds: it may inject or heal several faults."""
_PATH = "PATH=/run/flatnet/bin:$PATH:/usr/sbin:/sbin\n"
"""On a lab's node the engine's own iptables comes first."""


@dataclass(frozen=True)
class Injected:
    """One fault that is in a lab, whole or half made."""

    fault: str
    node: str
    undo: tuple[tuple[str, str], ...]
    """(place, script), in the order in which they are to be run."""

    def __str__(self) -> str:
        return f"{self.fault}@{self.node}"


def choose(known: Mapping[str, Fault], text: str, inventory: Inventory) -> tuple[Fault, Node]:
    """The fault and the node that FAULT or FAULT@NODE means in a lab.

    Raises UsageError when there is no such fault or node, or this lab cannot have the fault.
    """
    name, _, place = text.partition("@")
    if name not in known:
        raise UsageError(f"fault {name!r} is unknown; `python -m lab faults` lists those there are")
    nodes = {node.name: node for node in inventory.nodes}
    if place and place not in nodes:
        raise UsageError(f"fault {name}: there is no node {place!r}; nodes: {', '.join(nodes)}")
    fault = known[name]
    fault.check(inventory)
    if place:
        return fault, nodes[place]
    every = list(inventory.nodes)
    return fault, every[min(fault.default_node, len(every) - 1)]


def inject(state: Path, inventory: Inventory, fault: Fault, node: Node) -> Injected:
    """Put the fault into the lab whose run directory is `state`.

    What undoes it is written down before anything is done. Raises LabError when it cannot be
    made, and what was begun is undone then; UsageError when it is in already, or does not apply to this lab.
    """
    cluster = ClusterAccess(inventory)
    try:
        planned = fault.actions(Site(inventory, cluster, cluster.nodes[node.name]))
        entry = Injected(fault.name, node.name, tuple((action.place, action.undo) for action in reversed(planned)))
        with _entries(state) as entries:
            if any((known.fault, known.node) == (fault.name, node.name) for known in entries):
                raise UsageError(f"fault {entry} is in already; `python -m lab heal` takes it out")
            entries.append(entry)
        try:
            for action in planned:
                _run(inventory, cluster, action.place, action.do)
        except HarnessError as error:
            _undo(state, inventory, cluster, entry)
            raise LabError(f"fault {entry} cannot be injected: {error}") from None
    finally:
        cluster.close()
    return entry


def heal(state: Path, inventory: Inventory) -> list[Injected]:
    """Undo everything that is injected, the last first; returns what was healed.

    Returns when Consul and Nomad are ready again: a server that was cut off takes some seconds to find
    its leader. Raises HarnessError.
    """
    entries = injected(state)
    cluster = ClusterAccess(inventory)
    try:
        for entry in reversed(entries):
            _undo(state, inventory, cluster, entry)
    finally:
        cluster.close()
    if entries:
        readiness.await_recovery(inventory)
    return entries


def injected(state: Path) -> list[Injected]:
    """What is in the lab now, the oldest first."""
    with _entries(state) as entries:
        return list(entries)


def _undo(state: Path, inventory: Inventory, cluster: ClusterAccess, entry: Injected) -> None:
    for place, script in entry.undo:
        _run(inventory, cluster, place, script)
    with _entries(state) as entries:
        entries.remove(entry)


def _run(inventory: Inventory, cluster: ClusterAccess, place: str, script: str) -> None:
    """Run a script of a fault at its place. Raises HarnessError when it fails."""
    if place == SWITCH:
        operations.run_at_switch(inventory, ["/bin/sh", "-s"], script, timeout_s=TIMEOUT_S)
        return
    done = cluster.nodes[place].run("/bin/sh -s", stdin=_PATH + script, timeout_s=TIMEOUT_S, check=False)
    if done.exit_status != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit status {done.exit_status}"]
        raise LabError(f"{place}: {lines[0]}")


@contextlib.contextmanager
def _entries(state: Path) -> Iterator[list[Injected]]:
    """The list of what is injected, under its lock; what the caller leaves in it is written."""
    place = state / "faults.json"
    with open(state / "faults.lock", "w", encoding="utf-8") as lock:
        acquire(lock.fileno(), alone=True, within_s=LOCK_S, where=lock.name)
        known = json.loads(place.read_text(encoding="utf-8")) if place.exists() else []
        before = [
            Injected(entry["fault"], entry["node"], tuple((where, script) for where, script in entry["undo"]))
            for entry in known
        ]
        entries = list(before)
        yield entries
        if entries != before:
            draft = place.with_suffix(".draft")
            draft.write_text(json.dumps([asdict(entry) for entry in entries], indent=1), encoding="utf-8")
            os.replace(draft, place)
