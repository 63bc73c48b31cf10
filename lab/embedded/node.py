"""PID 1 of a node: its own mounts, name and links, then a real init.

Its programs are the machine's, whose root file system it then shares, or those of a root file system of its own
(lab.embedded.roots), of which it writes to a copy of its own (overlayfs). What distinguishes hosts is private to each:
/run, /tmp, /etc, /var, /var/lib/docker, /proc, /sys. What is below /var lies on the node's disk, which the supervisor
keeps while the node is off, and which stays when it gets another root file system.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from . import cgroups
from .namespaces import (
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    mount,
    pivot_root,
    set_hostname,
)

SERVICES = "/etc/flatnet/service"
DISK_FOLDER = "disk"
DISK = f"/run/flatnet/{DISK_FOLDER}"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where a node with a root file system of its own looks for programs."""


def become_node(entry: Mapping[str, Any], state: Path, trees: tuple[cgroups.Hierarchy, ...], wait: int) -> NoReturn:
    """Turn this process (PID 1 of fresh namespaces) into the node; ends in exec.

    `wait` is a pipe on which a message arrives when the node's cables are plugged in.
    Raises OSError when a mount fails.
    """
    log = os.open(state / "log" / "init.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    set_hostname(entry["name"])
    _mounts(entry, state, trees)
    if not os.read(wait, 16):
        raise OSError("the supervisor went away before the node was plugged in")
    _links(entry)
    environment = {
        "PATH": os.environ["PATH"] if entry["root"] is None else PATH,
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "container": "flatnet",
    }
    os.chdir("/")
    os.setsid()
    os.execvpe("tini", ["tini", "-g", "--", *entry["init"]], environment)


def _mounts(entry: Mapping[str, Any], state: Path, trees: tuple[cgroups.Hierarchy, ...]) -> None:
    mount("none", "/", "", MS_REC | MS_PRIVATE)
    shared = [*entry["borrowed"], *(["/lib/modules"] if os.path.isdir("/lib/modules") else [])]
    held = {str(place): os.open(place, os.O_PATH) for place in (state, state / DISK_FOLDER, *shared)}
    tree: str | None = entry["root"]
    base = "" if tree is None else _own_root(tree, state / DISK_FOLDER)
    mount("tmpfs", f"{base}/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    for folder in ("flatnet", "sshd", "lock", "layers"):
        os.mkdir(f"{base}/run/{folder}")
    for place, target in ((state, "/run/flatnet"), (state / DISK_FOLDER, DISK)):
        mount(f"/proc/self/fd/{held[str(place)]}", f"{base}{target}", "", MS_BIND)
    mount("tmpfs", f"{base}/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    for path in shared:
        if not os.path.exists(f"{base}{path}"):
            _show(held[path], f"{base}{path}")
    for descriptor in held.values():
        os.close(descriptor)
    if tree is None:
        _lay_over("/etc", "/etc", "/run/layers/etc")
    _lay_over(f"{tree or ''}/var", f"{base}/var", f"{base}{DISK}/var")
    _link_run(base)
    for name in ("docker", "containerd"):  # overlay2 cannot lie on an overlay
        os.makedirs(f"{base}{DISK}/{name}", mode=0o711, exist_ok=True)
        os.makedirs(f"{base}/var/lib/{name}", exist_ok=True)
        mount(f"{base}{DISK}/{name}", f"{base}/var/lib/{name}", "", MS_BIND)
    shutil.copytree(f"{base}/run/flatnet/etc", f"{base}/etc", dirs_exist_ok=True)
    os.utime(f"{base}{SERVICES}", (0, 0))  # runsvdir waits a second over a directory that was changed just now
    safe = MS_NOSUID | MS_NODEV | MS_NOEXEC
    mount("proc", f"{base}/proc", "proc", safe)
    mount("sysfs", f"{base}/sys", "sysfs", safe)
    cgroups.mount_all(trees, base)
    if tree is not None:
        pivot_root(base)


def _own_root(tree: str, disk: Path) -> str:
    """Mount the root file system `tree` below an empty layer for what the node writes, with the machine's devices.

    Returns where it is mounted.
    """
    boot = disk / "boot"
    shutil.rmtree(boot, ignore_errors=True)  # what was written before the node was off
    place = boot / "root"
    place.mkdir(parents=True)
    _lay_over(tree, str(place), f"{boot}/root-layer")
    mount("/dev", f"{place}/dev", "", MS_BIND | MS_REC)
    return str(place)


def _show(held: int, target: str) -> None:
    """Mount read-only at `target` the folder or file of the machine of which `held` is a descriptor."""
    if os.path.isdir(f"/proc/self/fd/{held}"):
        os.makedirs(target)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT, 0o755))
    mount(f"/proc/self/fd/{held}", target, "", MS_BIND)
    mount("none", target, "", MS_BIND | MS_REMOUNT | MS_RDONLY)


def _lay_over(lower: str, target: str, upper: str) -> None:
    """Mount an overlay: what is written at `target` goes to `upper`, and `lower` stays as it is.

    `lower` may be another than before, after an upgrade. That is why four features are off: with them the lower layer
    must not change (the kernel's overlayfs.rst, "Changes to underlying filesystems").
    """
    for folder in (upper, f"{upper}.work"):
        os.makedirs(folder, exist_ok=True)
    held = [os.open(folder, os.O_PATH) for folder in (lower, upper, f"{upper}.work")]
    layers = zip(("lowerdir", "upperdir", "workdir"), held, strict=True)
    options = [f"{kind}=/proc/self/fd/{descriptor}" for kind, descriptor in layers]
    options += ["index=off", "redirect_dir=off", "metacopy=off", "xino=off"]
    mount("overlay", target, "overlay", 0, ",".join(options))
    for descriptor in held:
        os.close(descriptor)


def _link_run(base: str) -> None:
    """Make /var/run a link to the private /run, whatever the userland has there."""
    place = f"{base}/var/run"
    if not os.path.islink(place):
        shutil.rmtree(place, ignore_errors=True)
    elif os.readlink(place) not in ("/run", "../run"):
        os.unlink(place)
    if not os.path.lexists(place):
        os.symlink("/run", place)


def _links(entry: Mapping[str, Any]) -> None:
    for key, value in entry["sysctls"].items():
        place = Path("/proc/sys") / key.replace(".", "/")
        if place.exists():
            place.write_text(str(value), encoding="utf-8")
    commands = ["link set lo up"]
    for cable in entry["cables"]:
        commands += [f"address add {cable['address']} dev {cable['interface']}", f"link set {cable['interface']} up"]
    subprocess.run(["ip", "-batch", "-"], input="\n".join(commands) + "\n", encoding="utf-8", check=True)
