"""Runs on a lab's node, and changes containers of a network when they start, as a broken plugin would.

move NETWORK OFFSET         its address becomes another one than Docker says
add NETWORK ADDRESS PREFIX  it gets one address more, the next free one from ADDRESS on
connect SIDE NETWORK...     it gets an interface on the Docker network SIDE
place OTHER NETWORK LABEL   if it has the label, it gets an interface on the Docker network OTHER instead
"""

from __future__ import annotations

import ipaddress
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

Details = dict[str, Any]
DONE: dict[str, Callable[[], object]] = {}
"""{container id: the function that takes its change back}"""


def run(*words: str) -> str:
    """Run a command; returns what it printed."""
    done = subprocess.run(words, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        print(*words, done.stderr, flush=True)
    return done.stdout


def inside(details: Details, *words: str) -> str:
    """`ip` in a container's network namespace."""
    return run("nsenter", "-t", str(details["State"]["Pid"]), "-n", "ip", *words)


def interface(details: Details, address: str) -> str | None:
    """The container's interface that has this address."""
    for link in json.loads(inside(details, "-json", "-4", "address", "show") or "[]"):
        if any(entry["local"] == address for entry in link["addr_info"]):
            return str(link["ifname"])
    return None


def move(details: Details, network: str, offset: str) -> None:
    """Give it another address than Docker says."""
    entry = details["NetworkSettings"]["Networks"][network]
    old = f"{entry['IPAddress']}/{entry['IPPrefixLen']}"
    new = f"{ipaddress.ip_address(entry['IPAddress']) + int(offset)}/{entry['IPPrefixLen']}"
    name = interface(details, entry["IPAddress"])
    if name is None:
        return

    def give(mine: str, theirs: str) -> None:
        inside(details, "address", "add", mine, "dev", name)
        inside(details, "address", "del", theirs, "dev", name)
        inside(details, "address", "replace", mine, "dev", name)  # removing the first of a prefix removes all
        inside(details, "route", "replace", "default", "via", entry["Gateway"])

    give(new, old)
    DONE[details["Id"]] = lambda: give(old, new)


def add(details: Details, network: str, first: str, prefix: str) -> None:
    """Give it one address more."""
    more = f"{ipaddress.ip_address(first) + len(DONE)}/{prefix}"
    name = interface(details, details["NetworkSettings"]["Networks"][network]["IPAddress"])
    if name is not None:
        inside(details, "address", "add", more, "dev", name)
        DONE[details["Id"]] = lambda: inside(details, "address", "del", more, "dev", name)


def connect(details: Details, side: str) -> None:
    """Give it one network more."""
    if side not in details["NetworkSettings"]["Networks"]:
        run("docker", "network", "connect", side, details["Id"])
        DONE[details["Id"]] = lambda: run("docker", "network", "disconnect", "-f", side, details["Id"])


def place(details: Details, other: str, network: str) -> None:
    """Take it out of its network, and put it into another one. It stays there: a task does not live long."""
    run("docker", "network", "disconnect", "-f", network, details["Id"])
    run("docker", "network", "connect", other, details["Id"])
    DONE[details["Id"]] = lambda: None


def handle(container: str, mode: str, arguments: list[str]) -> None:
    """Change a container that has just started (to be placed: been created), if it is in the network."""
    found = json.loads(run("docker", "inspect", container) or "[]")
    if not found or found[0]["Id"] in DONE or not (mode == "place" or found[0]["State"].get("Pid")):
        return
    networks = found[0]["NetworkSettings"]["Networks"]
    if mode == "connect" and set(networks) & set(arguments[1:]):
        connect(found[0], arguments[0])
    elif mode == "place" and arguments[1] in networks and arguments[2] in found[0]["Config"]["Labels"]:
        place(found[0], *arguments[:2])
    elif mode == "move" and arguments[0] in networks:
        move(found[0], *arguments)
    elif mode == "add" and arguments[0] in networks:
        add(found[0], *arguments)


def leave(*_: object) -> None:
    """End, so that every change is taken back."""
    raise SystemExit


def main(mode: str, arguments: list[str]) -> None:
    """Change the containers that run, and then each one that starts, until SIGTERM."""
    signal.signal(signal.SIGTERM, leave)
    event = "create" if mode == "place" else "start"  # a task is registered with what it has when it starts
    words = ["docker", "events", "--filter", "type=container", "--filter", f"event={event}", "--format", "{{.ID}}"]
    events = subprocess.Popen(words, stdout=subprocess.PIPE, encoding="utf-8")
    assert events.stdout is not None
    try:
        for container in run("docker", "ps", "-q").split():
            handle(container, mode, arguments)
        print("ready", flush=True)
        for line in events.stdout:
            handle(line.strip(), mode, arguments)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        events.kill()
        running = set(run("docker", "ps", "-q", "--no-trunc").split())
        for container, undo in DONE.items():
            if container in running:
                undo()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
