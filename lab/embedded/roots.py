"""Root file systems of Debian releases, from which nodes can have their programs: made once, kept in the cache.

A root lies in `roots/RELEASE-KEY` of the cache, where KEY stands for the list of packages it was made from. It gets
that name when it is complete, so one that was half made is never used. Nodes have it below a layer of their own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lab.errors import LabError, UsageError
from lab.programs import cache, find_program

from . import debian
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
MARK = "_"
"""Stands in the name of a folder that is being made or removed, and never in the name of a release."""
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
    entries = sorted(place().iterdir()) if place().is_dir() else []
    roots = [_read(entry) for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
    return sorted(roots, key=lambda root: (root.release, root.current, root.made))


def find(release: str) -> Root:
    """The current root of a release. Raises LabError when there is none, and UsageError: not a release's name."""
    _require_name(release)
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
    _require_name(release)
    _require_makers()
    with _locked(release):
        _remove_drafts(release)
        there = [root for root in all_roots() if root.release == release and root.current]
        if there:
            return there[0]
        draft = place() / f".{release}{MARK}{os.getpid()}"
        draft.mkdir()
        try:
            _fill(draft, release, tell, {"Debian": mirror} if mirror is not None else debian.mirrors())
            final = place() / _name(release)
            draft.rename(final)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        for root in all_roots():
            if root.release == release and not root.current and not _discard(root):
                tell(f"{root.folder}: a lab uses it; `python -m lab root remove {release}` removes it later")
    return _read(final)


def remove(release: str) -> list[Path]:
    """Remove every root of a release; their folders. Raises LabError when there is none, or a lab uses one."""
    _require_name(release)
    if os.geteuid() != 0:
        raise LabError("root file systems belong to root; do this as root")
    roots = [root for root in all_roots() if root.release == release]
    if not roots:
        there = ", ".join(dict.fromkeys(root.release for root in all_roots())) or "none"
        raise LabError(f"root file system {release}: is not made (made: {there})")
    with _locked(release):
        _remove_drafts(release)
        for root in roots:
            if not _discard(root):
                raise LabError(f"root file system {release}: a lab uses it; end that first (`python -m lab list`)")
    return [root.folder for root in roots]


def _fill(draft: Path, release: str, tell: Tell, mirrors: Mapping[str, str]) -> None:
    began = time.monotonic()
    scratch, tree = draft / "scratch", draft / "tree"
    scratch.mkdir()
    sources, settings = debian.sources(release, mirrors), debian.fetch_settings()
    for source in sources:
        until = debian.expired(source, scratch, datetime.now(UTC))
        if until is not None:
            tell(f"{source.suite}: the mirror's index was valid until {until:%Y-%m-%d %H:%M} UTC; it is used as it is")
            settings += 'Acquire::Check-Valid-Until "false";\n'
    table = TABLE.read_text(encoding="utf-8")
    wanted = debian.Wanted(release, sources, wanted_packages(table), settings, LEAVE_OUT)
    tell(f"{release}: mmdebstrap, from {sources[0].address}")
    debian.unpack(wanted, tree, scratch=scratch, log=place() / f"{release}.log")
    require_complete(release, Userland(tree), node_programs(table))
    for pattern in _OF_THE_MACHINE:
        for path in tree.glob(pattern):
            path.unlink()
    shutil.rmtree(scratch)
    installed = debian.installed(tree)
    facts = {
        "release": release,
        "wanted": list(wanted.packages),
        "versions": {name: installed[name] for name in TOLD if name in installed},
        "packages": len(installed),
        "mib": _size(tree) // 2**20,
        "made": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "seconds": round(time.monotonic() - began, 1),
    }
    (draft / FACTS).write_text(json.dumps(facts, indent=1), encoding="utf-8")


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


def _require_name(release: str) -> None:
    if not RELEASE_NAME.fullmatch(release) or release == MACHINE:
        raise UsageError(f"release {release!r}: not a name of a Debian release, such as trixie")


def _require_makers() -> None:
    if os.geteuid() != 0:
        raise LabError("only root can make a root file system; do this as root")
    if find_program("mmdebstrap") is None:
        raise LabError("root file systems are made by mmdebstrap, and there is none; install mmdebstrap")


@contextlib.contextmanager
def _locked(release: str) -> Iterator[None]:
    """Keep others from making or removing roots of the release. Raises LabError when somebody does."""
    place().mkdir(parents=True, exist_ok=True)
    descriptor = os.open(place() / f".{release}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError(f"root file system {release}: another command makes or removes it; wait for that") from None
        yield
    finally:
        os.close(descriptor)


def _remove_drafts(release: str) -> None:
    """Remove what a command that was killed left half made or half removed. The caller holds the release's lock."""
    for draft in place().glob(f".{release}{MARK}*"):
        shutil.rmtree(draft)


def _discard(root: Root) -> bool:
    """Remove a root unless a lab uses it; return whether it is gone. It is renamed first: nobody finds a part of it."""
    descriptor = os.open(root.folder / FACTS, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        condemned = root.folder.with_name(f".{root.release}{MARK}{os.getpid()}-removed")
        root.folder.rename(condemned)
        shutil.rmtree(condemned)
        return True
    finally:
        os.close(descriptor)


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


def _size(tree: Path) -> int:
    """The space that the files of a tree take, bytes; a file with several names counts once."""
    seen: dict[int, int] = {}
    for folder, _, names in os.walk(tree):
        for name in names:
            facts = os.lstat(os.path.join(folder, name))
            seen[facts.st_ino] = facts.st_blocks * 512
    return sum(seen.values())
