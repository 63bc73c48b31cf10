"""Reads the YAML files that people write for a run; every error is one line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError


def read_yaml(path: Path) -> Any:
    """What a YAML 1.2 file holds, None when it is empty.

    Raises ValueError, one line: file, line, what is wrong, what to do. A key that is written twice is an error.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}; check the path") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is not UTF-8 text; save it as UTF-8") from None
    try:
        return YAML(typ="safe", pure=True).load(text)
    except DuplicateKeyError as error:
        line, column = error.problem_mark.line, error.problem_mark.column
        key = re.split("[:,}]", text.splitlines()[line][column:])[0].strip()
        raise ValueError(f"{path}: line {line + 1}: the key {key!r} is there twice; remove one") from None
    except MarkedYAMLError as error:
        where = f" line {error.problem_mark.line + 1}:" if error.problem_mark else ""
        raise ValueError(f"{path}:{where} is not YAML: {error.problem}; correct that line") from None
    except (YAMLError, ValueError) as error:  # such as a control character, or a day that no month has
        raise ValueError(f"{path}: is not YAML: {str(error).splitlines()[0]}; correct it") from None


def describe_first(error: ValidationError) -> str:
    """The first problem that pydantic found, as `key: what is wrong; what to do`."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return f"{key}: is missing; write it"
    if first["type"] == "extra_forbidden":
        return f"{key}: is not a known key; remove or correct it"
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"{key}: {message}; correct it" if key else f"{message}; correct it"
