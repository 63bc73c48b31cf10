"""Allure's history: whatever becomes of a run, the file holds earlier runs that can be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from reports.page.allure_history import KEPT, lend, take_back


def line(number: int) -> str:
    result = {"id": "x", "status": "passed", "labels": [{"name": "a"}], "trace": "long", "message": "lost"}
    return json.dumps({"uuid": str(number), "testResults": {"h": result}})


def uuids(place: Path) -> list[str]:
    return [json.loads(text)["uuid"] for text in place.read_text().splitlines()]


def test_the_first_run_has_no_past(tmp_path: Path) -> None:
    lend(tmp_path / "none.jsonl", tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == ""


def test_the_latest_runs_are_lent_and_what_was_cut_off_is_left_out(tmp_path: Path) -> None:
    lines = [line(number) for number in range(KEPT + 5)]
    (tmp_path / "history").write_text("\n".join([*lines, '{"uuid": "cut', "[]", '{"uuid": "other"}']))
    lend(tmp_path / "history", tmp_path / "copy")
    assert uuids(tmp_path / "copy") == [str(number) for number in range(6, KEPT + 5)]


def test_what_is_taken_back_holds_what_the_report_shows(tmp_path: Path) -> None:
    (tmp_path / "copy").write_text(f"{line(1)}\n{line(2)}\n")
    take_back(tmp_path / "copy", tmp_path / "new" / "history")
    assert uuids(tmp_path / "new" / "history") == ["1", "2"]
    kept: dict[str, Any] = json.loads((tmp_path / "new" / "history").read_text().splitlines()[0])
    assert kept["testResults"]["h"] == {"id": "x", "status": "passed", "message": "lost"}
    assert [place.name for place in (tmp_path / "new").iterdir()] == ["history"]
