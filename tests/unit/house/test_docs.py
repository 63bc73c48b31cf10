"""What docs/ says is there, and what is there is said."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from lab.inventory import Inventory
from reports.requirements import load
from reports.table import PLACE, table

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
CATALOGUE = load(ROOT / "suites" / "catalogue.yaml")
LINK = re.compile(r"\]\(([^)#]+)(?:#([^)]+))?\)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
CODE = re.compile(r"^```python\n(.*?)^```", re.M | re.S)
KEY = re.compile(r"^\| `([a-z_.\[\]]+)` \|\s*([^|\n]*?)\s*\|", re.M)
LAB = re.compile(r"python -m lab ([a-z-]+)")
FOREIGN = {"--network", "--ip", "--rm", "--name", "--from", "--privileged", "--net"}
"""Options of other programs that pages mention: docker's, unshare's, `lab fetch`'s."""


def test_the_table_of_requirements_is_the_catalogues() -> None:
    assert PLACE.read_text() == table(), "run: python -m reports.table"


@pytest.mark.parametrize("name", list(CATALOGUE))
def test_every_requirement_has_its_section(name: str) -> None:
    page = PLACE.with_name(f"{CATALOGUE[name].suite}.md").read_text()
    assert f"\n## {name}\n" in page
    section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    assert len(section.split()) >= 5


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target, _ in LINK.findall(page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_options_that_pages_mention_exist() -> None:
    commands = (["pytest", "tests/drill"], ["lab"], ["lab", "up"], ["benchmarks.mesh"])
    helps = [["-m", *words, "--help"] for words in commands]
    known = "\n".join(
        subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for words in helps
    )
    unknown = {
        f"{page.name}: {option}"
        for page in PAGES
        for option in OPTION.findall(page.read_text())
        if option not in known and option not in FOREIGN
    }
    assert not unknown


def test_commands_of_the_lab_that_pages_mention_exist() -> None:
    words = [sys.executable, "-m", "lab", "--help"]
    known = set(
        re.findall(r"^    ([a-z-]+)\b", subprocess.run(words, cwd=ROOT, capture_output=True, text=True).stdout, re.M)
    )
    mentioned = {(page.name, name) for page in PAGES for name in LAB.findall(page.read_text())}
    assert mentioned
    assert {pair for pair in mentioned if pair[1] not in known} == set()


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    """(key as a cluster file's reader knows it, default as text) of every leaf of the model."""
    for name, field in model.model_fields.items():
        parts = [field.annotation, *get_args(field.annotation)]
        inner = [part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)]
        several = "[]" if str(field.annotation).startswith("tuple") and inner else ""
        if inner:
            yield from keys(inner[0], f"{prefix}{name}{several}.")
        elif field.is_required():
            yield f"{prefix}{name}", "required"
        else:
            default = field.default
            shown = str(default).lower() if isinstance(default, bool) else str(default)
            yield f"{prefix}{name}", "" if default in (None, {}) else f"`{shown}`"


def test_the_keys_of_a_cluster_file_are_the_inventorys() -> None:
    page = (ROOT / "docs" / "running-on-a-cluster.md").read_text()
    said = {key: default.strip().removesuffix(" in `power`") for key, default in KEY.findall(page)}
    assert said == dict(keys(Inventory))


def test_examples_of_tests_are_whole() -> None:
    examples = CODE.findall((ROOT / "docs" / "writing-a-test.md").read_text())
    assert examples
    for text in examples:
        compile(text, "writing-a-test.md", "exec")
        for module, names in re.findall(r"^from ([\w.]+) import (.+)$", text, re.M):
            assert [name for name in names.split(", ") if not hasattr(importlib.import_module(module), name)] == []


def test_the_readme_leads_to_every_page() -> None:
    page = (ROOT / "README.md").read_text()
    missing = [one.name for one in (ROOT / "docs").glob("*.md") if f"docs/{one.name}" not in page]
    assert missing == []
