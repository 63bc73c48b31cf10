"""Planning, judging and reporting of 100 and 250 nodes: `python -m benchmarks.simulated`. No lab, no root, no network.

Agents are objects of this process: they answer as if every probe had been answered, with the packets that both ends
would have recorded. So what is measured is the runner's own work on the mesh of NET-1: its time, and its memory.
"""

from __future__ import annotations

import argparse
import resource
import struct
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from multiprocessing import get_context
from socket import inet_aton
from typing import Any, cast

from fixtures.cluster.covering import Covering
from fixtures.containers.fleet import Slot
from fixtures.probes.agent.formats import (
    CONNECTED,
    ECHO,
    ECHO_REPLY,
    ECHO_REQUEST,
    EDGE,
    ICMP,
    IP_HEAD,
    KNOWS_SOURCE,
    OUTGOING,
    RECORD,
    RESULT,
    SERVED,
    TCP,
    TO_HOST,
    UDP,
    answer_payload,
    request_payload,
)
from fixtures.probes.client import AgentClient
from fixtures.probes.delivery import Edge, Endpoint, Transport
from fixtures.probes.handover import from_mesh
from fixtures.probes.ledger import LEDGER, ledger_row
from fixtures.probes.mesh import run_mesh
from fixtures.probes.room import Kernel
from reports.pictures import matrix, table

PER_NODE = 2
OWN_PORT = 40000
TCP_HEAD = struct.Struct("!HHIIBBHHH")
ACK_PSH = 0x18


class Network:
    """What all agents of a mesh have recorded: each packet at both ends."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self.at = {address: name for name, address in addresses.items()}
        self.records: dict[str, bytearray] = defaultdict(bytearray)
        self.served: dict[str, bytearray] = defaultdict(bytearray)
        self.identities: dict[str, bytes] = {}

    def carry(self, source: str, destination: str, protocol: int, ports: tuple[int, int], body: bytes) -> None:
        """A packet leaves one address and comes to the other; of ICMP `ports` are its type, and id and sequence."""
        if protocol == UDP:
            head = struct.pack("!HHHH", *ports, 8 + len(body), 0)
        elif protocol == TCP:
            head = TCP_HEAD.pack(*ports, 1, 1, 0x50, ACK_PSH, 65535, 0, 0)
        else:
            head = ECHO.pack(ports[0], 0, 0, ports[1] >> 16, ports[1] & 0xFFFF)
        size = 20 + len(head) + len(body)
        packet = IP_HEAD.pack(0x45, 0, size, 0, 0, 64, protocol, 0, inet_aton(source), inet_aton(destination))
        packet += head + body
        for end, kind in ((source, OUTGOING), (destination, TO_HOST)):
            self.records[self.at[end]] += RECORD.pack(0.0, 0, kind, size) + packet


class SimulatedAgent:
    """A node's agent: its probes are all answered."""

    kernel = Kernel("")
    round_trips = 0

    def __init__(self, network: Network) -> None:
        self._network = network
        self._mesh, self._ends, self._results = b"", [""], bytearray()

    def call(
        self, operation: str, request: Mapping[str, Any] | None = None, body: bytes = b"", *, timeout_s: float = 0.0
    ) -> tuple[dict[str, Any], bytes]:
        """Do one operation, as an agent does."""
        self.round_trips += 1
        if operation == "open":
            assert request is not None
            self._mesh = bytes.fromhex(request["id"])
            self._ends = [end["netns"] for end in request["endpoints"]]
            for end in request["endpoints"]:
                self._network.identities[end["netns"]] = bytes.fromhex(end["identity"])
            return {"buffer": 8 << 20}, b""
        if operation == "start":
            self._start(body)
            return {"sent": 0}, b""
        if operation == "finish":
            return self._finish()
        return {}, b""

    def _start(self, body: bytes) -> None:
        network, place = self._network, 0
        names = {name: address for address, name in network.at.items()}
        while place < len(body):
            index, number, protocol, _, port, _, packed, length = EDGE.unpack_from(body, place)
            place += EDGE.size + length
            own, other = names[self._ends[number]], ".".join(map(str, packed))
            asked = request_payload(self._mesh, index)
            answered = answer_payload(asked, network.identities[network.at[other]])
            known, own_port, told = KNOWS_SOURCE, OWN_PORT, answered
            if protocol == ICMP:
                own_port, told = int.from_bytes(self._mesh[:2], "big") ^ number, b""
                for kind, source, destination in ((ECHO_REQUEST, own, other), (ECHO_REPLY, other, own)):
                    network.carry(source, destination, ICMP, (kind, own_port << 16 | index & 0xFFFF), asked)
            else:
                known |= CONNECTED if protocol == TCP else 0
                network.carry(own, other, protocol, (own_port, port), asked)
                network.carry(other, own, protocol, (port, own_port), answered)
                network.served[network.at[other]] += SERVED.pack(index, inet_aton(own), own_port)
            self._results += RESULT.pack(index, 0.0, known, inet_aton(own), own_port, 0, len(told)) + told

    def _finish(self) -> tuple[dict[str, Any], bytes]:
        parts = [bytes(self._network.records[name]) for name in self._ends]
        parts += [bytes(self._network.served[name]) for name in self._ends]
        parts.append(bytes(self._results))
        answer = {
            "drops": 0, "overflow": False, "stood_still": 0.0, "full": [0, 0], "sizes": [len(part) for part in parts],
            "interfaces": [["eth0"] for _ in self._ends], "notes": {}, "hops_lost": [],
        }  # fmt: skip
        return answer, b"".join(parts)


