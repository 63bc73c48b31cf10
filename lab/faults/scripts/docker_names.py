"""Runs on a lab's node, and spoils Docker's own DNS (127.0.0.11) in every container that runs or starts there.

unruled      the rule is gone by which a container's packets to 127.0.0.11 come to Docker
remembered   a container that was removed stays in the answers
told         a container is told the names of containers of other networks, too

For the last two a packet filter in the container's namespace redirects its questions by UDP to this program, which asks
Docker itself; what it asks carries MARK, and is not redirected. dnspython comes with it (see Site.daemon).
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Collection
from typing import Any

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Details = dict[str, Any]
Records = dict[tuple[str, str], set[str]]
"""{(network, name): addresses of every container that ever had that name there}"""
MARK = 0xFA17
SO_MARK = 36
CLONE_NEWNET = 0x40000000
PORT = 5311
DOCKER = ("127.0.0.11", 53)
RULE = ("OUTPUT", "-d", "127.0.0.11/32", "-j", "DOCKER_OUTPUT")
TABLE = "ip flatnet_fault"
REDIRECT = f"""table {TABLE} {{
chain out {{
type nat hook output priority -110;
meta mark != {MARK:#x} ip daddr {DOCKER[0]} udp dport 53 redirect to :{PORT}
}}
}}"""
KNOWN: Records = {}
DONE: dict[str, Callable[[], object]] = {}
"""{container id: the function that takes its change back}"""


def run(*words: str, stdin: str = "") -> str:
    """Run a command; returns what it printed."""
    done = subprocess.run(words, input=stdin, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        print(*words, done.stderr, flush=True)
    return done.stdout


def inside(details: Details, *words: str, stdin: str = "") -> str:
    """A command in a container's network namespace."""
    return run("nsenter", "-t", str(details["State"]["Pid"]), "-n", *words, stdin=stdin)


def learn(known: Records, details: Details) -> set[str]:
    """Remember the names of a container; returns its networks."""
    networks = details["NetworkSettings"]["Networks"]
    for network, entry in networks.items():
        names = {details["Name"].lstrip("/"), *(entry.get("Aliases") or ())}
        for name in names:
            for form in (name, f"{name}.{network}"):
                known.setdefault((network, form.lower()), set()).add(entry["IPAddress"])
    return set(networks)


def too_many(known: Records, mode: str, own: Collection[str], name: str) -> set[str]:
    """The addresses that a spoilt answer to a question for `name` has beside the right ones.

    `own`: the networks of the container that asks.
    """
    wanted = name.rstrip(".").lower()
    return {
        address
        for (network, form), addresses in known.items()
        if form == wanted and (network in own) == (mode == "remembered")
        for address in addresses
    }


def spoilt(wire: bytes, addresses: Callable[[str], set[str]]) -> bytes:
    """An answer with more addresses; byte by byte the same when there is none to add."""
    answer = dns.message.from_wire(wire, one_rr_per_rrset=True, ignore_trailing=True)
    if not answer.question or answer.question[0].rdtype != dns.rdatatype.A:
        return wire
    name = answer.question[0].name
    there = {entry[0].to_text() for entry in answer.answer if entry.rdtype == dns.rdatatype.A}
    more = sorted(addresses(name.to_text()) - there)
    if not more:
        return wire
    answer.answer += [dns.rrset.from_text(name, 600, "IN", "A", address) for address in more]
    answer.set_rcode(dns.rcode.NOERROR)
    return answer.to_wire()


def sockets_in(pid: int, count: int) -> list[socket.socket]:
    """UDP sockets in the network namespace of a process. Raises OSError when it has ended."""
    made: list[socket.socket] = []
    failed: list[OSError] = []

    def enter() -> None:
        try:
            place = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
            try:
                if ctypes.CDLL(None, use_errno=True).setns(place, CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
                made.extend(socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count))
            finally:
                os.close(place)
        except OSError as error:
            failed.append(error)

    # Only the thread changes its namespace, and it ends here.
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return made


def answer_for(listener: socket.socket, docker: socket.socket, addresses: Callable[[str], set[str]]) -> None:
    """Answer a container's questions, one after the other, until its sockets are closed."""
    while True:
        try:
            question, asker = listener.recvfrom(65535)
        except OSError:
            return
        try:
            docker.send(question)
            answer = docker.recv(65535)
            while answer[:2] != question[:2]:  # the answer to an earlier question, which came too late
                answer = docker.recv(65535)
            listener.sendto(spoilt(answer, addresses), asker)
        except OSError:
            continue  # Docker does not answer, so neither does this


def redirect(details: Details, mode: str, networks: set[str]) -> None:
    """Answer the container's questions in Docker's place."""
    listener, docker = sockets_in(details["State"]["Pid"], 2)
    listener.bind(("127.0.0.1", PORT))
    docker.setsockopt(socket.SOL_SOCKET, SO_MARK, MARK)
    docker.settimeout(5)
    docker.connect(DOCKER)
    arguments = (listener, docker, lambda name: too_many(KNOWN, mode, networks, name))
    threading.Thread(target=answer_for, args=arguments, daemon=True).start()
    inside(details, "nft", "-f", "-", stdin=REDIRECT)

    def undo() -> None:
        inside(details, "nft", "delete", "table", *TABLE.split())
        listener.close()

    DONE[details["Id"]] = undo


def handle(container: str, mode: str) -> None:
    """Change a container that runs, if it is in a network that has Docker's DNS."""
    found = json.loads(run("docker", "inspect", container) or "[]")
    if not found or found[0]["Id"] in DONE or not found[0]["State"].get("Pid"):
        return
    details = found[0]
    networks = learn(KNOWN, details)
    if not networks - {"bridge", "host", "none"}:
        return
    if mode == "unruled":
        inside(details, "iptables", "-w", "5", "-t", "nat", "-D", *RULE)
        DONE[details["Id"]] = lambda: inside(details, "iptables", "-w", "5", "-t", "nat", "-A", *RULE)
    else:
        redirect(details, mode, networks)


def leave(*_: object) -> None:
    """End, so that every change is taken back."""
    raise SystemExit


def main(mode: str) -> None:
    """Change the containers that run, and then each one that starts, until SIGTERM."""
    signal.signal(signal.SIGTERM, leave)
    words = ["docker", "events", "--filter", "type=container", "--filter", "event=start", "--format", "{{.ID}}"]
    events = subprocess.Popen(words, stdout=subprocess.PIPE, encoding="utf-8")
    assert events.stdout is not None
    try:
        for container in run("docker", "ps", "-q").split():
            handle(container, mode)
        print("ready", flush=True)
        for line in events.stdout:
            handle(line.strip(), mode)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        events.kill()
        running = set(run("docker", "ps", "-q", "--no-trunc").split())
        for container, undo in DONE.items():
            if container in running:
                undo()


if __name__ == "__main__":
    main(sys.argv[1])
