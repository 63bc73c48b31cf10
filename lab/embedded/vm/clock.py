"""The rate of this processor's time stamp counter, by which emulated machines keep their time.

QEMU without KVM hands the counter through (RDTSC), and a kernel that boots measures its rate against a timer. On a busy
machine that goes wrong: kernels were seen that took it for a sixteenth of what it is, so that their clocks ran sixteen
times too fast, and systemd gave up all that it started. Measured here, it is told to them (`tsc_early_khz`).
"""

from __future__ import annotations

import ctypes
import mmap
import platform
import time

READ_TSC = bytes.fromhex("0f31 48c1e220 4809d0 c3")
"""rdtsc; shl rdx, 32; or rax, rdx; ret (x86-64, System V's calling convention)."""
MEASURE_S = 0.1
TRIES = 20


def tsc_khz() -> int | None:
    """The rate in kHz, measured for MEASURE_S; None where the processor or the system does not let it be read."""
    if platform.machine() != "x86_64":
        return None
    try:
        page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    except OSError:
        return None
    page.write(READ_TSC)
    place = ctypes.addressof(ctypes.c_char.from_buffer(page))
    read = ctypes.CFUNCTYPE(ctypes.c_uint64)(place)

    def sample() -> tuple[int, int]:
        """(counter, nanoseconds) of the pair of TRIES between whose two readings of the clock the least time passed."""
        pairs = []
        for _ in range(TRIES):
            before, ticks, after = time.monotonic_ns(), read(), time.monotonic_ns()
            pairs.append((after - before, ticks, (before + after) // 2))
        _, ticks, at = min(pairs)
        return ticks, at

    first, began = sample()
    while time.monotonic_ns() < began + MEASURE_S * 1e9:
        time.sleep(MEASURE_S / 10)
    last, ended = sample()
    khz = round((last - first) * 1e6 / (ended - began))
    return khz if khz > 0 else None
