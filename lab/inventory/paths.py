"""The files that a cluster file names, by absolute paths."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from lab.errors import InventoryError

_M = TypeVar("_M", bound=BaseModel)


def resolve(model: _M, path: Path, where: str) -> _M:
    """The model with its own paths absolute, relative ones from the folder of the cluster file at `path`."""
    folder = path.resolve().parent
    files = {}
    for key in type(model).model_fields:
        value = getattr(model, key)
        if isinstance(value, Path):
            files[key] = _file(path, f"{where}.{key}", folder, value)
    return model.model_copy(update=files)


def _file(path: Path, key: str, folder: Path, value: Path) -> Path:
    try:
        file = folder / value.expanduser()
        if file.is_file():
            return file
    except RuntimeError:
        raise InventoryError(f"{path}: {key}: {value!s:.100}: there is no such user; correct the path") from None
    except OSError as error:  # such as a name that is too long
        raise InventoryError(f"{path}: {key}: {value!s:.100}: {error.strerror}; correct the path") from None
    raise InventoryError(f"{path}: {key}: no file {file!s:.300}; correct the path")
