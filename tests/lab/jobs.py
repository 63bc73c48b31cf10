"""The example jobs of docs/examples, taken apart into the commands that they run."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML

from tests.lab.conftest import ROOT

EXAMPLES = ROOT / "docs" / "examples"


@dataclass(frozen=True)
class Step:
    """One step of a job."""

    name: str
    script: str
    environment: dict[str, str] = field(default_factory=dict)
    always: bool = False
    """Whether it runs after an earlier step has failed, too."""

    @property
    def judges(self) -> bool:
        """Whether it reaches the cluster."""
        return "--cluster" in self.script and "--version" not in self.script


def _read(name: str) -> dict[str, Any]:
    made: dict[str, Any] = YAML(typ="safe", pure=True).load((EXAMPLES / name).read_text())
    return made


def github(event: str) -> tuple[dict[str, str], list[Step]]:
    """(environment, steps) of github-gate.yml at an event: `pull_request` or `schedule`."""
    workflow = _read("github-gate.yml")
    steps = []
    for step in workflow["jobs"]["network"]["steps"]:
        condition = str(step.get("if", ""))
        events = re.findall(r"event_name == '(\w+)'", condition)
        if "run" in step and event in (events or [event]):
            steps.append(Step(step["name"], step["run"], step.get("env", {}), "always()" in condition))
    return workflow["env"], steps


def gitlab(job: str) -> tuple[dict[str, str], list[Step]]:
    """(environment, steps) of a job of gitlab-gate.yml: `change` or `night`."""
    pipeline = _read("gitlab-gate.yml")
    parts = {**pipeline[pipeline[job]["extends"]], **pipeline[job]}
    steps = [Step(line, line) for line in (*parts["before_script"], *parts["script"])]
    return pipeline["variables"], steps + [Step(line, line, {}, True) for line in parts.get("after_script", ())]


def commands(name: str, program: str) -> list[list[str]]:
    """The command lines of a program that the comment at the head of an example shows."""
    lines = (EXAMPLES / name).read_text().splitlines()
    comment = "\n".join(line.removeprefix("#").strip() for line in lines[: _end(lines)])
    joined = re.sub(r" *\\\n *", " ", comment)
    return [shlex.split(line, comments=True) for line in joined.splitlines() if line.startswith(f"{program} ")]


def _end(lines: list[str]) -> int:
    return next(number for number, line in enumerate(lines) if not line.startswith("#"))
