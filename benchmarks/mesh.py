"""A proven mesh against what people use: `python -m benchmarks.mesh` (root; makes a lab of its own).

Ours: every ordered pair by ICMP, UDP and TCP, recorded and judged at both ends. The others: ICMP
alone, and only the sender's word. Compare the figures of one run with each other, not with another
machine's: all run on the same containers, one after the other.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from benchmarks import peers
from benchmarks.plot import Series, draw
from fixtures.cluster.nodes import Cluster, ClusterNode, open_cluster
from fixtures.containers.fleet import Container, create
from fixtures.probes.delivery import Edge, Transport
from fixtures.probes.mesh import run_mesh
from lab.embedded import lifecycle as embedded
from lab.embedded.plan import LabSpec
from lab.errors import HarnessError

RESULTS = Path(__file__).resolve().parent / "results"
FPING = {"fping": peers.FPING_INTERVAL_MS, "fping -i 1": peers.FPING_FASTEST_MS}
ROUNDS = 3
"""Of ours and of fping; the median counts."""
AT_ONCE = 4
"""Containers that one engine is asked for at a time."""
BUSY = "the machine was busy with other work when this began: the seconds say little, the ratios a little more"
AGENT_PEAK = "grep -l 'flatnet-agen[t]' /proc/[0-9]*/cmdline | sed 's/cmdline/status/' | xargs grep -h VmHWM"


def main() -> int:
    """Measure every size, print the table, write mesh.json and mesh.svg."""
    options = _options()
    python: Path | None = None
    notes: list[str] = []
    load = os.getloadavg()[0]
    if load > (os.cpu_count() or 1):
        notes.append(BUSY)
    try:
        python = peers.interpreter()  # before the lab's namespaces are joined: they have no way out
    except peers.PeerMissing as error:
        notes.append(f"testinfra is not measured: {error}")
    with roomy_lab(options.nodes) as cluster:
        rows = measure(cluster, options, python, notes)
    _write(options.out, rows, notes, load)
    return 0


@contextmanager
def roomy_lab(nodes: int) -> Iterator[Cluster]:
    """A lab of this process's own, with addresses for some 2000 containers in a subnet; gone afterwards."""
    spec = LabSpec(name=f"bench-{os.getpid()}", nodes=nodes, range=IPv4Network("10.32.0.0/16"), subnet_prefix=21)
    lab = embedded.up(spec, stay=False)
    assert lab.owner is not None
    try:
        cluster = open_cluster(lab.inventory)
        try:
            yield cluster
        finally:
            cluster.close()
    finally:
        lab.owner.end()


def measure(
    cluster: Cluster, options: argparse.Namespace, python: Path | None, notes: list[str]
) -> list[dict[str, Any]]:
    """One row a size; containers of a smaller size are part of the next."""
    rows: list[dict[str, Any]] = []
    containers: list[Container] = []
    for count in sorted(options.containers):
        began = time.monotonic()
        containers += grow(cluster, len(containers), count)
        row: dict[str, Any] = {"containers": count, "edges": count * (count - 1)}
        row["creation_s"] = round(time.monotonic() - began, 2)
        row |= measure_one(cluster, tuple(containers), options, python, notes)
        rows.append(row)
        _print(row, header=len(rows) == 1)
    return rows


