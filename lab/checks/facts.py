"""What one node is like, as far as a run depends on it: the script that reads it, and its answer as a record."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from lab.inventory import Node

CAPABILITIES = {12: "CAP_NET_ADMIN", 13: "CAP_NET_RAW", 19: "CAP_SYS_PTRACE", 21: "CAP_SYS_ADMIN"}
"""What the probe agent needs, by number (capabilities(7)): sockets of every kind inside containers' namespaces."""


@dataclass(frozen=True)
class HostFacts:
    """A node's answer to `script`. None or empty: the node did not say it."""

    uid: int | None
    python: tuple[int, int] | None
    ip_json: bool
    """`ip -json` prints JSON (iproute2 since 4.13)."""
    capabilities: int
    """The shell's effective capabilities, a bit for each number."""
    has_interface: bool
    """The NIC that the file names exists."""
    holder: str | None
    """The interface that has the node's address."""
    apparmor_parser: bool
    conntrack: tuple[int, int] | None
    """Entries of the connection table, and how many it can hold; None where the kernel tracks no connections."""
    neighbours: tuple[int, int] | None
    """IPv4 entries of the neighbour table, and how many it can hold."""
    free_kib: int | None
    """Free space in the engine's folder, KiB."""


def script(node: Node, docker_root: str | None) -> str:
    """A script for the node's shell that prints what HostFacts holds, one `key=value` a line; it changes nothing."""
    lines = [
        "PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin",
        'echo "uid=$(id -u)"',
        """echo "python=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')\"""",
        'echo "ip=$(ip -json link show dev lo)"',
        "echo \"capabilities=$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)\"",
        f"if [ -e /sys/class/net/{shlex.quote(node.interface)} ]; then echo interface=yes; fi",
        f'echo "holder=$(ip -o -4 address show to {node.address}/32)"',
        "if command -v apparmor_parser >/dev/null; then echo parser=yes; fi",
        "conntrack=/proc/sys/net/netfilter/nf_conntrack",
        "if [ -e ${conntrack}_max ]; then",
        'echo "conntrack=$(cat ${conntrack}_count) $(cat ${conntrack}_max)"',
        "fi",
        # An `ip` that fails does not mean an empty table, so nothing is printed then.
        "if found=$(ip -o -4 neighbour show nud all) && most=$(cat /proc/sys/net/ipv4/neigh/default/gc_thresh3); then",
        'echo "neighbours=$(printf %s "$found" | grep -c .) $most"',
        "fi",
    ]
    if docker_root is not None:
        lines.append(f'echo "disk=$(df -Pk {shlex.quote(docker_root)} | tail -n 1)"')
    return "\n".join([*lines, "echo end=yes"])


def read(output: str) -> HostFacts:
    """The record of what `script` printed. Raises ValueError when it did not come to its end."""
    if "end=yes" not in output.splitlines():
        raise ValueError("the answer of its shell was cut off")
    said = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
    python = re.fullmatch(r"(\d+)\.(\d+)", said.get("python", ""))
    holder = re.match(r"\d+:\s+([^\s@:]+)", said.get("holder", ""))
    disk = said.get("disk", "").split()
    return HostFacts(
        uid=int(said["uid"]) if said.get("uid", "").isdigit() else None,
        python=(int(python[1]), int(python[2])) if python else None,
        ip_json=said.get("ip", "").startswith("["),
        capabilities=_hexadecimal(said.get("capabilities", "")),
        has_interface=said.get("interface") == "yes",
        holder=holder[1] if holder else None,
        apparmor_parser=said.get("parser") == "yes",
        conntrack=_two_numbers(said, "conntrack"),
        neighbours=_two_numbers(said, "neighbours"),
        free_kib=int(disk[3]) if len(disk) >= 6 and disk[3].isdigit() else None,
    )


def _hexadecimal(text: str) -> int:
    return int(text, 16) if re.fullmatch(r"[0-9a-f]+", text) else 0


def _two_numbers(said: Mapping[str, str], key: str) -> tuple[int, int] | None:
    words = said.get(key, "").split()
    return (int(words[0]), int(words[1])) if len(words) == 2 and all(word.isdigit() for word in words) else None
