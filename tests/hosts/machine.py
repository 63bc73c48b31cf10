"""A fresh Debian in memory, on this machine's network: its own root file system, processes, mounts and control groups.

It lies on a tmpfs that only its own mount namespace knows, and every process of it lives in a PID namespace that ends
with the process that made it. A SIGKILL of that leaves empty control groups, which the next one removes.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from lab.embedded import cgroups, debian
from lab.embedded.debian import PATH, NoDebian
from lab.embedded.namespaces import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUTS,
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    detach,
    die_with_parent,
    mount,
    set_hostname,
    unshare,
)

from .clients import Clients

GROUPS = "flatnet-hosts"
"""Not among the groups of labs, which any lab may remove."""
PLACES = ("/mnt", "/media", "/srv", "/opt")
"""Folders that every Debian has; one of them is hidden by the new root while it is made."""
NEEDED_MIB = 3072
"""Measured on trixie: 1,970 MiB of tmpfs (root and nodes), 600 MiB of programs that ran; and a reserve."""
HOME = "/root"
CLONE = f"{HOME}/flatnet"
PACKAGES = ("git",)
"""What the README assumes beside Debian's required packages: the repository was cloned."""
TOLD = ("docker.io", "docker-cli", "iproute2", "iptables", "openssh-server", "python3", "nodejs")
MARK = ".tests-hosts"
Tell = Callable[[str], None]


class NoMachine(Exception):
    """The fresh Debian could not be made; the text says why."""


@dataclass(frozen=True)
class Wanted:
    """What is to be tried where."""

    release: str
    checkout: Path
    """The repository that is cloned; what is not committed is not part of it."""
    out: Path
    """Where reports are kept: a folder of its own, whose content is replaced."""
    commands: tuple[Sequence[str], ...]
    """Arguments of `./run`, one list for each call."""


def try_on(wanted: Wanted, clients: Clients, tell: Tell) -> int:
    """Make the Debian and run the commands in it, one after the other; the exit code of the first that failed.

    `tell` is given one line at a time; the commands print to this process's own output. Raises NoMachine when
    the Debian cannot be made, and KeyboardInterrupt; nothing is left then but `wanted.out`.
    """
    for program, package in (("mmdebstrap", "mmdebstrap"), ("git", "git"), ("pivot_root", "util-linux")):
        if shutil.which(program, path=PATH) is None:
            raise NoMachine(f"no program {program}; install {package}")
    _require_memory()
    remove_dead_groups()
    with _claimed(wanted.out):
        name, trees = str(os.getpid()), cgroups.hierarchies()
        words, speak = os.pipe()
        unshare(CLONE_NEWPID)
        child = os.fork()
        if child == 0:
            _be_first_process(wanted, clients, name, trees, tell, speak)
        os.close(speak)
        try:
            _, status = os.waitpid(child, 0)
        except KeyboardInterrupt:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise
        finally:
            cgroups.sweep(name, parent=GROUPS)
        with os.fdopen(words) as stream:
            reason = stream.read()
    if reason:
        raise NoMachine(reason)
    if os.WIFSIGNALED(status):
        raise NoMachine(f"was killed by signal {os.WTERMSIG(status)}; is there memory enough?")
    return os.waitstatus_to_exitcode(status)


def _require_memory() -> None:
    lines = Path("/proc/meminfo").read_text().splitlines()
    free = int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1]) // 1024
    if free < NEEDED_MIB:
        raise NoMachine(f"{free} MiB of memory are free, {NEEDED_MIB} are needed; free some")


def remove_dead_groups() -> None:
    """Remove the control groups of runs that were killed: they are named by processes that have ended."""
    for tree in cgroups.hierarchies():
        place = tree.path / GROUPS
        for folder in place.iterdir() if place.is_dir() else ():
            if folder.is_dir() and not Path(f"/proc/{folder.name}").exists():
                cgroups.sweep(folder.name, parent=GROUPS)


@contextmanager
def _claimed(out: Path) -> Iterator[None]:
    """Lock the folder and empty it. Raises NoMachine when it has files of other programs, or another run uses it."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        mark = out / MARK
        if not mark.exists() and any(out.iterdir()):
            raise NoMachine(f"--out {out}: has files of other programs; give a new folder")
        lock = os.open(mark, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise NoMachine(f"--out {out}: {error.strerror}; give another folder") from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NoMachine(f"--out {out}: another run keeps its reports there; give another folder") from None
        for path in out.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path != mark:
                path.unlink()
        yield
    finally:
        os.close(lock)


def _be_first_process(
    wanted: Wanted, clients: Clients, name: str, trees: tuple[cgroups.Hierarchy, ...], tell: Tell, speak: int
) -> NoReturn:
    """Become PID 1 of the Debian and end with its exit code; an error's text goes into the pipe `speak`."""
    code = 3
    try:
        signal.signal(signal.SIGINT, lambda *_: None)  # the parent decides
        die_with_parent()
        cgroups.join(name, "root", trees, parent=GROUPS)
        unshare(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC)
        code = _make_and_run(wanted, clients, trees, tell)
    except (NoMachine, NoDebian, OSError) as error:
        os.write(speak, str(error).encode())
    except BaseException:  # noqa: BLE001 (reported to the parent; the process ends in any case)
        os.write(speak, traceback.format_exc().encode())
    finally:
        os._exit(code)


