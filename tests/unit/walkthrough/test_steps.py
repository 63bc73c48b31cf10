"""A step of the walk-through tells how it ended, and whatever ends it names it."""

from __future__ import annotations

import re

import pytest

from fixtures.walkthrough.steps import Steps, outcome
from lab.errors import HarnessError
from reports.model import NotProved


class Attached(dict[str, str]):
    def text(self, name: str, content: str) -> None:
        self[name] = re.sub(r"after \d+\.\d s", "after T", content)


def test_a_step_that_passed_carries_what_was_done_and_seen() -> None:
    attached = Attached()
    steps = Steps(attached)
    steps.saw("nothing, outside of any step")
    with steps.step("expose"):
        steps.did("weave expose")
        steps.saw("10.32.0.0/24 dev weave")
    assert attached == {"step 1, expose": "done: weave expose\nseen: 10.32.0.0/24 dev weave\npassed after T"}
    steps.saw("nothing, after it")
    assert "nothing" not in attached["step 1, expose"]


@pytest.mark.parametrize(
    ("error", "ended"),
    [
        (AssertionError("u1 dialled u2/p2: ETIMEDOUT\nu1 dialled u3/p3: ETIMEDOUT"), "failed"),
        (NotProved("control failed"), "not proved"),
        (HarnessError("node u1: gone"), "could not be done"),
    ],
)
def test_what_ends_a_step_names_it_in_its_first_line_and_stays_what_it_is(error: Exception, ended: str) -> None:
    attached, before = Attached(), str(error)
    steps = Steps(attached)
    with steps.step("one"):
        pass

    def end_by_it() -> None:
        with steps.step("two"):
            steps.did("something")
            raise error

    with pytest.raises(type(error)) as raised:
        end_by_it()
    assert raised.value is error
    assert str(error) == f"step 2, two: {before}"
    assert attached["step 2, two"] == f"done: something\n{ended} after T"
    assert outcome(error) == ended


def test_the_whole_walk_is_told_step_by_step() -> None:
    steps = Steps(Attached())
    with steps.step("one"):
        steps.did("a")
    steps.leave_out("two", "the inventory has no such command")
    with pytest.raises(AssertionError), steps.step("three"):
        raise AssertionError
    told = re.sub(r"after \d+\.\d s", "after T", str(steps))
    assert told.splitlines() == [
        " 1. one: passed",
        "      done: a",
        "      passed after T",
        " 2. two: left out",
        "      left out: the inventory has no such command",
        " 3. three: failed",
        "      failed after T",
    ]
