"""`python -m lab.vagrant`: what lab/vagrant/Vagrantfile calls on the machine that runs Vagrant.

The machines' files, Consul's configuration and the overlay come from the same code as those of the embedded lab.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lab.embedded.keys import make_key
from lab.embedded.plan import CONSUL_SERVERS, LabSpec
from lab.embedded.preflight import TABLE
from lab.embedded.readiness import boot, make_ready
from lab.embedded.roots import wanted_packages
from lab.embedded.vm.files import LINK, Files, seed, vm_files
from lab.errors import EXIT_UNUSABLE, EXIT_USAGE, HarnessError, UsageError
from lab.inventory import Commands, Consul, Inventory, Node, Overlay, Power, Ssh, dump, load
from lab.overlays import OVERLAYS

HERE = Path(__file__).resolve().parent
STATE = HERE / ".state"
"""Keys and files of the machines, and their cluster file; `vagrant destroy` leaves it, and it may be removed then."""
CLUSTER_FILE = STATE / "cluster.yaml"
INTERFACE = "eth1"
"""Of the underlay; Vagrant keeps eth0 for itself."""
OF_VAGRANT = ("etc/fstab", "etc/machine-id")
"""Files that a box has already."""


def inventory(nodes: int, overlay: str) -> Inventory:
    """The inventory of the machines, at the reference set-up's addresses. Raises UsageError."""
    spec = LabSpec(name="vagrant", nodes=nodes, overlay=overlay, nomad=False)
    ssh = Ssh(key=STATE / "runner", known_hosts=STATE / "known_hosts")
    power = [sys.executable, "-m", "lab.vagrant"]
    made = tuple(
        Node(
            name=name,
            address=spec.address(index),
            ssh=ssh,
            consul_server=index < CONSUL_SERVERS,
            interface=INTERFACE,
            commands=Commands(),
            power=Power(off=(*power, "power-off", name), on=(*power, "power-on", name)),
        )
        for index, name in enumerate(spec.node_names())
    )
    options = OVERLAYS[overlay].lab_options(own_kernels=True)
    return Inventory(
        name="vagrant",
        underlay=spec.underlay,
        nodes=made,
        overlay=Overlay(name=overlay, range=spec.range, subnets=spec.subnets(), options=options),
        consul=Consul(),
    )


def write_seeds(made: Inventory) -> None:
    """Write the machines' files as seed-NODE.tar, their host keys, the runner's key and the cluster file."""
    STATE.mkdir(mode=0o700, exist_ok=True)
    key = STATE / "runner"
    public = STATE / "runner.pub"
    if not key.exists():
        public.write_text(make_key(key, comment="flatnet-runner") + "\n", encoding="utf-8")
    known = []
    for node in made.nodes:
        folder = STATE / "nodes" / node.name
        (folder / "etc").mkdir(parents=True, exist_ok=True)
        host_key = folder / "ssh_host_key.pub"
        if not host_key.exists():
            host_key.write_text(make_key(folder / "ssh_host_key", comment=node.name) + "\n", encoding="utf-8")
        (folder / "etc" / "hostname").write_text(f"{node.name}\n", encoding="utf-8")
        (folder / "etc" / "hosts").write_text(
            "127.0.0.1 localhost\n" + "".join(f"{other.address} {other.name}\n" for other in made.nodes),
            encoding="utf-8",
        )
        (folder / "etc" / "machine-id").touch()
        packed = seed(box_files(folder, made, node, public.read_text(encoding="utf-8").strip()))
        (STATE / f"seed-{node.name}.tar").write_bytes(packed)
        known.append(f"{node.address} " + host_key.read_text(encoding="utf-8"))
    (STATE / "known_hosts").write_text("".join(known), encoding="utf-8")
    packages = wanted_packages(TABLE.read_text(encoding="utf-8"))
    (STATE / "packages").write_text("\n".join(packages) + "\n", encoding="utf-8")
    CLUSTER_FILE.write_text(dump(made), encoding="utf-8")


def box_files(folder: Path, made: Inventory, node: Node, runner_key: str) -> Files:
    """What a box is given of the files of a machine of the embedded lab."""
    files = vm_files(folder, made, node, runner_key, cables=[])
    return {path: entry for path, entry in files.items() if path not in OF_VAGRANT or entry[0] == LINK}


def vagrant(*words: str) -> None:
    """Run Vagrant in its folder. Raises HarnessError."""
    try:
        done = subprocess.run(["vagrant", *words], cwd=HERE, check=False)
    except FileNotFoundError:
        raise HarnessError("no program vagrant; install it, and VirtualBox or libvirt") from None
    if done.returncode != 0:
        raise HarnessError(f"vagrant {' '.join(words)}: exit code {done.returncode}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; errors are one line on standard error."""
    parser = argparse.ArgumentParser(prog="python -m lab.vagrant", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command", metavar="COMMAND")
    made = commands.add_parser("seeds", help="write what the machines start with, and cluster.yaml")
    made.add_argument("--nodes", type=int, default=3)
    made.add_argument("--overlay", default="vxlan")
    commands.add_parser("ready", help="make the overlay on the machines, and wait until everything answers")
    for name, text in (("power-off", "take a machine away at once"), ("power-on", "start it again, with its overlay")):
        commands.add_parser(name, help=text).add_argument("node")
    options = parser.parse_args(arguments)
    try:
        _do(options)
    except UsageError as error:
        print(f"lab.vagrant: {error}", file=sys.stderr)
        return EXIT_USAGE
    except HarnessError as error:
        print(f"lab.vagrant: {error}", file=sys.stderr)
        return EXIT_UNUSABLE
    return 0


def _do(options: argparse.Namespace) -> None:
    os.umask(0o077)
    if options.command == "seeds":
        write_seeds(inventory(options.nodes, options.overlay))
    elif options.command == "ready":
        make_ready(load(CLUSTER_FILE), lambda step, seconds: print(f"  {seconds:5.2f} s  {step}", flush=True))
    elif options.command == "power-off":
        vagrant("halt", "--force", options.node)
    else:
        vagrant("up", "--no-provision", options.node)
        boot(load(CLUSTER_FILE), options.node)


if __name__ == "__main__":
    sys.exit(main())
