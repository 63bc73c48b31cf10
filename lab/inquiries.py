"""`python -m lab check` and `discover`: what is there to be tested, and whether it can be."""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from .access.cluster import ClusterAccess
from .checks.examination import examine
from .discovery import by_nomad
from .discovery import options as discover_options
from .discovery.cluster import interpret
from .discovery.options import Ways, targets_of
from .discovery.survey import survey
from .discovery.writing import write
from .embedded.lifecycle import join, refuse_from_outside
from .errors import EXIT_UNUSABLE, InventoryError, LabError, UsageError
from .inventory import load
from .overlays import adapter

AddCommand = Callable[[str, object, str], argparse.ArgumentParser]


def add_commands(command: AddCommand) -> None:
    """Add the commands to the parser of `python -m lab`."""
    made = command("discover", _discover, "find out what a cluster is made of, and write its cluster file")
    discover_options.add_options(made)
    made = command("check", _check, "try everything that a run on a cluster needs, and list every problem")
    made.add_argument("--cluster", type=Path, required=True, metavar="FILE", help="the cluster file")
    made.add_argument(
        "--start-container",
        action="store_true",
        help="load the demo image if it is missing, and start one container on each node (else nothing is changed)",
    )


def _discover(options: argparse.Namespace) -> None:
    """Print the cluster file, or write it to a file that does not exist yet; each step is told on standard error."""
    if options.out is not None and options.out.exists():
        raise UsageError(f"--out {options.out}: there is such a file, and nothing is overwritten; name another")
    ways = Ways(options)
    nomad, servers = ways.nomad(), set[str]()
    if nomad is not None:
        surveys, servers = by_nomad.ask(nomad)
    else:
        surveys = survey(targets_of(options.hosts), ways.node, lambda step: print(f"  {step}", file=sys.stderr))
    if not any(one.engine is not None for one in surveys):
        reasons = "; ".join(f"{one.name}: {'; '.join(one.errors.values())}" for one in surveys)
        raise LabError(f"discover: no node's engine answered: {reasons}")
    command = f"python -m lab {shlex.join(sys.argv[1:])}"
    found = interpret(surveys, name=options.name, command=command, ssh=ways.ssh, common=ways.common)
    for node in found.nodes:
        docker = ways.docker_of(node.address)
        if docker is not None:
            node.keys["docker"] = docker
        if node.address in servers:
            node.keys["nomad_server"] = True
    if nomad is not None and found.nomad is not None:
        found.nomad.reached_by(nomad)
    text = write(found)
    if options.out is None:
        print(text, end="")
    else:
        with options.out.open("x", encoding="utf-8") as stream:
            stream.write(text)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as copy:
        copy.write(text)
        copy.flush()
        try:
            adapter(load(Path(copy.name)))
        except UsageError as error:
            wrong = str(error).removeprefix(f"{copy.name}: ")
            print(f"lab: the file cannot be used before its questions are answered: {wrong}", file=sys.stderr)


def _check(options: argparse.Namespace) -> int:
    """Print a line for each problem; exit code 3 when a run cannot begin."""
    began = time.monotonic()
    inventory = load(options.cluster)
    try:
        refuse_from_outside(inventory)
        overlay = adapter(inventory)
    except UsageError as error:
        raise InventoryError(f"{options.cluster}: {error}") from None
    join(inventory)
    cluster = ClusterAccess(inventory)
    try:
        found = examine(cluster, overlay, start_container=options.start_container)
    finally:
        cluster.give_back_borrowed()
        cluster.close()
    for finding in found:
        print(f"{'problem' if finding.hinders else 'note'}: {finding}")
    problems = sum(finding.hinders for finding in found)
    count = "nothing keeps a run from beginning" if not problems else f"{problems} problem{'s' * (problems != 1)}"
    nodes = f"{len(inventory.nodes)} node{'s' * (len(inventory.nodes) != 1)}"
    print(f"{inventory.name}: {nodes}, overlay {overlay.name}: {count} ({time.monotonic() - began:.1f} s)")
    return EXIT_UNUSABLE if problems else 0
