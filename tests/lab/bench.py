"""Two nodes that are only network namespaces joined by a cable, each with an agent: no lab is needed for that."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import permutations

from fixtures.probes.client import AgentClient, agent_command
from fixtures.probes.delivery import Edge, Endpoint, Transport
from fixtures.probes.mesh import Mesh, run_mesh
from lab.waiting import wait_for


@dataclass
class Bench:
    """Two nodes that are only network namespaces joined by a cable, each with an agent."""

    agents: dict[str, AgentClient]
    processes: dict[str, subprocess.Popen[bytes]]
    edges: list[Edge]
    nodes: dict[str, int]

    def run(self) -> Mesh:
        return run_mesh(self.agents, self.edges, window_s=1.0)

    def command(self, node: str, *words: str) -> None:
        self.ask(node, *words)

    def ask(self, node: str, *words: str) -> str:
        command = ["nsenter", "-t", str(self.nodes[node]), "-n", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def neighbours(self, node: str) -> int:
        """How many IPv4 neighbours its kernel knows."""
        return len(self.ask(node, "ip", "-4", "neigh", "show", "nud", "all", "dev", "cable").splitlines())


@contextlib.contextmanager
def open_bench() -> Iterator[Bench]:
    """The two nodes; they are gone afterwards."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: str, stream: int | None = None) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(words, stdin=stream, stdout=stream))
        return started[-1]

    def apart(process: subprocess.Popen[bytes]) -> str | None:
        return None if os.readlink(f"/proc/{process.pid}/ns/net") != home else "not yet its own"

    try:
        holders = {name: start("unshare", "--net", "sleep", "600") for name in ("n1", "n2")}
        home = os.readlink("/proc/self/ns/net")
        for holder in holders.values():
            wait_for("namespace", partial(apart, holder))
        pids = {name: holder.pid for name, holder in holders.items()}
        made = Bench({}, {}, [], pids)
        cable = ["link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", str(pids["n2"])]
        made.command("n1", "ip", *cable)
        ends = []
        for number, name in enumerate(pids, 1):
            made.command(name, "ip", "address", "add", f"198.18.0.{number}/24", "dev", "cable")
            made.command(name, "ip", "link", "set", "cable", "up")
            made.command(name, "ip", "link", "set", "lo", "up")
            ours, theirs = socket.socketpair()
            with theirs:
                command = ("nsenter", "-t", str(pids[name]), "-n", "sh", "-c", agent_command())
                made.processes[name] = start(*command, stream=theirs.fileno())
            made.agents[name] = AgentClient(ours, name)
            made.agents[name].start()
            ends.append(Endpoint(f"{name}/c", name, None, f"198.18.0.{number}"))
        made.edges = [Edge(*pair, kind) for pair in permutations(ends, 2) for kind in Transport]
        yield made
        for agent in made.agents.values():
            agent.close()
    finally:
        for process in started:
            process.kill()
            process.wait()
