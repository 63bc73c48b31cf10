"""The plan of a run: what was collected is planned, whether it runs or not."""

from __future__ import annotations

from pathlib import Path

from reports.plan import Plan, read_plan

PLAN = Plan(
    selected={"suites/one/test_it.py::test_a": ["ONE-1"], "suites/one/test_it.py::test_b[u1/a1]": ["ONE-1", "ONE-2"]},
    deselected={"suites/two/test_it.py::test_c": ["TWO-1"], "suites/two/deep/test_it.py::test_d": ["TWO-2"]},
    disturbing=["suites/two/test_it.py::test_c", "suites/one/test_it.py::test_a"],
    elsewhere=[],
)


def test_tests_that_were_left_out_are_counted() -> None:
    assert PLAN.counts(disruptive=True) == {"ONE-1": 2, "ONE-2": 1, "TWO-1": 1, "TWO-2": 1}


def test_tests_that_may_not_run_are_not_counted_unless_they_are_selected() -> None:
    assert PLAN.counts(disruptive=False) == {"ONE-1": 2, "ONE-2": 1, "TWO-2": 1}


def test_tests_of_other_clusters_are_not_planned_however_the_run_was_asked_for(tmp_path: Path) -> None:
    plan = Plan(PLAN.selected, PLAN.deselected, PLAN.disturbing, elsewhere=["suites/two/deep/test_it.py::test_d"])
    plan.write(tmp_path)
    for disruptive, expected in ((True, {"ONE-1": 2, "ONE-2": 1, "TWO-1": 1}), (False, {"ONE-1": 2, "ONE-2": 1})):
        assert read_plan(tmp_path).counts(disruptive=disruptive) == expected


def test_suites_are_folders_below_suites() -> None:
    assert PLAN.suites() == {"one", "two"}
    elsewhere = Plan(selected={"suites/test_it.py::test_a[u1/a1->u2/a2]": [], "tests/unit/test_it.py::test_b": []})
    assert elsewhere.suites() == frozenset()


def test_a_plan_is_read_back_from_the_runs_folder(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "run"
    PLAN.write(folder)
    PLAN.write(folder)
    assert read_plan(folder) == PLAN
    assert [place.name for place in folder.iterdir()] == ["planned.json"]


def test_without_a_plan_nothing_is_planned(tmp_path: Path) -> None:
    assert read_plan(tmp_path) == Plan()
    assert not Plan().suites() and not Plan().counts(disruptive=True)
