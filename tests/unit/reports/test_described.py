"""What Allure is told of a test: nothing of the code's names and representations is left for the reader."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.reports.small_suites import HEAD, SmallSuites

pytest_plugins = ["pytester"]

PAIRS = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Slot:
    name: str
    def __str__(self):
        return "u1/" + self.name

@pytest.mark.parametrize("pair", [(Slot("a1"), Slot("a2"))], ids=["a1->a2"])
@pytest.mark.parametrize("transport", ["udp"])
@requirement("ONE-1", "ONE-2")
def test_it(pair, transport):
    \"\"\"No device rewrites addresses.

    Expected: they are kept.
    \"\"\"

@requirement("ONE-2")
def test_set_up_fails(request, broken):
    \"\"\"A fixture that fails names nothing less well.\"\"\"

@pytest.fixture
def broken():
    raise HarnessError("node u1: lost")
"""


@pytest.fixture
def results(suites: SmallSuites) -> dict[str, Any]:
    """{name of the test function: its result}"""
    suites.write("suites/one/test_it.py", HEAD + PAIRS)
    done = suites.run()
    places = (done.folder / "reports/out/latest/allure-results").glob("*-result.json")
    found = [json.loads(place.read_text()) for place in places]
    return {result["fullName"].rpartition("#")[2]: result for result in found}


def labels(result: dict[str, Any], name: str) -> list[str]:
    return [label["value"] for label in result["labels"] if label["name"] == name]


def test_a_test_is_told_in_words(results: dict[str, Any]) -> None:
    result = results["test_it"]
    assert result["name"] == "udp, u1/a1 → u1/a2: no device rewrites addresses"
    assert result["description"] == "No device rewrites addresses.\n\nExpected: they are kept."
    assert {each["name"]: each["value"] for each in result["parameters"]} == {
        "pair": "u1/a1 → u1/a2",
        "transport": "udp",
    }
    assert labels(result, "severity") == ["critical"] and labels(result, "epic") == ["one"]
    assert labels(result, "feature") == ["ONE-1 The first promise is kept.", "ONE-2 The second promise is kept."]
    assert labels(result, "nodeid") == ["suites/one/test_it.py::test_it[udp-a1->a2]"]
    assert [link["name"] for link in result["links"]] == [
        "ONE-1: why, and how it is proved",
        "ONE-2: why, and how it is proved",
    ]
    assert result["links"][0]["url"].endswith("docs/requirements/one.md#one-1")


def test_a_test_whose_set_up_failed_is_told_in_words_too(results: dict[str, Any]) -> None:
    result = results["test_set_up_fails"]
    assert result["name"] == "A fixture that fails names nothing less well" and result["status"] == "broken"
    assert labels(result, "severity") == ["normal"]
