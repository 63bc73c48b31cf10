"""Failures of the instrument: agents that die, stand still or cannot read a request end in HarnessError."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import Ether

from fixtures.probes.agent.formats import MESSAGE
from fixtures.probes.assessment import Unanswered
from fixtures.probes.delivery import Edge, Endpoint, Transport
from fixtures.probes.room import Room
from lab.errors import HarnessError
from lab.waiting import wait_for
from tests.lab.bench import Bench, open_bench


@pytest.fixture
def bench() -> Iterator[Bench]:
    with open_bench() as made:
        yield made


def _soon(do: object, *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=do, args=arguments)  # type: ignore[arg-type]
    thread.start()
    return thread


def test_the_bench_itself_works(bench: Bench) -> None:
    assert not bench.run().unanswered
    assert len(bench.run().deliveries) == 6


_OCCUPY = """\
import socket, sys
held = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for port in sys.argv[1:]]
for port, sock in zip(sys.argv[1:], held):
    sock.bind(("0.0.0.0", int(port)))
print("bound", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(("taken", "works"), [(3, True), (4, False)])
def test_a_port_of_another_process_is_left_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, taken: int, works: bool
) -> None:
    monkeypatch.setattr("fixtures.probes.mesh.PORTS", range(20000, 20004))
    words = ["nsenter", "-t", str(bench.nodes["n2"]), "-n", sys.executable, "-c", _OCCUPY]
    with subprocess.Popen(
        [*words, *map(str, range(20000, 20000 + taken))], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as squatter:
        assert squatter.stdout is not None and squatter.stdout.readline() == b"bound\n"
        if works:
            assert not bench.run().unanswered
        else:
            with pytest.raises(HarnessError, match=r"n2: TCP port 2000\d in the node: Address already in use"):
                bench.run()


def test_a_chosen_port_is_waited_for(bench: Bench) -> None:
    """A client may have the port for a moment; ports that were opened before the taken one are closed."""
    bench.edges = [replace(edge, port=port) for edge in bench.edges for port in (20001, 20002)]
    words = ["nsenter", "-t", str(bench.nodes["n2"]), "-n", sys.executable, "-c", _OCCUPY, "20002"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as squatter:
        assert squatter.stdout is not None and squatter.stdout.readline() == b"bound\n"
        asked = bench.agents["n2"].call

        def leave_after_refusal(operation: str, *arguments: object, **named: object) -> object:
            try:
                return asked(operation, *arguments, **named)  # type: ignore[arg-type]
            except HarnessError:
                squatter.kill()
                raise

        bench.agents["n2"].call = leave_after_refusal  # type: ignore[method-assign, assignment]
        assert not bench.run().unanswered
        assert squatter.wait() < 0, "it was refused once"


@pytest.mark.parametrize("when", ["before", "during"])
def test_a_killed_agent_is_an_error(bench: Bench, when: str) -> None:
    bench.command("n2", "ip", "link", "set", "cable", "down")  # so that the mesh lasts its whole window
    if when == "before":
        bench.processes["n2"].kill()
        bench.processes["n2"].wait()
    else:
        killer = threading.Timer(0.3, bench.processes["n2"].kill)
        killer.start()
    with pytest.raises(HarnessError, match="node n2: the probe agent did not do"):
        bench.run()


def test_an_agent_that_stands_still_is_an_error(bench: Bench) -> None:
    """Its kernel answers ICMP, its servers answer nothing; that is not a failure of the network."""
    pid = bench.processes["n2"].pid
    until = 0.0
    threads: list[threading.Thread] = []

    def pause() -> None:
        os.kill(pid, signal.SIGSTOP)
        wait_for("the other agent's window is over", lambda: None if time.monotonic() > until else "not yet")
        os.kill(pid, signal.SIGCONT)

    opened = bench.agents["n2"].call

    def stop_after_opening(operation: str, *arguments: object, **named: object) -> object:
        answer = opened(operation, *arguments, **named)  # type: ignore[arg-type]
        if operation == "open":
            nonlocal until
            until = time.monotonic() + 5
            threads.append(_soon(pause))
            wait_for("stopped", lambda: None if _state(pid) == "T" else _state(pid))
        return answer

    bench.agents["n2"].call = stop_after_opening  # type: ignore[method-assign, assignment]
    with pytest.raises(HarnessError, match=r"n2: its probe agent stood still for [45]\.\d s"):
        bench.run()
    for thread in threads:
        thread.join()


def test_an_idle_agent_lets_the_namespace_of_a_removed_container_go(bench: Bench) -> None:
    """Where a container's interface ends with its namespace only, its address would go on being answered."""
    node = bench.nodes["n2"]
    others = {_netns(node), _netns(os.getpid())}
    with subprocess.Popen(["nsenter", "-t", str(node), "-n", "unshare", "--net", "sleep", "600"]) as container:
        try:
            wait_for("its own namespace", lambda: "not yet" if _netns(container.pid) in others else None)
            leg = ["ip", "link", "add", "leg", "type", "veth", "peer", "name", "leg", "netns", str(container.pid)]
            bench.command("n2", *leg)
            inside = ["nsenter", "-t", str(container.pid), "-n"]
            for words, address in ([], "198.19.0.1/24"), (inside, "198.19.0.2/24"):
                bench.command("n2", *words, "ip", "address", "add", address, "dev", "leg")
                bench.command("n2", *words, "ip", "link", "set", "leg", "up")
            namespace = f"/proc/{container.pid}/ns/net"
            ends = Endpoint("n2", "n2", None, "198.19.0.1"), Endpoint("n2/k", "n2", namespace, "198.19.0.2")
            bench.edges = [Edge(*ends, kind) for kind in Transport]
            assert not bench.run().unanswered
        finally:
            container.kill()
    wait_for("the end of the container's interface", lambda: _still_has(bench, "leg"))


def test_a_flow_to_where_no_route_leads_is_never_answered(bench: Bench) -> None:
    """That is the network's, and for the test to judge: the agent goes on."""
    agent = bench.agents["n1"]
    agent.call("open_beats", {"port": 20000, "nonce": "00" * 4, "interval": 0.02, "flows": [[7, None, "203.0.113.1"]]})

    def flow() -> dict[str, object]:
        (one,) = agent.call("look_at_beats")[0]["flows"]
        return dict(one)

    wait_for("some beats", lambda: None if len(flow()["sent_at"]) > 3 else "not yet")  # type: ignore[arg-type]
    assert flow()["answers"] == [] and "ENETUNREACH" in dict(flow()["errors"])  # type: ignore[call-overload]
    agent.call("close_beats")


def _still_has(bench: Bench, link: str) -> str | None:
    return f"{link} is there" if link in bench.ask("n2", "ip", "-brief", "link", "show", "type", "veth") else None


def _netns(pid: int) -> str:
    return os.readlink(f"/proc/{pid}/ns/net")


def _state(pid: int) -> str:
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]


@pytest.mark.parametrize(
    "garbage",
    [MESSAGE.pack(0xFFFFFFFF, 0xFFFFFFFF), b"\0" * (1 << 20)],
    ids=["too large a message", "a megabyte of noise"],
)
def test_a_filled_pipe_is_an_error(bench: Bench, garbage: bytes) -> None:
    channel = bench.agents["n2"]._channel
    channel.settimeout(5)
    with contextlib.suppress(OSError):  # the agent may already have had enough
        channel.sendall(garbage)
    with pytest.raises(HarnessError, match="node n2: the probe agent did not do"):
        bench.run()


def test_an_agent_ends_with_its_runner(bench: Bench) -> None:
    bench.agents["n1"]._channel.close()
    assert bench.processes["n1"].wait(timeout=10) == 0


def test_a_network_that_does_not_answer_is_not_an_error(bench: Bench) -> None:
    bench.command("n2", "ip", "link", "set", "cable", "down")
    assert len(bench.run().unanswered) == 6


_FROM_EACH_PROCESSOR = """\
import os, socket, sys
frames = sys.stdin.buffer.read()
size = int(sys.argv[1])
sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sock.bind(("cable", 0))
for processor in os.sched_getaffinity(0):
    os.sched_setaffinity(0, {processor})
    for place in range(0, len(frames), size):
        sock.send(frames[place : place + size])
"""


def test_a_kernel_without_room_to_answer_echoes_accuses_nobody(bench: Bench) -> None:
    """Answers to senders that are not there wait for a neighbour, and hold what the kernel lends all answers."""
    ends = []
    for number, node in enumerate(bench.nodes, 1):
        bench.command(node, "ip", "address", "add", f"fd00:18::{number}/64", "dev", "cable", "nodad")
        ends.append(Endpoint(f"{node}/c", node, None, f"fd00:18::{number}"))
    bench.edges = [Edge(ends[0], ends[1], Transport.ICMP)]
    wait_for("an answer", lambda: "none" if bench.run().unanswered else None)
    hardware = {
        node: json.loads(bench.ask(node, "ip", "-j", "link", "show", "cable"))[0]["address"] for node in bench.nodes
    }
    frames = [
        bytes(
            Ether(src=hardware["n1"], dst=hardware["n2"])
            / IPv6(src=f"fd00:18::1:{number:x}", dst="fd00:18::2")
            / ICMPv6EchoRequest(data=b"x" * 32)
        )
        for number in range(1, 501)
    ]
    words = [
        "nsenter",
        "-t",
        str(bench.nodes["n1"]),
        "-n",
        sys.executable,
        "-c",
        _FROM_EACH_PROCESSOR,
        str(len(frames[0])),
    ]
    subprocess.run(words, input=b"".join(frames), check=True)
    with pytest.raises(
        Unanswered, match="node n2: its kernel had no room to answer 1 echo requests that n2/c received"
    ):
        bench.run()


@pytest.mark.parametrize("kind", Transport)
def test_a_mesh_leaves_room_in_the_kernels_table_of_neighbours(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, kind: Transport
) -> None:
    """Sending and answering both make entries, and a mesh may need more of them than a kernel holds."""
    monkeypatch.setattr("fixtures.probes.making_room.room", lambda kernels: Room(20, 350))
    monkeypatch.setattr("fixtures.probes.plan.FLOOD", 12)
    monkeypatch.setattr("fixtures.probes.plan.BURST", 9)
    made = bench.edges[0]
    assert made.source.node == "n1"
    numbers = range(40)
    for number in numbers:
        theirs, ours = f"198.18.0.{150 + number}", f"198.18.0.{50 + number}"
        bench.command("n1", "ip", "address", "add", f"{ours}/32", "dev", "cable")
        bench.command("n2", "ip", "address", "add", f"{theirs}/32", "dev", "cable")
        bench.command("n1", "ip", "route", "add", f"{theirs}/32", "dev", "cable", "src", ours)
    bench.edges = [replace(made, address=f"198.18.0.{150 + number}", transport=kind) for number in numbers]
    before_finish: dict[str, int] = {}

    def count_before_finish(
        name: str, asked: Callable[..., object], operation: str, *rest: object, **named: object
    ) -> object:
        if operation == "finish":
            before_finish[name] = bench.neighbours(name)
        return asked(operation, *rest, **named)

    for name, agent in bench.agents.items():
        agent.call = partial(count_before_finish, name, agent.call)  # type: ignore[method-assign, assignment]
    assert not bench.run().unanswered
    # Ten a node, and those of the nine probes that were under way when the others were forgotten.
    assert all(count <= 19 for count in before_finish.values()), before_finish
    assert {name: bench.neighbours(name) for name in bench.agents} == {"n1": 0, "n2": 0}
