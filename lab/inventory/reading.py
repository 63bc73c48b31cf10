"""Reads cluster files: YAML in which no key is there twice, with errors of one line for the person who wrote it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scanner import Scanner, ScannerError

from lab.errors import InventoryError

MOST_CHARACTERS, MOST_LEVELS, MOST_VALUES = 4 << 20, 40, 100_000
"""Bounds on a file. One of a cluster with a hundred nodes has 20,000 characters, 6 levels and 2,000 values."""
LONGEST_INPUT, MOST_PROBLEMS = 100, 10
"""Characters of a wrong value, and wrong keys, that an error repeats."""


class _Scanner(Scanner):
    """Reads no more than MOST_LEVELS levels: parsing takes time with the square of the depth, and a call for each."""

    def fetch_flow_collection_start(self, TokenClass: Any, to_push: str) -> None:  # noqa: N803 - as ruamel.yaml has it
        self._look_at_depth()
        super().fetch_flow_collection_start(TokenClass, to_push)

    def add_indent(self, column: int) -> bool:
        self._look_at_depth()
        return bool(super().add_indent(column))

    def _look_at_depth(self) -> None:
        if len(self.flow_context) + len(self.indents) > MOST_LEVELS:
            raise ScannerError(None, None, f"nested deeper than {MOST_LEVELS} levels", self.reader.get_mark())


def _load(text: str) -> Any:
    """What the text holds. Raises YAMLError, and ValueError when aliases make it far larger than it looks."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Scanner = _Scanner
    data = yaml.load(text)
    left, values = MOST_VALUES, [data]
    while values and left:
        value, left = values.pop(), left - 1
        if isinstance(value, dict | list | tuple):
            values += [*value.keys(), *value.values()] if isinstance(value, dict) else value
    if values:
        raise ValueError(f"more than {MOST_VALUES} values, with aliases followed")
    return data


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping that a YAML 1.2 file holds: `on` and `off`, keys of `power`, are text there and not truth values.

    Raises InventoryError, one line: file, line, what is wrong, what to do. A key that is there twice is an error,
    since a node or a subnet would vanish without a word.
    """
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MOST_CHARACTERS + 1)
    except OSError as error:
        raise InventoryError(f"{path}: cannot be read: {error.strerror}; give the path of a cluster file") from None
    except UnicodeDecodeError:
        raise InventoryError(f"{path}: is not UTF-8 text; a cluster file is YAML, see lab/examples/") from None
    if len(text) > MOST_CHARACTERS:
        raise InventoryError(f"{path}: has more than {MOST_CHARACTERS} characters; give the path of a cluster file")
    try:
        data = _load(text)
    except DuplicateKeyError as error:
        line, column = error.problem_mark.line, error.problem_mark.column
        key = re.split("[:,}]", text.splitlines()[line][column:])[0].strip()
        raise InventoryError(f"{path}: line {line + 1}: the key {key!r} is there twice; remove one") from None
    except MarkedYAMLError as error:
        where = f" line {error.problem_mark.line + 1}:" if error.problem_mark else ""
        raise InventoryError(f"{path}:{where} not YAML: {error.problem}; correct that line") from None
    except (YAMLError, ValueError) as error:  # such as a control character, or a day that no month has
        raise InventoryError(f"{path}: not YAML: {str(error).splitlines()[0]}; correct it") from None
    if data is None:
        raise InventoryError(f"{path}: is empty; lab/examples/ holds cluster files to start from")
    if not isinstance(data, dict):
        raise InventoryError(
            f"{path}: holds a {type(data).__name__}, not keys such as `nodes:` and `overlay:`; see lab/examples/"
        )
    return data


def describe(error: ValidationError, model: type[BaseModel], data: Mapping[str, Any]) -> str:
    """What pydantic found, on one line: `key: what is wrong; what to do` for every key.

    `data` is what `model` did not accept.
    """
    found = error.errors(include_url=False)
    places = [problem["loc"] for problem in found]
    parts = []
    for problem in found:
        loc = problem["loc"]
        if any(other[: len(loc)] == loc and other != loc for other in places):
            continue  # `nodes` is too short only because the nodes in it are wrong
        key = _key(loc, data)
        message = _message(problem["type"], problem, model)
        parts.append(f"{key}: {message}" if key else message)
    more = [f"and {len(parts) - MOST_PROBLEMS} more wrong keys"] if len(parts) > MOST_PROBLEMS else []
    return ". ".join(parts[:MOST_PROBLEMS] + more)


def _key(loc: Iterable[int | str], data: Any) -> str:
    """The place of a key as text: `nodes.u2.address` rather than `nodes.1.address` when that node has a name."""
    parts = []
    for part in loc:
        below = data[part] if isinstance(part, int) and isinstance(data, list) and part < len(data) else None
        named = isinstance(below, dict) and isinstance(below.get("name"), str)
        parts.append(_shortened(below["name"] if named and isinstance(below, dict) else str(part)))
        data = below if isinstance(part, int) else data.get(part) if isinstance(data, dict) else None
    return ".".join(parts)


_KINDS = {
    "missing": "is missing; write it, as the files in lab/examples/ do",
    "too_short": "is empty; write at least one",
    "tuple_type": "must be a list; begin each entry with `-`",
    "ip_v4_address": "{said} is not an IPv4 address; write one such as 192.168.56.3",
    "ip_v4_network": "{said} is not an IPv4 network; write one such as 10.32.0.0/16, without bits after the prefix",
    "ip_v6_network": "{said} is not an IPv6 network; write one such as fd00:10:32::/64, without bits after the prefix",
    "string_pattern_mismatch": "{said} does not match {ctx[pattern]}; choose another",
    "path_type": "{said} is not a path; write one as text",
    "model_type": "{said} is not a mapping of keys; write some below it",
    "model_attributes_type": "{said} is not a mapping of keys; write some below it",
}


def _message(kind: str, problem: Mapping[str, Any], model: type[BaseModel]) -> str:
    """What is wrong with a key and what to do; `kind` is pydantic's name of the error."""
    if kind == "extra_forbidden":
        known = sorted(_fields(model, problem["loc"][:-1]))
        close = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1)
        return f"unknown key; {f'did you mean {close[0]!r}?' if close else 'there are: ' + ', '.join(known)}"
    if kind in _KINDS:
        return _KINDS[kind].format(said=_shortened(repr(problem["input"])), ctx=problem.get("ctx", {}))
    return str(problem["msg"]).removeprefix("Value error, ")


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_INPUT else f"{text[:LONGEST_INPUT]}…"


def _fields(model: type[BaseModel], loc: Iterable[int | str]) -> list[str]:
    """The keys that the model knows at a place of the document."""
    schema = model.model_json_schema()
    here = schema
    for part in loc:
        here = here.get("items", {}) if isinstance(part, int) else here.get("properties", {}).get(part, {})
        for option in here.get("anyOf", [here]):
            if "$ref" in option:
                here = schema["$defs"][option["$ref"].rsplit("/", 1)[1]]
    return list(here.get("properties", {}))
