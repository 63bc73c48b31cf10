"""Files that people write, read with errors of one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


def read_yaml(path: Path) -> Any:
    """What the YAML file holds. Raises ValueError, one line: file, line, what is wrong."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is no UTF-8 text") from None
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        where = f" line {mark.line + 1}:" if mark is not None else ""
        raise ValueError(f"{path}:{where} is no YAML: {problem or str(error).splitlines()[0]}") from None
