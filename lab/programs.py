"""Programs of this machine, and the cache of those that no package brings."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def cache() -> Path:
    """Where `./run` and `python -m lab fetch` put what no package brings (`FLATNET_CACHE`)."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get("FLATNET_CACHE") or f"{home}/flatnet")


def find_program(name: str) -> str | None:
    """Path of a program, or None."""
    return shutil.which(name, path=search_path())


def search_path() -> str:
    """PATH with the folders that root's may lack, such as after `su`: sbin, and the cache's bin."""
    places = [*os.environ.get("PATH", "").split(":"), "/usr/local/sbin", "/usr/sbin", "/sbin", str(cache() / "bin")]
    return ":".join(dict.fromkeys(place for place in places if place))
