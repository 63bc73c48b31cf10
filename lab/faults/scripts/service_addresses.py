"""Runs on a lab's node, and spoils what IPVS holds of a swarm's services in every sandbox of Docker's there.

missing      of each service one task is left out
kept         a task that has gone stays
impatient    a TCP connection is forgotten after SHORT_S without a packet

It speaks to IPVS by generic netlink (linux/ip_vs.h, linux/genetlink.h), in each network namespace that Docker has made.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

SANDBOXES = Path("/var/run/docker/netns")
CLONE_NEWNET = 0x40000000
NETLINK_GENERIC, GENL_ID_CTRL, GETFAMILY = 16, 16, 3
FAMILY_ID, FAMILY_NAME = 1, 2
REQUEST, ACK, DUMP = 0x1, 0x4, 0x300
ERROR, DONE = 2, 3
GET_SERVICE, NEW_DEST, SET_DEST, DEL_DEST, GET_DEST, SET_CONFIG, GET_CONFIG = 4, 5, 6, 7, 8, 12, 13
A_SERVICE, A_DEST, A_TCP, A_FIN, A_UDP = 1, 2, 4, 5, 6
D_ADDR, D_FLAGS, D_WEIGHT = 1, 3, 4
KEPT_OF_DEST = (1, 2, 3, 4, 5, 6, 11)
"""Of a destination: address, port, way of forwarding, weight, thresholds, family (IPVS_DEST_ATTR_*)."""
KEPT_OF_SERVICE = (1, 2, 3, 4, 5)
"""What names a service: family, protocol, address, port or firewall mark (IPVS_SVC_ATTR_*)."""
SHORT_S = 2
EVERY_S = 0.05

Attributes = dict[int, bytes]


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute (struct nlattr), padded to four bytes."""
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def attributes(data: bytes) -> Attributes:
    """{kind: value} of the attributes in a message."""
    found = {}
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        if size < 4:
            break
        found[kind & 0x3FFF] = data[4:size]
        data = data[(size + 3) & ~3 :]
    return found


def packed(found: Attributes, kinds: tuple[int, ...]) -> bytes:
    """Some of these attributes, as they were."""
    return b"".join(attribute(kind, found[kind]) for kind in kinds if kind in found)


