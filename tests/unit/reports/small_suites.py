"""Small checkouts to run the report plugin in: suites and a catalogue, no lab."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest

from reports.released import RELEASED, released_text
from reports.requirements import load

ROOT = Path(__file__).resolve().parents[3]
CATALOGUE = """
- {id: ONE-1, suite: one, level: must, statement: "The first promise is kept.", source: "field failure"}
- {id: ONE-2, suite: one, level: should, statement: "The second promise is kept.", source: "field failure"}
- {id: TWO-1, suite: two, level: must, statement: "The third promise is kept.", source: "RFC 1", disruptive: true}
- {id: TWO-2, suite: two, level: must, statement: "The fourth promise is kept.", source: "RFC 1", applies: [nomad]}
"""
CONFTEST = """
pytest_plugins = ["fixtures.session.options", "reports.plugin", "fixtures.session.version"]
"""
INI = """
[pytest]
testpaths = suites
addopts = --import-mode=importlib -p no:hypothesispytest
markers =
    requirement(*ids): the promises a test proves
    disruptive: disturbs
    at_end: comes last
"""
HEAD = """
import os
import pytest
from fixtures.session.marks import NotProved, disruptive, requirement
from lab.errors import HarnessError
"""
KEYS = {"schema", "flatnet", "verdict", "exit_code", "cluster", "started", "duration_s", "requirements", "probes"} | {
    "seed", "gate", "catalogue", "baseline", "causes", "unexplained",
}  # fmt: skip
REQUIREMENT_KEYS = {"level", "status", "planned", "passed", "failed", "errors", "reason", "tests"}


@dataclass(frozen=True)
class Outcome:
    """The outcome of a run of small suites."""

    code: int
    output: str
    folder: Path

    @property
    def document(self) -> dict[str, Any]:
        """verdict.json of the latest run."""
        made: dict[str, Any] = json.loads((self.folder / "reports/out/latest/verdict.json").read_text())
        return made

    @property
    def verdict(self) -> tuple[str, int]:
        """(verdict, exit code); the process and the document must agree on the code."""
        made = self.document
        assert made["exit_code"] == self.code, self.output
        return made["verdict"], self.code

    @property
    def statuses(self) -> dict[str, str]:
        return {name: entry["status"] for name, entry in self.document["requirements"].items()}

    def reason(self, requirement: str) -> str:
        return str(self.document["requirements"][requirement]["reason"])

    @property
    def last_line(self) -> str:
        return self.output.rstrip().splitlines()[-1]


class SmallSuites:
    """Writes suites into pytester's folder and runs them."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self._pytester = pytester
        self.folder = pytester.path
        self.write("pytest.ini", INI)
        self.write("conftest.py", CONFTEST)
        self.release(CATALOGUE)

    def write(self, path: str, text: str) -> Path:
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(dedent(text))
        return place

    def release(self, catalogue: str) -> None:
        """Make this the catalogue, and the one that was released."""
        place = self.write("suites/catalogue.yaml", catalogue)
        self.write(RELEASED, released_text(load(place)))

    def suite(self, name: str, **tests: str) -> None:
        """suites/<name>/test_it.py; each test is `REQUIREMENT: body`, its name is the key."""
        parts = [HEAD]
        for test, text in tests.items():
            head, body = dedent(text).strip().split(":", 1)
            marks = "".join(
                f'@requirement("{requirement}")\n' for requirement in head.replace("disruptive", "").split()
            )
            marks += "@disruptive\n" if "disruptive" in head else ""
            parts.append(f'{marks}def test_{test}():\n    """A promise."""\n{indent(dedent(body).strip(), "    ")}\n')
        self.write(f"suites/{name}/test_it.py", "\n\n".join(parts))

    def run(self, *arguments: str, apart: bool = False) -> Outcome:
        """Run pytest here, with `apart` in a process of its own."""
        if apart:
            self.write("conftest.py", 'pytest_plugins = ["reports.plugin"]')  # it needs nothing else
        words = [*(arguments or ("suites",)), "-p", "no:randomly", "-p", "no:cacheprovider"]
        done = (
            self._pytester.runpytest_subprocess(*words, timeout=120)
            if apart
            else self._pytester.runpytest_inprocess(*words)
        )
        return Outcome(int(done.ret), "\n".join([*done.outlines, *done.errlines]), self.folder)


def without_times(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document without what differs between two runs of the same suites."""
    return {key: value for key, value in document.items() if key not in ("started", "duration_s")}
