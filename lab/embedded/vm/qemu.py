"""A node as a virtual machine: QEMU with a disk that is a copy on write of an image, and a port of the lab's switch.

QEMU is a process of the lab like any other: it ends with the supervisor, by any signal, and its disk lies where the
supervisor mounted the node's. The supervisor's process imports this module, so it imports little itself.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from lab.underlay import port_of

PROGRAM = "qemu-system-x86_64"
DISK_PROGRAM = "qemu-img"
MEMORY_MIB = 1024
PROCESSORS = 1
"""Of each machine. Emulated machines of a lab share those of this one, so more would only wait for each other."""
DISK, SEED, CONSOLE = "disk/disk.qcow2", "seed.tar", "log/console.log"
"""In the node's run directory: what it wrote, the files that it starts with, what its kernel and init print."""
KERNEL, INITRD, IMAGE = "vmlinuz", "initrd", "disk.img"
"""In the folder of an image."""
EMULATED, BY_KVM = "tcg", "kvm"
"""QEMU's names of its accelerators (qemu(1), -accel): none but translation, and the kernel's."""
KERNEL_ARGUMENTS = (
    "root=/dev/vda", "rw", "console=ttyS0", "quiet", "net.ifnames=0", "mitigations=off", "nowatchdog",
    "tsc=reliable", "clocksource=tsc", "random.trust_cpu=on", "audit=0", "systemd.show_status=0",
)  # fmt: skip
"""Mitigations guard users of one machine from each other, and an emulated clock that is watched is found unreliable."""
DISK_PROGRAM_S = 20.0


def plan_vm(image: Path, accelerator: str, tsc_khz: int | None = None) -> dict[str, Any]:
    """What the supervisor makes a virtual machine from, as part of a node's entry in the lab's plan.

    `tsc_khz`: the rate of this machine's time stamp counter, for one that is emulated (lab.embedded.vm.clock).
    """
    return {
        "image": str(image), "accelerator": accelerator, "memory_mib": MEMORY_MIB, "processors": PROCESSORS,
        "tsc_khz": tsc_khz,
    }  # fmt: skip


def qemu_words(entry: Mapping[str, Any], folder: Path) -> list[str]:
    """The command line of the machine of a node's entry; `folder`: the node's run directory."""
    vm = entry["vm"]
    image = Path(vm["image"])
    emulated = vm["accelerator"] == EMULATED
    arguments = [*KERNEL_ARGUMENTS, *([f"tsc_early_khz={vm['tsc_khz']}"] if emulated and vm["tsc_khz"] else [])]
    words = [
        PROGRAM, "-name", entry["name"], "-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none",
        "-no-reboot", "-machine", "q35", "-accel", "tcg,thread=multi,tb-size=256" if emulated else vm["accelerator"],
        "-cpu", "max,la57=off" if emulated else "host",
        "-smp", str(vm["processors"]), "-m", str(vm["memory_mib"]),
        "-kernel", str(image / KERNEL), "-initrd", str(image / INITRD), "-append", " ".join(arguments),
        "-drive", f"file={folder / DISK},format=qcow2,if=none,id=disk,cache=unsafe",
        "-device", "virtio-blk-pci,drive=disk",
        "-drive", f"file={folder / SEED},format=raw,if=none,id=seed,readonly=on",
        "-device", "virtio-blk-pci,drive=seed",
        "-device", "virtio-rng-pci", "-serial", f"file:{folder / CONSOLE}",
    ]  # fmt: skip
    for index, cable in enumerate(entry["cables"]):
        port = port_of(entry["name"], cable["bridge"])
        words += ["-netdev", f"tap,id=net{index},ifname={port},script=no,downscript=no"]
        words += ["-device", f"virtio-net-pci,netdev=net{index},mac={cable['mac']},romfile="]
    return words


def disk_words(image: Path, disk: Path) -> list[str]:
    """The command that makes a node's disk, which holds what differs from the image (qemu-img(1))."""
    return [
        DISK_PROGRAM, "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(image / IMAGE), str(disk),
    ]  # fmt: skip


def tap_commands(name: str, bridge: str) -> list[str]:
    """Commands for iproute2 that give the switch a port for a machine; QEMU plugs into it by its name."""
    port = port_of(name, bridge)
    return [f"tuntap add dev {port} mode tap", f"link set {port} master {bridge} up"]


def become_vm(entry: Mapping[str, Any], folder: Path, wait: int) -> NoReturn:
    """Turn this process into the QEMU of a machine; ends in exec.

    `wait` is a pipe on which a message arrives when the switch has the machine's ports. Raises OSError when the disk
    cannot be made or QEMU is not there.
    """
    log = os.open(folder / "log" / "qemu.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    if not (folder / DISK).exists():
        _run(disk_words(Path(entry["vm"]["image"]), folder / DISK))
    if not os.read(wait, 16):
        raise OSError("the supervisor went away before the machine was plugged in")
    os.setsid()
    words = qemu_words(entry, folder)
    os.execvp(words[0], words)


def _run(words: Sequence[str]) -> None:
    done = subprocess.run(words, capture_output=True, encoding="utf-8", timeout=DISK_PROGRAM_S, check=False)
    if done.returncode != 0:
        raise OSError(f"{words[0]}: {done.stderr.strip()}")
