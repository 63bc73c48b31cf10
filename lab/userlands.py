"""`python -m lab root` and `upgrade`: root file systems for the nodes of labs, and their change in a lab that is up."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable

from .embedded import lifecycle, roots
from .embedded.upgrade import upgrade
from .embedded.vm import image as vm_image

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
            made.add_argument(
                "--vm", action="store_true", help="the image of virtual machines, with kernel and systemd"
            )
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
    if options.vm:
        image = vm_image.make(options.release, _tell, mirror=options.mirror)
        print(image)
        print(f"{image.folder}: made in {image.seconds:.0f} s")
        return
    root = roots.make(options.release, _tell, mirror=options.mirror)
    print(root)
    print(f"{root.tree}: made in {root.seconds:.0f} s")


def _list(options: argparse.Namespace) -> None:
    found: list[roots.Root | vm_image.Image] = [*roots.all_roots(), *vm_image.all_images()]
    for made in found:
        outdated = "" if made.current else " (from another list of packages: make it again)"
        print(f"{made}{outdated}")


def _remove(options: argparse.Namespace) -> None:
    for folder in (vm_image if options.vm else roots).remove(options.release):
        print(f"removed {folder}")


def _upgrade(options: argparse.Namespace) -> None:
    upgrade(lifecycle.attach(options.lab), options.node, options.root, print_step)


def print_step(step: str, seconds: float) -> None:
    """Print a step, and the seconds since the first one began."""
    print(f"  {seconds:5.2f} s  {step}", flush=True)
