"""PID 1 of a node: its own mounts, name and links, then a real init.

The machine's root file system is shared; what distinguishes hosts is private to each:
/run, /tmp, /etc (overlay), /var (overlay), /var/lib/docker, /proc, /sys. What is below /var
lies on the node's disk, which the supervisor keeps while the node is off.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from . import cgroups
from .namespaces import MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_REC, mount, set_hostname

SERVICES = "/etc/flatnet/service"
DISK = "/run/flatnet/disk"


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
    _mounts(state, trees)
    if not os.read(wait, 16):
        raise OSError("the supervisor went away before the node was plugged in")
    _links(entry)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "container": "flatnet",
    }
    os.chdir("/")
    os.setsid()
    os.execvpe("tini", ["tini", "-g", "--", *entry["init"]], environment)


def _mounts(state: Path, trees: tuple[cgroups.Hierarchy, ...]) -> None:
    mount("none", "/", "", MS_REC | MS_PRIVATE)
    held = os.open(state, os.O_PATH)
    mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    for folder in ("/run/flatnet", "/run/sshd", "/run/lock", "/run/layers"):
        os.mkdir(folder)
    mount(f"/proc/self/fd/{held}", "/run/flatnet", "", MS_BIND | MS_REC)
    os.close(held)
    mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    for place, store in (("etc", "/run/layers"), ("var", DISK)):
        upper, work = f"{store}/{place}", f"{store}/{place}.work"
        os.makedirs(upper, exist_ok=True)
        os.makedirs(work, exist_ok=True)
        mount("overlay", f"/{place}", "overlay", 0, f"lowerdir=/{place},upperdir={upper},workdir={work}")
    _link_run()
    for name in ("docker", "containerd"):  # overlay2 cannot lie on an overlay
        os.makedirs(f"{DISK}/{name}", mode=0o711, exist_ok=True)
        os.makedirs(f"/var/lib/{name}", exist_ok=True)
        mount(f"{DISK}/{name}", f"/var/lib/{name}", "", MS_BIND)
    shutil.copytree("/run/flatnet/etc", "/etc", dirs_exist_ok=True)
    os.utime(SERVICES, (0, 0))  # runsvdir waits a second over a directory that was changed just now
    safe = MS_NOSUID | MS_NODEV | MS_NOEXEC
    mount("proc", "/proc", "proc", safe)
    mount("sysfs", "/sys", "sysfs", safe)
    cgroups.mount_all(trees)


def _link_run() -> None:
    """/var/run has to be the private /run, whatever the machine has there."""
    if os.path.realpath("/var/run") != "/run":
        if os.path.islink("/var/run"):
            os.unlink("/var/run")
        elif os.path.isdir("/var/run"):
            shutil.rmtree("/var/run")
        os.symlink("/run", "/var/run")


def _links(entry: Mapping[str, Any]) -> None:
    for key, value in entry["sysctls"].items():
        place = Path("/proc/sys") / key.replace(".", "/")
        if place.exists():
            place.write_text(str(value))
    commands = ["link set lo up"]
    for cable in entry["cables"]:
        commands += [f"address add {cable['address']} dev {cable['interface']}", f"link set {cable['interface']} up"]
    subprocess.run(["ip", "-batch", "-"], input="\n".join(commands) + "\n", text=True, check=True)
