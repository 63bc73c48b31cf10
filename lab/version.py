"""The version of Flatnet: its number is in pyproject.toml, the git revision is that of the checkout."""

from __future__ import annotations

import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT_S = 10


@dataclass(frozen=True)
class Version:
    """A version of Flatnet; as text `0.9.0 (2fa19c2)`."""

    number: str
    revision: str | None
    """What `git describe --always --dirty` says; None when the folder is not a git checkout or git cannot read it."""

    def __str__(self) -> str:
        return self.number if self.revision is None else f"{self.number} ({self.revision})"


def read_version(root: Path = ROOT) -> Version:
    """The version of the Flatnet in the folder `root`."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return Version(str(project["version"]), _revision(root))


def _revision(root: Path) -> str | None:
    if not (root / ".git").exists():
        return None  # git would search the folders above, which may be somebody else's checkout
    # Inside a git hook the environment names that hook's repository; these options take precedence over it.
    git = ["git", "--no-optional-locks", f"--git-dir={root / '.git'}", f"--work-tree={root}"]
    try:
        done = subprocess.run(
            [*git, "describe", "--always", "--dirty"],
            cwd=root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
            encoding="utf-8",
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
