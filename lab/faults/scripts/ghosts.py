"""Keeps an interface with the address and the MAC of every container of a network that ends, as if it were still there.

ghosts.py NETWORK BRIDGE [6]: the Docker network, and the node's bridge to which its containers are connected; with 6
the interface has the container's IPv6 address, and no IPv4 one. Undone at SIGTERM.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

Seen = dict[str, tuple[str, str]]
"""{container id: (address with prefix, MAC)}"""
GHOSTS: dict[str, subprocess.Popen[bytes]] = {}
"""{name of the interface: the process that holds the namespace of its other end}"""


def run(*words: str) -> str:
    """Run a command; returns what it printed."""
    done = subprocess.run(words, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        print(*words, done.stderr, flush=True)
    return done.stdout


def note(container: str, network: str, seen: Seen, *, ipv6: bool) -> None:
    """Remember a container's address, if it is in the network."""
    found: list[dict[str, Any]] = json.loads(run("docker", "inspect", container) or "[]")
    entry = found[0]["NetworkSettings"]["Networks"].get(network) if found else None
    address, prefix = ("GlobalIPv6Address", "GlobalIPv6PrefixLen") if ipv6 else ("IPAddress", "IPPrefixLen")
    if entry and entry[address]:
        seen[found[0]["Id"]] = (f"{entry[address]}/{entry[prefix]}", entry["MacAddress"])


def namespace(pid: int) -> str:
    """The network namespace of a process."""
    return os.readlink(f"/proc/{pid}/ns/net")


def keep(address: str, mac: str, bridge: str) -> None:
    """Have an interface with this address and MAC at the bridge."""
    name = f"ghost{len(GHOSTS)}"
    holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
    while namespace(holder.pid) == namespace(os.getpid()) and holder.poll() is None:
        time.sleep(0.005)
    GHOSTS[name] = holder
    inside = ["nsenter", "-t", str(holder.pid), "-n", "ip"]
    run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(holder.pid))
    run(*inside, "link", "set", "eth0", "address", mac, "up")
    run(*inside, "address", "add", address, "dev", "eth0", *(["nodad"] if ":" in address else []))
    run("ip", "link", "set", name, "master", bridge, "up")


def leave(*_: object) -> None:
    """End, so that everything is taken back."""
    raise SystemExit


def main(network: str, bridge: str, family: str = "4") -> None:
    """Watch containers start and end, until SIGTERM."""
    signal.signal(signal.SIGTERM, leave)
    seen: Seen = {}
    words = ["docker", "events", "--filter", "type=container", "--filter", "event=start", "--filter", "event=die"]
    events = subprocess.Popen([*words, "--format", "{{.Action}} {{.ID}}"], stdout=subprocess.PIPE, encoding="utf-8")
    assert events.stdout is not None
    try:
        for container in run("docker", "ps", "-q", "--no-trunc").split():
            note(container, network, seen, ipv6=family == "6")
        print("ready", flush=True)
        for line in events.stdout:
            action, container = line.split()
            if action == "start":
                note(container, network, seen, ipv6=family == "6")
            elif container in seen:
                keep(*seen.pop(container), bridge)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        events.kill()
        for name, holder in GHOSTS.items():
            run("ip", "link", "del", name)
            holder.kill()
            holder.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
