"""One lab for all faults (one per xdist worker): faults go in, the suites are run, faults come out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
QUICK = (
    "masquerade-inside-range",
    "tunnel-dropped-one-way",
    "leak-of-one-udp-port",
    "service-under-the-nodes-address",
    "idle-rule",
)
"""Drilled whenever Flatnet's own tests are run; the others when this folder is named."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without the folder's name, a few faults stand for all: the whole drill takes its time."""
    if any("drill" in argument for argument in config.args):
        return
    mine = [item for item in items if Path(__file__).parent in item.path.parents]
    left_out = [item for item in mine if not any(f"[{name}]" in item.name for name in QUICK)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@dataclass(frozen=True)
class Ended:
    """A run of the suites: its exit code, its verdict, and what it printed."""

    exit_code: int
    requirements: dict[str, Any]
    output: str

    def with_status(self, *statuses: str) -> set[str]:
        """Ids of the requirements that have one of these statuses."""
        return {name for name, one in self.requirements.items() if one["status"] in statuses}

    def reason(self, requirement: str) -> str:
        return str(self.requirements[requirement]["reason"])


@dataclass(frozen=True)
class DrillLab:
    """A lab that stays for the whole drill."""

    name: str
    folder: Path

    def command(self, *words: str) -> str:
        """Run `python -m lab WORDS --lab NAME`; its output. Fails the test when it fails."""
        done = subprocess.run(
            [sys.executable, "-m", "lab", *words, "--lab", self.name], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, f"lab {' '.join(words)}: {done.stderr}"
        return done.stdout

    def suites(self, places: Sequence[str], *, disruptive: bool = False, chosen: str = "") -> Ended:
        """Run these folders of the suites against the lab."""
        words = [sys.executable, "-m", "pytest", "-q", *places, "--lab", self.name, "--out", str(self.folder)]
        words += [] if disruptive else ["--no-disruptive"]
        words += ["-k", chosen] if chosen else []
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, env=environment)
        output = done.stdout + done.stderr
        verdict = self.folder / "latest" / "verdict.json"
        assert done.returncode in (0, 1), output[-3000:]
        return Ended(done.returncode, json.loads(verdict.read_text())["requirements"], output)


@pytest.fixture(scope="session")
def drill_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DrillLab]:
    """Up for the session; the kernel takes it down with `lab down`, whatever is in it."""
    lab = DrillLab(f"drill-{os.getpid()}", tmp_path_factory.mktemp("drill"))
    lab.command("up")
    try:
        yield lab
    finally:
        lab.command("down")
