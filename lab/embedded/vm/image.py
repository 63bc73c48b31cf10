"""Disk images of virtual machines: a root file system with a kernel and systemd, made once, kept in the cache.

An image lies in `vm/RELEASE-KEY` of the cache, where KEY stands for what it was made from. It has the same programs as
the root file system of that release (lab.embedded.roots). A machine never writes to it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lab.errors import LabError
from lab.programs import cache, find_program

from .. import cached, roots
from ..preflight import TABLE
from ..roots import Tell, upstream, wanted_packages
from ..userland import borrowed
from .initrd import INIT, make_initrd
from .qemu import IMAGE, INITRD, KERNEL

PACKAGES = ("linux-image-cloud-amd64", "systemd-sysv", "udev", "dbus", "wireguard-tools")
"""What a machine has beside the programs of a node: Docker asks systemd for control groups by D-Bus. Its kernel has
WireGuard, so it needs no more than the tools for it."""
MORE_PROGRAMS = frozenset({"wg"})
"""Programs of overlays that these packages bring."""
FACTS = "image.json"
LENT = "/usr/local/bin"
"""Where a machine has the programs that this one lends it: Consul, and Nomad where there is one."""
DISK_GIB = 8
"""What the file system of a machine holds at most; the image takes only what is written."""
MAKE_DISK_S = 300.0
MASKED = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service",
    "fstrim.timer", "logrotate.timer", "man-db.timer", "systemd-tmpfiles-clean.timer", "getty.target",
    "getty@tty1.service", "getty-static.service", "serial-getty@ttyS0.service", "systemd-pstore.service",
    "systemd-logind.service", "systemd-update-utmp.service", "systemd-update-utmp-runlevel.service",
    "systemd-random-seed.service", "systemd-binfmt.service", "proc-sys-fs-binfmt_misc.automount",
    "dev-hugepages.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "sys-fs-fuse-connections.mount",
    "systemd-firstboot.service", "systemd-repart.service", "systemd-sysusers.service", "ldconfig.service",
    "systemd-journal-catalog-update.service", "systemd-hwdb-update.service", "systemd-timesyncd.service",
    "systemd-pcrphase.service", "systemd-pcrphase-sysinit.service", "systemd-network-generator.service",
    "systemd-resolved.service", "apparmor.service", "runit.service", "sudo.service", "remote-fs.target",
)  # fmt: skip
"""Units that a node has no use for and that take an emulated processor seconds: what an idle machine cleans up, logins
at a console, settings that the image already has. AppArmor itself is on: the engine loads the profile of containers."""
ENABLED = ("systemd-networkd.service", "ssh.service", "docker.service", "containerd.service")


@dataclass(frozen=True)
class Image:
    """An image that is complete."""

    folder: Path
    release: str
    kernel: str
    """The release of its kernel, such as 6.1.0-56-cloud-amd64."""
    versions: dict[str, str]
    """{package: version}, of those that roots tell and of systemd."""
    packages: int
    mib: int
    """What its files take in the cache, MiB."""
    made: str
    """When, in UTC (ISO 8601)."""
    seconds: float
    """How long it took to make."""

    @property
    def current(self) -> bool:
        """Whether it was made from what Flatnet would make it from now."""
        return self.folder.name == _name(self.release)

    @property
    def docker(self) -> tuple[int, ...]:
        """The version of its engine, such as (26, 1, 5)."""
        return tuple(int(part) for part in upstream(self.versions["docker.io"]).split("."))

    def __str__(self) -> str:
        told = ", ".join(f"{name} {upstream(version)}" for name, version in self.versions.items())
        return (
            f"{self.release}, for machines: kernel {self.kernel}, {told}; {self.packages} packages, {self.mib} MiB, "
            f"made {self.made}"
        )


def place() -> Path:
    """The folder of the cache in which images lie."""
    return cache() / "vm"


def all_images() -> list[Image]:
    """Every complete image in the cache, by release. Raises LabError when the facts of one cannot be read."""
    return sorted(map(_read, cached.complete(place())), key=lambda image: (image.release, image.current, image.made))


def find(release: str) -> Image | None:
    """The current image of a release; None when there is none. Raises UsageError: not a release's name."""
    roots.require_name(release)
    return next((image for image in all_images() if image.release == release and image.current), None)


def need(release: str) -> Image:
    """As `find`. Raises LabError when there is none."""
    found = find(release)
    if found is None:
        raise LabError(f"image of machines {release}: is not made; run `python -m lab root make --vm {release}`")
    return found


def make(release: str, tell: Tell, *, mirror: str | None = None) -> Image:
    """Make the image of a release, unless it is there already. Raises as lab.embedded.roots.make does."""
    roots.require_name(release)
    if (there := find(release)) is not None:
        return there
    require_makers()
    what = f"image of machines {release}"
    with cached.locked(place(), release, what):
        cached.remove_drafts(place(), release)
        with cached.draft(place(), release) as draft:
            _fill(draft, release, tell, mirror)
            final = place() / _name(release)
            draft.rename(final)
        for image in all_images():
            if image.release == release and not image.current and not cached.discard(image.folder, release, FACTS):
                tell(f"{image.folder}: a lab uses it; `python -m lab root remove --vm {release}` removes it later")
    return _read(final)


