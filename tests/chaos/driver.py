"""One kill after the other on real labs, and a look at what each left.

A lab of another user, in a run directory of its own, stays up all the while and has to be as it was.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.plan import Kill, Phase, Victim
from tests.lab import traces
from tests.lab.conftest import ROOT, Place

SUITE = ("suites/no_nat/test_addresses.py", "suites/dns/test_records.py", "suites/isolation/test_attacks.py")
LAB = "chaos"
NODES = ("--nodes", "2")
MOST_S = 240.0
"""No command of these takes as long, whatever is killed below it; one that does hangs."""
LEFT_S = 20.0
"""How long the kernel may take to remove what a killed lab had."""
DISK_BYTES = 512 << 20
ATTEMPTS = 3
"""A command may end before the moment, which is a share of how long it took when it was measured."""
CODES = {0, 1, 2, 3, 4, 5, 6}
"""What Flatnet's commands end with (docs/gate.md), when nobody kills them."""

WORDS: Mapping[Victim, Callable[[str], bool]] = {
    Victim.ENGINE: lambda words: "dockerd --config-file" in words,
    Victim.CONSUL: lambda words: "consul agent" in words,
    Victim.AGENT: lambda words: "flatnet-agent" in words and not words.startswith("sh "),
    Victim.SSHD: lambda words: words.startswith("sshd: ") and "[listener]" in words,
    Victim.WORKER: lambda words: "exec(eval(sys.stdin.readline()))" in words,
    Victim.ANY: lambda words: bool(words),
}
"""Which command lines are the victim's."""


@dataclass
class Outcome:
    """What one kill did."""

    kill: Kill
    hit: str = ""
    """The process, or what else was hit; empty when there was nothing of the kind until the command ended."""
    code: int | None = None
    """The command's exit code; negative for a signal; None when it hung."""
    seconds: float = 0.0
    """How long the command took."""
    swept: list[str] = field(default_factory=list)
    """What was left, and removed by the next start."""
    wrong: list[str] = field(default_factory=list)
    """What must not be."""


