"""The rules that keep a lab's subnets apart on an engine that lets conversations pass first."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab.overlays.apart import rules_between

PROGRAM = """#!/bin/sh
echo "$0 $*" >> log
case "$*" in
*"-L DOCKER-CT") exit {engine} ;;
*" -C "*) exit {there} ;;
esac
"""


def written(tmp_path: Path, *, engine: int, there: int) -> list[str]:
    """The rules that were added, by a program in the place of iptables that answers so."""
    program = tmp_path / "filter"
    program.write_text(PROGRAM.format(engine=engine, there=there), encoding="utf-8")
    program.chmod(0o755)
    script = "\n".join(["set -e", *rules_between(["fn-a", "fn-b"], [str(program)])])
    subprocess.run(["sh", "-c", script], cwd=tmp_path, check=True)
    lines = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    return [line.partition(" -I ")[2] for line in lines if " -I " in line]


def test_an_engine_that_accepts_conversations_first_gets_a_rule_for_each_direction(tmp_path: Path) -> None:
    match = "-m conntrack --ctstate RELATED,ESTABLISHED -j DROP"
    added = written(tmp_path, engine=0, there=1)
    assert added == [f"DOCKER-USER -i fn-a -o fn-b {match}", f"DOCKER-USER -i fn-b -o fn-a {match}"]


@pytest.mark.parametrize(("engine", "there"), [(1, 1), (0, 0)], ids=["another engine", "rules are there"])
def test_nothing_is_added_where_it_is_not_needed(tmp_path: Path, engine: int, there: int) -> None:
    assert not written(tmp_path, engine=engine, there=there)
