"""The requirements of suites/catalogue.yaml: reads them, and says which of them apply to a cluster.

`applies` is a list of declarations over the inventory's facts, all of which must hold:
a fact's name (`overlay.expose`) or a comparison with a whole number (`nodes >= 2`).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from .model import Requirement
from .reading import describe_first, printable, read_yaml

Facts = Mapping[str, bool | int | str]

SUITES = "suites"
"""The folder of the checkout whose tests prove requirements."""
CATALOGUE = f"{SUITES}/catalogue.yaml"

FACTS = (
    "nodes", "underlay", "overlay.expose", "overlay.subnets", "overlay.restart", "overlay.proxy",
    "overlay.peers", "overlay.addresses", "overlay.closed", "overlay.moves", "overlay.encrypted",
    "overlay.services", "overlay.vxlan",
    "engine.restart", "consul", "consul.servers", "nomad", "power", "switch",
    "dns", "dns.consul", "dns.docker", "dns.swarm",
    "contract", "change",
)  # fmt: skip
"""The names that a declaration may use."""

NOT_GIVEN = {
    "contract": "no contract was given; --contract FILE names one",
    "change": "no change was given; --change COMMAND names one",
}
"""Why a requirement does not apply that asks for a fact which is not the inventory's but the command line's."""

_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_DECLARATION = re.compile(r"(?P<fact>[a-z][a-z_.]*)(?:\s*(?P<op>>=|<=|==|>|<)\s*(?P<number>\d+))?")


class RequirementsError(ValueError):
    """The file of requirements cannot be used; the message names file, id and key."""


class _Entry(BaseModel):
    """One entry of the file, as a person writes it."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, StringConstraints(pattern=r"^[A-Z]+-\d+$")]
    suite: Annotated[str, StringConstraints(pattern=r"^[a-z_]+$")]
    level: Literal["must", "should"]
    statement: Annotated[str, StringConstraints(min_length=10)]
    source: Annotated[str, StringConstraints(min_length=3)]
    applies: tuple[str, ...] = ()
    disruptive: bool = False


def in_suites(root: Path, place: Path) -> bool:
    """Whether a file or folder lies in the suites of the checkout `root`. Only their tests lead to a verdict."""
    return (root / SUITES) in (place, *place.parents)


def load(path: Path) -> dict[str, Requirement]:
    """{id: Requirement} in the order of the file. Raises RequirementsError, one line."""
    try:
        data = read_yaml(path)
    except ValueError as error:
        raise RequirementsError(str(error)) from None
    if not isinstance(data, list):
        raise RequirementsError(f"{path}: is not a list of requirements; begin each one with `- id:`")
    found: dict[str, Requirement] = {}
    for item in data:
        name = item.get("id", "?") if isinstance(item, dict) else "?"
        try:
            entry = _Entry.model_validate(item)
        except ValidationError as error:
            raise RequirementsError(printable(f"{path}: {name!s:.100}: {describe_first(error)}")) from None
        if entry.id in found:
            raise RequirementsError(f"{path}: {entry.id}: is there twice; give every requirement an id of its own")
        for declaration in entry.applies:
            try:
                _parse(declaration)
            except ValueError as error:
                raise RequirementsError(printable(f"{path}: {entry.id}: applies: {error}")) from None
        found[entry.id] = Requirement(**entry.model_dump())
    return found


def unmet(requirement: Requirement, facts: Facts) -> str | None:
    """Why a requirement does not apply: its first declaration that does not hold. None when it applies."""
    return unmet_of(requirement.applies, facts)


def unmet_of(declarations: Iterable[str], facts: Facts) -> str | None:
    """The first of these declarations that does not hold, in words; None when all do. Raises ValueError."""
    for declaration in declarations:
        fact, compare, number = _parse(declaration)
        value = facts.get(fact, False)
        if compare is None:
            if not value:
                return NOT_GIVEN.get(fact, f"the inventory declares no {fact}")
        elif not compare(int(value), number):
            return f"needs {declaration}, the inventory has {value}"
    return None


def _parse(declaration: str) -> tuple[str, Callable[[int, int], bool] | None, int]:
    match = _DECLARATION.fullmatch(declaration.strip())
    if match is None:
        raise ValueError(f"{declaration!r} is neither a fact nor `fact >= number`; write one of these")
    if match["fact"] not in FACTS:
        raise ValueError(f"{declaration!r}: unknown fact {match['fact']!r}; there are: {', '.join(FACTS)}")
    if match["op"] is None:
        return match["fact"], None, 0
    return match["fact"], _COMPARISONS[match["op"]], int(match["number"])
