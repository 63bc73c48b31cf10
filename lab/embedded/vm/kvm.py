"""Whether this machine's KVM works: the image's own kernel is started with it, until its first script speaks.

Where virtual machines are nested, the device may be there, answer, run an instruction, and hang with a real kernel.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from ..namespaces import die_with_parent
from .initrd import TRIAL, TRIAL_WORD
from .qemu import BY_KVM, EMULATED, INITRD, KERNEL, PROGRAM

DEVICE = "/dev/kvm"
BOUND_S = 10.0
"""Of the trial, seconds: with a KVM that works a kernel is at its first script in less than one."""
BOOT = Path("/proc/sys/kernel/random/boot_id")
"""Differs between boots of this machine (random(4)); what was found holds until the next one."""


def accelerator(image: Path, *, device: str = DEVICE) -> str:
    """What machines of an image run by here: KVM where it works, else emulation; it is tried once in each boot."""
    if not os.access(device, os.R_OK | os.W_OK):
        return EMULATED
    boot = BOOT.read_text(encoding="utf-8").strip()
    found = image / f"kvm-{boot}"
    if not found.exists():
        for old in image.glob("kvm-*"):
            old.unlink()
        found.write_text(BY_KVM if works(image) else EMULATED, encoding="utf-8")
    return found.read_text(encoding="utf-8")


def trial_words(image: Path) -> list[str]:
    """The command line of a machine that has no disk and no network, says TRIAL and is off."""
    return [
        PROGRAM, "-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none", "-no-reboot",
        "-machine", "q35", "-accel", BY_KVM, "-cpu", "host", "-m", "256", "-nic", "none",
        "-kernel", str(image / KERNEL), "-initrd", str(image / INITRD),
        "-append", f"console=ttyS0 quiet panic=-1 {TRIAL_WORD}", "-serial", "stdio",
    ]  # fmt: skip


def works(image: Path, *, bound_s: float = BOUND_S) -> bool:
    """Whether the image's kernel comes to its first script by KVM within the bound; a machine that hangs is killed."""
    try:
        done = subprocess.run(
            trial_words(image),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=bound_s,
            preexec_fn=die_with_parent,  # no other thread runs here
            check=False,
        )
    except (subprocess.TimeoutExpired, OSError):
        return False
    return TRIAL.encode() in done.stdout
