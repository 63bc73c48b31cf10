"""Control groups of a lab: `flatnet/<lab>/<node>` in every hierarchy, v1 and v2.

A node joins its groups before it makes its own cgroup namespace, so that Docker in
it sees a root of its own. The kernel removes everything else of a lab with its processes, but
not empty groups; `sweep` removes those, by lab name only. Labs whose run directories lie elsewhere (`FLATNET_RUN`) have
another parent than `flatnet`: they may have the same name, and whether they live is known there alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from .namespaces import MS_NODEV, MS_NOEXEC, MS_NOSUID, mount

PARENT = "flatnet"
RUN_ROOT = Path("/run/flatnet")
"""Where labs have their run directories unless told otherwise."""
_MOUNTPOINT = Path("/sys/fs/cgroup")


def parent_of(root: Path) -> str:
    """The group that the labs of a run root are in."""
    if root == RUN_ROOT:
        return PARENT
    return f"{PARENT}-{hashlib.sha256(str(root).encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class Hierarchy:
    """One mounted cgroup tree. `options` are v1 controllers; empty means v2."""

    path: Path
    options: str

    @property
    def unified(self) -> bool:
        return not self.options


def hierarchies(mounts: str | None = None) -> tuple[Hierarchy, ...]:
    """The trees Docker would use: all v1 ones, or the one v2 tree mounted at /sys/fs/cgroup.

    `mounts` is the text of /proc/self/mounts (the live one when None). A hybrid
    machine's /sys/fs/cgroup/unified is left out: it has no controllers.
    """
    text = Path("/proc/self/mounts").read_text(encoding="utf-8") if mounts is None else mounts
    found = []
    for line in text.splitlines():
        _, target, kind, options, *_ = line.split()
        if kind == "cgroup":
            controllers = [
                word for word in options.split(",") if word.startswith("name=") or word in _known_controllers()
            ]
            found.append(Hierarchy(Path(target), ",".join(controllers)))
        elif kind == "cgroup2" and Path(target) == _MOUNTPOINT:
            found.append(Hierarchy(Path(target), ""))
    return tuple(found)


def _known_controllers() -> frozenset[str]:
    return frozenset(
        "cpu cpuacct cpuset memory devices freezer blkio pids net_cls net_prio perf_event hugetlb rdma misc".split()
    )


def join(lab: str, node: str, trees: tuple[Hierarchy, ...], *, parent: str = PARENT) -> None:
    """Move this process into `<parent>/<lab>/<node>` of every tree, making the groups."""
    for tree in trees:
        group = tree.path
        for part in (parent, lab, node):
            if tree.unified:
                _delegate(group)
            group = group / part
            group.mkdir(exist_ok=True)
            if "cpuset" in tree.options.split(","):
                _inherit_cpuset(group)
        if tree.unified:
            # v2 allows processes only in leaves; Docker then makes its groups beside this one.
            _delegate(group)
            group = group / "init"
            group.mkdir(exist_ok=True)
        (group / "cgroup.procs").write_text("0", encoding="utf-8")


def _delegate(group: Path) -> None:
    """Hand every available controller to the children of a v2 group."""
    for name in (group / "cgroup.controllers").read_text(encoding="utf-8").split():
        try:
            (group / "cgroup.subtree_control").write_text(f"+{name}", encoding="utf-8")
        except OSError:
            continue  # a controller the machine keeps for itself (rt tasks, processes in the root)


def _inherit_cpuset(group: Path) -> None:
    for name in ("cpuset.cpus", "cpuset.mems"):
        target = group / name
        if not target.read_text(encoding="utf-8").strip():
            target.write_text((group.parent / name).read_text(encoding="utf-8"), encoding="utf-8")


def mount_all(trees: tuple[Hierarchy, ...], root: str = "") -> None:
    """Mount the trees below a new /sys, as seen from this cgroup namespace.

    `root`: where the file system lies that has it, without a slash at the end.
    """
    place = Path(f"{root}{_MOUNTPOINT}")
    flags = MS_NOSUID | MS_NODEV | MS_NOEXEC
    if any(tree.unified for tree in trees):
        mount("cgroup2", str(place), "cgroup2", flags)
        return
    mount("tmpfs", str(place), "tmpfs", flags, "mode=755")
    for tree in trees:
        target = place / tree.path.name
        target.mkdir(exist_ok=True)
        mount("cgroup", str(target), "cgroup", flags, tree.options)


def sweep(lab: str, *, parent: str = PARENT, deadline_s: float = 5.0) -> list[Path]:
    """Remove the empty groups of a dead lab; returns those that could not be removed.

    The kernel empties a group a moment after its processes were killed, so removal is
    tried until it succeeds or `deadline_s` seconds are over.
    """
    until = time.monotonic() + deadline_s
    while True:
        left = _remove(parent, lab)
        if not left or time.monotonic() > until:
            return left
        time.sleep(0.01)  # EBUSY has no event to wait for


def _remove(parent: str, lab: str) -> list[Path]:
    left = []
    for tree in hierarchies():
        top = tree.path / parent / lab
        if not top.is_dir():
            continue
        for folder, _, _ in os.walk(top, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:
                left.append(Path(folder))
        with contextlib.suppress(OSError):  # another lab lives there
            os.rmdir(tree.path / parent)
    return left
