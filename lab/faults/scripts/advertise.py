"""Sends router advertisements to the containers at a bridge of this node, as a router that nobody wanted would.

advertise.py BRIDGE TUNNEL PREFIX: the port TUNNEL of the bridge is left out, so that other nodes do not hear it. Hosts
that believe them take their default route from it, and an address in PREFIX::/64 (RFC 4861 §4.2, RFC 4862).
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import sys
import time
from types import FrameType

EVERY_S = 0.5
LIFETIME_S = 30
ALL_NODES = socket.inet_pton(socket.AF_INET6, "ff02::1")
ICMPV6, ADVERTISEMENT = 58, 134
ON_LINK_AND_AUTONOMOUS = 0xC0
LINK_LOCAL = "20"
"""Scope of an address in /proc/net/if_inet6."""


def link_local(bridge: str) -> bytes:
    """The bridge's own link-local address that is not the fe80::1 that Docker gives every bridge."""
    with open("/proc/net/if_inet6", encoding="ascii") as file:
        rows = [line.split() for line in file]
    found = [bytes.fromhex(row[0]) for row in rows if row[5] == bridge and row[3] == LINK_LOCAL]
    return next(address for address in found if address[8:] != bytes(7) + b"\1")


def checksum(data: bytes) -> int:
    """RFC 1071."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def advertisement(mac: bytes, source: bytes, prefix: bytes, lifetime_s: int) -> bytes:
    """The frame of an advertisement to everybody; with a lifetime of 0 its sender is not a router any more."""
    body = struct.pack("!BBHBBHII", ADVERTISEMENT, 0, 0, 64, 0, lifetime_s, 0, 0) + bytes([1, 1]) + mac
    body += struct.pack("!BBBBIII", 3, 4, 64, ON_LINK_AND_AUTONOMOUS, LIFETIME_S, LIFETIME_S, 0) + prefix
    pseudo = source + ALL_NODES + struct.pack("!II", len(body), ICMPV6)
    body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
    head = struct.pack("!IHBB", 6 << 28, len(body), ICMPV6, 255) + source + ALL_NODES
    return b"\x33\x33\0\0\0\1" + mac + b"\x86\xdd" + head + body


def send(bridge: str, tunnel: str, frame: bytes) -> None:
    """Send a frame to every container at the bridge."""
    for port in os.listdir(f"/sys/class/net/{bridge}/brif"):
        if port != tunnel:
            try:
                with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
                    sock.bind((port, 0))
                    sock.send(frame)
            except OSError:  # its container has just gone
                continue


def main() -> None:
    """Advertise until killed, and then stop being a router."""
    bridge, tunnel, prefix = sys.argv[1:]
    with open(f"/sys/class/net/{bridge}/address", encoding="ascii") as file:
        mac = bytes.fromhex(file.read().strip().replace(":", ""))
    source, network = link_local(bridge), socket.inet_pton(socket.AF_INET6, prefix)

    def stop(_: int, __: FrameType | None) -> None:
        send(bridge, tunnel, advertisement(mac, source, network, 0))
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    print("ready", flush=True)
    while True:
        send(bridge, tunnel, advertisement(mac, source, network, LIFETIME_S))
        time.sleep(EVERY_S)


if __name__ == "__main__":
    main()
