"""`python -m lab root` and `upgrade`: root file systems for the nodes of labs, and their change in a lab that is up."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable

from .embedded import lifecycle, roots
from .embedded.upgrade import upgrade

AddCommand = Callable[[str, object, str], argparse.ArgumentParser]


def add_commands(command: AddCommand) -> None:
    """Add the commands to the parser of `python -m lab`."""
    kinds = command("root", None, "Debian releases as root file systems of nodes").add_subparsers(
        required=True, metavar="make|list|remove"
    )
    for name, do, text in (
        ("make", _make, "make the root file system of a Debian release (mmdebstrap), and keep it in the cache"),
        ("list", _list, "root file systems in the cache"),
        ("remove", _remove, "remove the root file system of a release from the cache"),
    ):
        made = kinds.add_parser(name, help=text, description=text)
        made.set_defaults(do=do)
        if name != "list":
            made.add_argument("release", metavar="RELEASE", help="bookworm, trixie, sid, …")
        if name == "make":
            made.add_argument(
                "--mirror", metavar="URL", help="Debian's mirror (default: the one of this machine's apt)"
            )
    made = command("upgrade", _upgrade, "stop a node, give it the root file system of a release, and start it again")
    made.add_argument("node")
    made.add_argument(
        "--root", required=True, metavar="RELEASE", help=f"a release, or `{roots.MACHINE}`: the machine's"
    )
    made.add_argument("--lab", default="lab", metavar="NAME", help="name of the lab (default: lab)")


def _tell(line: str) -> None:
    print(line, flush=True)


def _make(options: argparse.Namespace) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    root = roots.make(options.release, _tell, mirror=options.mirror)
    print(root)
    print(f"{root.tree}: made in {root.seconds:.0f} s")


def _list(options: argparse.Namespace) -> None:
    for root in roots.all_roots():
        outdated = "" if root.current else " (from another list of packages: make it again)"
        print(f"{root}{outdated}")


def _remove(options: argparse.Namespace) -> None:
    for folder in roots.remove(options.release):
        print(f"removed {folder}")


def _upgrade(options: argparse.Namespace) -> None:
    upgrade(lifecycle.attach(options.lab), options.node, options.root, print_step)


def print_step(step: str, seconds: float) -> None:
    """Print a step, and the seconds since the first one began."""
    print(f"  {seconds:5.2f} s  {step}", flush=True)
