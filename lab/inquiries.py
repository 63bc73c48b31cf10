"""`python -m lab check` and `discover`: what is there to be tested, and whether it can be."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from .access.cluster import ClusterAccess
from .checks.examination import examine
from .embedded.lifecycle import join
from .errors import EXIT_UNUSABLE, InventoryError, UsageError
from .inventory import load
from .overlays import adapter

AddCommand = Callable[[str, object, str], argparse.ArgumentParser]


def add_commands(command: AddCommand) -> None:
    """Add the commands to the parser of `python -m lab`."""
    made = command("check", _check, "try everything that a run on a cluster needs, and list every problem")
    made.add_argument("--cluster", type=Path, required=True, metavar="FILE", help="the cluster file")
    made.add_argument(
        "--start-container",
        action="store_true",
        help="load the demo image if it is missing, and start one container on each node (else nothing is changed)",
    )


def _check(options: argparse.Namespace) -> int:
    """Print a line for each problem; exit code 3 when a run cannot begin."""
    began = time.monotonic()
    inventory = load(options.cluster)
    try:
        overlay = adapter(inventory)
    except UsageError as error:
        raise InventoryError(f"{options.cluster}: {error}") from None
    join(inventory)
    cluster = ClusterAccess(inventory)
    try:
        found = examine(cluster, overlay, start_container=options.start_container)
    finally:
        cluster.close()
    for finding in found:
        print(f"{'problem' if finding.hinders else 'note'}: {finding}")
    problems = sum(finding.hinders for finding in found)
    count = "nothing keeps a run from beginning" if not problems else f"{problems} problem{'s' * (problems != 1)}"
    nodes = f"{len(inventory.nodes)} node{'s' * (len(inventory.nodes) != 1)}"
    print(f"{inventory.name}: {nodes}, overlay {overlay.name}: {count} ({time.monotonic() - began:.1f} s)")
    return EXIT_UNUSABLE if problems else 0