def _make_and_run(wanted: Wanted, clients: Clients, trees: tuple[cgroups.Hierarchy, ...], tell: Tell) -> int:
    began = time.monotonic()
    mount("none", "/", "", MS_REC | MS_PRIVATE)
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    place = _place(wanted, clients)
    mount("tmpfs", str(place), "tmpfs", 0, "mode=755,size=90%")
    root, scratch = place / "root", place / "scratch"
    for folder in (root, scratch):
        folder.mkdir()
    mount(str(root), str(root), "", MS_BIND)  # pivot_root(2) asks for a mount point
    _unpack(wanted, clients, root, scratch)
    _furnish(wanted, clients, root)
    shutil.rmtree(scratch)
    _enter(root, wanted.release, trees)
    before = debian.installed(Path("/"))
    tell(f"{wanted.release}: fresh root file system, {len(before)} packages: {time.monotonic() - began:.0f} s")
    first = 0
    for words in wanted.commands:
        tell(f"{wanted.release}: ./run {' '.join(words)}")
        began = time.monotonic()
        code = _run(words, clients)
        tell(f"{wanted.release}: ./run {' '.join(words)}: exit code {code}, {time.monotonic() - began:.0f} s")
        first = first or code
    after = debian.installed(Path("/"))
    size = os.statvfs("/")
    used = (size.f_blocks - size.f_bfree) * size.f_frsize // 2**20
    versions = ", ".join(f"{name} {after[name]}" for name in TOLD if name in after)
    tell(f"{wanted.release}: {len(after) - len(before)} packages were installed, {used} MiB are used: {versions}")
    return first


def _place(wanted: Wanted, clients: Clients) -> Path:
    """A folder that can be hidden, because nothing needed is below it. Raises NoMachine."""
    needed = [wanted.checkout, wanted.out, *clients.folders]
    for place in map(Path, PLACES):
        if place.is_dir() and not any(path.is_relative_to(place) for path in needed):
            return place
    raise NoMachine(f"the checkout, --out or folders of packages lie below each of {', '.join(PLACES)}; move one")


def _unpack(wanted: Wanted, clients: Clients, root: Path, scratch: Path) -> None:
    """Debian's required packages and git, by mmdebstrap(1)."""
    wanted_root = debian.Wanted(wanted.release, clients.sources, PACKAGES, clients.apt)
    debian.unpack(wanted_root, root, scratch=scratch, log=wanted.out / "mmdebstrap.log")


def _furnish(wanted: Wanted, clients: Clients, root: Path) -> None:
    """The clone, where its reports go, the settings of the package clients, and what belongs to the kernel."""
    for name, content in clients.files.items():
        place = root / name.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    with (root / "etc" / "hosts").open("a") as hosts:
        hosts.write(f"127.0.1.1 {wanted.release}\n")
    clone = root / CLONE.lstrip("/")
    git = ["git", "-c", "advice.detachedHead=false", "clone", "--quiet", "--no-local"]
    done = subprocess.run([*git, str(wanted.checkout), str(clone)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoMachine(f"git clone {wanted.checkout}: {' '.join(done.stderr.split())}")
    _bind(wanted.out, clone / "reports" / "out")
    _bind(Path("/dev"), root / "dev")
    modules = Path("/lib/modules")
    for folder in (*clients.folders, *([modules] if modules.is_dir() else [])):
        _bind(folder, root / folder.relative_to("/"), writable=False)


def _bind(source: Path, target: Path, *, writable: bool = True) -> None:
    target.mkdir(parents=True, exist_ok=True)
    mount(str(source), str(target), "", MS_BIND | MS_REC)
    if not writable:
        mount("none", str(target), "", MS_BIND | MS_REMOUNT | MS_RDONLY)


def _enter(root: Path, hostname: str, trees: tuple[cgroups.Hierarchy, ...]) -> None:
    """Make the new root this process's, and the old one unreachable; then the file systems that a system mounts."""
    os.chdir(root)
    subprocess.run(["pivot_root", ".", "mnt"], env={"PATH": PATH}, check=True)
    os.chroot(".")
    os.chdir("/")
    detach("/mnt")
    safe = MS_NOSUID | MS_NODEV | MS_NOEXEC
    mount("proc", "/proc", "proc", safe)
    mount("sysfs", "/sys", "sysfs", safe)
    mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    cgroups.mount_all(trees)
    set_hostname(hostname)


def _run(words: Sequence[str], clients: Clients) -> int:
    """`./run WORDS` in the clone, as root's login would have it; reaps orphans meanwhile, as any PID 1 has to."""
    environment = {"PATH": PATH, "HOME": HOME, "LANG": "C.UTF-8", **clients.environment}
    child = os.posix_spawn(
        "/bin/sh",
        ["sh", "-c", f'cd {CLONE} && exec ./run "$@"', "sh", *words],
        environment,
        file_actions=[(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)],
    )
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)
