"""What a rehearsal found: judged by its bound, and written for a report."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fixtures.change.differences import StateChanges
from fixtures.change.edges import EdgeChanges
from fixtures.change.lines import Line, Ran
from fixtures.change.outage import Away, NameOutage, Outage, PairOutage, Stop
from fixtures.change.picture import draw, step_s
from fixtures.change.results import Rehearsed
from reports.model import NotProved

STOP = Stop("u1/a1 → u2/a2", 1.0, 0.5, 25, True)
PAIR = PairOutage(
    "u1", "u2", 500, 25, (STOP,), 2, ("the connection x ended",), 1, (Away("u2/a2", "u2", 3.0, None, False),)
)
ASKER = NameOutage("u1/a1", "10.0.0.1", 500, 3, (("NXDOMAIN no address", 4, 1.0),), (replace(STOP, lost=7),))
RAN = Ran("./apply.sh <x>", 50.0, 54.0, 0, (Line(0.5, "stopping <b>"), Line(3.9, "done")))
OUTAGE = Outage((PAIR,), (ASKER,), 20.0, "before it 0 were lost", ("the runner did not reach u2",))
CHANGES = EdgeChanges((), (), (), 10)
FOUND = Rehearsed(RAN, CHANGES, OUTAGE, StateChanges((), (), {}), 100.0, 9.0)


def test_what_exceeds_the_bound_is_told_the_worst_first() -> None:
    text = FOUND.beyond_the_bound()
    assert text.startswith("more than 100 ms: the change restarted containers") and "(and 4 more)" in text
    assert len(text.splitlines()) == 5


def test_without_a_bound_it_is_reported_and_not_judged() -> None:
    assert replace(FOUND, bound_ms=None).beyond_the_bound() == ""


def test_a_measurement_that_shows_too_little_is_not_proved() -> None:
    unwatched = replace(FOUND, bound_ms=None, outage=Outage((replace(PAIR, unwatched_ms=1500.0),), (), 20.0))
    with pytest.raises(NotProved, match="the outage was not measured: u1 → u2: not watched for 1500 ms"):
        unwatched.beyond_the_bound()
    assert replace(unwatched, bound_ms=100.0).beyond_the_bound(), "what was seen stands"


def test_the_numbers_and_what_was_lost_when() -> None:
    text = FOUND.outage_text()
    for part in (
        "a datagram every 20 ms", "before it 0 were lost",
        "500 ms     25     500                  1    2  1 ended with",
        "u1/a1 asked 10.0.0.1: 500 ms without a right answer; 3 unanswered and 4 wrong of 500", "u2/a2 ended at 3.0 s",
        "u1/a1 → u2/a2: silent for 500 ms from 1.00 s on", "the connection x ended", "NXDOMAIN", "did not reach u2",
    ):  # fmt: skip
        assert part in text, (part, text)


def test_the_picture_has_a_row_for_each_pair_and_asker_and_marks_for_lines() -> None:
    svg = FOUND.picture()
    for part in (
        "u1 → u2", "DNS of u1/a1", "500 ms, 25 lost, 1 connections", "./apply.sh &lt;x&gt;", "stopping &lt;b&gt;",
        "silent for 500 ms", "it was not started again", "the command ran for 4.00 s",
    ):  # fmt: skip
        assert part in svg, part
    assert svg.startswith("<svg") and svg.endswith("</svg>") and svg.count("stroke-dasharray") == 2


def test_an_asker_that_was_started_again_has_one_row_and_was_gone_in_between() -> None:
    gone = Away("u1/a1", "u1", 3.0, 5.0, False)
    again = replace(ASKER, stops=(), wrong=(), unanswered=1)
    outage = replace(OUTAGE, pairs=(replace(PAIR, away=(gone,)),), names=(ASKER, again))
    svg = draw(outage, command="x", lines=(), command_s=4, whole_s=10)
    assert svg.count("DNS of u1/a1") == 1 and "500 ms, 4 unanswered, 4 wrong" in svg
    assert svg.count(f"<title>{gone}</title>") == 2, "a bar for the pair, and one for the asker"


def test_a_silence_is_as_long_in_the_picture_as_it_was() -> None:
    def widths(seconds: float) -> list[float]:
        outage = replace(OUTAGE, pairs=(replace(PAIR, stops=(replace(STOP, seconds=seconds),), away=()),), names=())
        svg = draw(outage, command="x", lines=(), command_s=4, whole_s=10)
        return [float(line.split('width="')[1].split('"')[0]) for line in svg.splitlines() if "silent for" in line]

    (one,), (two,) = widths(1.0), widths(2.0)
    assert one == pytest.approx(70) and two == pytest.approx(140) and widths(0.001) == [2.0]


def test_many_lines_are_marked_and_the_rest_counted() -> None:
    lines = [Line(number / 10, f"line {number}") for number in range(50)]
    svg = draw(OUTAGE, command="x", lines=lines, command_s=4, whole_s=10)
    assert svg.count("stroke-dasharray") == 40 and "and 10 more lines" in svg


@pytest.mark.parametrize(("whole", "step"), [(9, 1), (10, 1), (11, 2), (45, 5), (90, 10), (700, 100), (0.5, 0.05)])
def test_the_grid(whole: float, step: float) -> None:
    assert step_s(whole) == pytest.approx(step)


@pytest.mark.parametrize(
    ("status", "lines", "told"),
    [
        (0, (), ""),
        (3, (Line(0.1, "no such host"),), "`./x` ended with exit status 3; it printed last: no such host"),
        (1, (), "ended with exit status 1; it printed nothing"),
        (None, (), "did not end within 1800 s, and was killed"),
    ],
)
def test_why_a_command_says_nothing_of_the_change(status: int | None, lines: tuple[Line, ...], told: str) -> None:
    problem = Ran("./x", 0.0, 2.0, status, lines).problem
    assert (told in problem) if told else problem == ""


def test_the_output_of_a_command_with_its_times() -> None:
    assert str(RAN).splitlines() == [
        "$ ./apply.sh <x>", "    0.50 s  stopping <b>", "    3.90 s  done", "    4.00 s  ended: exit status 0",
    ]  # fmt: skip
    assert str(replace(RAN, exit_status=None)).endswith("ended: killed")
