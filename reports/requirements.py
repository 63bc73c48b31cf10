"""The catalogue of requirements (suites/catalogue.yaml): reading it, and what applies.

`applies` is a list of declarations over the inventory's facts, all of which must hold:
a fact's name (`overlay.expose`) or a comparison with a whole number (`nodes >= 2`).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from .model import Requirement
from .reading import read_yaml

Facts = Mapping[str, bool | int | str]

SUITES = "suites"
"""The folder below the checkout whose tests prove requirements, and give a verdict."""
CATALOGUE = f"{SUITES}/catalogue.yaml"

FACTS = (
    "nodes", "underlay", "overlay.expose", "overlay.subnets", "overlay.restart", "overlay.proxy",
    "consul", "consul.servers", "nomad", "power", "switch",
)  # fmt: skip
"""Names a declaration may use."""

_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_DECLARATION = re.compile(r"(?P<fact>[a-z][a-z_.]*)(?:\s*(?P<op>>=|<=|==|>|<)\s*(?P<number>\d+))?")


class CatalogueError(ValueError):
    """The catalogue cannot be used; names file, id and key."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, StringConstraints(pattern=r"^[A-Z]+-\d+$")]
    suite: Annotated[str, StringConstraints(pattern=r"^[a-z_]+$")]
    level: Literal["must", "should"]
    statement: Annotated[str, StringConstraints(min_length=10)]
    source: Annotated[str, StringConstraints(min_length=3)]
    applies: tuple[str, ...] = ()
    disruptive: bool = False


def in_suites(root: Path, place: Path) -> bool:
    """Whether a file or folder belongs to the suites of the checkout `root`: other tests give no verdict."""
    return (root / SUITES) in (place, *place.parents)


def load(path: Path) -> dict[str, Requirement]:
    """{id: Requirement} in the file's order. Raises CatalogueError, one line."""
    try:
        data = read_yaml(path)
    except ValueError as error:
        raise CatalogueError(str(error)) from None
    if not isinstance(data, list):
        raise CatalogueError(f"{path}: holds no list of requirements")
    found: dict[str, Requirement] = {}
    for item in data:
        name = item.get("id", "?") if isinstance(item, dict) else "?"
        try:
            entry = _Entry.model_validate(item)
        except ValidationError as error:
            first = error.errors()[0]
            raise CatalogueError(f"{path}: {name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        if entry.id in found:
            raise CatalogueError(f"{path}: {entry.id}: stands there twice")
        for declaration in entry.applies:
            try:
                _parse(declaration)
            except ValueError as error:
                raise CatalogueError(f"{path}: {entry.id}: applies: {error}") from None
        found[entry.id] = Requirement(**entry.model_dump())
    return found


def unmet(requirement: Requirement, facts: Facts) -> str | None:
    """The first declaration that does not hold, in words; None when the requirement applies."""
    for declaration in requirement.applies:
        fact, compare, number = _parse(declaration)
        value = facts.get(fact, False)
        if compare is None:
            if not value:
                return f"the inventory declares no {fact}"
        elif not compare(int(value), number):
            return f"needs {declaration}, the inventory has {value}"
    return None


def _parse(declaration: str) -> tuple[str, Callable[[int, int], bool] | None, int]:
    match = _DECLARATION.fullmatch(declaration.strip())
    if match is None:
        raise ValueError(f"{declaration!r} is neither a fact nor `fact >= number`")
    if match["fact"] not in FACTS:
        raise ValueError(f"{declaration!r}: unknown fact {match['fact']!r}; there are: {', '.join(FACTS)}")
    if match["op"] is None:
        return match["fact"], None, 0
    return match["fact"], _COMPARISONS[match["op"]], int(match["number"])
