"""Files that a project has beside its code: linters and their hooks, CI, templates, licence."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[3]
INTERPRETER = ".venv/bin/python"


def load_yaml(path: str) -> Any:
    """The content of a YAML 1.2 file of the checkout."""
    return YAML(typ="safe", pure=True).load((ROOT / path).read_text())


HOOKS: dict[str, dict[str, Any]] = {
    hook["id"]: hook for repository in load_yaml(".pre-commit-config.yaml")["repos"] for hook in repository["hooks"]
}
SCHEMAS = {
    ".github/workflows/ci.yml": "vendor.github-workflows",
    ".github/workflows/nightly.yml": "vendor.github-workflows",
    ".github/ISSUE_TEMPLATE/config.yml": "vendor.github-issue-config",
    ".github/ISSUE_TEMPLATE/error.yml": "vendor.github-issue-forms",
    ".github/ISSUE_TEMPLATE/proposal.yml": "vendor.github-issue-forms",
    ".github/ISSUE_TEMPLATE/wrong-verdict.yml": "vendor.github-issue-forms",
    ".gitlab-ci.yml": "vendor.gitlab-ci",
    "docs/examples/github-gate.yml": "vendor.github-workflows",
    "docs/examples/gitlab-gate.yml": "vendor.gitlab-ci",
}
"""File of a forge → the builtin schema of check-jsonschema that it has to keep."""


def tracked(*patterns: str) -> list[str]:
    """Files of the checkout that git knows or would add."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted({path for path in listed.splitlines() if (ROOT / path).is_file()})


def run_python(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False)


def command_of(hook: str) -> list[str]:
    """The hook's command behind the interpreter: `-m ruff check .`, as words."""
    interpreter, *words = shlex.split(HOOKS[hook]["entry"])
    assert interpreter == INTERPRETER, f".pre-commit-config.yaml: {hook}: does not use {INTERPRETER}"
    return words


@pytest.mark.parametrize("hook", HOOKS)
def test_the_hooks_of_pre_commit_find_nothing(hook: str) -> None:
    done = run_python(*command_of(hook), *(tracked() if HOOKS[hook].get("pass_filenames", True) else []))
    found = done.stdout + done.stderr if done.returncode else ""
    assert not found


@pytest.mark.parametrize("hook", HOOKS)
def test_the_hooks_of_pre_commit_fail_for_a_bad_file(hook: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    misspelt = "recie" + "ve"  # in two pieces, since codespell reads this file too
    bad.write_text(f'"""{misspelt}."""\n\nimport os\n\n\ndef twice(number ):\n    """Do."""\n    return number*2\n')
    words = [word for word in command_of(hook) if word != "."]
    if "codespell_lib" not in words:
        words += ["--config-file" if "mypy" in words else "--config", "pyproject.toml"]
    done = run_python(*words, str(bad))
    assert done.returncode not in (0, 2), done.stdout + done.stderr


def test_hooks_come_from_nowhere_else() -> None:
    config = load_yaml(".pre-commit-config.yaml")
    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    assert {hook["language"] for hook in HOOKS.values()} == {"system"}
    assert set(HOOKS) == {"ruff-check", "ruff-format", "mypy", "codespell"}


def check_schema(schema: str, *paths: str) -> subprocess.CompletedProcess[str]:
    transform = ["--data-transform", "gitlab-ci"] if schema == "vendor.gitlab-ci" else []
    return run_python("-m", "check_jsonschema", "--builtin-schema", schema, *transform, *paths)


@pytest.mark.parametrize("schema", sorted(set(SCHEMAS.values())))
def test_files_of_forges_keep_their_schema(schema: str) -> None:
    done = check_schema(schema, *(path for path, wanted in SCHEMAS.items() if wanted == schema))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("schema", sorted(set(SCHEMAS.values())))
def test_a_file_that_breaks_its_schema_is_found(schema: str, tmp_path: Path) -> None:
    path = next(path for path, wanted in SCHEMAS.items() if wanted == schema)
    broken = load_yaml(path)
    broken["jobs" if "workflows" in schema else "body" if "forms" in schema else "stages"] = 7
    broken["contact_links"] = 7
    (tmp_path / "broken.yml").write_text(json.dumps(broken))
    done = check_schema(schema, str(tmp_path / "broken.yml"))
    assert done.returncode == 1, done.stdout + done.stderr


def test_every_file_of_a_forge_has_a_schema() -> None:
    assert tracked(".github/*.yml", ".github/*.yaml", ".gitlab-ci.yml", "docs/examples/*.yml") == sorted(SCHEMAS)


def scripts_called(path: str) -> set[str]:
    """The scripts of .ci/ that a CI file runs as a command of their own."""
    return set(re.findall(r"^\s*(?:run:|-) (\.ci/[a-z]+)$", (ROOT / path).read_text(), re.M))


def test_forges_call_the_scripts_that_a_person_calls() -> None:
    assert scripts_called(".github/workflows/ci.yml") == {".ci/run"}
    assert scripts_called(".github/workflows/nightly.yml") == {".ci/nightly"}
    assert scripts_called(".gitlab-ci.yml") == {".ci/run", ".ci/nightly"}
    for script in (".ci/run", ".ci/nightly"):
        assert (ROOT / script).stat().st_mode & 0o111, f"{script}: not executable"


def test_both_forges_ask_the_same_of_a_change() -> None:
    github = (ROOT / ".github" / "pull_request_template.md").read_text()
    assert github == (ROOT / ".gitlab" / "merge_request_templates" / "Default.md").read_text()
    forms = {path.stem for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")} - {"config"}
    templates = {path.stem for path in (ROOT / ".gitlab" / "issue_templates").glob("*.md")}
    assert forms == {name.lower().replace(" ", "-") for name in templates}


def test_the_licence_is_the_one_that_scapy_allows() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "GNU GENERAL PUBLIC LICENSE" in text and "Version 2, June 1991" in text
    assert all("GPL-2.0-only" in (ROOT / page).read_text() for page in ("README.md", "CONTRIBUTING.md"))


def test_pinned_packages_are_the_installed_ones() -> None:
    """What the linters find depends on their versions."""
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements.txt").read_text(), re.M))
    names = ("ruff", "mypy", "codespell", "check-jsonschema")
    assert set(names) <= set(pinned)
    done = run_python("-c", f"import importlib.metadata as m\nfor n in {names!r}: print(n, m.version(n))")
    assert dict(line.split() for line in done.stdout.splitlines()) == {name: pinned[name] for name in names}
