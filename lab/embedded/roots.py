"""Root file systems of Debian releases, from which nodes can have their programs: made once, kept in the cache.

A root lies in `roots/RELEASE-KEY` of the cache, where KEY stands for the list of packages it was made from. It gets
that name when it is complete, so one that was half made is never used. Nodes have it below a layer of their own.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lab.errors import LabError, UsageError
from lab.programs import cache, find_program

from . import cached, debian
from .debian import RELEASE_NAME, NoDebian
from .preflight import TABLE, node_programs
from .userland import Userland

MACHINE = "machine"
"""Stands for the machine's own file system where the name of a release is expected."""
LEAVE_OUT = (
    "/usr/share/doc/*", "!/usr/share/doc/*/copyright", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*",
    "!/usr/share/locale/locale.alias",
)  # fmt: skip
"""What nobody reads on a node (path-exclude, dpkg(1))."""
TOLD = ("docker.io", "containerd", "runc", "iptables", "nftables", "iproute2", "openssh-server", "python3")
"""Packages whose versions are told."""
FACTS = "root.json"
"""What a root is made of; a lab that uses the root holds a shared lock on this file (flock(2))."""
_OF_THE_MACHINE = ("etc/hostname", "etc/resolv.conf", "etc/machine-id", "etc/ssh/ssh_host_*")
"""mmdebstrap copies the first two from this machine; the others have to differ between nodes."""
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Root:
    """A root file system that is complete."""

    folder: Path
    release: str
    wanted: tuple[str, ...]
    """The packages that it was made from, beside Debian's required ones."""
    versions: Mapping[str, str]
    """{package: version} of those in TOLD."""
    packages: int
    """How many are installed."""
    mib: int
    """Its size, MiB."""
    made: str
    """When, in UTC (ISO 8601)."""
    seconds: float
    """How long it took to make."""

    @property
    def tree(self) -> Path:
        """The file system itself."""
        return self.folder / "tree"

    @property
    def current(self) -> bool:
        """Whether it was made from the list of packages that Flatnet has now."""
        return self.folder.name == _name(self.release)

    @property
    def docker(self) -> tuple[int, ...]:
        """The version of its engine, such as (26, 1, 5)."""
        return tuple(int(part) for part in upstream(self.versions["docker.io"]).split("."))

    def __str__(self) -> str:
        told = ", ".join(f"{name} {upstream(version)}" for name, version in self.versions.items())
        return f"{self.release}: {told}; {self.packages} packages, {self.mib} MiB, made {self.made}"


def place() -> Path:
    """The folder of the cache in which roots lie."""
    return cache() / "roots"


def wanted_packages(table: str) -> tuple[str, ...]:
    """The packages for mmdebstrap, from the text of programs.txt.

    Where a program can come from one of several packages, each is a pattern, which adds nothing where a release does
    not have the package (apt-patterns(7)). Whether the programs are there is asked of the finished root.
    """
    rows = node_programs(table).values()
    certain = [packages[0] for packages in rows if len(packages) == 1]
    possible = [name for packages in rows if len(packages) > 1 for name in packages if name not in certain]
    return tuple(dict.fromkeys([*certain, *(f"?exact-name({name})" for name in possible)]))


def upstream(version: str) -> str:
    """The number that the makers gave: `26.1.5` of `26.1.5+dfsg1-9+b1`, `9.2` of `1:9.2p1-2`. Raises ValueError."""
    found = re.match(r"(?:\d+:)?(\d+(?:\.\d+)*)", version)
    if found is None:
        raise ValueError(f"{version!r} does not begin with a number, as versions of packages do")
    return found.group(1)


def all_roots() -> list[Root]:
    """Every complete root in the cache, by release; of one release the current one last.

    Raises LabError when the facts of one cannot be read.
    """
    return sorted(map(_read, cached.complete(place())), key=lambda root: (root.release, root.current, root.made))


def find(release: str) -> Root:
    """The current root of a release. Raises LabError when there is none, and UsageError: not a release's name."""
    require_name(release)
    of_release = [root for root in all_roots() if root.release == release]
    if of_release and of_release[-1].current:
        return of_release[-1]
    why = "was made from another list of packages" if of_release else "is not made"
    raise LabError(f"root file system {release}: {why}; run `python -m lab root make {release}`")


def release_of(tree: Path) -> str:
    """The release of a root file system. Raises LabError when its facts cannot be read."""
    return _read(tree.parent).release


def make(release: str, tell: Tell, *, mirror: str | None = None) -> Root:
    """Make the root of a release, unless it is there already.

    `mirror`: Debian's, instead of the one of this machine's apt. `tell` is given a line for each step. Raises LabError
    (NoDebian when the release cannot be had) and KeyboardInterrupt; nothing but a log stays then.
    """
    require_name(release)
    require_makers()
    with cached.locked(place(), release, f"root file system {release}"):
        cached.remove_drafts(place(), release)
        there = [root for root in all_roots() if root.release == release and root.current]
        if there:
            return there[0]
        with cached.draft(place(), release) as draft:
            _fill(draft, release, tell, mirror)
            final = place() / _name(release)
            draft.rename(final)
        for root in all_roots():
            if root.release == release and not root.current and not cached.discard(root.folder, release, FACTS):
                tell(f"{root.folder}: a lab uses it; `python -m lab root remove {release}` removes it later")
    return _read(final)


