"""`python -m lab`: make, enter and end embedded labs."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from ipaddress import IPv4Network

from lab.programs import find_program

from .embedded import lifecycle as embedded
from .embedded.faces import FACES, ROOT, cluster_file
from .embedded.fetch import fetch
from .embedded.kernel import examine_kernel, has_ipv6, usable_families
from .embedded.plan import LabSpec
from .embedded.preflight import NO_MMDEBSTRAP, NO_NOMAD, NO_SUDO, NO_VM, VM_PACKAGES, Finding, examine
from .embedded.upgrade import power_on
from .errors import EXIT_UNUSABLE, EXIT_USAGE, HarnessError, UsageError
from .faults import FAULTS, choose, heal, inject
from .inquiries import add_commands as add_inquiries
from .overlays import IN_LABS
from .userlands import add_commands as add_userlands
from .userlands import print_step
from .version import read_version


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; errors are one line on standard error, and an exit code (DESIGN §8)."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.do(options) or 0)
    except UsageError as error:
        print(f"lab: {error}", file=sys.stderr)
        return EXIT_USAGE
    except HarnessError as error:
        print(f"lab: {error}", file=sys.stderr)
        return EXIT_UNUSABLE
    except KeyboardInterrupt:
        print("lab: interrupted", file=sys.stderr)
        return 2
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0


class _ShowVersion(argparse.Action):
    """Prints the version when asked to; only then is git asked for the revision."""

    def __call__(self, *_: object, **__: object) -> None:
        print(f"flatnet {read_version()}")
        raise SystemExit(0)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        print(f"{self.prog}: {message} (see {self.prog} --help)", file=sys.stderr)
        raise SystemExit(EXIT_USAGE)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m lab", description=__doc__)
    parser.add_argument("--version", action=_ShowVersion, nargs=0, help="show Flatnet's version and exit")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, do: object, text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.set_defaults(do=do)
        return made

    def named(made: argparse.ArgumentParser) -> None:
        made.add_argument("--lab", default="lab", metavar="NAME", help="name of the lab (default: lab)")

    made = command("up", _up, "make a lab that stays until `down`")
    named(made)
    made.add_argument("--nodes", type=int, default=3, metavar="N")
    made.add_argument("--overlay", default="vxlan", metavar="NAME", help=", ".join(sorted(IN_LABS)))
    made.add_argument("--underlay", type=_network, default=IPv4Network("192.168.56.0/24"), metavar="CIDR")
    made.add_argument("--range", type=_network, default=IPv4Network("10.32.0.0/16"), metavar="CIDR")
    made.add_argument("--subnet-prefix", type=int, default=24, metavar="BITS")
    made.add_argument("--no-nomad", dest="nomad", action="store_false", help="leave Nomad out, which takes longest")
    made.add_argument(
        "--root", default="", metavar="RELEASE|NODE=RELEASE,…", help="Debian releases as root file systems"
    )
    made.add_argument(
        "--machines", default="", metavar="vm|NODE=vm,…", help="nodes that are virtual machines, with their own kernel"
    )
    made.add_argument("--families", default="4", metavar="4|46", help="46: IPv6 beside IPv4 in the overlay")
    made.add_argument("--encrypted", action="store_true", help="encrypt what nodes send each other (overlay swarm)")
    made.add_argument("--foreign", action="store_true", help="as somebody else's cluster: bastion, sudo, TLS, ACLs")
    named(command("down", _down, "end a lab; nothing of it is left"))
    command("list", _list, "labs that are up")
    made = command("enter", _enter, "a shell on a node")
    named(made)
    made.add_argument("node")
    made = command("exec", _exec, "run a command on a node: exec NODE -- CMD…")
    named(made)
    made.add_argument("node")
    made.add_argument("words", nargs=argparse.REMAINDER, metavar="-- CMD…")
    made = command("inventory", _inventory, "print the lab's inventory, as a cluster file holds it")
    named(made)
    made.add_argument("--face", default=ROOT, metavar="NAME", help=f"of a foreign lab: {', '.join(FACES)}")
    made = command("record", _record, "write the contract of what is true on a cluster now: who reaches whom")
    chosen = made.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--cluster", metavar="FILE", help="the cluster of this file")
    chosen.add_argument("--lab", metavar="NAME", help="a lab that is up")
    command("faults", _faults, "list the faults, and what each of them must fail")
    made = command("inject", _inject, "put faults into a lab that is up: inject FAULT[@NODE]…")
    named(made)
    made.add_argument("faults", nargs="+", metavar="FAULT[@NODE]")
    named(command("heal", _heal, "undo every fault that was injected"))
    command("doctor", _doctor, "list what this machine has and lacks for a lab")
    made = command("fetch", _fetch, "download what no package has into the cache, and verify it")
    made.add_argument("what", choices=("nomad", "weave"))
    made.add_argument("--from", dest="source", metavar="DIR|URL", help="take the files from there")
    add_inquiries(command)
    add_userlands(command)
    command("sweep", _sweep, "remove what dead labs left behind (names only)")
    for name, text in (
        ("power-off", "take a node away at once"),
        ("power-on", "start a node that is off, and its part in the overlay"),
    ):
        made = command(name, _power(name), text)
        named(made)
        made.add_argument("node")
    return parser


def _network(text: str) -> IPv4Network:
    try:
        return IPv4Network(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _up(options: argparse.Namespace) -> None:
    families, less = usable_families(options.families, has_ipv6())
    if less:
        print(less, file=sys.stderr)
    spec = LabSpec(
        name=options.lab,
        nodes=options.nodes,
        overlay=options.overlay,
        underlay=options.underlay,
        range=options.range,
        subnet_prefix=options.subnet_prefix,
        nomad=options.nomad,
        foreign=options.foreign,
        families=families,
        root=options.root,
        machines=options.machines,
        encrypted=options.encrypted,
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    lab = embedded.up(spec, stay=True, progress=print_step)
    named = "" if lab.name == "lab" else f" --lab {lab.name}"
    print(f"lab {lab.name}: pytest suites --lab {lab.name} · python -m lab enter{named} u1 · python -m lab down{named}")


def _down(options: argparse.Namespace) -> None:
    embedded.down(options.lab)


def _list(options: argparse.Namespace) -> None:
    for lab in embedded.running_labs():
        overlay = lab.inventory.overlay
        names = [node.name for node in lab.inventory.nodes if node.name in lab.nodes]
        kinds = {**lab.releases, **{name: f"machine, {accelerator}" for name, accelerator in lab.vms.items()}}
        nodes = ", ".join(f"{name} ({kinds[name]})" if name in kinds else name for name in names)
        print(f"{lab.name}: {overlay.name} {overlay.span}, nodes {nodes}")


def _ssh_words(lab: embedded.RunningLab, name: str, words: Sequence[str]) -> list[str]:
    """The command line of OpenSSH's client for a node that is a virtual machine."""
    node = lab.inventory.node(name)
    known, key = f"UserKnownHostsFile={node.ssh.known_hosts}", str(node.ssh.key)
    options = ["-F", "none", "-o", known, "-i", key, "-o", "LogLevel=ERROR", *([] if words else ["-t"])]
    return ["ssh", *options, f"root@{node.address}", *([shlex.join(words)] if words else [])]


