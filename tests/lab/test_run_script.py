"""./run on an operator's machine: with a cluster file it wants neither root nor an engine."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.lab.conftest import ROOT
from tests.lab.test_bad_input import NOBODY


@pytest.fixture
def without_engine() -> list[str]:
    """The command before one's own that takes the engine away from it, in a mount namespace that ends with it."""
    engine = shutil.which("dockerd", path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    assert engine is not None
    return ["unshare", "--mount", "sh", "-c", 'mount --bind /dev/null "$0" && exec "$@"', engine]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("words", [["--cluster", "/no/such.yaml"], ["--cluster=/no/such.yaml"]])
def test_a_cluster_file_needs_neither_root_nor_an_engine(without_engine: list[str], words: list[str]) -> None:
    done = run(*without_engine, *NOBODY, "./run", "suites/expose", *words)
    assert done.returncode == 4, done.stderr
    assert done.stderr.strip() == "ERROR: /no/such.yaml: cannot be read: No such file or directory; " + (
        "give the path of a cluster file"
    )


def test_a_lab_needs_root() -> None:
    done = run(*NOBODY, "./run", "suites/expose")
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "must be root" in done.stderr and "--cluster FILE" in done.stderr
