"""Linux namespaces and mounts by direct system call.

`ip netns exec` and unshare(1) remount more than we want (the cgroup mounts, for one),
and Python has `os.unshare`/`os.setns` only from 3.12 on.
Constants: linux/sched.h, linux/mount.h, linux/prctl.h.
"""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_REMOUNT = 32
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8

_MNT_DETACH = 2
_PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave the namespaces named by `flags` (CLONE_NEW…) for new ones; raises OSError."""
    _check(_libc.unshare(flags), "unshare")


def setns(path: Path | str, kind: int = 0) -> None:
    """Join the namespace behind `path` (such as /proc/PID/ns/net); raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.setns(descriptor, kind), f"setns {path}")
    finally:
        os.close(descriptor)


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """mount(2); raises OSError naming the target."""
    result = _libc.mount(
        source.encode(), target.encode(), kind.encode() or None, ctypes.c_ulong(flags), options.encode() or None
    )
    _check(result, f"mount {kind or 'bind'} on {target}")


def pivot_root(place: str) -> None:
    """Make the mount at `place` the root of this mount namespace, and leave the old one unreachable. Raises OSError.

    Both arguments of pivot_root(2) may be `.`: the old root is then stacked on the new one, and taken off it.
    """
    os.chdir(place)
    _check(_libc.pivot_root(b".", b"."), f"pivot_root to {place}")
    detach(".")
    os.chdir("/")


def detach(target: str) -> None:
    """Detach a mount and all below it; the kernel unmounts it when its last user ends. Raises OSError."""
    _check(_libc.umount2(target.encode(), _MNT_DETACH), f"umount {target}")


def set_hostname(name: str) -> None:
    """Set the hostname in this process's UTS namespace."""
    raw = name.encode()
    _check(_libc.sethostname(raw, len(raw)), f"sethostname {name}")


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Ask for `number` when the *thread* that forked this process ends (prctl(2))."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0), "prctl")


def outer_pid() -> int:
    """This process's number as the mounted /proc numbers it.

    Until a new /proc is mounted that is the machine's numbering, also from
    inside a PID namespace.
    """
    return int(os.readlink("/proc/self"))
