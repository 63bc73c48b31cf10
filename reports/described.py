"""What Allure is told of a test: its title, parameters, requirements, severity, and where it is explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import allure

from .model import Requirement
from .page.promises import link
from .page.shown import NODEID
from .titles import in_words, severity, title


@dataclass(frozen=True)
class Test:
    """A test, as pytest knows it."""

    __test__ = False

    nodeid: str
    promise: str
    """The folder of suites/ that it is in."""
    docstring: str
    parameters: Mapping[str, object]
    requirements: Sequence[Requirement]
    folder: Path
    """The run's folder, from which links lead."""


class _Plain:
    """Text that Allure writes as it is; it puts strings in quotes."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def tell(test: Test) -> None:
    """Tell Allure of the test that is under way."""
    parameters = {name: in_words(value) for name, value in test.parameters.items()}
    allure.dynamic.title(title(test.docstring, parameters))
    allure.dynamic.description(test.docstring)
    for name, text in parameters.items():
        allure.dynamic.parameter(name, _Plain(text))
    allure.dynamic.severity(severity(requirement.level for requirement in test.requirements))
    allure.dynamic.epic(test.promise)
    allure.dynamic.label(NODEID, test.nodeid)
    for requirement in test.requirements:
        allure.dynamic.feature(f"{requirement.id} {requirement.statement}")
        allure.dynamic.story(requirement.id)
        allure.dynamic.tag(requirement.id)
        allure.dynamic.label("requirement", requirement.id)
        allure.dynamic.link(link(requirement, test.folder), name=f"{requirement.id}: why, and how it is proved")
