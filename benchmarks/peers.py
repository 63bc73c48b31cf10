"""What people use today to see whether containers reach each other, measured on the same containers."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fixtures.cluster.nodes import Cluster, ClusterNode
from fixtures.containers.fleet import Container

HERE = Path(__file__).resolve().parent
PATIENCE_S = 600.0
FPING_INTERVAL_MS, FPING_FASTEST_MS = 10, 1
"""What fping takes unless told, and the least it takes (fping(8), -i)."""


class PeerMissing(Exception):
    """A peer cannot be measured here; says why."""


@dataclass(frozen=True)
class Cost:
    """Seconds for a whole mesh of `edges` ordered pairs."""

    seconds: float
    edges: int
    answered: int
    """Of those tried, whether all edges or a sample."""
    tried: int

    @property
    def extrapolated(self) -> bool:
        """`seconds` is the cost of a sample, multiplied."""
        return self.tried < self.edges


def sample(containers: Sequence[Container], most: int) -> list[tuple[Container, Container]]:
    """Ordered pairs drawn with a fixed seed."""
    pairs = [(source, destination) for source in containers for destination in containers if source is not destination]
    return random.Random(7).sample(pairs, min(most, len(pairs)))


def docker_exec(containers: Sequence[Container], most: int) -> Cost:
    """`docker exec … ping -c 1`, one after the other in a shell loop on the first node; ICMP, one-sided."""
    node = containers[0].node
    own = [source for source in containers if source.node is node]
    chosen = [pair for pair in sample(containers, len(containers) ** 2) if pair[0] in own][:most]
    exec_ = f"docker --host {node.access.node.docker} exec"
    lines = [
        f"{exec_} {source.id} ping -c 1 -W 1 {destination.address} >/dev/null && n=$((n+1))"
        for source, destination in chosen
    ]
    began = time.monotonic()
    done = node.run("\n".join(["n=0", *lines, "echo $n"]), timeout_s=PATIENCE_S)
    return _extrapolated(time.monotonic() - began, containers, int(done.stdout), len(chosen))


def fping(cluster: Cluster, containers: Sequence[Container], interval_ms: int = FPING_INTERVAL_MS) -> Cost:
    """One fping in every container's namespace, all at once, nodes side by side; ICMP, one-sided.

    `interval_ms`: between two packets of one fping (`-i`).
    """

    def on_node(node: ClusterNode) -> int:
        lines = ["d=$(mktemp -d)", "trap 'rm -r $d' EXIT"]
        for number, source in enumerate(source for source in containers if source.node is node):
            targets = " ".join(destination.address for destination in containers if destination is not source)
            fping = f"fping -q -c 1 -i {interval_ms} -t 1000 {targets}"
            lines.append(f"nsenter --net={source.netns} {fping} >/dev/null 2>$d/{number} &")
        lines += ["wait", "cat $d/* | grep -c '= 1/1/0%' || true"]
        done = node.access.run("/bin/sh -s", stdin="\n".join(lines), timeout_s=PATIENCE_S)  # too long for an argument
        return int(done.stdout)

    began = time.monotonic()
    answered = sum(cluster.each(on_node).values())
    seconds = time.monotonic() - began
    edges = len(containers) * (len(containers) - 1)
    return Cost(seconds, edges, answered, edges)


def interpreter() -> Path:
    """Python of benchmarks/.venv, made at first use. Raises PeerMissing when it cannot be."""
    place = HERE / ".venv"
    python = place / "bin" / "python"
    if not python.exists():
        venv.create(place, with_pip=True)
    wanted = HERE / "requirements.txt"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(wanted)]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PeerMissing(f"pip install -r {wanted.name}: {done.stderr.strip().splitlines()[-1]}")
    return python


def testinfra(python: Path, cluster: Cluster, containers: Sequence[Container], most: int) -> Cost:
    """ping in a container's namespace by `host.run` over SSH, one after the other; ICMP, one-sided."""
    chosen = sample(containers, most)
    hosts = {
        node.name: f"paramiko://{node.access.node.ssh.user}@{node.address}:{node.access.node.ssh.port}"
        f"?ssh_identity_file={node.access.node.ssh.key}"
        for node in cluster.nodes.values()
    }
    commands = [
        [source.node.name, f"nsenter --net={source.netns} busybox ping -c 1 -W 1 {destination.address}"]
        for source, destination in chosen
    ]
    done = subprocess.run(
        [str(python), "-W", "ignore", str(HERE / "testinfra_loop.py")],
        input=json.dumps({"hosts": hosts, "commands": commands}), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise PeerMissing(f"testinfra: {done.stderr.strip().splitlines()[-1]}")
    result = json.loads(done.stdout)
    return _extrapolated(result["seconds"], containers, result["good"], len(chosen))


def _extrapolated(seconds: float, containers: Sequence[Container], answered: int, tried: int) -> Cost:
    edges = len(containers) * (len(containers) - 1)
    return Cost(seconds * edges / tried, edges, answered, tried)


if __name__ == "__main__":
    print(interpreter(), file=sys.stderr)