def _node_pid(options: argparse.Namespace) -> int:
    lab = embedded.attach(options.lab)
    if options.node not in lab.nodes:
        raise UsageError(f"lab {lab.name!r} has no running node {options.node!r}; it has: {', '.join(lab.nodes)}")
    return lab.nodes[options.node]


def _nsenter(pid: int, words: Sequence[str]) -> None:
    os.execvp("nsenter", ["nsenter", "-t", str(pid), "-m", "-u", "-i", "-n", "-p", "-C", "--", *words])


def _go_into_vm(options: argparse.Namespace, words: Sequence[str]) -> None:
    """Become OpenSSH's client, when the node is a virtual machine."""
    lab = embedded.attach(options.lab)
    if options.node in lab.vms and options.node in lab.nodes:
        embedded.join(lab.inventory)
        command = _ssh_words(lab, options.node, words)
        os.execvp(command[0], command)


def _enter(options: argparse.Namespace) -> None:
    _go_into_vm(options, [])
    pid, shell = _node_pid(options), os.environ.get("SHELL", "/bin/sh")
    # A root file system need not have the machine's shell; /proc/PID/root is the node's (proc(5)).
    _nsenter(pid, [shell if os.path.lexists(f"/proc/{pid}/root{shell}") else "/bin/sh"])


