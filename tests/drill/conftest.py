"""One lab for all faults (one per xdist worker): a fault is injected, suites are run, the fault is healed."""

from __future__ import annotations

import ast
import json
import os
import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from lab.embedded.lifecycle import attach
from lab.inventory import Inventory

from .strangers import CONTRACT, OVERLAYS, STRANGERS, last_address, start_command

ROOT = Path(__file__).resolve().parents[2]
QUICK = (
    "masquerade",
    "udp-source-port-rewritten",
    "tunnel-one-way",
    "interface-mtu-above-tunnel",
    "route-missing",
    "open-to-strangers",
    "route-between-subnets",
    "one-udp-port-leaks",
    "stale-instance",
    "wrong-port",
    "two-peers-one-identity",
    "ip-forward-off",
)
"""Two quick faults of each promise that every lab has: drilled whenever Flatnet's own tests are run. All of them are
drilled when this folder is named, as .ci/nightly does."""
LOOKOUTS = ("NET-1", "NET-3", "HOST-2", "ISO-2", "DNS-5", "CP-1", "CP-4", "CP-5")
"""Requirements that are quick to judge, run beside those that must fail, to see whether others fail too."""
SCORE, PAIR, NOT_APPLICABLE = "drill", "pair of faults", "not applicable"
"""Names of the properties that tests record for the summary."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the drill's options; pytest knows them when this folder is named on the command line."""
    group = parser.getgroup("drill", "Flatnet's fault drill")
    group.addoption("--wide", action="store_true", help="judge every requirement under each fault, not only some")
    group.addoption("--desk", action="store_true", help="run only the folders of what must fail")
    group.addoption("--with-nomad", action="store_true", help="give the drill's lab Nomad, for the faults that need it")
    group.addoption("--regenerate", action="store_true", help="write docs/faults from the faults' declarations")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out all faults but QUICK unless this folder is named: the whole drill takes a quarter of an hour."""
    if any("drill" in argument for argument in config.args):
        return
    mine = [item for item in items if Path(__file__).parent in item.path.parents and "drill_lab" in _fixtures(item)]
    left_out = [item for item in mine if not any(item.name.endswith(f"[{name}]") for name in QUICK)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def _fixtures(item: pytest.Item) -> Sequence[str]:
    return getattr(item, "fixturenames", ())


@cache
def proofs_of() -> dict[str, tuple[str, ...]]:
    """{requirement: the tests that prove it}, as pytest names them, read from the suites' source."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "suites").rglob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef):
                for mark in node.decorator_list:
                    if isinstance(mark, ast.Call) and getattr(mark.func, "id", "") == "requirement":
                        for word in mark.args:
                            assert isinstance(word, ast.Constant)
                            found[str(word.value)].append(f"{path.relative_to(ROOT)}::{node.name}")
    return {name: tuple(tests) for name, tests in found.items()}


@dataclass(frozen=True)
class Ended:
    """A run of the suites: its exit code, its verdict, and what it printed."""

    exit_code: int
    verdict: str
    requirements: dict[str, Any]
    output: str

    def with_status(self, *statuses: str) -> set[str]:
        """Ids of the requirements that have one of these statuses."""
        return {name for name, judged in self.requirements.items() if judged["status"] in statuses}

    def reason(self, requirement: str) -> str:
        """Why it has the status that it has."""
        return str(self.requirements[requirement]["reason"])