class Chaos:
    """The place in which commands are killed; `top` is a short path to an empty folder."""

    def __init__(self, top: Path) -> None:
        self._place = Place(top / "p")
        self._other = Place(top / "o")
        self._durations: dict[Phase, float] = {}
        self._number = 0
        self._top = top

    @contextlib.contextmanager
    def standing(self) -> Iterator[None]:
        """Mount the place's disk, bring up the other user's lab, and take both away again."""
        self._place.top.mkdir(parents=True)
        self._other.top.mkdir(parents=True)
        _run("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "flatnet-chaos", str(self._place.top))
        try:
            up = self._other.lab("up", "--lab", "other", "--nodes", "1", "--no-nomad")
            assert up.returncode == 0, up.stdout + up.stderr
            try:
                self._watched = self._others()
                self._outside = traces.machine()
                self._processes = set(traces.descendants())
                yield
            finally:
                self._other.lab("down", "--lab", "other")
        finally:
            _run("umount", str(self._place.top))

    def measure(self, phases: Sequence[Phase]) -> None:
        """Let each phase pass once without a kill, which gives its duration. Raises AssertionError when one fails."""
        for phase in phases:
            self._make_ready(phase)
            began = time.monotonic()
            process, terminal, log = self._start(phase)
            code = process.wait(MOST_S)
            os.close(terminal)
            assert code == 0, log.read_text()
            self._durations[phase] = time.monotonic() - began
            self._take_down()
            assert not (left := self._left()), left

    def strike(self, kill: Kill) -> Outcome:
        """Carry out one kill, and look at what it left; once more when the command ended before its moment."""
        for _ in range(ATTEMPTS):
            outcome = self._strike(kill)
            if outcome.hit or outcome.wrong:
                break
            self._durations[kill.phase] = min(self._durations[kill.phase], outcome.seconds)
        return outcome

    def _strike(self, kill: Kill) -> Outcome:
        outcome = Outcome(kill)
        self._make_ready(kill.phase)
        began = time.monotonic()
        process, terminal, log = self._start(kill.phase)
        try:
            self._hit(kill, process, terminal, outcome)
            with contextlib.suppress(subprocess.TimeoutExpired):
                outcome.code = process.wait(MOST_S)
            if outcome.code is None:
                outcome.wrong.append(f"hung for {MOST_S:g} s")
                process.kill()
                process.wait()
        finally:
            outcome.seconds = time.monotonic() - began
            if outcome.hit != "terminal":
                os.close(terminal)
            self._filling().unlink(missing_ok=True)
        text = log.read_text(errors="replace")
        if outcome.code is not None and outcome.code >= 0 and outcome.code not in {*CODES, 128 + kill.ending}:
            outcome.wrong.append(f"exit code {outcome.code}")
        if ("Traceback (most recent call last)" in text or "INTERNALERROR" in text) and not interrupted_early(text):
            outcome.wrong.append(f"a traceback in {log}")
        if kill.phase is Phase.KEPT:
            outcome.wrong += self._run_again()
        self._take_down()
        outcome.wrong += self._judge_left(outcome)
        now = self._others()
        outcome.wrong += [
            f"the other user's {what} changed" for what in self._watched if now[what] != self._watched[what]
        ]
        outcome.wrong += [
            f"the machine's `{command}` changed" for command in self._outside.difference(traces.machine())
        ]
        return outcome

    def run_whole(self) -> list[str]:
        """A run that nobody kills, after all: what is wrong with it."""
        done = self._place.pytest(*SUITE, *NODES)
        verdict = (
            [] if done.returncode == 0 else [f"the run after all kills: exit code {done.returncode}\n{done.stdout}"]
        )
        return verdict + [f"the run after all kills left {what}" for what in self._left()]

    def _run_again(self) -> list[str]:
        """The next run in the kept lab, when that is still up; what is wrong with it."""
        listed = self._place.lab("exec", "u1", "--lab", LAB, "--", "true")
        if listed.returncode != 0:
            return []
        again = self._place.pytest(SUITE[0], "--lab", LAB)
        return [] if again.returncode == 0 else [f"the next run: exit code {again.returncode}\n{again.stdout}"]

    # -- commands ------------------------------------------------------------------------

    def _words(self, phase: Phase) -> list[str]:
        python = [sys.executable, "-m"]
        run = [*python, "pytest", "--out", str(self._place.out), *SUITE]
        return {
            Phase.UP: [*python, "lab", "up", "--lab", LAB, *NODES, "--no-nomad"],
            Phase.RUN: [*run, *NODES],
            Phase.WORKERS: [*run, *NODES, "-n", "2"],
            Phase.KEPT: [*run, "--lab", LAB],
            Phase.DOWN: [*python, "lab", "down", "--lab", LAB],
        }[phase]

    def _make_ready(self, phase: Phase) -> None:
        if phase in (Phase.KEPT, Phase.DOWN):
            up = self._place.lab("up", "--lab", LAB, *NODES, "--no-nomad")
            assert up.returncode == 0, up.stdout + up.stderr

    def _start(self, phase: Phase) -> tuple[subprocess.Popen[bytes], int, Path]:
        """The command on a terminal of its own, which it leads; the terminal's other end; where its output goes."""
        self._number += 1
        log = self._top / f"log-{self._number}"
        ours, theirs = pty.openpty()
        with log.open("wb") as output:
            process = subprocess.Popen(
                self._words(phase), cwd=ROOT, env=self._place.environment, stdin=theirs, stdout=output, stderr=output,
                start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            )  # fmt: skip
        os.close(theirs)
        traces.STARTED.append(process)
        return process, ours, log

    def _take_down(self) -> None:
        """End the lab that `lab up` left, as its user does."""
        if (self._place.run / LAB).exists():
            self._place.lab("down", "--lab", LAB)

    # -- the kill ------------------------------------------------------------------------

    def _hit(self, kill: Kill, process: subprocess.Popen[bytes], terminal: int, outcome: Outcome) -> None:
        deadline = time.monotonic() + kill.moment * self._durations[kill.phase]
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))  # the command may end before, which hits nothing
        while process.poll() is None and not outcome.hit:
            outcome.hit = self._try(kill, process, terminal)
            if not outcome.hit:
                time.sleep(0.01)  # until there is such a process; the kernel announces none

    def _try(self, kill: Kill, process: subprocess.Popen[bytes], terminal: int) -> str:
        """What was hit, or nothing when there is no such thing at the moment."""
        if kill.victim is Victim.TERMINAL:
            os.close(terminal)  # the kernel sends SIGHUP to the terminal's foreground
            return "terminal"
        if kill.victim is Victim.DISK:
            _fill(self._filling())
            return "disk"
        pids = [process.pid] if kill.victim is Victim.COMMAND else self._pids(kill.victim)
        if not pids:
            return ""
        pid = pids[int(kill.pick * len(pids))]
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            os.kill(pid, kill.ending)
        except (ProcessLookupError, FileNotFoundError):
            return ""
        return words[:60] or str(pid)

    def _pids(self, victim: Victim) -> list[int]:
        if victim in (Victim.SUPERVISOR, Victim.LAUNCHER):
            return self._supervisors(victim)
        mine = {pid: words for pid, words in traces.descendants().items() if pid not in self._processes}
        return sorted(pid for pid, words in mine.items() if WORDS[victim](words))

    def _supervisors(self, victim: Victim) -> list[int]:
        found = []
        for facts in self._place.run.glob("*/state.json"):
            with contextlib.suppress(OSError, ValueError, KeyError):
                supervisor = int(json.loads(facts.read_text())["supervisor"])
                parent = int(Path(f"/proc/{supervisor}/stat").read_text().rpartition(")")[2].split()[1])
                found.append(supervisor if victim is Victim.SUPERVISOR else parent)
        return sorted(found)

    def _filling(self) -> Path:
        return self._place.top / "filling"

    # -- what is left --------------------------------------------------------------------

    def _judge_left(self, outcome: Outcome) -> list[str]:
        """What is left even after the next start; what that start removed goes into the outcome."""
        left = traces.wait_until(self._left, lambda some: not some, within_s=LEFT_S)
        if not left:
            return []
        swept = self._place.lab("sweep")
        still = self._left()
        outcome.swept = [what for what in left if what not in still]
        return [f"left, after the next start too: {what}" for what in still] + (
            [] if swept.returncode == 0 else [f"the sweep: exit code {swept.returncode}: {swept.stderr}"]
        )

    def _left(self) -> list[str]:
        processes = [
            f"process {pid}: {words[:100]}" for pid, words in traces.descendants().items() if pid not in self._processes
        ]
        labs = {path.parent.name for path in self._place.run.glob("*/lock")} | {LAB}
        return [*processes, *self._place.left(), *(group for name in labs for group in traces.cgroups(name))]

    def _others(self) -> dict[str, object]:
        """The other user's lab: its processes with their start times, and what its node has."""
        facts = self._other.facts("other")
        pids = [facts["supervisor"], facts["manager"], *facts["nodes"].values()]
        shown = self._other.lab(
            "exec",
            "u1",
            "--lab",
            "other",
            "--",
            "sh",
            "-c",
            "ip -o link; ip -o -4 address; docker network ls; docker ps -a",
        )
        return {
            "processes": {pid: traces.start_time(pid) for pid in pids},
            "node": shown.stdout if shown.returncode == 0 else shown.stderr,
        }


def _fill(path: Path) -> None:
    """Write into a file until the disk is full."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 20))


def _run(*words: str) -> None:
    subprocess.run(words, check=True)


def interrupted_early(text: str) -> bool:
    """Whether a command printed nothing but that Python was interrupted: before any code of ours could hear SIGINT."""
    lines = text.strip().splitlines()
    return lines[:1] == ["Traceback (most recent call last):"] and lines[-1] == "KeyboardInterrupt"


def hear_signals() -> None:
    """Let SIGINT and SIGHUP end what is started: a job in the background ignores them, and so would its children.

    Ended by SIGTERM or SIGHUP itself, it still takes away the other user's lab and the place's disk.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(name, lambda *_: sys.exit(1))
