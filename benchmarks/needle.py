"""One broken edge among thousands: `python -m benchmarks.needle` (root; makes a lab of its own).

The node of one container drops what one other sends it over UDP: one direction, one protocol. Printed is
whom the mesh accuses, in what words, and what the whole took.
"""

from __future__ import annotations

import argparse
import random
import sys
import time

from benchmarks.mesh import all_edges, grow, roomy_lab
from fixtures.cluster.nodes import Cluster
from fixtures.evidence.attachments import Evidence
from fixtures.evidence.diagnosis import Diagnosis
from fixtures.probes.delivery import Transport
from fixtures.probes.mesh import PORTS, run_mesh

TABLE = "bridge flatnet_needle"


class Unkept(Evidence):
    """Evidence of no test: whatever is attached is let go."""

    def __init__(self) -> None:
        self.attached: list[str] = []

    def text(self, name: str, content: str) -> None:
        self.attached.append(name)

    def capture(self, name: str, pcap: bytes) -> None:
        self.attached.append(f"{name} ({len(pcap)} bytes)")


def main() -> int:
    """0 when the broken edge is accused, and no other one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.needle", description=__doc__)
    parser.add_argument("--containers", type=int, default=100, metavar="N")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000))
    options = parser.parse_args()
    with roomy_lab(nodes=3) as cluster:
        return find(cluster, options.containers, options.seed)


def find(cluster: Cluster, count: int, seed: int) -> int:
    """Break one edge between two nodes, run the whole mesh, print what it says."""
    containers = grow(cluster, 0, count)
    edges = all_edges(containers, tuple(Transport))
    across = [edge for edge in edges if edge.transport is Transport.UDP and edge.source.node != edge.destination.node]
    broken = random.Random(seed).choice(across)
    # To a server's port only: answers to the other direction's requests pass.
    ports = f"{PORTS.start}-{PORTS.stop - 1}"
    rule = f"ip saddr {broken.source.address} ip daddr {broken.destination.address} udp dport {ports} drop"
    chain = f"table {TABLE} {{ chain forward {{ type filter hook forward priority -10; {rule}; }}; }}"
    node = cluster.nodes[broken.destination.node]
    node.run(f"nft '{chain}'")
    print(f"seed {seed}: {node.name} drops {broken}, one of {len(edges)} edges")
    began = time.monotonic()
    mesh = run_mesh(cluster.agents(), edges)
    failed = list(dict.fromkeys([*mesh.unanswered, *mesh.rewritten]))
    print(f"the mesh: {time.monotonic() - began:.2f} s, {mesh.round_trips} round trips")
    evidence = Unkept()
    mesh = Diagnosis(cluster).explain_failures(mesh, failed, evidence)
    print(f"with the diagnosis of what failed: {time.monotonic() - began:.2f} s")
    accused = [delivery for delivery in mesh.deliveries if not delivery.exchanged]
    for delivery in accused:
        print(delivery)
    print(f"attached: {', '.join(evidence.attached)}")
    return 0 if [delivery.edge for delivery in accused] == [broken] and not mesh.rewritten else 1


if __name__ == "__main__":
    sys.exit(main())
