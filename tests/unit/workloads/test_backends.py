"""Who answered at an address that stands for several tasks."""

from __future__ import annotations

import pytest

from fixtures.dns.web import Request
from fixtures.workloads.backends import Asked, disguised, missed, sources, unanswered, unseen

TASKS = {"shop.1": "u1", "shop.2": "u2"}
ASKERS = {"u1/a1": "10.32.0.2", "u2/a2": "10.32.0.3"}
PLACE = "10.32.0.8:8081"


def asked(*answers: str, asker: str = "u1/a1", place: str = PLACE) -> Asked:
    return Asked(asker, place, answers)


def request(asker: str, source: str) -> Request:
    return Request(source, ("10.32.0.9", 8081), asker)


def test_each_task_in_turn_is_right() -> None:
    right = [asked("shop.1", "shop.2", "shop.1", "shop.2")]
    assert unanswered(right, TASKS) == [] and missed(right, TASKS) == []


@pytest.mark.parametrize("came", ["ETIMEDOUT", "ECONNREFUSED", "store.1", "no demo service: b''"])
def test_an_answer_that_is_no_tasks_is_told(came: str) -> None:
    told = unanswered([asked("shop.1", came, "shop.2", came)], TASKS)
    assert told == [f"u1/a1 asked {PLACE}: 2x {came} of 4 instead of an answer of a task"]


def test_a_task_that_left_is_no_task() -> None:
    told = unanswered([asked("shop.1", "shop.2")], {"shop.1": "u1"})
    assert told == [f"u1/a1 asked {PLACE}: 1x shop.2 of 2 instead of an answer of a task"]


def test_a_task_that_one_asker_never_meets_is_told_though_another_one_does() -> None:
    told = missed([asked("shop.1", "shop.1"), asked("shop.1", "shop.2", asker="u2/a2")], TASKS)
    assert told == [f"u1/a1 asked {PLACE}, and was never answered by shop.2 on u2 (by others 2x shop.1)"]


def test_at_a_place_the_askers_are_taken_together() -> None:
    both = [asked("shop.1"), asked("shop.2", asker="u2/a2")]
    assert missed(both, TASKS, by_place=True) == [] and len(missed(both, TASKS)) == 2
    one = [asked("shop.1"), asked("shop.1", asker="u2/a2")]
    assert missed(one, TASKS, by_place=True) == [
        f"at {PLACE} nobody was answered by shop.2 on u2 (by others 2x shop.1)"
    ]


def test_no_answer_at_all_meets_no_task() -> None:
    assert len(missed([asked()], TASKS)) == 2


def test_a_source_that_is_not_the_askers_is_told() -> None:
    requests = {
        "shop.1": [request("u1/a1", "10.32.0.2"), request("u2/a2", "10.0.0.2"), request("u2/a2", "10.0.0.2")],
        "shop.2": [request("u2/a2", "10.32.0.3"), request("", "10.0.0.9")],
    }
    assert disguised(requests, ASKERS) == ["shop.1 saw 2 requests of u2/a2 come from 10.0.0.2 instead of 10.32.0.3"]
    assert sources(requests, ASKERS) == (
        "2 of 4 requests came from the address of whoever asked\n"
        "u1/a1 (10.32.0.2): 1 from 10.32.0.2\n"
        "u2/a2 (10.32.0.3): 2 from 10.0.0.2\n"
        "u2/a2 (10.32.0.3): 1 from 10.32.0.3"
    )


def test_an_asker_whom_no_recorder_saw_is_told() -> None:
    assert unseen({"shop.1": [request("u1/a1", "10.32.0.2")], "shop.2": []}, ASKERS) == ["u2/a2"]
    assert unseen({}, ASKERS) == ["u1/a1", "u2/a2"]
