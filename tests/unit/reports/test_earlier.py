"""Earlier runs are read from a file, a run's folder or a history; what cannot be compared with is one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reports.choices import Choices
from reports.earlier import Earlier, EarlierError, is_history, kept, latest_of, other_cluster, read, read_edges
from tests.unit.reports.runs import LAB, SITE, document, edge, write


def test_a_run_is_read_from_its_folder_and_from_its_file(tmp_path: Path) -> None:
    folder = write(tmp_path / "20261126", document({"NET-1": "pass"}), [edge(True)])
    by_folder, by_file = read(folder), read(folder / "verdict.json")
    assert by_folder == by_file
    assert by_folder.name == "20261126" and by_folder.edges == [edge(True)]
    (tmp_path / "latest").symlink_to("20261126")
    assert read(tmp_path / "latest").name == "20261126"


def test_a_verdict_from_before_a_key_was_added_is_read(tmp_path: Path) -> None:
    content = document({"NET-1": "pass"})
    for key in ("seed", "probes", "exit_code", "duration_s"):
        del content[key]
    assert read(write(tmp_path / "run", content)).document == content


def test_a_copy_of_a_verdict_has_no_edges(tmp_path: Path) -> None:
    (tmp_path / "yesterday.json").write_text(json.dumps(document()))
    assert read(tmp_path / "yesterday.json") == Earlier("yesterday.json", document(), None)


def broken(**changed: Any) -> str:
    return json.dumps({**document({"NET-1": "pass"}), **changed})


UNREADABLE = {
    "cut off": (broken()[:90], "is not JSON, or only a part of it; give the verdict.json of another run"),
    "empty": ("", "is not JSON"),
    "a list": ("[]", "is not a mapping; give the verdict.json of a run"),
    "a number": ("3", "is not a mapping"),
    "no schema": ('{"verdict": "conformant"}', "names no schema, so it is not a verdict.json; this"),
    "another schema": (broken(schema=2), "is of schema 2; this Flatnet compares with schema 1, give a verdict of that"),
    "entries": (broken(requirements={"NET-1": ["pass"]}), "is damaged: requirements.NET-1: "),
    "requirements": (broken(requirements=[]), "is damaged: requirements: "),
    "an entry without a status": (broken(requirements={"NET-1": {}}), "is damaged: requirements.NET-1.level: is"),
    "a status": (broken(requirements={"NET-1": {"status": "fine"}}), "is damaged: requirements.NET-1."),
    "a verdict": (broken(verdict="fine"), "is damaged: verdict: "),
    "no start": (broken(started=None), "is damaged: started: "),
    "a cluster": (broken(cluster=[]), "is damaged: cluster: "),
}  # fmt: skip


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_not_a_verdict_is_one_line(tmp_path: Path, name: str) -> None:
    text, said = UNREADABLE[name]
    place = tmp_path / "verdict.json"
    place.write_text(text)
    with pytest.raises(EarlierError) as caught:
        read(place)
    assert str(caught.value).startswith(f"{place}: {said}") and "\n" not in str(caught.value)
    assert "; " in str(caught.value)


def test_bytes_that_are_not_text_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "verdict.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(EarlierError, match="is not JSON"):
        read(tmp_path)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(EarlierError, match=r"gone\.json: no such file; give the path of one, or leave it out"):
        read(tmp_path / "gone.json")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "verdict.json").mkdir()
    with pytest.raises(EarlierError, match=r"verdict\.json: cannot be read: Is a directory; check the path"):
        read(tmp_path / "odd")
    with pytest.raises(EarlierError, match=r"has no verdict\.json: that run came to no verdict; give the folder"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"schema": 2, "edges": []}, "is of schema 2; this Flatnet reads 1"),
        ({"edges": []}, "is of schema None"),
        ({"schema": 1}, "`edges` is not a list of edges"),
        ({"schema": 1, "edges": ["u1"]}, "`edges` is not a list of edges"),
        ({"schema": 1, "edges": [edge(True), "u1"]}, "`edges` is not a list of edges"),
        ({"schema": 1, "edges": [{**edge(True), "holds": "yes"}]}, "`edges` is not a list of edges"),
        ({"schema": 1, "edges": [{**edge(True), "what": 3}]}, "`edges` is not a list of edges"),
    ],
)
def test_damaged_edges_are_one_line(tmp_path: Path, content: dict[str, Any], said: str) -> None:
    place = tmp_path / "edges.json"
    place.write_text(json.dumps(content))
    with pytest.raises(EarlierError) as caught:
        read_edges(place)
    assert said in str(caught.value)


def test_an_edge_says_whether_it_holds(tmp_path: Path) -> None:
    missing = {key: value for key, value in edge(True).items() if key != "holds"}
    (tmp_path / "edges.json").write_text(json.dumps({"schema": 1, "edges": [missing]}))
    with pytest.raises(EarlierError):
        read_edges(tmp_path / "edges.json")
    (tmp_path / "edges.json").write_text(json.dumps({"schema": 1, "edges": [edge(None), edge(False)]}))
    assert read_edges(tmp_path / "edges.json") == [edge(None), edge(False)]


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (LAB, None),
        ({**LAB, "name": "run-2", "versions": {}}, None),
        ({**LAB, "overlay": "swarm"}, "is of another cluster (overlay swarm, here vxlan)"),
        ({**LAB, "nodes": {"u1": "192.168.56.3"}}, "is of another lab (u1; here u1, u2)"),
        (SITE, "is of another cluster (kind cluster, here embedded)"),
        ({}, "never reached its cluster"),
    ],
)
def test_labs_are_the_same_by_overlay_and_nodes(before: dict[str, Any], said: str | None) -> None:
    assert other_cluster(LAB, before) == said


def test_clusters_of_files_are_the_same_by_name() -> None:
    assert other_cluster(SITE, {**SITE, "nodes": {}}) is None, "nodes may come and go"
    assert other_cluster(SITE, {**SITE, "name": "prod"}) == "is of another cluster (prod, here staging)"
    assert other_cluster(SITE, {**SITE, "overlay": "swarm"}) == "is of another cluster (overlay swarm, here vxlan)"


def test_a_history_is_told_from_a_run(tmp_path: Path) -> None:
    assert is_history(tmp_path), "the first night: nothing is in it yet"
    assert not is_history(write(tmp_path / "run", document()))
    assert not is_history(tmp_path), "a folder of something else"
    (tmp_path / "run" / "runs").mkdir()
    assert not is_history(tmp_path / "run"), "a run's folder, whatever else is in it"
    (tmp_path / "runs").mkdir()
    assert is_history(tmp_path) and not is_history(tmp_path / "gone")


def test_runs_of_a_history_come_in_their_order(tmp_path: Path) -> None:
    for name, day in (("b", 1), ("a", 2)):
        write(tmp_path / "runs" / name, document(day=day))
    assert [run.name for run in kept(tmp_path)[0]] == ["b", "a"]
    (tmp_path / "runs" / "c").mkdir()
    assert [sentence.partition(": ")[0] for sentence in kept(tmp_path)[1]] == [f"{tmp_path / 'runs' / 'c'}"]


def test_the_baseline_of_a_history_is_its_latest_run_without_an_error() -> None:
    runs = [
        Earlier("1", document(day=1)),
        Earlier("2", document(day=2, verdict="not-conformant")),
        Earlier("3", document(day=3, verdict="error")),
        Earlier("4", document(day=4, cluster=SITE)),
    ]
    latest = latest_of(runs, LAB)
    assert latest is not None and latest.name == "2"
    assert latest_of(runs[:1], LAB) is runs[0]
    assert latest_of(runs, {**LAB, "overlay": "swarm"}) is None


def test_the_first_night_has_no_baseline(tmp_path: Path) -> None:
    assert Choices(baseline=tmp_path).baseline_for(LAB) is None
    assert Choices().baseline_for(LAB) is None


def test_a_run_of_another_cluster_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "run", document())
    choices = Choices(baseline=folder, earlier=(read(folder),))
    assert choices.baseline_for(LAB) == read(folder)
    with pytest.raises(EarlierError) as caught:
        choices.baseline_for(SITE)
    assert str(caught.value) == (
        f"--baseline {folder}: is of another cluster (kind embedded, here cluster); give a run of this cluster"
    )