class Ipvs:
    """IPVS of one network namespace. Every call raises OSError."""

    def __init__(self, place: Path) -> None:
        self.sock = netlink_in(place)
        self.before: dict[bytes, dict[bytes, Attributes]] = {}
        """{service: {destination's address: the destination}}, as it was last."""
        self.taken: dict[bytes, Attributes] = {}
        """{service: the destination that was taken out of it}"""
        self.timeouts: Attributes | None = None
        """The timeouts that were replaced."""
        told = next(self.ask(GENL_ID_CTRL, GETFAMILY, attribute(FAMILY_NAME, b"IPVS\0")))
        self.family = struct.unpack("=H", told[FAMILY_ID][:2])[0]

    def ask(self, family: int, command: int, body: bytes, flags: int = 0) -> Iterator[Attributes]:
        """Send a request; the attributes of each message that comes back."""
        head = struct.pack("=BBH", command, 1, 0)
        size = 16 + len(head) + len(body)
        self.sock.send(struct.pack("=IHHII", size, family, REQUEST | flags, 0, 0) + head + body)
        while True:
            data = self.sock.recv(1 << 16)
            while len(data) >= 16:
                size, kind = struct.unpack_from("=IH", data)
                message, data = data[:size], data[(size + 3) & ~3 :]
                if kind == DONE:
                    return
                if kind == ERROR:
                    code = -struct.unpack_from("=i", message, 16)[0]
                    if code:
                        raise OSError(code, os.strerror(code))
                    return
                yield attributes(message[20:])
            if flags & (DUMP | ACK) == 0:
                return

    def do(self, command: int, body: bytes) -> None:
        """A command that changes something."""
        for _ in self.ask(self.family, command, body, ACK):
            pass

    def services(self) -> dict[bytes, dict[bytes, Attributes]]:
        """{service: {destination's address: the destination}}"""
        told = [attributes(one[A_SERVICE]) for one in self.ask(self.family, GET_SERVICE, b"", DUMP)]
        names = [attribute(A_SERVICE, packed(one, KEPT_OF_SERVICE)) for one in told]
        found = {}
        for name in names:
            there = [attributes(one[A_DEST]) for one in self.ask(self.family, GET_DEST, name, DUMP)]
            found[name] = {one[D_ADDR]: one for one in there}
        return found

    def leave_out(self) -> None:
        """Take one of several destinations out of each service, the one of the lowest address, and no other later."""
        for service, there in self.services().items():
            chosen = self.taken.get(service) or there.get(min(there, default=b""))
            if chosen is not None and chosen[D_ADDR] in there and len(there) > 1:
                self.do(DEL_DEST, service + attribute(A_DEST, packed(chosen, KEPT_OF_DEST)))
                self.taken[service] = chosen

    def keep(self) -> None:
        """Put back what was taken out, and give what weighs nothing its weight back."""
        now = self.services()
        for service, there in now.items():
            for address, entry in self.before.get(service, {}).items():
                if address not in there:
                    self.do(NEW_DEST, service + attribute(A_DEST, packed(entry, KEPT_OF_DEST)))
                elif not any(there[address].get(D_WEIGHT, b"\1")) and any(entry.get(D_WEIGHT, b"")):
                    self.do(SET_DEST, service + attribute(A_DEST, packed(entry, KEPT_OF_DEST)))
            self.before[service] = {**there, **self.before.get(service, {})}

    def hurry(self) -> None:
        """Forget idle TCP connections after SHORT_S."""
        if self.timeouts is None:
            self.timeouts = next(self.ask(self.family, GET_CONFIG, b""))
            self.configure({**self.timeouts, A_TCP: struct.pack("=I", SHORT_S)})

    def configure(self, timeouts: Attributes) -> None:
        """Set the timeouts of connections."""
        self.do(SET_CONFIG, packed(timeouts, (A_TCP, A_FIN, A_UDP)))

    def undo(self) -> None:
        """Take back what was changed, as far as it is still there."""
        if self.timeouts is not None:
            self.configure(self.timeouts)
        there = self.services()
        for service, entry in self.taken.items():
            if service in there and entry[D_ADDR] not in there[service]:
                self.do(NEW_DEST, service + attribute(A_DEST, packed(entry, KEPT_OF_DEST)))


def netlink_in(place: Path) -> socket.socket:
    """A socket of generic netlink in a network namespace. Raises OSError."""
    made: list[socket.socket] = []
    failed: list[OSError] = []

    def enter() -> None:
        try:
            handle = os.open(place, os.O_RDONLY)
            try:
                if ctypes.CDLL(None, use_errno=True).setns(handle, CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), f"setns {place}")
                sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
                sock.settimeout(2.0)
                sock.bind((0, 0))
                made.append(sock)
            finally:
                os.close(handle)
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return made[0]


def leave(*_: object) -> None:
    """End, so that every change is taken back."""
    raise SystemExit


def main(mode: str) -> None:
    """Spoil what is there and what comes, until SIGTERM."""
    signal.signal(signal.SIGTERM, leave)
    known: dict[tuple[int, str], Ipvs] = {}
    act = {"missing": Ipvs.leave_out, "kept": Ipvs.keep, "impatient": Ipvs.hurry}[mode]
    ready = False
    told: set[str] = set()
    try:
        while True:
            seen = set()
            for place in SANDBOXES.iterdir():
                try:
                    key = (place.stat().st_ino, place.name)
                    seen.add(key)
                    if key not in known:
                        known[key] = Ipvs(place)
                    act(known[key])
                except OSError as error:  # the sandbox is being made, or has gone
                    if place.name not in told:
                        print(place.name, error, flush=True)
                        told.add(place.name)
            for gone in set(known) - seen:  # a socket would keep the namespace
                known.pop(gone).sock.close()
            if not ready:
                print("ready", flush=True)
                ready = True
            time.sleep(EVERY_S)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for ipvs in known.values():
            try:
                ipvs.undo()
            except OSError as error:
                print(error, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
