"""The faults' declarations agree with the catalogue and with docs/faults."""

from __future__ import annotations

import pytest

from lab.faults import FAULTS
from reports.requirements import load

from .conftest import ROOT
from .document import inserted, picture

CATALOGUE = load(ROOT / "suites" / "catalogue.yaml")
PAGE, PICTURE = ROOT / "docs" / "faults.md", ROOT / "docs" / "faults.svg"


def test_documentation_shows_the_faults_there_are(request: pytest.FixtureRequest) -> None:
    """Table and picture show the faults of lab/faults; `./run tests/drill --regenerate` writes them."""
    page, drawn = inserted(PAGE.read_text(), FAULTS), picture(FAULTS, CATALOGUE)
    if request.config.getoption("regenerate", default=False):
        PAGE.write_text(page)
        PICTURE.write_text(drawn)
    assert PAGE.read_text() == page, "docs/faults.md is not up to date: ./run tests/drill --regenerate"
    assert PICTURE.read_text() == drawn, "docs/faults.svg is not up to date: ./run tests/drill --regenerate"


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_fault_names_requirements_that_there_are(name: str) -> None:
    """What a fault must and may fail is in the catalogue, and nothing is in both lists."""
    fault = FAULTS[name]
    assert {*fault.must_fail, *fault.may_fail} <= set(CATALOGUE), fault
    assert not set(fault.must_fail) & set(fault.may_fail), fault
    assert fault.source.startswith("https://"), fault.source


def test_every_promise_has_a_fault_that_must_fail_it() -> None:
    """Each suite of the catalogue has a file of faults, and one of them must fail a requirement of the suite."""
    failing = {CATALOGUE[name].suite for fault in FAULTS.values() for name in fault.must_fail}
    promises = {requirement.suite for requirement in CATALOGUE.values()}
    assert failing == promises
    assert {path.stem for path in (ROOT / "lab" / "faults").glob("*.py")} >= promises
