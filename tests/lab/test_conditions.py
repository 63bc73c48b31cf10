"""Runs on machines that are set up in other ways than ours: each ends as it does here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.lab.conftest import COMMAND_TIMEOUT_S, ROOT, Place

SUITE = "suites/no_nat/test_addresses.py"
CONDITIONS: dict[str, dict[str, Any]] = {
    "an ASCII locale, and no UTF-8 mode": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    "output in Latin-1": {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"},
    "a locale that the machine does not have": {"LC_ALL": "tr_TR.UTF-8"},
    "no home": {"HOME": ""},
    "a home that does not exist": {"HOME": "/nonexistent"},
    "no colours and no terminal": {"TERM": "dumb", "NO_COLOR": "1"},
    "a time zone half an hour off": {"TZ": "Asia/Kolkata"},
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_run_does_not_mind(kept: Place, condition: str) -> None:
    done = kept.pytest(SUITE, "--lab", "lab", **CONDITIONS[condition])
    assert_proved(kept, done)


def test_a_home_that_is_read_only(kept: Place, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    script = 'mount -t tmpfs -o ro home "$1" && shift && exec "$@"'
    prefix = ["unshare", "--mount", "--", "sh", "-c", script, "sh", str(home)]
    assert_proved(kept, kept.pytest(SUITE, "--lab", "lab", prefix=prefix, HOME=str(home)))


def test_a_path_with_spaces_and_other_letters(kept: Place, tmp_path: Path) -> None:
    clone = tmp_path / "a b" / "flat net ü 日"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    words = [sys.executable, "-m", "pytest", "--out", str(clone / "the out"), SUITE, "--lab", "lab"]
    done = subprocess.run(
        words, cwd=clone, env=kept.environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False,
    )  # fmt: skip
    assert_proved(Place(tmp_path), done, clone / "the out")


def test_a_checkout_that_is_read_only_is_one_line(kept: Place) -> None:
    script = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && cd "$1" && shift && exec "$@"'
    words = [sys.executable, "-m", "pytest", SUITE, "--lab", "lab"]
    done = subprocess.run(
        ["unshare", "--mount", "--", "sh", "-c", script, "sh", str(ROOT), *words],
        cwd=ROOT, env=kept.environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 4, done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if line]
    assert lines == [
        f"ERROR: --out {ROOT / 'reports' / 'out'}: Read-only file system; choose a folder that you may write to"
    ]


def assert_proved(place: Place, done: subprocess.CompletedProcess[str], out: Path | None = None) -> None:
    """The run proved the same as it does elsewhere."""
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads(((out or place.out) / "latest" / "verdict.json").read_text(encoding="utf-8"))
    proved = {name for name, found in verdict["requirements"].items() if found["status"] == "pass"}
    assert {"NET-2", "NET-3", "NET-4"} <= proved, verdict["requirements"]
