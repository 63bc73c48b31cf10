"""Checks of the machine before a lab is made: everything that is missing is listed at once."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.programs import find_program

TABLE = Path(__file__).with_name("programs.txt")
"""Programs, what needs them and the packages that bring them; `./run` installs by the same table."""
OVERLAYS = ("wireguard",)
"""Needs of the table that are names of overlays: only a lab with that overlay needs the program."""
NEEDS = ("lab", "more", "here", "node", "vm", *OVERLAYS)
"""What a row of the table can say of the need; the table says what each means."""


def table_rows(table: str) -> list[tuple[str, str, list[str]]]:
    """(program, need, packages that may bring it) of each row, from the text of `TABLE`.

    Raises ValueError: a line that is not program, need, packages.
    """
    rows = []
    for line in table.splitlines():
        if not line or line.startswith("#"):
            continue
        words = line.split()
        if len(words) < 3 or words[1] not in NEEDS:
            raise ValueError(f"{TABLE.name}: {line!r} is not `program need packages`")
        rows.append((words[0], words[1], words[2:]))
    return rows


def needed_programs(table: str) -> dict[str, str]:
    """{program: Debian packages that bring it} of what no lab starts without. Raises ValueError as `table_rows`."""
    return {program: " or ".join(packages) for program, need, packages in table_rows(table) if need == "lab"}


def node_programs(table: str) -> dict[str, list[str]]:
    """{program: packages that may bring it} of what a node's own root file system has. Raises ValueError likewise."""
    not_theirs = ("here", "vm", *OVERLAYS)
    return {program: packages for program, need, packages in table_rows(table) if need not in not_theirs}


def packages_of(table: str) -> dict[str, str]:
    """{program: Debian packages that bring it} of all rows. Raises ValueError likewise."""
    return {program: " or ".join(packages) for program, _, packages in table_rows(table)}


_ROWS = table_rows(TABLE.read_text(encoding="utf-8"))
VM_PACKAGES = {program: " or ".join(packages) for program, need, packages in _ROWS if need == "vm"}
VM_PROGRAMS = tuple(VM_PACKAGES)
"""Programs without which no node is a virtual machine (`--machines`)."""
IN_ROOTS = frozenset(node_programs(TABLE.read_text(encoding="utf-8")))
"""Programs that every root file system has, and every image of machines."""
PROGRAMS = {**needed_programs(TABLE.read_text(encoding="utf-8")), "consul": "consul (see ./run)"}
"""Program → the Debian packages that bring it."""

NO_NOMAD = "workloads and CP-3 do not apply; `python -m lab fetch nomad` gets it"
"""The message on a machine without Nomad."""
NO_SUDO = "labs with `--foreign` need it; install sudo"
"""The message on a machine without sudo."""

NO_MMDEBSTRAP = "no root file system can be made for nodes (`--root`); install mmdebstrap"
"""The message on a machine without mmdebstrap."""

NO_VM = "no node can be a virtual machine (`--machines`); install {package}"
"""The message on a machine that lacks a program of VM_PACKAGES."""

ALL_CAPABILITIES = "chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable \
net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace \
sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control \
setfcap mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore".split()
"""Capabilities by number, capabilities(7)."""


@dataclass(frozen=True)
class Finding:
    """One prerequisite: what it is, whether it holds, and the way out when not."""

    what: str
    holds: bool
    way_out: str = ""
    fatal: bool = True


def missing_capabilities() -> tuple[str, ...]:
    """Capabilities that this machine's bounding set lacks, as CAP_… names."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    bounding = int(next(line for line in status.splitlines() if line.startswith("CapBnd:")).split()[1], 16)
    return tuple(f"CAP_{name.upper()}" for bit, name in enumerate(ALL_CAPABILITIES) if not bounding >> bit & 1)


def examine(programs: Iterable[str] = PROGRAMS) -> list[Finding]:
    """Check user, programs, kernel and namespaces; changes nothing."""
    findings = [Finding("root", os.geteuid() == 0, "run as root (namespaces, mounts and bridges need it)")]
    for name in programs:
        package = PROGRAMS.get(name) or packages_of(TABLE.read_text(encoding="utf-8")).get(name, name)
        findings.append(Finding(f"program {name}", find_program(name) is not None, f"install {package}"))
    for kind in ("net", "mnt", "uts", "ipc", "pid", "cgroup"):
        findings.append(
            Finding(f"{kind} namespaces", Path(f"/proc/self/ns/{kind}").exists(), f"a kernel with {kind} namespaces")
        )
    findings.append(Finding("overlay file system", can_mount("overlay"), "a kernel that has it, or its module"))
    return findings


def can_mount(kind: str, *, known: Path = Path("/proc/filesystems"), modules: Path = Path("/lib/modules")) -> bool:
    """Whether the kernel has a file system, or a module of it, which the first mount loads (modules.dep(5)).

    On a machine that was just installed no mount has loaded it yet.
    """
    if kind in known.read_text(encoding="utf-8").split():
        return True
    listing = modules / os.uname().release / "modules.dep"
    return listing.is_file() and f"/{kind}.ko" in listing.read_text(encoding="utf-8")


def require(programs: Iterable[str] = PROGRAMS) -> None:
    """Raise LabError, one line listing everything missing, or return."""
    missing = [finding for finding in examine(programs) if finding.fatal and not finding.holds]
    if missing:
        text = "; ".join(f"{item.what} ({item.way_out})" for item in missing)
        hint = ". `./run` installs the programs" if any(item.what.startswith("program ") for item in missing) else ""
        raise LabError(f"this machine cannot carry a lab: missing {text}{hint}")