def measure(nodes: int, peers: int | None, results: Any) -> None:
    """Plan, judge and report the mesh of NET-1 of one subnet, and put a line into `results`."""
    slots = [Slot(f"a{number + 1}", "a", f"u{number % nodes + 1}") for number in range(nodes * PER_NODE)]
    addresses = {slot.label: f"10.32.{number // 250}.{number % 250 + 1}" for number, slot in enumerate(slots)}
    began = time.monotonic()
    pairs = Covering(1, complete=False, peers=peers).all_within(slots)
    ends = {slot.label: Endpoint(slot.label, slot.node, slot.label, addresses[slot.label]) for slot in slots}
    edges = [Edge(ends[one.label], ends[other.label], kind) for one, other in pairs for kind in Transport]
    planned = time.monotonic()
    network = Network(addresses)
    agents = {f"u{number + 1}": SimulatedAgent(network) for number in range(nodes)}
    mesh = run_mesh(cast(Mapping[str, AgentClient], agents), edges)
    judged = time.monotonic()
    rows = list(from_mesh(mesh.deliveries))
    page = table.draw("", LEDGER, [ledger_row(delivery) for delivery in mesh.deliveries])
    picture = matrix.draw(mesh.rows)
    reported = time.monotonic()
    answered = sum(row.holds is True for row in rows)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    results.put(
        f"{nodes:>5}  {peers or 'all':>5}  {len(edges):>9,}  {answered:>9,}  {planned - began:>6.2f} s  "
        f"{mesh.phases['judge']:>6.2f} s  {reported - judged:>6.2f} s  {(len(page) + len(picture)) >> 20:>5} MB  "
        f"{memory:>6} MB"
    )


def main() -> int:
    """0 when every probe was judged answered."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulated", description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="+", default=[20, 100, 250], metavar="N")
    parser.add_argument("--peers", type=int, nargs="+", default=[0, 14], metavar="K", help="0: all")
    options = parser.parse_args()
    print("nodes  peers      edges   answered      plan     judge    report  attached   memory", flush=True)
    for nodes in options.nodes:
        for peers in options.peers:
            context = get_context("spawn")
            results = context.SimpleQueue()
            process = context.Process(target=measure, args=(nodes, peers or None, results))
            process.start()
            print(results.get(), flush=True)
            process.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
