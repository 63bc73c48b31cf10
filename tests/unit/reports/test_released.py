"""The released catalogue, and the tests that stand in the suites: what a gate compares with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from reports.gate import EDITED, NO_RUN, refusal, without_run
from reports.released import RELEASED, differences, digest, released_text
from reports.requirements import CATALOGUE, load
from reports.written import uncollected
from tests.unit.reports.small_suites import ROOT

REQUIREMENTS = load(ROOT / CATALOGUE)
FIRST = next(iter(REQUIREMENTS))


def test_the_released_catalogue_is_up_to_date() -> None:
    assert (ROOT / RELEASED).read_text() == released_text(REQUIREMENTS), "run: python -m reports.table"
    assert differences(ROOT, REQUIREMENTS) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"level": "should"},
        {"statement": "Something easier is promised."},
        {"applies": ("nomad",)},
        {"suite": "elsewhere"},
        {"disruptive": True},
    ],
)
def test_whatever_a_requirement_asks_for_is_in_the_digest(changed: dict[str, object]) -> None:
    edited = {**REQUIREMENTS, FIRST: replace(REQUIREMENTS[FIRST], **changed)}  # type: ignore[arg-type]
    assert digest(edited) != digest(REQUIREMENTS)
    word = "is a should, released as a must" if "level" in changed else "asks for something else"
    assert differences(ROOT, edited) == f"{ROOT / CATALOGUE}: is not the released one: {FIRST} {word}"


def test_a_requirement_that_is_gone_or_new_is_named() -> None:
    shorter = {name: one for name, one in REQUIREMENTS.items() if name != FIRST}
    assert differences(ROOT, shorter) == f"{ROOT / CATALOGUE}: is not the released one: {FIRST} is missing"
    longer = {**REQUIREMENTS, "NEW-1": replace(REQUIREMENTS[FIRST], id="NEW-1")}
    assert differences(ROOT, longer) == f"{ROOT / CATALOGUE}: is not the released one: NEW-1 is new"


@pytest.mark.parametrize("text", [None, "NET-1\n", "NET-1 must\n"])
def test_without_a_released_catalogue_nobody_can_tell(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "suites").mkdir()
        (tmp_path / RELEASED).write_text(text)
    assert "is missing or damaged" in str(differences(tmp_path, REQUIREMENTS))


def option(**given: object) -> SimpleNamespace:
    return SimpleNamespace(**{"edited": False, **given})


def test_a_gate_of_the_released_suites_begins() -> None:
    assert refusal(option(), ["suites"], {}, ROOT, REQUIREMENTS) is None
    assert refusal(option(), [], {"PYTEST_ADDOPTS": " "}, ROOT, REQUIREMENTS) is None


def test_what_a_gate_refuses() -> None:
    said = refusal(option(edited=True), ["suites"], {"PYTEST_ADDOPTS": "-x"}, ROOT, REQUIREMENTS)
    assert str(said).startswith("PYTEST_ADDOPTS='-x': --gate takes its options")
    said = refusal(option(edited=True), ["suites", "suites/x.py::test_y"], {}, ROOT, REQUIREMENTS)
    assert said == "--gate judges every requirement; give it folders, not single tests"


def test_an_edited_catalogue_is_judged_only_when_told() -> None:
    edited = {**REQUIREMENTS, FIRST: replace(REQUIREMENTS[FIRST], level="should")}
    differing = differences(ROOT, edited)
    assert differing is not None
    assert refusal(option(), ["suites"], {}, ROOT, edited) == differing + EDITED
    assert refusal(option(edited=True), ["suites"], {}, ROOT, edited) is None


@pytest.mark.parametrize("name", NO_RUN)
def test_options_with_which_no_test_runs(name: str) -> None:
    assert without_run(option(**{name: True})) == (
        f"--gate judges a run, and with {NO_RUN[name]} there is none; leave one of them out"
    )
    assert without_run(option(**{name: False})) is None and without_run(option()) is None


TESTS = """
import pytest
from fixtures.session.marks import requirement
import fixtures.session.marks as marks


@requirement("ONE-1", "ONE-2")
@pytest.mark.parametrize("number", [1, 2])
def test_seen(number): ...


@marks.requirement("ONE-3")
def test_hidden(): ...


def test_of_nothing(): ...


def helper(): ...


class Helper:
    @requirement("ONE-5")
    def test_elsewhere(self): ...


NAME = "ONE-6"


class TestGroup:
    @requirement(NAME, "ONE-4")
    def test_within(self): ...
"""


def test_tests_that_were_not_collected_are_found(tmp_path: Path) -> None:
    place = tmp_path / "suites/one/test_it.py"
    place.parent.mkdir(parents=True)
    place.write_text(TESTS)
    seen = ["suites/one/test_it.py::test_seen[1]", "suites/one/test_it.py::test_seen[2]"]
    assert uncollected(tmp_path, ["one"], seen) == {
        "suites/one/test_it.py::test_hidden": ["ONE-3"],
        "suites/one/test_it.py::test_of_nothing": [],
        "suites/one/test_it.py::TestGroup::test_within": ["ONE-4"],
    }
    assert uncollected(tmp_path, ["two"], []) == {}
    place.write_text("def test_x(:")
    assert uncollected(tmp_path, ["one"], []) == {}, "pytest tells that it cannot be read"


def test_every_test_of_the_suites_is_read_with_its_requirements() -> None:
    folders = {requirement.suite for requirement in REQUIREMENTS.values()}
    written = uncollected(ROOT, folders, [])
    assert {name for ids in written.values() for name in ids} == set(REQUIREMENTS)
