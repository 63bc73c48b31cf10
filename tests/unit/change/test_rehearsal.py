"""A change is rehearsed once in a run, whoever asks; its command is run to its end, or is ended."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fixtures.change.command import run_command
from fixtures.change.marks import Flow
from fixtures.change.measuring import orders
from fixtures.change.rehearsal import once
from fixtures.change.results import Rehearsed
from lab.errors import HarnessError
from reports.model import NotProved
from tests.unit.change.cases import HERE, THERE
from tests.unit.change.test_results import FOUND


def test_the_second_one_who_asks_gets_what_the_first_one_found(tmp_path: Path) -> None:
    calls: list[int] = []

    def perform() -> Rehearsed:
        calls.append(1)
        return FOUND

    assert once(tmp_path / "x.pickle", perform) == once(tmp_path / "x.pickle", perform) == FOUND and len(calls) == 1


@pytest.mark.parametrize("error", [HarnessError("the node is gone"), NotProved("nothing was watched")])
def test_what_went_wrong_is_raised_again_and_the_change_is_not_made_twice(tmp_path: Path, error: Exception) -> None:
    calls: list[int] = []

    def perform() -> Rehearsed:
        calls.append(1)
        raise error

    for _ in range(2):
        with pytest.raises(type(error), match=str(error)):
            once(tmp_path / "x.pickle", perform)
    assert len(calls) == 1


def test_a_rehearsal_whose_process_was_ended_is_not_begun_again(tmp_path: Path) -> None:
    def perform() -> Rehearsed:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        once(tmp_path / "x.pickle", perform)
    with pytest.raises(HarnessError, match="was begun in this run, and did not end"):
        once(tmp_path / "x.pickle", perform)


# -- the command -------------------------------------------------------------------


def test_a_command_is_run_by_the_shell_with_its_lines_in_time(tmp_path: Path) -> None:
    ran = run_command("echo one; pwd >&2; echo $FLATNET_LAB; exit 3", tmp_path, {"FLATNET_LAB": "x"}, lambda: None)
    assert [line.text for line in ran.lines] == ["one", str(tmp_path), "x"]
    assert ran.exit_status == 3 and 0 <= ran.lines[0].at_s < 60 and ran.ended > ran.began


def test_python_is_the_one_that_runs_flatnet(tmp_path: Path) -> None:
    ran = run_command("python -c 'import sys; print(sys.executable)'", tmp_path, {}, lambda: None)
    assert Path(ran.lines[0].text).parent == Path(sys.executable).parent


def test_a_command_that_does_not_end_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    ran = run_command("echo $$; sleep 300 & wait", tmp_path, {}, lambda: None, most_s=0.5)
    assert ran.exit_status is None and ran.ended - ran.began < 5
    assert not Path(f"/proc/{ran.lines[0].text}").exists()


def test_what_goes_wrong_meanwhile_ends_the_command(tmp_path: Path) -> None:
    def meanwhile() -> None:
        raise HarnessError("an agent is gone")

    with pytest.raises(HarnessError, match="an agent is gone"):
        run_command("sleep 300", tmp_path, {}, meanwhile)


# -- what agents are told --------------------------------------------------------------


def test_what_an_agent_is_told_of_its_flows() -> None:
    flows = [
        Flow(0, "datagrams", HERE, THERE),
        Flow(1, "connection", HERE, THERE),
        Flow(2, "questions", HERE, None, "10.0.0.1"),
    ]
    assert orders(flows, "00ff") == {
        "places": [], "datagrams": [(0, 0, "10.32.0.3")], "connections": [(1, 0, "10.32.0.3")],
        "questions": [(2, 0, "10.0.0.1", "00ff")],
    }  # fmt: skip
