"""README, CONTRIBUTING and docs/ held against the code: what they name exists, and what has to be documented is."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from lab.inventory import Inventory
from reports.requirements import load
from reports.table import PLACE, table
from tests.unit.house.commands import (
    anchors,
    commands_in,
    made_by_the_reader,
    parse,
    pytest_words,
    wrong_commands,
    wrong_names,
)

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
CATALOGUE = load(ROOT / "suites" / "catalogue.yaml")
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)]+))?\)")
CODE = re.compile(r"^```python\n(.*?)^```", re.M | re.S)
KEY = re.compile(r"^\| `([a-z0-9_.\[\]]+)` \|\s*([^|\n]*?)\s*\|", re.M)


def test_the_table_of_requirements_is_the_catalogues() -> None:
    assert PLACE.read_text() == table(), "run: python -m reports.table"


@pytest.mark.parametrize("name", list(CATALOGUE))
def test_every_requirement_has_a_section(name: str) -> None:
    page = PLACE.with_name(f"{CATALOGUE[name].suite}.md").read_text()
    assert f"\n## {name}\n" in page
    section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    assert len(section.split()) >= 5


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page: Path) -> None:
    found = "\n".join(dead_links(page, page.read_text()))
    assert not found


def dead_links(page: Path, text: str) -> list[str]:
    """Links of a page into this checkout whose file or heading does not exist."""
    found = []
    for target, anchor in LINK.findall(text):
        if "://" in target:
            continue
        place = page.parent / target if target else page
        if not place.exists():
            found.append(f"{target}: no such file")
        elif anchor and anchor not in anchors(text if place == page else place.read_text()):
            found.append(f"{target}#{anchor}: no such heading")
    return found


def test_a_dead_link_is_found() -> None:
    readme = ROOT / "README.md"
    assert dead_links(readme, "[a](docs/nothing.md)") == ["docs/nothing.md: no such file"]
    assert dead_links(readme, "[a](docs/scale.md#nothing)") == ["docs/scale.md#nothing: no such heading"]
    assert dead_links(readme, "[a](#nothing)\n# Some thing") == ["#nothing: no such heading"]
    assert (
        dead_links(readme, "[a](#some-thing), [b](docs/scale.md#neighbours), [c](https://x.example/y)\n# Some thing")
        == []
    )


WRONG = {
    "./run suites --gaet": "--gaet",
    "pytest suites --overlay pigeon": "no overlay pigeon",
    "pytest suites --fault masquerade@u1 --fault no-such-fault@u2": "no fault no-such-fault",
    "pytest suites/no_such_promise": "no file suites/no_such_promise",
    "pytest suites/no_nat/test_no.py::test_x": "no file suites/no_nat/test_no.py",
    "./run suites --nodes": "--nodes",
    "python -m pytest --wide": "--wide",
    "python -m lab downn": "invalid choice: 'downn'",
    "python -m lab up --overlays vxlan": "--overlays",
    "python -m lab up --overlay pigeon": "no overlay pigeon",
    "python -m lab up --nodes many": "invalid int value",
    "python -m lab inject no-such-fault@u1": "no fault no-such-fault",
    "python -m lab power-off": "are required: node",
    "python -m reports.tables": "no module reports.tables",
    "python -m nothing.at.all": "no module nothing.at.all",
    "python -m benchmarks.mesh --round 2x --depth": "no option --depth",
}
RIGHT = (
    "./run suites --fault masquerade@u1 --overlay vxlan -n 2 --gate",
    "pytest tests/drill --wide -k masquerade",
    "pytest suites/<promise>/test_<what>.py",
    "python -m lab inject FAULT[@NODE]… --lab L",
    "python -m lab exec u1 -- iptables -t nat -L",
    "python3 -m tests.hosts other -- suites --no-such-option",
)


@pytest.fixture(scope="module", autouse=True)
def _parsed_at_once() -> None:
    texts = [*(page.read_text() for page in PAGES), *(f"    {line}\n" for line in (*WRONG, *RIGHT))]
    commands = [command for text in texts for command in commands_in(text)]
    parse([words for command in commands if (words := pytest_words(command)) is not None], ROOT)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_command_lines_name_what_exists(page: Path) -> None:
    text = page.read_text()
    found = "\n".join(wrong_commands(commands_in(text), ROOT, made_by_the_reader(text)))
    assert not found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_and_faults_in_a_page_exist(page: Path) -> None:
    found = "\n".join(wrong_names(page.read_text(), ROOT))
    assert not found


def test_every_page_of_commands_is_read() -> None:
    """Commands are found in blocks, in tables and within sentences."""
    read = {page.name: len(commands_in(page.read_text())) for page in PAGES}
    few = {name: read[name] for name in ("CONTRIBUTING.md", "first-ten-minutes.md", "machines.md") if read[name] < 10}
    assert not few
    text = "Run `pytest a`.\n\n    ./run b   why\n    $ python -m lab list  # why\n\n```sh\n. x && ./run c || d\n```\n"
    assert [command.text for command in commands_in(text)] == ["./run b", "python -m lab list", "./run c", "pytest a"]
    assert commands_in("`docker ps`, `lab.inventory`, ./run outside of code") == []


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_command_line_is_found(line: str) -> None:
    found = wrong_commands(commands_in(f"    {line}\n"), ROOT)
    assert len(found) == 1 and WRONG[line] in found[0], found


@pytest.mark.parametrize("line", RIGHT)
def test_a_right_command_line_is_not_accused(line: str) -> None:
    commands = commands_in(f"    {line}\n")
    assert commands and wrong_commands(commands, ROOT) == []


def test_a_wrong_path_module_or_fault_in_a_sentence_is_found() -> None:
    assert wrong_names("see `lab/overlay.py`", ROOT) == ["no file lab/overlay.py"]
    assert wrong_names("see `suites/<promise>/nothing.py`", ROOT) == ["no file suites/<promise>/nothing.py"]
    assert wrong_names("inject `no-such-fault@u1`", ROOT) == ["no fault no-such-fault"]
    assert wrong_names("`lab/overlays/vxlan.py`, `suites/<promise>/`, `masquerade@u1`, `reports/out/x`", ROOT) == []
    assert wrong_names("see `fixtures.expectations`", ROOT) == ["no module fixtures.expectations"]
    assert wrong_names("see `fixtures.evidence.waiting`", ROOT) == []
    assert wrong_names("Save this as `suites/no_nat/test_wire.py`", ROOT) == []


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
            yield f"{prefix}{name}", "" if default in (None, {}, ()) else f"`{shown}`"


def test_the_keys_of_a_cluster_file_are_the_inventorys() -> None:
    page = (ROOT / "docs" / "running-on-a-cluster.md").read_text()
    said = {key: default.strip().split(" in `")[0] for key, default in KEY.findall(page)}
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
    missing = [path.name for path in (ROOT / "docs").glob("*.md") if f"docs/{path.name}" not in page]
    assert missing == []