@dataclass(frozen=True)
class DrillLab:
    """A lab that stays for the whole drill."""

    name: str
    folder: Path
    seed: int
    """Seed of the pairs of faults; another one each time, and the tests print it."""

    @property
    def inventory(self) -> Inventory:
        """The lab's inventory: it decides which faults apply."""
        return attach(self.name).inventory

    def command(self, which: str, *words: str) -> str:
        """Run `python -m lab WHICH --lab NAME WORDS`; returns its output. Fails the test when the command fails."""
        done = subprocess.run(
            [sys.executable, "-m", "lab", which, "--lab", self.name, *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0 and "kernel lacks" in done.stderr:
            pytest.skip(done.stderr.strip())
        assert done.returncode == 0, f"lab {which} {' '.join(words)}: {done.stderr}"
        return done.stdout

    def suites(
        self,
        places: Sequence[str],
        *,
        faults: Sequence[str] = (),
        disruptive: bool = True,
        change: str | None = None,
        bound_ms: float | None = None,
    ) -> Ended:
        """Run these parts of the suites against the lab with these faults, or with `change` as the change."""
        words = [sys.executable, "-m", "pytest", "-q", "-p", "tests.drill.recorder", *places]
        words += ["--lab", self.name, "--out", str(self.folder)]
        words += [word for fault in faults for word in ("--fault", fault)]
        words += [] if disruptive else ["--no-disruptive"]
        words += ["--change", change] if change is not None else []
        words += ["--outage-bound", str(bound_ms)] if bound_ms is not None else []
        words += ["--contract", str(CONTRACT)] if self.inventory.overlay.name in OVERLAYS else []
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        # The verdict of the run before must not be read when this one breaks.
        (self.folder / "latest").unlink(missing_ok=True)
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, env=environment, check=False)
        output = done.stdout + done.stderr
        if "kernel lacks" in output:
            pytest.skip(next(line for line in output.splitlines() if "kernel lacks" in line))
        assert done.returncode in (0, 1, 3), output[-3000:]
        assert done.returncode != 3 or "verdict:" in output, output[-3000:]
        found = json.loads((self.folder / "latest" / "verdict.json").read_text())
        return Ended(done.returncode, found["verdict"], found["requirements"], output)


@pytest.fixture(scope="session")
def drill_lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DrillLab]:
    """A lab for the session, as `--overlay`, `--families`, `--machines` say; ended whatever is injected."""
    lab = DrillLab(f"drill-{os.getpid()}", tmp_path_factory.mktemp("drill"), random.SystemRandom().randrange(10_000))
    config = request.config
    overlay = config.getoption("overlay", default=None) or "vxlan"
    nomad = [] if config.getoption("with_nomad", default=False) else ["--no-nomad"]
    asked = config.getoption("families", default=None)
    families = ["--families", asked] if asked else []
    machines = config.getoption("machines", default=None)
    kinds = ["--machines", machines] if machines else []
    kinds += ["--encrypted"] if config.getoption("encrypted", default=False) else []
    lab.command("up", "--overlay", overlay, *nomad, *families, *kinds)
    try:
        if overlay in OVERLAYS:
            for node, name, subnet, port in STRANGERS:
                address = last_address(lab.inventory, node, subnet)
                lab.command("exec", node, "--", *start_command(name, subnet, port, address))
        yield lab
    finally:
        lab.command("down")


@pytest.fixture
def healed(drill_lab: DrillLab) -> Iterator[DrillLab]:
    """The lab, without a fault afterwards, even when the run that injected one broke."""
    yield drill_lab
    drill_lab.command("heal")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the mutation score: how many faults were caught, how many with the right reason, and what else failed."""
    recorded = [
        pair
        for reports in terminalreporter.stats.values()
        for report in reports
        for pair in getattr(report, "user_properties", ())
        if getattr(report, "when", "") == "call"
    ]
    for pair in [value for key, value in recorded if key == PAIR]:
        terminalreporter.write_line(f"drill: {pair}")
    for fault in [value for key, value in recorded if key == NOT_APPLICABLE]:
        terminalreporter.write_line(f"drill: not applicable: {fault}")
    scores = [value for key, value in recorded if key == SCORE]
    if not scores:
        return
    count = len(scores)
    caught, right = (sum(bool(score[key]) for score in scores) for key in ("caught", "right"))
    others = [f"{score['fault']}: {', '.join(score['collateral'])}" for score in scores if score["collateral"]]
    terminalreporter.write_line(
        f"drill: {count} faults, {caught} caught ({100 * caught / count:.0f} %), "
        f"{right} with the right reason ({100 * right / count:.0f} %), "
        f"{len(others)} failed other requirements too {'; '.join(others)}"
    )