def remove(release: str) -> list[Path]:
    """Remove every image of a release; their folders. Raises LabError when there is none, or a lab uses one."""
    roots.require_name(release)
    if os.geteuid() != 0:
        raise LabError("images of machines belong to root; do this as root")
    what = f"image of machines {release}"
    images = [image for image in all_images() if image.release == release]
    if not images:
        there = ", ".join(dict.fromkeys(image.release for image in all_images())) or "none"
        raise LabError(f"{what}: is not made (made: {there})")
    with cached.locked(place(), release, what):
        cached.remove_drafts(place(), release)
        for image in images:
            if not cached.discard(image.folder, release, FACTS):
                raise LabError(f"{what}: a lab uses it; end that first (`python -m lab list`)")
    return [image.folder for image in images]


def require_makers() -> None:
    """Return when this process can make an image. Raises LabError."""
    roots.require_makers()
    if os.uname().machine != "x86_64":
        raise LabError(f"machines are made for x86_64, and this machine is {os.uname().machine}; leave --machines out")
    if find_program("mkfs.ext4") is None:
        raise LabError("images of machines are made by mkfs.ext4, and there is none; install e2fsprogs")


def _fill(draft: Path, release: str, tell: Tell, mirror: str | None) -> None:
    began = time.monotonic()
    tree = draft / "tree"
    wanted = [*wanted_packages(TABLE.read_text(encoding="utf-8")), *PACKAGES]
    installed = roots.unpack(tree, release, wanted, tell, mirror=mirror, log=place())
    lend(tree, borrowed())
    set_units(tree / "etc" / "systemd" / "system")
    kernel, initrd = make_initrd(tree)
    (draft / INITRD).write_bytes(initrd)
    shutil.copyfile(tree / "boot" / f"vmlinuz-{kernel}", draft / KERNEL)
    shutil.rmtree(tree / "boot")
    tell(f"{release}: file system for machines with the kernel {kernel}")
    _make_disk(tree, draft / IMAGE)
    shutil.rmtree(tree)
    facts = {
        "release": release,
        "kernel": kernel,
        "versions": {name: installed[name] for name in ("systemd", *roots.TOLD) if name in installed},
        "packages": len(installed),
        "mib": cached.size(draft) // 2**20,
        "made": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "seconds": round(time.monotonic() - began, 1),
    }
    (draft / FACTS).write_text(json.dumps(facts, indent=1), encoding="utf-8")


def lend(tree: Path, places: Iterable[str]) -> None:
    """Copy what no Debian release has from this machine: programs to LENT, folders that have others to the same places.

    The cache itself may lie in /tmp, which a machine empties when it starts (tmpfiles.d(5)).
    """
    target = tree / LENT.lstrip("/")
    target.mkdir(parents=True, exist_ok=True)
    for place in map(Path, places):
        if place.is_dir() and place.name != "bin":
            shutil.copytree(place, tree / str(place).lstrip("/"), symlinks=True, dirs_exist_ok=True)
            continue
        for program in sorted(place.iterdir()) if place.is_dir() else [place]:
            if program.is_file() and os.access(program, os.X_OK):
                shutil.copy2(program, target / program.name)


def set_units(etc: Path) -> None:
    """Mask the units of MASKED and enable those of ENABLED, in a folder such as /etc/systemd/system."""
    wants = etc / "multi-user.target.wants"
    wants.mkdir(parents=True, exist_ok=True)
    for name in MASKED:
        unit = etc / name
        unit.unlink(missing_ok=True)
        unit.symlink_to(os.devnull)
    for name in ENABLED:
        link = wants / name
        if not os.path.lexists(link):
            link.symlink_to(f"/lib/systemd/system/{name}")


def _make_disk(tree: Path, disk: Path) -> None:
    """Write the tree as an ext4 file system. Raises LabError."""
    with disk.open("wb") as stream:
        stream.truncate(DISK_GIB * 2**30)
    words = ["mkfs.ext4", "-q", "-F", "-L", "root", "-m", "0", "-J", "size=32", "-d", str(tree), str(disk)]
    try:
        done = subprocess.run(words, capture_output=True, encoding="utf-8", timeout=MAKE_DISK_S, check=False)
    except subprocess.TimeoutExpired:
        raise LabError(f"mkfs.ext4: did not end within {MAKE_DISK_S:g} s; is the disk full?") from None
    if done.returncode != 0:
        raise LabError(f"mkfs.ext4: {done.stderr.strip()}; {disk.parent} needs 2 GiB")


def _name(release: str) -> str:
    return f"{release}-{_key()}"


def _key() -> str:
    """Stands for all that an image is made from: packages, units, the first script, and what this machine lends."""
    parts = [*wanted_packages(TABLE.read_text(encoding="utf-8")), *PACKAGES, *roots.LEAVE_OUT]
    parts += [*MASKED, *ENABLED, INIT, LENT, str(DISK_GIB)]
    for place in map(Path, borrowed()):
        for file in sorted(place.rglob("*")) if place.is_dir() else [place]:
            facts = file.stat()
            parts.append(f"{file} {facts.st_size} {facts.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]


def _read(folder: Path) -> Image:
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        facts = {field.name: facts[field.name] for field in dataclasses.fields(Image) if field.name != "folder"}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabError(f"{folder / FACTS}: {type(error).__name__}: {error}; remove the folder {folder}") from None
    return Image(folder=folder, **facts)
