"""What docs/ says is there, and what is there is said."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from reports.catalogue import load
from reports.table import PLACE, table

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
CATALOGUE = load(ROOT / "suites" / "catalogue.yaml")
LINK = re.compile(r"\]\(([^)#]+)(?:#([^)]+))?\)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
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
    helps = [["-m", "pytest", "--help"], ["-m", "lab", "--help"], ["-m", "lab", "up", "--help"]]
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