def remove(release: str) -> list[Path]:
    """Remove every root of a release; their folders. Raises LabError when there is none, or a lab uses one."""
    require_name(release)
    if os.geteuid() != 0:
        raise LabError("root file systems belong to root; do this as root")
    roots = [root for root in all_roots() if root.release == release]
    if not roots:
        there = ", ".join(dict.fromkeys(root.release for root in all_roots())) or "none"
        raise LabError(f"root file system {release}: is not made (made: {there})")
    with cached.locked(place(), release, f"root file system {release}"):
        cached.remove_drafts(place(), release)
        for root in roots:
            if not cached.discard(root.folder, release, FACTS):
                raise LabError(f"root file system {release}: a lab uses it; end that first (`python -m lab list`)")
    return [root.folder for root in roots]


def _fill(draft: Path, release: str, tell: Tell, mirror: str | None) -> None:
    began = time.monotonic()
    tree = draft / "tree"
    wanted = wanted_packages(TABLE.read_text(encoding="utf-8"))
    installed = unpack(tree, release, wanted, tell, mirror=mirror, log=place())
    facts = {
        "release": release,
        "wanted": list(wanted),
        "versions": {name: installed[name] for name in TOLD if name in installed},
        "packages": len(installed),
        "mib": cached.size(tree) // 2**20,
        "made": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "seconds": round(time.monotonic() - began, 1),
    }
    (draft / FACTS).write_text(json.dumps(facts, indent=1), encoding="utf-8")


def unpack(
    tree: Path, release: str, packages: Sequence[str], tell: Tell, *, mirror: str | None, log: Path
) -> dict[str, str]:
    """Make a root file system with these packages in the folder `tree`; {package: version} of all that it has.

    It has every program that a node needs, and nothing of this machine. What mmdebstrap prints goes into a file of the
    folder `log`. Raises NoDebian.
    """
    scratch = tree.with_name("scratch")
    scratch.mkdir()
    mirrors = {"Debian": mirror} if mirror is not None else debian.mirrors()
    sources, settings = debian.sources(release, mirrors), debian.fetch_settings()
    for source in sources:
        until = debian.expired(source, scratch, datetime.now(UTC))
        if until is not None:
            tell(f"{source.suite}: the mirror's index was valid until {until:%Y-%m-%d %H:%M} UTC; it is used as it is")
            settings += 'Acquire::Check-Valid-Until "false";\n'
    wanted = debian.Wanted(release, sources, packages, settings, LEAVE_OUT)
    tell(f"{release}: mmdebstrap, from {sources[0].address}")
    debian.unpack(wanted, tree, scratch=scratch, log=log / f"{release}.log")
    require_complete(release, Userland(tree), node_programs(TABLE.read_text(encoding="utf-8")))
    for pattern in _OF_THE_MACHINE:
        for path in tree.glob(pattern):
            path.unlink()
    shutil.rmtree(scratch)
    return debian.installed(tree)


def require_complete(release: str, userland: Userland, programs: Mapping[str, list[str]]) -> None:
    """Return when a root has every program that a node needs; NoDebian names those that it lacks."""
    missing = [
        f"{program} (from {' or '.join(packages)})"
        for program, packages in programs.items()
        if userland.find_program(program) is None
    ]
    if missing:
        raise NoDebian(
            f"root file system {release}: its packages did not bring {', '.join(missing)}; "
            f"correct the packages in lab/embedded/{TABLE.name}"
        )


def require_name(release: str) -> None:
    """Return when it can be the name of a release. Raises UsageError."""
    if not RELEASE_NAME.fullmatch(release) or release == MACHINE:
        raise UsageError(f"release {release!r}: not a name of a Debian release, such as trixie")


def require_makers() -> None:
    """Return when this process can make a root file system. Raises LabError."""
    if os.geteuid() != 0:
        raise LabError("only root can make a root file system; do this as root")
    if find_program("mmdebstrap") is None:
        raise LabError("root file systems are made by mmdebstrap, and there is none; install mmdebstrap")


def _name(release: str) -> str:
    return f"{release}-{_key(wanted_packages(TABLE.read_text(encoding='utf-8')))}"


def _key(packages: tuple[str, ...]) -> str:
    """Stands for a list of packages, and for what is left out of them."""
    return hashlib.sha256("\n".join([*packages, *LEAVE_OUT]).encode()).hexdigest()[:8]


def _read(folder: Path) -> Root:
    """The root in a folder. Raises LabError when its facts cannot be read."""
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        facts = {field.name: facts[field.name] for field in dataclasses.fields(Root) if field.name != "folder"}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabError(f"{folder / FACTS}: {type(error).__name__}: {error}; remove the folder {folder}") from None
    return Root(folder=folder, **{**facts, "wanted": tuple(facts["wanted"])})
