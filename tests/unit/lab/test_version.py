"""The version of Flatnet: from pyproject.toml, with the revision of the checkout where there is one."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from lab.version import ROOT, Version, read_version
from tests.unit.reports.small_suites import SmallSuites

pytest_plugins = ["pytester"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a pyproject.toml, that is not a git checkout."""
    made = tmp_path / "flatnet"
    made.mkdir()
    (made / "pyproject.toml").write_text('[project]\nname = "flatnet"\nversion = "1.2.3"\n')
    return made


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=jane", "-c", "user.email=jane@example.invalid"]
    return subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(folder: Path) -> Path:
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def test_a_checkout_has_a_revision(checkout: Path) -> None:
    revision = git(checkout, "rev-parse", "--short", "HEAD")
    assert read_version(checkout) == Version("1.2.3", revision)
    assert str(read_version(checkout)) == f"1.2.3 ({revision})"


def test_a_changed_checkout_says_so(checkout: Path) -> None:
    (checkout / "pyproject.toml").write_text('[project]\nversion = "1.2.4"\n')
    version = read_version(checkout)
    assert version.number == "1.2.4" and str(version.revision).endswith("-dirty")


def test_the_repository_of_a_git_hook_is_not_taken_for_it(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = read_version(checkout)
    git(tmp_path, "init", "-q", "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    assert read_version(checkout) == expected


def test_a_folder_in_another_checkout_has_no_revision(folder: Path) -> None:
    git(folder.parent, "init", "-q")
    git(folder.parent, "add", ".")
    git(folder.parent, "commit", "-q", "-m", "first")
    assert read_version(folder) == Version("1.2.3", None)
    assert str(read_version(folder)) == "1.2.3"


@pytest.mark.parametrize("script", [None, "echo 'fatal: dubious ownership' >&2; exit 128", "exit 0"])
def test_a_git_that_is_missing_or_refuses_is_not_an_error(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None
) -> None:
    if script is not None:
        (tmp_path / "git").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_version(checkout) == Version("1.2.3", None)


def test_the_lab_and_the_report_show_the_version_of_pyproject(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    words = [sys.executable, "-m", "lab", "--version"]
    said = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said == f"flatnet {read_version()}\n" and said.startswith(f"flatnet {number}")
    monkeypatch.setenv("PATH", str(pytester.path))
    suites = SmallSuites(pytester)
    suites.suite("one", one="ONE-1: assert True")
    done = suites.run()
    assert done.document["flatnet"] == {"version": number, "revision": None}, "git is not on PATH"
    assert done.document["schema"] == 1
    assert f"flatnet: {number}\n" in done.output and f" Flatnet {number}: requirements " in done.output
    assert f"# Flatnet {number}: " in (done.folder / "reports/out/latest/summary.md").read_text()
