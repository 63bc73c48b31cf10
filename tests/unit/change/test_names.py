"""What askers were told while containers came and went: right, wrong, or nothing."""

from __future__ import annotations

import pytest

from fixtures.change.marks import ASKED, REPLIED, Flow
from fixtures.change.names import Expected, describe, name_outages
from fixtures.change.outage import NameOutage, Watch
from tests.unit.change.cases import HERE, life, marks

RIGHT = "0 10.32.0.2 10.32.0.3"
EXPECTED = Expected(frozenset({"10.32.0.2", "10.32.0.3", "10.32.0.9"}), frozenset({"10.32.0.2"}))


def asking(answers: dict[int, str | None], count: int = 500) -> Watch:
    """A question each 20 ms from 100 s on, answered RIGHT 1 ms later except those of `answers`."""
    node = life("u1")
    node.texts = list(dict.fromkeys([RIGHT, *(text for text in answers.values() if text)]))
    for number in range(count):
        at, text = 100 + number / 50, answers.get(number, RIGHT)
        node.read(marks((ASKED, 2, number, at, 0)), {})
        if text is not None:
            node.read(marks((REPLIED, 2, number, at + 0.001, node.texts.index(text))), {})
    return Watch(Flow(2, "questions", HERE, None, "10.0.0.1"), node, None)


def outage(watch: Watch, ended: float = 120.0) -> NameOutage:
    (found,) = name_outages([watch], 102.0, ended, EXPECTED)
    return found


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (RIGHT, True), ("0 10.32.0.2", True), ("0 10.32.0.2 10.32.0.9", True),
        ("0 10.32.0.3", False), ("0", False), ("3", False), ("2 10.32.0.2", False), ("0 10.32.0.2 10.9.9.9", False),
        ("unreadable", False), ("0 10.32.0.2 truncated", False),
    ],
)  # fmt: skip
def test_which_answers_are_right(text: str, right: bool) -> None:
    assert EXPECTED.right(text) is right


def test_nothing_is_right_where_nothing_is_registered() -> None:
    assert not Expected(frozenset(), frozenset()).right("0")


def test_answers_are_described_for_a_person() -> None:
    assert describe("3") == "NXDOMAIN no address" and describe(RIGHT) == "NOERROR 10.32.0.2, 10.32.0.3"
    assert describe("unreadable") == "unreadable no address"


def test_right_answers_are_no_outage() -> None:
    found = outage(asking({}))
    assert (found.asker, found.server, found.unanswered, found.wrong, found.stops) == ("u1/a1", "10.0.0.1", 0, (), ())
    assert found.longest_ms == 0 and found.asked == 410


def test_questions_without_an_answer_are_counted_and_timed() -> None:
    found = outage(asking(dict.fromkeys(range(200, 225), None)))
    assert found.unanswered == 25 and found.wrong == ()
    assert found.longest_ms == pytest.approx(500) and found.stops[0].began_s == pytest.approx(2.0)
    assert found.stops[0].over and found.stops[0].lost == 25


def test_wrong_answers_are_told_with_their_number_and_first_time() -> None:
    found = outage(asking({300: "3", 301: "3", 310: "0 10.9.9.9"}))
    assert found.unanswered == 0
    assert [(text, count, round(at, 3)) for text, count, at in found.wrong] == [
        ("NXDOMAIN no address", 2, 4.0),
        ("NOERROR 10.9.9.9", 1, 4.2),
    ]
    assert [stop.lost for stop in found.stops] == [2, 1]


def test_silence_to_the_end_is_not_over() -> None:
    (stop,) = outage(asking(dict.fromkeys(range(400, 500), None))).stops
    assert not stop.over and stop.lost == 100


def test_the_last_questions_and_those_of_a_container_that_ended_are_not_judged() -> None:
    silent = asking(dict.fromkeys(range(400, 500), None))
    assert outage(silent, ended=110.0).unanswered == 1
    silent.source.gone[0] = 108.0
    assert outage(silent).unanswered == 0
    silent.source.gone.clear()
    silent.source.ended = 109.9
    assert outage(silent).unanswered == 0


def test_an_asker_that_stood_still_reads_late_what_came_in_time() -> None:
    watch = asking({200: None})
    watch.source.read(marks((REPLIED, 2, 200, 104 + 2.5, 0)), {})
    assert outage(watch).unanswered == 1
    watch.source.stood_still_s = 0.6
    assert outage(watch).unanswered == 0


@pytest.mark.parametrize("held_up", [200, 201])
def test_a_pause_of_the_asker_is_not_a_time_without_an_answer_but_is_told(held_up: int) -> None:
    node = life("u1")
    node.texts = [RIGHT]
    for number in range(500):
        at = 100 + number / 50 + (0.5 if number >= held_up else 0)
        node.read(marks((ASKED, 2, number, at, 0)), {})
        if number != 200:
            node.read(marks((REPLIED, 2, number, at + 0.001, 0)), {})
    found = outage(Watch(Flow(2, "questions", HERE, None, "10.0.0.1"), node, None))
    assert found.unanswered == 1 and found.longest_ms == pytest.approx(20)
    assert found.unwatched_ms == pytest.approx(520)
