"""docs/first-ten-minutes.md, followed command by command."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.conftest import COMMAND_TIMEOUT_S, ROOT, Place
from tests.unit.house.commands import BLOCK

PAGE = ROOT / "docs" / "first-ten-minutes.md"
ACTIVATE = ". .venv/bin/activate"
REMARK = re.compile(r"\s+# exit code (\d+)$")


@dataclass(frozen=True)
class Step:
    """A command of the page, and the exit code that the page announces."""

    command: str
    exit_code: int


def steps(text: str) -> list[Step]:
    """The commands of the page's blocks in their order; output, which is indented further, is left out."""
    lines = [line[4:] for block in BLOCK.findall(text) for line in block.splitlines()]
    commands = [line for line in lines if line.startswith((ACTIVATE, "./run ", "python -m ", "pytest "))]
    found = []
    for line in commands:
        remark = REMARK.search(line)
        found.append(Step(REMARK.sub("", line), int(remark[1]) if remark else 0))
    return found


def test_commands_and_exit_codes_are_read_from_the_page() -> None:
    text = '# T\n\n    ./run suites\n\nOutput:\n\n      ./run is printed\n    pytest a -k "b and c"   # exit code 1\n'
    assert steps(text) == [Step("./run suites", 0), Step('pytest a -k "b and c"', 1)]
    assert [step.exit_code for step in steps(PAGE.read_text())].count(1) == 2


@pytest.mark.nightly
def test_the_first_ten_minutes_go_as_the_page_says(place: Place) -> None:
    """Every command ends as the page says, in one lab, and nothing of the lab is left."""
    steps_of_page = steps(PAGE.read_text())
    assert [step.command for step in steps_of_page].count(ACTIVATE) == 1
    entered = False
    for step in steps_of_page:
        if step.command == ACTIVATE:
            entered = True
            continue
        done = run(step.command, place, entered=entered)
        assert done.returncode == step.exit_code, f"{step.command}\n{done.stdout}{done.stderr}"
    assert place.left() == []


def run(command: str, place: Place, *, entered: bool) -> subprocess.CompletedProcess[str]:
    """Run a command as typed in the checkout; `entered`: within the virtual environment, which is this Python's."""
    environment = dict(place.environment)
    if entered:
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    if command.startswith(("./run ", "pytest ")):
        command += f" --out {place.out}"
    return subprocess.run(
        ["sh", "-c", command], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=COMMAND_TIMEOUT_S, check=False,
    )  # fmt: skip
