"""What an ARP request costs: `python -m benchmarks.broadcast` (root; makes a lab of its own).

Every container of a subnet hears it. In a mesh of n containers n (n - 1) / 2 pairs ask at least once,
so their part in it grows with the third power of n; this measures what one request costs.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from scapy.layers.l2 import ARP, Ether

from benchmarks.mesh import grow, roomy_lab
from fixtures.containers.fleet import Container
from fixtures.probes.frames import BROADCAST
from fixtures.probes.socket import ContainerSocket

REQUESTS = 2000
"""A clock tick is 10 ms, and a container's share in a request some microseconds."""
IDLE_S = 5.0
AT_ONCE = 100
"""Fewer than a kernel's input queue holds (net.core.netdev_max_backlog)."""


def main() -> int:
    """Measure every size and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.broadcast", description=__doc__)
    parser.add_argument("containers", type=int, nargs="*", default=[30, 100, 300], metavar="N")
    options = parser.parse_args()
    containers: list[Container] = []
    print(f"{'containers':>10} {'one request':>14} {'a listener':>12} {'every pair asks once':>24}")
    with roomy_lab(nodes=3) as cluster:
        for count in sorted(options.containers):
            containers += grow(cluster, len(containers), count)
            free = str(cluster.inventory.overlay.subnets[cluster.subnets[0]][-2])
            cost = one_request(containers[0], free)
            pairs = count * (count - 1) // 2
            print(
                f"{count:>10} {cost * 1e6:>9.0f} us CPU {cost * 1e6 / count:>8.2f} us"
                f" {pairs:>8} x = {pairs * cost:>6.1f} s CPU",
                flush=True,
            )
    return 0


def one_request(asker: Container, address: str) -> float:
    """Processor seconds, of the whole machine, that one request for an address nobody has costs."""
    frame = Ether(dst=BROADCAST) / ARP(op="who-has", psrc=asker.address, pdst=address)
    with ContainerSocket(asker.node.agent, asker.netns, "eth0") as sender:
        sender.send_all([frame])  # what a first packet costs more is not asked
        pause_s, idle_s = _spent(lambda: time.sleep(IDLE_S))  # what the machine does by itself
        took_s, busy_s = _spent(lambda: [sender.send_all([frame] * AT_ONCE) for _ in range(REQUESTS // AT_ONCE)])
    return (busy_s - idle_s / pause_s * took_s) / REQUESTS


def _spent(do: Callable[[], object]) -> tuple[float, float]:
    """What it takes: (seconds by the clock, processor seconds of the whole machine that were not idle)."""
    began, before = time.monotonic(), _busy_s()
    do()
    return time.monotonic() - began, _busy_s() - before


def _busy_s() -> float:
    """Processor seconds that were not idle since the machine started, proc_stat(5)."""
    user, nice, system, _, _, *rest = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + sum(rest)) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
