"""What is killed, how, and when: drawn from a seed before anything runs."""

from __future__ import annotations

import random
import signal
from dataclasses import dataclass
from enum import Enum


class Phase(Enum):
    """What goes on when the kill comes."""

    UP = "lab up"
    RUN = "run"
    WORKERS = "run -n 2"
    KEPT = "run in a kept lab"
    DOWN = "lab down"


class Victim(Enum):
    """What is hit."""

    COMMAND = "the command"
    TERMINAL = "its terminal"
    DISK = "its disk"
    LAUNCHER = "the lab's launcher"
    SUPERVISOR = "the lab's supervisor"
    ENGINE = "an engine"
    CONSUL = "a Consul agent"
    AGENT = "an agent of the probes"
    SSHD = "an SSH server"
    WORKER = "a worker"
    ANY = "any process"


ENDINGS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""How a command ends; daemons are killed."""

WEIGHTS = {
    Victim.COMMAND: 30,
    Victim.TERMINAL: 8,
    Victim.DISK: 8,
    Victim.LAUNCHER: 6,
    Victim.SUPERVISOR: 10,
    Victim.ENGINE: 8,
    Victim.CONSUL: 6,
    Victim.AGENT: 8,
    Victim.SSHD: 4,
    Victim.WORKER: 6,
    Victim.ANY: 12,
}
PHASES = {Phase.UP: 25, Phase.RUN: 35, Phase.WORKERS: 10, Phase.KEPT: 20, Phase.DOWN: 10}

IMPOSSIBLE = {
    (Phase.UP, Victim.AGENT),
    (Phase.UP, Victim.WORKER),
    (Phase.RUN, Victim.WORKER),
    (Phase.KEPT, Victim.WORKER),
    (Phase.DOWN, Victim.AGENT),
    (Phase.DOWN, Victim.WORKER),
    (Phase.DOWN, Victim.DISK),
}
"""There is no such process then; `lab down` writes nothing."""


@dataclass(frozen=True)
class Kill:
    """One kill; `moment` is the share of the phase's time that has passed (0 to 1), `pick` chooses among equals."""

    phase: Phase
    victim: Victim
    ending: signal.Signals
    moment: float
    pick: float

    def __str__(self) -> str:
        how = {Victim.TERMINAL: "closed", Victim.DISK: "full"}.get(self.victim, self.ending.name)
        return f"{self.phase.value} at {self.moment:.0%}: {self.victim.value} ({how})"


def draw(seed: int, count: int) -> list[Kill]:
    """The same `count` kills for the same seed."""
    dice = random.Random(seed)
    kills: list[Kill] = []
    while len(kills) < count:
        phase = dice.choices(list(PHASES), list(PHASES.values()))[0]
        victim = dice.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        ending = dice.choice(ENDINGS)
        moment, pick = dice.random(), dice.random()
        if (phase, victim) in IMPOSSIBLE:
            continue
        is_command = victim in (Victim.COMMAND, Victim.SUPERVISOR, Victim.LAUNCHER)
        kills.append(Kill(phase, victim, ending if is_command else signal.SIGKILL, moment, pick))
    return kills
