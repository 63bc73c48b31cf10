"""Where a node has its programs and users from: the machine itself, or a root file system of its own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from lab import programs

_FOLDERS = ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin")


@dataclass(frozen=True)
class Userland:
    """The machine's, without a tree."""

    tree: Path | None = None
    """The root file system, as the machine sees it."""

    def find_program(self, name: str) -> str | None:
        """Path of a program as the node sees it; None when it is not there."""
        if self.tree is None:
            return programs.find_program(name)
        if name.startswith("/"):
            return name if os.path.lexists(self.tree / name.lstrip("/")) else None
        # A link may lead to an absolute path, which is one of the node's.
        return next((f"/{place}/{name}" for place in _FOLDERS if os.path.lexists(self.tree / place / name)), None)

    def program(self, name: str) -> str:
        """Path of a program as the node sees it.

        What the root file system lacks is the machine's, which the node has at the same place (`borrowed`); else it is
        the name alone.
        """
        return self.find_program(name) or programs.find_program(name) or name

    def read(self, path: str) -> str:
        """A text file of it, such as /etc/passwd."""
        return ((self.tree or Path("/")) / path.lstrip("/")).read_text(encoding="utf-8")


def borrowed() -> list[str]:
    """What a node with a root file system sees of the machine's files, at the same places: what no Debian release has.

    That is the cache of programs, Weave's images, and Consul and Nomad where they lie elsewhere.
    """
    places = [place for place in (programs.cache() / "bin", programs.cache() / "weave") if place.is_dir()]
    found = [programs.find_program(name) for name in ("consul", "nomad")]
    others = [path for path in found if path is not None and Path(path).parent not in places]
    return [*map(str, places), *others]
