"""`python3 -m tests.hosts` without a mirror that answers, with wrong arguments, and killed; CI makes a Debian."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lab.embedded import cgroups
from tests.hosts.machine import GROUPS, remove_dead_groups
from tests.lab.conftest import ROOT
from tests.lab.test_bad_input import NOBODY
from tests.lab.traces import STARTED, descendants, machine, wait_gone, wait_until

COMMAND = [sys.executable, "-m", "tests.hosts"]


def hosts(*words: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*prefix, *COMMAND, *words],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def environment() -> dict[str, str]:
    """One in which this machine's own addresses are not asked for by way of a proxy."""
    return {**os.environ, "no_proxy": "127.0.0.1"}


def groups(pid: int) -> list[Path]:
    """Control groups of the fresh Debian that a process made, in every hierarchy."""
    places = [tree.path / GROUPS / str(pid) for tree in cgroups.hierarchies()]
    return [place for place in places if place.exists()]


def scratch() -> set[Path]:
    """Temporary folders of mmdebstrap."""
    return set(Path(tempfile.gettempdir()).glob("mmdebstrap*"))


def test_a_mirror_that_cannot_be_reached_is_one_line(closed_mirror: str, tmp_path: Path) -> None:
    before = machine()
    done = hosts("trixie", "--mirror", closed_mirror, "--out", str(tmp_path / "out"))
    assert done.returncode == 3, done.stderr
    assert done.stderr.startswith("tests.hosts: trixie: mmdebstrap: ") and done.stderr.count("\n") == 1, done.stderr
    assert closed_mirror.removesuffix("/debian") in done.stderr, "apt says it in other words in each release"
    assert before.difference(machine()) == []


def test_a_folder_with_files_of_others_is_not_emptied(closed_mirror: str, tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    done = hosts("trixie", "--mirror", closed_mirror, "--out", str(tmp_path))
    assert done.returncode == 3 and done.stderr.count("\n") == 1, done.stderr
    assert f"--out {tmp_path}: has files of other programs" in done.stderr
    assert (tmp_path / "precious").exists()


@pytest.mark.parametrize(
    ("words", "prefix", "code", "said"),
    [
        ((), (), 4, "release"),
        (("trixie", "--no-such-option", "--", "suites"), (), 4, "unrecognized arguments: --no-such-option;"),
        (("../trixie",), (), 4, "'../trixie': not a name"),
        (("trixie",), tuple(NOBODY), 3, "root"),
    ],
    ids=["no release", "unknown option", "a path", "not root"],
)
def test_wrong_use_is_one_line(words: tuple[str, ...], prefix: tuple[str, ...], code: int, said: str) -> None:
    done = hosts(*words, prefix=prefix)
    assert done.returncode == code, done.stderr
    assert said in done.stderr and done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_run_that_is_ended_leaves_nothing(silent_mirror: str, tmp_path: Path, number: signal.Signals) -> None:
    before, others, temporary = machine(), descendants(), scratch()
    process = subprocess.Popen(
        ["env", "--default-signal=INT", *COMMAND, "trixie", "--mirror", silent_mirror, "--out", str(tmp_path / "out")],
        cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    STARTED.append(process)
    fetching = "/usr/lib/apt/methods/http"
    seen = wait_until(descendants, lambda all_: any(fetching in words for words in all_.values()))
    mine = {pid: words for pid, words in seen.items() if pid not in others}
    assert any(fetching in words for words in mine.values()), mine
    assert groups(process.pid)
    process.send_signal(number)
    assert process.wait(30) == (-signal.SIGKILL if number == signal.SIGKILL else 2)
    assert wait_gone(mine) == {}
    assert before.difference(machine()) == [] and scratch() == temporary
    remove_dead_groups()  # as the next one does: a killed process cannot
    assert groups(process.pid) == []
