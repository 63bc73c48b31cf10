"""Runs Flatnet on a fresh Debian, as a new user does: `python3 -m tests.hosts RELEASE`.

Needs root, and the programs mmdebstrap and git; no virtual environment. The machine's network and the settings of
its package clients are used; of everything else the Debian has only the kernel and its devices.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
from pathlib import Path
from typing import NoReturn

from lab.embedded.debian import RELEASE_NAME, NoDebian

from .clients import NoSettings, collect
from .machine import NoMachine, Wanted, try_on

ROOT = Path(__file__).resolve().parents[2]
INTERRUPTED, UNUSABLE, USAGE = 2, 3, 4
"""Exit codes, as those of a run."""
README = (["suites"], ["tests"])
"""Arguments of the two commands that README.md begins with."""


class _Parser(argparse.ArgumentParser):
    """A parser that ends with Flatnet's exit code for wrong usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"tests.hosts: {message}; {self.prog} --help lists the arguments\n")


def main(words: list[str]) -> int:
    """Exit code: that of the first command that failed; 3 when the release could not be fetched."""
    cut = words.index("--") if "--" in words else len(words)
    mine, arguments = words[:cut], words[cut + 1 :]
    parser = _Parser(
        prog="python3 -m tests.hosts",
        usage="%(prog)s RELEASE [--mirror URL] [--out DIR] [-- ARGUMENT...]",
        description="Make a fresh Debian in memory, clone this repository in it, and run what the README says.",
        epilog="Behind `--`: arguments of one call of ./run. Without: the README's two, ./run suites and ./run tests.",
    )
    parser.add_argument("release", help="bookworm, trixie, sid; `other`: trixie, or bookworm on a trixie")
    parser.add_argument("--mirror", metavar="URL", help="Debian's mirror (default: the one of this machine's apt)")
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help="where reports are kept (default: reports/out/hosts/RELEASE)"
    )
    options = parser.parse_args(mine)
    release = _other() if options.release == "other" else options.release
    if not RELEASE_NAME.fullmatch(release):
        parser.error(f"release {release!r}: not a name of a Debian release, such as trixie")
    if os.geteuid() != 0:
        return _give_up("only root can mount a root file system; do this as root")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    out = (options.out or ROOT / "reports" / "out" / "hosts" / release).resolve()
    commands = (arguments,) if arguments else README
    try:
        wanted = Wanted(release=release, checkout=ROOT, out=out, commands=commands)
        return try_on(wanted, collect(release, options.mirror), lambda line: print(f"== {line}", flush=True))
    except (NoSettings, NoDebian, NoMachine, OSError) as error:
        return _give_up(f"{release}: {error}")
    except KeyboardInterrupt:
        return INTERRUPTED


def _other() -> str:
    """The current or the previous stable release of Debian, whichever this machine is not."""
    return "bookworm" if platform.freedesktop_os_release().get("VERSION_CODENAME") == "trixie" else "trixie"


def _give_up(reason: str) -> int:
    print(f"tests.hosts: {reason}", file=sys.stderr)
    return UNUSABLE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
