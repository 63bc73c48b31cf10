"""The folder of `--history`: what is kept of a run, for how long, and what is told of the runs before."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.earlier import Earlier
from reports.history import KEEP, History, too_old
from tests.unit.reports.runs import LAB, SITE, document, edge, write
from tests.unit.reports.small_suites import SmallSuites

pytest_plugins = ["pytester"]


def run(folder: Path, name: str, day: int = 1, **changed: object) -> Path:
    made = write(folder / "out" / name, document({"NET-1": "pass"}, day=day, **changed), [edge(True)])  # type: ignore[arg-type]
    (made / "summary.md").write_text("# fine\n")
    (made / "index.html").write_text("large")
    return made


def test_of_a_run_what_comparisons_read_is_kept(tmp_path: Path) -> None:
    history = History(tmp_path / "history")
    history.prepare()
    assert history.keep_run(run(tmp_path, "one")) == []
    kept = tmp_path / "history" / "runs" / "one"
    assert {place.name for place in kept.iterdir()} == {"verdict.json", "edges.json", "summary.md"}
    assert [place.name for place in kept.parent.iterdir()] == ["one"], "no draft is left"


def test_the_oldest_runs_of_a_cluster_are_removed(tmp_path: Path) -> None:
    history = History(tmp_path / "history", keep=2)
    history.keep_run(run(tmp_path, "site", day=1, cluster=SITE))
    for day in (1, 2, 3, 4):
        history.keep_run(run(tmp_path, f"lab-{day}", day=day, cluster={**LAB, "name": f"run-{day}"}))
    assert sorted(place.name for place in (history.folder / "runs").iterdir()) == ["lab-3", "lab-4", "site"]


def test_runs_that_reached_no_cluster_are_bounded_too() -> None:
    runs = [Earlier(str(day), document(day=day, cluster=LAB if day == 1 else {})) for day in (1, 2, 3, 4)]
    assert [old.name for old in too_old(runs, 2)] == ["2"]
    assert too_old(runs, 3) == too_old([], 1) == []


def test_a_run_that_cannot_be_read_is_named_and_harms_nothing(tmp_path: Path) -> None:
    history = History(tmp_path / "history")
    history.keep_run(run(tmp_path, "one"))
    (history.folder / "runs" / "one" / "verdict.json").write_text("{")
    (history.folder / "runs" / ".half").mkdir()
    notes = history.keep_run(run(tmp_path, "two", day=2))
    place = history.folder / "runs" / "one" / "verdict.json"
    assert notes == [f"history: {place}: is not JSON, or only a part of it; remove it"]
    assert history.told(document(day=3))[0].startswith("2 runs since 2026-11-02")


def test_a_folder_that_cannot_be_written_is_a_note(tmp_path: Path) -> None:
    (tmp_path / "history").write_text("a file")
    notes = History(tmp_path / "history").keep_run(run(tmp_path, "one"))
    assert notes == [
        f"history {tmp_path / 'history'}: this run was not kept: Not a directory; make room, or allow writing"
    ]


def test_what_is_told_is_of_this_cluster(tmp_path: Path) -> None:
    history = History(tmp_path / "history")
    assert history.told(document({"NET-1": "pass"})) == ["the first run of this cluster that is kept"]
    history.keep_run(run(tmp_path, "lab", day=1))
    history.keep_run(run(tmp_path, "site", day=2, cluster=SITE))
    history.keep_run(run(tmp_path, "lost", day=3, cluster={}, verdict="error"))
    assert history.told(document({"NET-1": "pass"}, day=4)) == [
        "2 runs since 2026-11-01: 2 conformant; the latest: ✓✓",
        "1 kept runs never reached their cluster",
    ]
    assert history.told(document(cluster={})) == [
        "this run never reached its cluster, so it is not compared with others"
    ]


def test_a_run_keeps_itself_and_tells_the_trend(suites: SmallSuites) -> None:
    suites.write(
        "conftest.py",
        """
        from reports.plugin import REPORT

        pytest_plugins = ["fixtures.session.options", "reports.plugin"]

        def pytest_runtestloop(session):
            session.config.stash[REPORT].cluster = {"name": "x", "kind": "cluster", "overlay": "vxlan", "nodes": {}}
        """,
    )
    suites.suite("one", one="ONE-1: assert True", two="ONE-2: assert True")
    first = suites.run("suites", "--history", "nights")
    assert "the first run of this cluster that is kept" in first.output
    done = suites.run("suites", "--history", "nights", "--history-keep", "1")
    assert "2 runs since " in done.output and "2 conformant; the latest: ✓✓" in done.output
    assert "2 runs since " in (done.folder / "reports/out/latest/summary.md").read_text()
    assert [place.name for place in (done.folder / "nights/runs").iterdir()] == [
        (done.folder / "reports/out/latest").resolve().name
    ]


@pytest.mark.parametrize("keep", ["0", "-1", "many", ""])
def test_a_bad_number_of_runs_is_one_line(suites: SmallSuites, keep: str) -> None:
    suites.suite("one", one="ONE-1: assert True")
    done = suites.run("suites", "--history", "nights", f"--history-keep={keep}")
    assert done.code == 4 and f"--history-keep {keep}: is not a number of runs; write one such as {KEEP}" in done.output


def test_a_history_that_cannot_be_made_is_one_line(suites: SmallSuites) -> None:
    suites.write("nights", "a file")
    suites.suite("one", one="ONE-1: assert True")
    done = suites.run("suites", "--history", "nights")
    assert done.code == 4 and "--history nights: Not a directory; choose a folder that you may write" in done.output
