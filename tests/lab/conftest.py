"""Labs for Flatnet's own tests, reached from a child process.

A test process must not join a lab's namespace for good: the next test has another lab.
So everything here drives `python -m lab` and `pytest` as a user does.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
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


@dataclass(frozen=True)
class Machine:
    """The machine's own network namespace and mounts, as text per command."""

    seen: dict[str, str]

    def difference(self, other: Machine) -> list[str]:
        """Commands whose answers differ."""
        return [command for command, text in self.seen.items() if other.seen[command] != text]


def machine() -> Machine:
    """Look at the machine: links, addresses, routes, rules, packet filters, mounts."""
    seen = {}
    for command in _MACHINE:
        done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
        lines = [line for line in done.stdout.splitlines() if not line.startswith("#")]
        # Packet counters of a chain move by themselves; rules and policies don't.
        seen[command] = "\n".join(line.split(" [")[0] if line.startswith(":") else line for line in lines)
    return Machine(seen)


def lab_command(*words: str, run_dir: Path, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """`python -m lab …` with a run directory of its own."""
    return subprocess.run(
        [sys.executable, "-m", "lab", *words],
        cwd=ROOT,
        env={**os.environ, "FLATNET_RUN": str(run_dir)},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """Where this test's labs keep their state; unix sockets in it need a short path."""
    return tmp_path / "run"


@pytest.fixture
def lab(run_dir: Path) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Run lab commands; every lab of the test is ended after it."""

    def command(*words: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        return lab_command(*words, run_dir=run_dir, timeout=timeout)

    yield command
    for folder in run_dir.iterdir() if run_dir.is_dir() else ():
        command("down", "--lab", folder.name)
