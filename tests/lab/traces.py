"""What a command leaves on the machine: its processes, and everything that is not a process.

The test process is made a subreaper, so whatever outlives its parent becomes its child: its
descendants are all that a command started, in whatever PID namespace they are.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from lab.embedded.cgroups import PARENT, hierarchies

PATIENCE_S = 15.0
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_KINDS = ("net", "mnt", "pid", "uts", "ipc", "cgroup")
_MACHINE = (
    "ip -json link",
    "ip -json address",
    "ip route show table all",
    "ip -6 route show table all",
    "ip rule",
    "nft list ruleset",
    "iptables-legacy-save -M /bin/true",
    "cat /proc/self/mountinfo",
    "sysctl net.ipv4.ip_forward net.ipv4.neigh.default.gc_thresh3",
)
STARTED: list[subprocess.Popen[Any]] = []
"""Processes that this one started and waits for itself."""


def end_started() -> None:
    """End what a test that failed left running."""
    for process in STARTED:
        if process.poll() is None:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class Machine:
    """The machine's own network namespace and mounts, as text per command."""

    seen: dict[str, str]

    def difference(self, other: Machine) -> list[str]:
        """Commands whose answers differ."""
        return [command for command, text in self.seen.items() if other.seen[command] != text]


def machine() -> Machine:
    """Read the machine's links, addresses, routes, rules, packet filters and mounts."""
    seen = {}
    for command in _MACHINE:
        done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
        lines = [line for line in done.stdout.splitlines() if not line.startswith("#")]
        # Packet counters of a chain move by themselves; rules and policies don't.
        seen[command] = "\n".join(line.split(" [")[0] if line.startswith(":") else line for line in lines)
    return Machine(seen)


def adopt_orphans() -> None:
    """Become the parent of every descendant that loses its own (prctl(2))."""
    if ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError("prctl(PR_SET_CHILD_SUBREAPER) was refused")


def descendants() -> dict[int, str]:
    """{pid: command line} of everything below this process; adopted processes that have ended are reaped."""
    children: dict[int, list[int]] = {}
    mine = {process.pid for process in STARTED}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            pid = int(entry.name)
            if state != "Z":
                children.setdefault(int(parent), []).append(pid)
            elif int(parent) == os.getpid() and pid not in mine:
                os.waitpid(pid, os.WNOHANG)
    found, ahead = {}, list(children.get(os.getpid(), []))
    while ahead:
        pid = ahead.pop()
        ahead += children.get(pid, [])
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        found[pid] = words
    return found


def namespaces(pids: Collection[int]) -> set[str]:
    """The namespaces that these processes live in, and this process does not."""
    return _links(pids) - _links([os.getpid()])


def holders(of: set[str]) -> dict[int, str]:
    """{pid: start time} of every process of the machine that lives in one of these namespaces.

    Once they have ended only a mount could keep the namespaces; their numbers are given to others then.
    """
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return {pid: began for pid in pids if _links([pid]) & of and (began := start_time(pid)) is not None}


def wait_ended(of: Mapping[int, str]) -> dict[int, str]:
    """Wait until all of these holders have ended; returns those that have not."""
    return wait_until(
        lambda: {pid: began for pid, began in of.items() if start_time(pid) == began}, lambda some: not some
    )


def start_time(pid: int) -> str | None:
    """When a process started, in clock ticks since boot (proc(5)); None when it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def _links(pids: Collection[int]) -> set[str]:
    found = set()
    for pid in pids:
        for kind in _KINDS:
            try:
                found.add(os.readlink(f"/proc/{pid}/ns/{kind}"))
            except OSError:
                continue
    return found


def cgroups(lab: str) -> list[str]:
    """Control groups of a lab, in every hierarchy."""
    places = [place for tree in hierarchies() for place in tree.path.glob(f"{PARENT}*/{lab}")]
    return [str(place) for place in places if place.exists()]


def files(*places: Path) -> list[str]:
    """Every file and folder below these places, and the places themselves."""
    return [str(path) for place in places if place.exists() for path in (place, *place.rglob("*"))]


T = TypeVar("T")


def wait_until(look: Callable[[], T], good: Callable[[T], bool], *, within_s: float = PATIENCE_S) -> T:
    """Read until the value is good or the time is over; returns the last value either way."""
    until = time.monotonic() + within_s
    while not good(seen := look()) and time.monotonic() < until:
        time.sleep(0.01)
    return seen


def wait_gone(pids: Mapping[int, str]) -> dict[int, str]:
    """Wait until these descendants have ended; returns those that have not."""

    def left() -> dict[int, str]:
        seen = descendants()
        return {pid: seen[pid] for pid in pids if pid in seen}

    return wait_until(left, lambda some: not some)
