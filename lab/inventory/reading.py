"""Files that people write: YAML without double keys, and what is wrong with them in plain words."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from lab.errors import InventoryError

_BOOL = "tag:yaml.org,2002:bool"


class _Plain(yaml.SafeLoader):
    """YAML without two of its traps.

    The last of two equal keys would win, so that a node or subnet vanishes in silence; and
    `on` and `off`, which `power` has as keys, would be truth values (YAML 1.1).
    """

    yaml_implicit_resolvers = {  # noqa: RUF012 (yaml's own name for it)
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOL or first in "tTfF"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} is there twice; remove one", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_mapping(path: Path) -> dict[str, Any]:
    """A YAML file's mapping. Raises InventoryError, one line: file, line, what is wrong, the way out."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InventoryError(f"{path}: cannot be read: {error.strerror}; give the path of a cluster file") from None
    except UnicodeDecodeError:
        raise InventoryError(f"{path}: is not UTF-8 text; a cluster file is YAML, see lab/examples/") from None
    try:
        data = yaml.load(text, _Plain)
    except yaml.constructor.ConstructorError as error:
        raise InventoryError(f"{path}:{_line(error)} {error.problem}") from None
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InventoryError(f"{path}:{_line(error)} not YAML: {problem}; mend that line") from None
    if data is None:
        raise InventoryError(f"{path}: is empty; lab/examples/ holds cluster files to start from")
    if not isinstance(data, dict):
        raise InventoryError(
            f"{path}: holds a {type(data).__name__}, not keys such as `nodes:` and `overlay:`; see lab/examples/"
        )
    return data


def _line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f" line {mark.line + 1}:" if mark is not None else ""


def in_words(error: ValidationError, model: type[BaseModel], data: Mapping[str, Any]) -> str:
    """What pydantic found, on one line: `key: what is wrong; the way out`, for every key."""
    found = error.errors(include_url=False)
    places = [item["loc"] for item in found]
    parts = []
    for item in found:
        loc = item["loc"]
        if any(other[: len(loc)] == loc and other != loc for other in places):
            continue  # `nodes` is short only because the nodes in it are wrong
        key = _key(loc, data)
        message = _message(item["type"], item, model)
        parts.append(f"{key}: {message}" if key else message)
    return ". ".join(parts)


def _key(loc: Iterable[int | str], data: Any) -> str:
    """`nodes.u2.address` rather than `nodes.1.address`, when that node has a name."""
    words = []
    for part in loc:
        below = data[part] if isinstance(part, int) and isinstance(data, list) and part < len(data) else None
        named = isinstance(below, dict) and isinstance(below.get("name"), str)
        words.append(below["name"] if named and isinstance(below, dict) else str(part))
        data = below if isinstance(part, int) else data.get(part) if isinstance(data, dict) else None
    return ".".join(words)


_KINDS = {
    "missing": "is missing; write it, as the files in lab/examples/ do",
    "too_short": "is empty; write at least one",
    "tuple_type": "has to be a list",
    "ip_v4_address": "{input!r} is no IPv4 address; write one such as 192.168.56.3",
    "ip_v4_network": "{input!r} is no IPv4 network; write one such as 10.32.0.0/16, with no bit set behind the prefix",
    "string_pattern_mismatch": "{input!r} does not match {ctx[pattern]}; choose another",
    "path_type": "{input!r} is no path",
    "model_type": "{input!r} is no mapping of keys",
    "model_attributes_type": "{input!r} is no mapping of keys",
}


def _message(kind: str, item: Mapping[str, Any], model: type[BaseModel]) -> str:
    if kind == "extra_forbidden":
        known = sorted(_fields(model, item["loc"][:-1]))
        close = difflib.get_close_matches(str(item["loc"][-1]), known, n=1)
        return f"unknown key; {f'is {close[0]!r} meant?' if close else 'there are: ' + ', '.join(known)}"
    if kind in _KINDS:
        return _KINDS[kind].format(**item)
    return str(item["msg"]).removeprefix("Value error, ")


def _fields(model: type[BaseModel], loc: Iterable[int | str]) -> list[str]:
    """Keys that the model knows at a place of the document."""
    schema = model.model_json_schema()
    here = schema
    for part in loc:
        here = here.get("items", {}) if isinstance(part, int) else here.get("properties", {}).get(part, {})
        for option in here.get("anyOf", [here]):
            if "$ref" in option:
                here = schema["$defs"][option["$ref"].rsplit("/", 1)[1]]
    return list(here.get("properties", {}))
