"""Parts of the kernel that overlays need and that a machine may lack: each is tried, since a list may be wrong."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .preflight import Finding

GENERIC = 16
"""NETLINK_GENERIC, and the number of its controller (linux/netlink.h, linux/genetlink.h)."""
GET_FAMILY, FAMILY_NAME = 3, 2
REQUEST, ERROR = 1, 2
TRY_LINK = "ip link add flatnet0 type {kind}"
TRY_ESP = (
    "unshare --net -- ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 1 mode transport aead "
    "rfc4106(gcm(aes)) 0x0102030405060708090a0b0c0d0e0f1011121314 64"
).split()


@dataclass(frozen=True)
class Part:
    """A kernel module, what needs it, and what happens where it is missing."""

    module: str
    needed_by: str
    without: str
    has: Callable[[], bool]


def has_link(kind: str) -> bool:
    """Whether the kernel makes links of a kind; tried in a network namespace of its own, which ends with the trial."""
    words = ["unshare", "--net", "--", *TRY_LINK.format(kind=kind).split()]
    if kind == "vxlan":
        words += ["id", "1", "dstport", "4789"]
    return subprocess.run(words, capture_output=True, check=False, timeout=10).returncode == 0


def has_esp() -> bool:
    """Whether the kernel has ESP (RFC 4303); tried in a network namespace of its own, which ends with the trial."""
    return subprocess.run(TRY_ESP, capture_output=True, check=False, timeout=10).returncode == 0


def has_ipv6(known: Path = Path("/proc/net/if_inet6")) -> bool:
    """Whether the kernel has IPv6 and was not started without it (`ipv6.disable=1`)."""
    return socket.has_ipv6 and known.exists()


def usable_families(asked: str, ipv6: bool) -> tuple[str, str]:
    """The address families that a lab here can have of those asked for (`4`, `46`), and a line when it has less."""
    if asked == "46" and not ipv6:
        return "4", "families: this machine has no IPv6, so the lab has IPv4 only"
    return asked, ""


def has_family(name: str) -> bool:
    """Whether the kernel has a family of generic netlink, such as `ovs_datapath` of openvswitch (genetlink(7)).

    Being asked for one, the kernel loads its module if there is one.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, GENERIC) as asked:
        asked.settimeout(5.0)
        asked.bind((0, 0))
        asked.sendall(family_request(name))
        return not refused(asked.recv(65536))


def family_request(name: str) -> bytes:
    """The message that asks generic netlink's controller for a family."""
    text = name.encode() + b"\0"
    attribute = struct.pack("=HH", 4 + len(text), FAMILY_NAME) + text + b"\0" * (-len(text) % 4)
    body = struct.pack("=BBH", GET_FAMILY, 1, 0) + attribute
    return struct.pack("=IHHII", 16 + len(body), GENERIC, REQUEST, 1, 0) + body


def refused(reply: bytes) -> bool:
    """Whether a reply of netlink is an error. Raises ValueError for what is too short for one."""
    if len(reply) < 20:
        raise ValueError(f"netlink answered {reply!r}")
    kind = struct.unpack_from("=H", reply, 4)[0]
    return bool(kind == ERROR and struct.unpack_from("=i", reply, 16)[0] != 0)


PARTS = (
    Part(
        "vxlan",
        "overlays vxlan, evpn and swarm, and Weave's fast datapath",
        "no lab with vxlan, evpn or swarm",
        lambda: has_link("vxlan"),
    ),
    Part(
        "dummy",
        "Weave's launch, which gives its bridge an MTU by a link of this kind",
        "Weave Net 2.8.1 as released does not launch (creating dummy interface: operation not supported)",
        lambda: has_link("dummy"),
    ),
    Part(
        "wireguard",
        "overlay wireguard",
        "wireguard-go, a program, forwards between nodes instead",
        lambda: has_link("wireguard"),
    ),
    Part(
        "esp4",
        "overlay swarm with --encrypted",
        "no lab in namespaces has encrypted networks of swarm; machines have (--machines vm)",
        lambda: has_esp(),
    ),
    Part(
        "ip_vs",
        "addresses of swarm's services",
        "a service's own address and its published port lead nowhere on nodes in namespaces (JOB-7, JOB-9)",
        lambda: has_family("IPVS"),
    ),
    Part(
        "openvswitch",
        "Weave's fast datapath",
        "Weave falls back to sleeve, which is slower, and whose containers have an MTU of 65535",
        lambda: has_family("ovs_datapath"),
    ),
)


def examine_kernel() -> list[Finding]:
    """Try every part; none is fatal, as a lab has one overlay only. Links can be tried by root only."""
    if os.geteuid() != 0:
        modules = ", ".join(part.module for part in PARTS)
        return [Finding(f"kernel: {modules}", False, "not tried, which takes root", fatal=False)]
    return [
        Finding(f"kernel: {part.module} (for {part.needed_by})", part.has(), part.without, fatal=False)
        for part in PARTS
    ]
