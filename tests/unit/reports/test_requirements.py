"""suites/catalogue.yaml: errors name file, id and key; which requirements apply to a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.model import Requirement
from reports.requirements import FACTS, RequirementsError, load, unmet

GOOD = '- {id: NET-1, suite: no_nat, level: must, statement: "Everybody talks.", source: "RFC 1"}\n'
ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not a list of requirements"),
        ("id: NET-1", "is not a list of requirements"),
        ("[", "line 1"),
        ("- NET-1", "?: "),
        ("- {id: NET-1}", "NET-1: suite: is missing; write it"),
        (GOOD + GOOD, "NET-1: is there twice"),
        (GOOD.replace("NET-1", "net1"), "net1: id: "),
        (GOOD.replace("must", "may"), "NET-1: level: "),
        (GOOD.replace("no_nat", "no nat"), "NET-1: suite: "),
        (GOOD.replace("Everybody talks.", ""), "NET-1: statement: "),
        (GOOD.replace("source", "sources"), "NET-1: source: is missing"),
        (
            "- id: NET-1\n  level: must\n  level: should\n",
            "line 3: the key 'level' is there twice; remove one",
        ),
        (GOOD.replace("}", ", suite: path}"), "line 1: the key 'suite' is there twice"),
        (GOOD.replace("}", ", colour: red}"), "NET-1: colour: is not a known key; remove or correct it"),
        (GOOD.replace("}", ", disruptive: maybe}"), "NET-1: disruptive: "),
        (GOOD.replace("}", ", applies: [nomads]}"), "NET-1: applies: 'nomads': unknown fact 'nomads'; there are: "),
        (GOOD.replace("}", ', applies: ["nodes => 2"]}'), "NET-1: applies: 'nodes => 2' is neither"),
        (GOOD.replace("}", ', applies: ["__import__(1)"]}'), "NET-1: applies: "),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    place = tmp_path / "catalogue.yaml"
    place.write_text(text)
    with pytest.raises(RequirementsError) as caught:
        load(place)
    assert words in str(caught.value) and str(place) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RequirementsError, match=r"catalogue\.yaml"):
        load(tmp_path / "catalogue.yaml")


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    place = tmp_path / "catalogue.yaml"
    place.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RequirementsError, match=r"catalogue\.yaml"):
        load(place)


def applying(*applies: str) -> Requirement:
    return Requirement("NET-1", "Everybody talks.", "must", "RFC 1", "no_nat", applies)


@pytest.mark.parametrize(
    ("applies", "facts", "words"),
    [
        ((), {}, None),
        (("nomad",), {"nomad": True}, None),
        (("nomad",), {"nomad": False}, "the inventory declares no nomad"),
        (("nomad",), {}, "the inventory declares no nomad"),
        (("contract",), {"contract": False}, "no contract was given; --contract FILE names one"),
        (("nodes >= 2",), {"nodes": 2}, None),
        (("nodes >= 2",), {"nodes": 1}, "needs nodes >= 2, the inventory has 1"),
        (("nodes > 2",), {"nodes": 2}, "needs nodes > 2, the inventory has 2"),
        (("nodes<3",), {"nodes": 2}, None),
        (("nodes <= 2",), {"nodes": 3}, "needs nodes <= 2, the inventory has 3"),
        (("nodes == 3",), {"nodes": 3}, None),
        (("nodes >= 2", "nomad"), {"nodes": 3}, "the inventory declares no nomad"),
    ],
)
def test_what_applies(applies: tuple[str, ...], facts: dict[str, bool | int | str], words: str | None) -> None:
    assert unmet(applying(*applies), facts) == words


def test_the_real_file_holds_the_requirements_of_the_design() -> None:
    found = load(ROOT / "suites" / "catalogue.yaml")
    counts: dict[str, int] = {}
    for name in found:
        counts[name.split("-")[0]] = counts.get(name.split("-")[0], 0) + 1
    wanted = {"NET": 8, "PATH": 8, "HOST": 6, "DNS": 13, "ISO": 10, "CP": 6, "JOB": 10, "RES": 4}
    assert {name: counts.get(name) for name in wanted} == wanted
    declarations = {declaration for requirement in found.values() for declaration in requirement.applies}
    assert {declaration.split()[0] for declaration in declarations} <= set(FACTS)
