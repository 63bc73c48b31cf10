"""The first root file system of a machine (initramfs): busybox, two modules, and a script that goes on to the disk.

Debian's own waits for udev and looks for a root file system, which takes an emulated machine 10 s; this one knows it.
"""

from __future__ import annotations

import gzip
import lzma
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from lab.errors import LabError

MODULES = ("virtio_pci", "virtio_blk")
"""What a kernel needs to see its disks. ext4 is part of Debian's cloud kernels."""
MADE_BY_HAND = ("ext4",)
"""Modules that are loaded where a kernel has them as such."""
TRIAL_WORD = "flatnet.trial"
"""On the command line of a kernel that is to come here and no further."""
TRIAL = "flatnet: this kernel runs"
INIT = f"""\
#!/bin/busybox sh
# The machine's disk is /dev/vda; /dev/vdb is a tar file with what this node alone has (lab/embedded/vm/files.py).
/bin/busybox mkdir -p /proc /dev /disk
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
if /bin/busybox grep -q {TRIAL_WORD} /proc/cmdline; then echo "{TRIAL}"; exec /bin/busybox poweroff -f; fi
while read -r module; do /bin/busybox insmod "/modules/$module"; done </modules/order
until [ -b /dev/vda ] && [ -b /dev/vdb ]; do /bin/busybox sleep 0.05; done
/bin/busybox mount -t ext4 -o noatime /dev/vda /disk || exec /bin/busybox poweroff -f
/bin/busybox tar -x -f /dev/vdb -C /disk || exec /bin/busybox poweroff -f
/bin/busybox umount /proc /dev
exec /bin/busybox switch_root /disk /sbin/init
"""
_DECOMPRESS = {".gz": gzip.decompress, ".xz": lzma.decompress}


def load_order(modules_dep: str, builtin: str, wanted: Iterable[str]) -> list[str]:
    """Paths of the wanted modules and of what they need, each behind what it needs itself.

    `modules_dep`, `builtin`: texts of modules.dep(5) and of modules.builtin. Raises LabError: the kernel has no such
    module, neither apart nor built in.
    """
    needs = {}
    for line in modules_dep.splitlines():
        path, _, others = line.partition(":")
        needs[path] = others.split()
    by_name = {_name(path): path for path in needs}
    built_in = {_name(path) for path in builtin.splitlines()}
    order: list[str] = []
    for name in wanted:
        if name in by_name:
            # Each line of modules.dep lists all that is needed, what is to be loaded first at the end.
            path = by_name[name]
            order += [part for part in [*reversed(needs[path]), path] if part not in order]
        elif name not in built_in:
            raise LabError(f"the kernel has no module {name}, which a machine needs; use another release")
    return order


def _name(path: str) -> str:
    return PurePosixPath(path).name.partition(".ko")[0].replace("-", "_")


def make_initrd(tree: Path) -> tuple[str, bytes]:
    """The kernel's release and the initramfs, gzipped, of the root file system in `tree`. Raises LabError."""
    releases = sorted(entry.name for entry in (tree / "lib" / "modules").iterdir())
    if len(releases) != 1:
        raise LabError(f"{tree}: has the modules of {len(releases)} kernels ({', '.join(releases)}), not of one")
    place = tree / "lib" / "modules" / releases[0]
    builtin = (place / "modules.builtin").read_text(encoding="utf-8")
    wanted = [*MODULES, *(name for name in MADE_BY_HAND if f"/{name}.ko" not in builtin)]
    order = load_order((place / "modules.dep").read_text(encoding="utf-8"), builtin, wanted)
    files: dict[str, tuple[int, bytes]] = {
        "bin/busybox": (0o755, (tree / "bin" / "busybox").read_bytes()),
        "init": (0o755, INIT.encode()),
        "modules/order": (0o644, "".join(f"{_name(path)}.ko\n" for path in order).encode()),
    }
    for path in order:
        content = (place / path).read_bytes()
        decompress = _DECOMPRESS.get(PurePosixPath(path).suffix)
        files[f"modules/{_name(path)}.ko"] = (0o644, content if decompress is None else decompress(content))
    return releases[0], gzip.compress(archive(files), 6, mtime=0)


def archive(files: Mapping[str, tuple[int, bytes]]) -> bytes:
    """A cpio archive (`newc`, the kernel's buffer-format.rst) of {path: (mode, content)} and of their folders."""
    folders = {str(parent) for path in files for parent in PurePosixPath(path).parents if str(parent) != "."}
    out = bytearray()
    for number, folder in enumerate(sorted(folders), 1):
        _add(out, number, folder, stat.S_IFDIR | 0o755, b"")
    for number, (path, (mode, content)) in enumerate(files.items(), len(folders) + 1):
        _add(out, number, path, stat.S_IFREG | mode, content)
    _add(out, 0, "TRAILER!!!", 0, b"")
    return bytes(out)


def _add(out: bytearray, number: int, path: str, mode: int, content: bytes) -> None:
    name = path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = (number, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(name), 0)
    out += b"070701" + b"".join(b"%08X" % field for field in fields) + name
    out += b"\0" * (-len(out) % 4) + content
    out += b"\0" * (-len(out) % 4)
