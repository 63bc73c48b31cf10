"""What a run is at is shown when it takes long: behind the dots on a terminal, by plain lines elsewhere."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.session.progress import NARROWEST, PATIENCE_S, Clock, on_terminal
from tests.unit.reports.small_suites import ROOT, SmallSuites

pytest_plugins = ["pytester"]

TEST = "suites/no_nat/test_ports.py::test_every_port[a]"


def test_nothing_is_shown_of_what_is_quick() -> None:
    clock = Clock(170)
    assert clock.line(100.0) == ""
    clock.start(TEST, 100.0)
    assert clock.line(100.0 + PATIENCE_S - 0.01) == ""
    assert clock.line(100.0 + PATIENCE_S) == "no_nat: test_every_port[a], 2 s (0 of 170 tests)"


def test_without_a_total_only_what_has_ended_is_told() -> None:
    """The process that distributes tests to workers of xdist collects none itself."""
    clock = Clock()
    clock.start(TEST, 10.0)
    assert clock.line(13.0) == "no_nat: test_every_port[a], 3 s (0 tests have ended)"


def test_of_several_tests_the_longest_is_shown_until_it_ends() -> None:
    clock = Clock(2)
    clock.start("suites/dns/test_a.py::test_a", 10.0)
    clock.start(TEST, 12.0)
    assert clock.line(16.0) == "dns: test_a, 6 s (0 of 2 tests)"
    clock.end("suites/dns/test_a.py::test_a")
    assert clock.line(16.0) == "no_nat: test_every_port[a], 4 s (1 of 2 tests)"
    clock.end(TEST)
    assert clock.line(99.0) == ""


@pytest.mark.parametrize(("columns", "used"), [(80, 80 - NARROWEST - 1), (20, 0)])
def test_a_line_that_has_no_room_is_left_out(columns: int, used: int) -> None:
    assert on_terminal("no_nat: test_a, 4 s", columns, used) == ""


def test_a_line_is_cut_to_its_room_and_the_cursor_returns() -> None:
    assert on_terminal("x" * 99, 80, 10) == f"\x1b7 {'x' * 68}\x1b[K\x1b8"
    assert on_terminal("", 80, 10) == ""


SLOW = '''
import time
def test_slow():
    """Takes its time."""
    time.sleep(3.3)
'''


@pytest.fixture
def suites(pytester: pytest.Pytester) -> SmallSuites:
    made = SmallSuites(pytester)
    plugins = ["fixtures.session.options", "reports.plugin", "fixtures.session.progress"]
    made.write("conftest.py", f"pytest_plugins = {plugins}")
    made.write("suites/one/test_it.py", SLOW)
    return made


def output(folder: Path, *, terminal: bool) -> str:
    """What a run prints, to a terminal or into a pipe."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "120", "PATH": str(folder)}
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "suites"]
    if not terminal:
        done = subprocess.run(
            words, cwd=folder, capture_output=True, text=True, env=environment, check=False, timeout=60
        )
        return done.stdout
    here, there = pty.openpty()
    with subprocess.Popen(words, cwd=folder, stdout=there, stderr=subprocess.STDOUT, env=environment):
        os.close(there)
        text = b""
        try:
            while part := os.read(here, 4096):
                text += part
        except OSError:  # the terminal's other end was closed
            pass
    os.close(here)
    return text.decode()


def test_a_slow_test_is_shown_on_a_terminal_and_erased(suites: SmallSuites) -> None:
    text = output(suites.folder, terminal=True)
    assert "\x1b7 one: test_slow, " in text and "(0 of 1 tests)\x1b[K\x1b8\x1b[K" in text, text


def test_elsewhere_there_are_no_escapes(suites: SmallSuites) -> None:
    text = output(suites.folder, terminal=False)
    assert "\x1b" not in text and "verdict:" in text
