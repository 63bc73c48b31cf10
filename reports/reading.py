"""Reads the YAML files that people write for a run; every error is one line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scanner import Scanner, ScannerError

MOST_CHARACTERS, MOST_LEVELS, MOST_VALUES = 4 << 20, 40, 100_000
"""Bounds on a file. One of a cluster with a hundred nodes has 20,000 characters, 6 levels and 2,000 values."""
LONGEST_KEY = 100
"""Characters of a key that an error repeats."""


def printable(text: str) -> str:
    """The text with every character written out that a terminal would obey, that ends a line, or that UTF-8 lacks."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


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


def read_yaml(path: Path) -> Any:
    """What a YAML 1.2 file holds, None when it is empty. Raises ValueError as `read_text` and `parse_yaml` do."""
    return parse_yaml(path, read_text(path))


def read_text(path: Path) -> str:
    """The text of a file that a person wrote. Raises ValueError, one line: file, what is wrong, what to do."""
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MOST_CHARACTERS + 1)
    except OSError as error:
        raise ValueError(printable(f"{path}: cannot be read: {error.strerror}; check the path")) from None
    except UnicodeDecodeError:
        raise ValueError(printable(f"{path}: is not UTF-8 text; save it as UTF-8")) from None
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"{path}: has more than {MOST_CHARACTERS} characters; check the path")
    return text


def parse_yaml(path: Path, text: str) -> Any:
    """What the text of the YAML 1.2 file at `path` holds, None when it is empty.

    Raises ValueError, one line: file, line, what is wrong, what to do. A key that is written twice is an error.
    """
    try:
        return _load(text)
    except DuplicateKeyError as error:
        line, column = error.problem_mark.line, error.problem_mark.column
        key = re.split("[:,}]", text.splitlines()[line][column:])[0].strip()
        raise ValueError(printable(f"{path}: line {line + 1}: the key {key!r} is there twice; remove one")) from None
    except MarkedYAMLError as error:
        where = f" line {error.problem_mark.line + 1}:" if error.problem_mark else ""
        raise ValueError(printable(f"{path}:{where} is not YAML: {error.problem}; correct that line")) from None
    except (YAMLError, ValueError) as error:  # such as a control character, or a day that no month has
        raise ValueError(printable(f"{path}: is not YAML: {str(error).splitlines()[0]}; correct it")) from None


def describe_first(error: ValidationError) -> str:
    """The first problem that pydantic found, as `key: what is wrong; what to do`."""
    first = error.errors(include_url=False)[0]
    key = ".".join(_shortened(str(part)) for part in first["loc"])
    if first["type"] == "missing":
        return printable(f"{key}: is missing; write it")
    if first["type"] == "extra_forbidden":
        return printable(f"{key}: is not a known key; remove or correct it")
    message = str(first["msg"]).removeprefix("Value error, ")
    return printable(f"{key}: {message}; correct it" if key else f"{message}; correct it")


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_KEY else f"{text[:LONGEST_KEY]}…"
