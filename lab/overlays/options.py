"""The options that an adapter takes from `overlay.options`, and the errors of a cluster file that sets them wrongly."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

Value = str | int | bool
"""What an option can be in a cluster file."""
_KINDS = {str: "text", int: "a whole number", bool: "true or false"}


@dataclass(frozen=True)
class Option:
    """One option of an adapter."""

    name: str
    kind: type[str] | type[int] | type[bool]
    choices: tuple[str, ...] = ()
    """The texts that it can be; empty: any."""
    each_subnet: bool = False
    """It is written once for each subnet that needs it, as `NAME.SUBNET`."""
    least: int = 0
    """The smallest number that makes sense."""

    def keys(self, subnets: Iterable[str]) -> list[str]:
        """The keys by which a cluster file with these subnets can set it."""
        return [f"{self.name}.{subnet}" for subnet in subnets] if self.each_subnet else [self.name]


def wrong_options(adapter: str, known: Collection[Option], given: Mapping[str, Value], subnets: Iterable[str]) -> str:
    """What is wrong with the options that a cluster file gives an adapter, one line; "" when nothing is."""
    options = {key: option for option in known for key in option.keys(list(subnets))}
    found = []
    for key, value in given.items():
        if key not in options:
            found.append(f"overlay.options.{key}: {adapter} has no such option; {_instead(key, list(options))}")
        elif (problem := _wrong_value(options[key], value)) is not None:
            found.append(f"overlay.options.{key}: {problem}")
    return ". ".join(found)


def _instead(key: str, options: list[str]) -> str:
    close = difflib.get_close_matches(key, options, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there are: {', '.join(sorted(options))}" if options else "it has none; leave it out"


def _wrong_value(option: Option, value: Value) -> str | None:
    if type(value) is not option.kind:  # bool is a kind of int for isinstance, and not for a person
        return f"{value!r} is not {_KINDS[option.kind]}; write it as such"
    if option.choices and value not in option.choices:
        return f"{value!r} is unknown; choose {' or '.join(option.choices)}"
    if option.kind is int and value < option.least:  # type: ignore[operator]
        return f"{value} is too small; choose {option.least} or more"
    return None