def measure_one(
    cluster: Cluster,
    containers: Sequence[Container],
    options: argparse.Namespace,
    python: Path | None,
    notes: list[str],
) -> dict[str, Any]:
    """Everybody's time on the same containers."""
    row: dict[str, Any] = {}
    for name, transports in (("ours", tuple(Transport)), ("ours, ICMP alone", (Transport.ICMP,))):
        try:
            row[name] = ours(cluster, containers, transports, options.rounds)
        except HarnessError as error:
            notes.append(f"{len(containers)} containers: {name}: no result: {error}")
    row["memory_mb"] = memory(cluster)
    row["docker exec ping"] = _plain(peers.docker_exec(containers, options.sample))
    if python is not None:
        row["testinfra ping"] = _plain(peers.testinfra(python, cluster, containers, options.sample))
    for name, interval_ms in FPING.items():  # last: it may leave the kernel no room for neighbours for half a minute
        several = [peers.fping(cluster, containers, interval_ms) for _ in range(options.rounds)]
        row[name] = _plain(sorted(several, key=lambda result: result.seconds)[len(several) // 2])
    return row


def grow(cluster: Cluster, first: int, last: int) -> list[Container]:
    """Containers number `first` to `last`, round robin over the nodes, several at a time on each."""
    nodes = list(cluster.nodes.values())
    subnet = cluster.subnets[0]

    def create_numbered(index: int) -> Container:
        node: ClusterNode = nodes[index % len(nodes)]
        return create(cluster, "benchmark", f"m{index}", subnet, node)

    with ThreadPoolExecutor(max_workers=AT_ONCE * len(nodes)) as pool:
        return list(pool.map(create_numbered, range(first, last)))


def all_edges(containers: Sequence[Container], transports: Sequence[Transport]) -> list[Edge]:
    """Every ordered pair, by each transport."""
    return [
        Edge(source.endpoint, destination.endpoint, transport)
        for source in containers
        for destination in containers
        if source is not destination
        for transport in transports
    ]


def ours(
    cluster: Cluster, containers: Sequence[Container], transports: Sequence[Transport], rounds: int
) -> dict[str, Any]:
    """Flatnet's mesh; the median of the rounds. Raises HarnessError as run_mesh does."""
    edges = all_edges(containers, transports)
    rounds_of = [_round(cluster, edges) for _ in range(rounds)]
    seconds = statistics.median(result["seconds"] for result in rounds_of)
    median = min(rounds_of, key=lambda result: abs(result["seconds"] - seconds))
    return {
        **median,
        "seconds": seconds,
        "all_seconds": [result["seconds"] for result in rounds_of],
        "answered": min(result["answered"] for result in rounds_of),
    }


def _round(cluster: Cluster, edges: Sequence[Edge]) -> dict[str, Any]:
    """One mesh, of which only the figures are kept."""
    mesh = run_mesh(cluster.agents(), edges)
    return {
        "seconds": round(mesh.duration_s, 3),
        "proofs": len(edges),
        "answered": len(edges) - len(mesh.unanswered),
        "round_trips": mesh.round_trips,
        "phases": {name: round(took, 3) for name, took in mesh.phases.items()},
    }


def memory(cluster: Cluster) -> dict[str, Any]:
    """Peak resident memory so far, MB: each node's agent, and this process with all records of the mesh."""

    def agent(node: ClusterNode) -> float:
        lines = node.run(AGENT_PEAK, check=False).stdout.splitlines()
        return round(max((int(line.split()[1]) for line in lines), default=0) / 1024, 1)

    runner = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"agents": cluster.each(agent), "runner": round(runner, 1)}


def _plain(cost: peers.Cost) -> dict[str, Any]:
    return {
        "seconds": round(cost.seconds, 3),
        "tried": cost.tried,
        "answered": cost.answered,
        "extrapolated": cost.extrapolated,
    }


PEERS = (*FPING, "docker exec ping", "testinfra ping")


def _print(row: dict[str, Any], *, header: bool) -> None:
    if header:
        print(
            f"{'containers':>10} {'edges':>7} {'creation':>9}  {'ours: 3 transports':>22} {'ICMP alone':>11}  "
            + "  ".join(f"{name:>24}" for name in PEERS)
        )
    full, icmp = row.get("ours"), row.get("ours, ICMP alone")
    cells = []
    for name in PEERS:
        peer = row.get(name)
        if peer is None or full is None:
            cells.append(f"{'-':>24}")
            continue
        about = "~" if peer["extrapolated"] else " "
        missing = "" if peer["answered"] == peer["tried"] else f" {peer['answered']}/{peer['tried']}"
        cells.append(f"{about}{peer['seconds']:.2f} s ({peer['seconds'] / full['seconds']:.2g}x){missing}".rjust(24))
    proved = f"{full['seconds']:.2f} s, {full['answered']}/{full['proofs']}" if full else "-"
    alone = f"{icmp['seconds']:.2f} s" if icmp else "-"
    print(
        f"{row['containers']:>10} {row['edges']:>7} {row['creation_s']:>7.1f} s  {proved:>22} {alone:>11}  "
        + "  ".join(cells),
        flush=True,
    )


def _write(out: Path, rows: list[dict[str, Any]], notes: list[str], load: float) -> None:
    document = {
        "what": "seconds for every ordered pair; ours proves ICMP, UDP and TCP at both ends, the others ICMP at one",
        "extrapolated": "docker exec and testinfra: the time of a sample times edges / sample",
        "machine": {
            "processors": os.cpu_count(),
            "kernel": platform.release(),
            "load_before": round(load, 1),
        },
        "rows": rows,
        "notes": notes,
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "mesh.json").write_text(json.dumps(document, indent=1) + "\n")
    (out / "mesh.svg").write_text(picture(rows))
    for note in notes:
        print(note)
    print("(times in brackets: how many times ours; ~: extrapolated from a sample)")
    print(f"{out / 'mesh.json'}\n{out / 'mesh.svg'}")


def picture(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a plot; hollow where not every edge that was tried was answered."""
    names = {
        "ours": "Flatnet: ICMP, UDP, TCP, both ends",
        "ours, ICMP alone": "Flatnet: ICMP, both ends",
        "fping": "fping: ICMP, one end",
        "fping -i 1": "fping at its fastest (-i 1)",
        "testinfra ping": "testinfra ping (extrapolated)",
        "docker exec ping": "docker exec ping (extrapolated)",
    }
    series = []
    for name, words in names.items():
        found = {row["containers"]: row[name] for row in rows if row.get(name)}
        if found:
            short = (
                count
                for count, result in found.items()
                if result["answered"] < result.get("proofs", result.get("tried"))
            )
            points = {count: result["seconds"] for count, result in found.items()}
            series.append(Series(words, points, dashed="extrapolated" in words, hollow=frozenset(short)))
    return draw("A whole mesh: seconds over containers", series)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mesh", description=__doc__)
    parser.add_argument("--containers", type=int, nargs="+", default=[10, 30, 100, 300], metavar="N")
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of ours and of fping; the median counts")
    parser.add_argument("--sample", type=int, default=40, help="edges that the slow peers are tried on")
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