def _exec(options: argparse.Namespace) -> None:
    words = options.words[1:] if options.words[:1] == ["--"] else options.words
    if not words:
        raise UsageError("exec: no command; write it after `--`")
    _go_into_vm(options, words)
    _nsenter(_node_pid(options), words)


def _inventory(options: argparse.Namespace) -> None:
    file = cluster_file(embedded.attach(options.lab).state, options.face)
    if not file.exists():
        raise UsageError(
            f"--face {options.face}: lab {options.lab!r} does not have it; "
            "other faces than root need `lab up --foreign`, and the face nomad needs Nomad"
        )
    print(file.read_text(encoding="utf-8"), end="")


def _record(options: argparse.Namespace) -> None:
    """Become the command of fixtures, which `lab` may not import."""
    place = ["--cluster", options.cluster] if options.cluster is not None else ["--lab", options.lab]
    os.execv(sys.executable, [sys.executable, "-m", "fixtures.existing.record", *place])


def _doctor(options: argparse.Namespace) -> int:
    findings = [*examine(), Finding("program nomad", find_program("nomad") is not None, NO_NOMAD, fatal=False)]
    findings.append(Finding("program sudo", find_program("sudo") is not None, NO_SUDO, fatal=False))
    findings.append(Finding("program mmdebstrap", find_program("mmdebstrap") is not None, NO_MMDEBSTRAP, fatal=False))
    findings += [
        Finding(f"program {name}", find_program(name) is not None, NO_VM.format(package=package), fatal=False)
        for name, package in VM_PACKAGES.items()
    ]
    for name, kind in sorted(IN_LABS.items()):
        lacking = kind.lacking()
        findings.append(Finding(f"overlay {name}", lacking is None, lacking or "", fatal=False))
    findings += examine_kernel()
    for finding in findings:
        print(
            f"{'ok  ' if finding.holds else 'LACK'} {finding.what}" + ("" if finding.holds else f": {finding.way_out}")
        )
    return EXIT_UNUSABLE if any(item.fatal and not item.holds for item in findings) else 0


def _faults(options: argparse.Namespace) -> None:
    for fault in FAULTS.values():
        must_fail = ", ".join(fault.must_fail) or "nothing"
        print(f"{fault.name:<34} {must_fail:<22} {fault.applies_to:<22} {fault.imitates}")


def _inject(options: argparse.Namespace) -> None:
    lab = embedded.attach(options.lab)
    embedded.join(lab.inventory)
    for fault, node in [choose(FAULTS, text, lab.inventory) for text in options.faults]:
        inject(lab.state, lab.inventory, fault, node)
        print(f"{fault.name}@{node.name} is in; `python -m lab heal --lab {lab.name}` takes it out")


def _heal(options: argparse.Namespace) -> None:
    lab = embedded.attach(options.lab)
    embedded.join(lab.inventory)
    for name in heal(lab.state, lab.inventory):
        print(f"{name} is out")


def _fetch(options: argparse.Namespace) -> None:
    for line in fetch(options.what, options.source):
        print(line)


def _sweep(options: argparse.Namespace) -> None:
    for name in embedded.sweep():
        print(f"swept {name}")


def _power(operation: str) -> object:
    def do(options: argparse.Namespace) -> None:
        if operation == "power-on":
            power_on(embedded.attach(options.lab), options.node)
        else:
            embedded.request(options.lab, op=operation, node=options.node)

    return do
