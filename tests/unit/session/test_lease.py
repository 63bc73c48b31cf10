"""The lease on the cluster, between real processes: many share it or one has it alone, and death frees it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fixtures.evidence.waiting import eventually
from fixtures.session.lease import Lease

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import sys
from pathlib import Path
from fixtures.session.lease import Lease
with Lease(Path(sys.argv[1])).hold(alone=sys.argv[2] == "alone"):
    print("held", flush=True)
    sys.stdin.read()
print("released", flush=True)
"""


class Holder:
    """A process that takes the lease and holds it until it is told to go."""

    def __init__(self, path: Path, how: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(path), how],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": "."},
        )  # fmt: skip

    def held(self) -> bool:
        """Whether it comes to hold the lease; returns when it does, or ends."""
        assert self._process.stdout is not None
        return self._process.stdout.readline() == "held\n"

    def waiting(self) -> bool:
        """Whether the kernel has it in the queue for a lock (proc_locks(5): `->`)."""
        locks = Path("/proc/locks").read_text().splitlines()
        return any(" -> " in line and str(self._process.pid) in line.split() for line in locks)

    def queue(self) -> None:
        """Return once it waits for the lease."""
        eventually(self.waiting, bool, within_s=60, every_s=0.005, what="it waits for the lease")

    def go(self) -> None:
        """Let it release the lease and end."""
        out, _ = self._process.communicate(timeout=60)
        assert out.endswith("released\n")

    def kill(self) -> None:
        """End it as the kernel would."""
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate(timeout=60)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Callable[[str], Holder]]:
    made: list[Holder] = []

    def start(how: str) -> Holder:
        made.append(Holder(tmp_path / "lease", how))
        return made[-1]

    yield start
    for process in made:
        process.kill()


Start = Callable[[str], Holder]


def test_those_who_share_hold_it_together(holder: Start) -> None:
    first, second = holder("shared"), holder("shared")
    assert first.held()
    assert second.held()
    first.go()
    second.go()


def test_one_alone_waits_for_all_who_share(holder: Start) -> None:
    first, second = holder("shared"), holder("shared")
    assert first.held()
    assert second.held()
    alone = holder("alone")
    alone.queue()
    first.go()
    assert alone.waiting()
    second.go()
    assert alone.held()


def test_nobody_joins_one_alone(holder: Start) -> None:
    alone = holder("alone")
    assert alone.held()
    shared, another = holder("shared"), holder("alone")
    shared.queue()
    another.queue()
    alone.go()
    first, second = (shared, another) if not shared.waiting() else (another, shared)
    assert first.held()
    assert second.waiting()
    first.go()
    assert second.held()


def test_one_alone_does_not_starve_behind_those_who_share(holder: Start) -> None:
    reader = holder("shared")
    assert reader.held()
    alone = holder("alone")
    alone.queue()
    late = holder("shared")
    late.queue()
    reader.go()
    assert alone.held()
    assert late.waiting()
    alone.go()
    assert late.held()


@pytest.mark.parametrize("how", ["shared", "alone"])
def test_a_killed_holder_blocks_nobody(holder: Start, how: str) -> None:
    dead = holder(how)
    assert dead.held()
    waiting = holder("alone")
    waiting.queue()
    dead.kill()
    assert waiting.held()


def test_a_killed_waiter_blocks_nobody(holder: Start) -> None:
    reader = holder("shared")
    assert reader.held()
    alone = holder("alone")
    alone.queue()
    alone.kill()
    another = holder("shared")
    assert another.held()


def test_a_failure_releases_it(tmp_path: Path, holder: Start) -> None:
    with pytest.raises(ZeroDivisionError), Lease(tmp_path / "lease").hold(alone=True):
        raise ZeroDivisionError
    assert holder("alone").held()
