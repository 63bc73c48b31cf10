"""Runs on a lab's node: stands between those who ask names and Consul, and spoils the answers.

names.py MODE PORT NODE_ADDRESS; modes: delay, missing, critical, garbage, port.
Packets are led here by the packet filter; what it asks itself carries MARK, and is not.
"""

from __future__ import annotations

import contextlib
import json
import random
import select
import socket
import struct
import sys
import threading
import time
import urllib.request
from collections.abc import Callable

MARK = 0xFA17
SO_MARK = 36
IP_PKTINFO = 8
DELAY_S = 2.0
A, AAAA, SRV = 1, 28, 33
Server = tuple[str, int]
Spoil = Callable[[bytes], bytes]
Asked = list[tuple[int, int, bytes]]
"""What the kernel tells beside a datagram (IP_PKTINFO)."""


def name_end(message: bytes, place: int) -> int:
    """Where a name that begins at `place` ends (RFC 1035 §4.1.4)."""
    while message[place]:
        if message[place] & 0xC0:
            return place + 2
        place += message[place] + 1
    return place + 1


def question(message: bytes) -> tuple[list[str], int, int]:
    """Labels and type of the question, and where it ends."""
    labels, place = [], 12
    while message[place]:
        labels.append(message[place + 1 : place + 1 + message[place]].decode("latin-1").lower())
        place += message[place] + 1
    return labels, struct.unpack("!H", message[place + 1 : place + 3])[0], place + 5


def answers(message: bytes) -> list[tuple[int, int, int, int]]:
    """(start, type, place of the data, end) of each record of the answer section."""
    _, _, place = question(message)
    found = []
    for _ in range(struct.unpack("!H", message[6:8])[0]):
        start = place
        place = name_end(message, place)
        kind, _, _, size = struct.unpack("!HHIH", message[place : place + 10])
        found.append((start, kind, place + 10, place + 10 + size))
        place += 10 + size
    return found


def missing(message: bytes) -> bytes:
    """One A record less."""
    records = [one for one in answers(message) if one[1] == A]
    if len(records) < 2 or records[-1] != answers(message)[-1]:
        return message
    start, _, _, end = records[-1]
    count = struct.unpack("!H", message[6:8])[0] - 1
    return message[:6] + struct.pack("!H", count) + message[8:start] + message[end:]


def critical(message: bytes) -> bytes:
    """Instances that fail their check as well."""
    labels, kind, after = question(message)
    if kind != A or "service" not in labels[1:2]:
        return message
    records = answers(message)
    there = {message[place:end] for _, kind, place, end in records if kind == A}
    with urllib.request.urlopen("http://127.0.0.1:8500/v1/health/service/" + labels[0], timeout=2) as reply:
        known = {entry["Service"]["Address"] for entry in json.load(reply)}
    more = [socket.inet_aton(one) for one in sorted(known) if one and socket.inet_aton(one) not in there]
    if not more:
        return message
    place = records[-1][3] if records else after
    added = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", A, 1, 0, 4) + one for one in more)
    flags = struct.unpack("!H", message[2:4])[0] & ~0xF  # NOERROR now
    count = struct.unpack("!H", message[6:8])[0] + len(more)
    return (
        message[:2]
        + struct.pack("!H", flags)
        + message[4:6]
        + struct.pack("!H", count)
        + message[8:place]
        + added
        + message[place:]
    )


def garbage(message: bytes) -> bytes:
    """A random AAAA record, whatever was asked for."""
    _, kind, after = question(message)
    if kind != AAAA:
        return message
    address = b"\xfd\x00" + random.getrandbits(112).to_bytes(14, "big")
    flags = struct.unpack("!H", message[2:4])[0] & ~0xF
    head = message[:2] + struct.pack("!HHHHH", flags, 1, 1, 0, 0)
    return head + message[12:after] + b"\xc0\x0c" + struct.pack("!HHIH", AAAA, 1, 0, 16) + address


def port(message: bytes) -> bytes:
    """SRV with the next port."""
    spoiled = bytearray(message)
    for _, kind, place, _ in answers(message):
        if kind == SRV:
            number = struct.unpack("!H", message[place + 4 : place + 6])[0]
            spoiled[place + 4 : place + 6] = struct.pack("!H", number + 1)
    return bytes(spoiled)


def delay(message: bytes) -> bytes:
    """The same, later."""
    time.sleep(DELAY_S)
    return message


SPOIL = {"delay": delay, "missing": missing, "critical": critical, "garbage": garbage, "port": port}


def marked(kind: socket.SocketKind, server: Server) -> socket.socket:
    """A socket to Consul itself."""
    made = socket.socket(socket.AF_INET, kind)
    made.setsockopt(socket.SOL_SOCKET, SO_MARK, MARK)
    made.settimeout(5)
    made.connect(server)
    return made


def exactly(stream: socket.socket, size: int) -> bytes:
    """Read that many bytes; EOFError when there are fewer."""
    data = b""
    while len(data) < size:
        piece = stream.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def failed(message: bytes) -> bytes:
    """SERVFAIL: Consul does not run, and who asks goes on to the next server."""
    _, _, end = question(message)
    return message[:2] + struct.pack("!HHHHH", 0x8182, 1, 0, 0, 0) + message[12:end]


def udp(spoil: Spoil, listener: socket.socket, server: Server, message: bytes, asked: Asked, asker: Server) -> None:
    """One question by datagram; answered from the address that was asked, or the asker's kernel knows no such flow."""
    with marked(socket.SOCK_DGRAM, server) as consul:
        try:
            consul.send(message)
            answer = spoil(consul.recv(65535))
        except ConnectionRefusedError:
            answer = failed(message)
        # in_pktinfo is (ifindex, spec_dst, addr)
        own = [(level, kind, struct.pack("i4s4s", 0, value[8:12], bytes(4))) for level, kind, value in asked]
        listener.sendmsg([answer], own, 0, asker)


def tcp(spoil: Spoil, server: Server, client: socket.socket) -> None:
    """A connection's questions."""
    with contextlib.suppress(EOFError, OSError), client, marked(socket.SOCK_STREAM, server) as consul:
        while True:
            size = exactly(client, 2)
            consul.sendall(size + exactly(client, struct.unpack("!H", size)[0]))
            answer = spoil(exactly(consul, struct.unpack("!H", exactly(consul, 2))[0]))
            client.sendall(struct.pack("!H", len(answer)) + answer)


def main() -> None:
    """Answer until killed."""
    spoil, number, server = SPOIL[sys.argv[1]], int(sys.argv[2]), (sys.argv[3], 53)
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("0.0.0.0", number))
    datagrams.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    streams = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    streams.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    streams.bind(("0.0.0.0", number))
    streams.listen(64)
    print("ready", flush=True)
    while True:
        for one in select.select([datagrams, streams], [], [])[0]:
            if one is datagrams:
                message, asked, _, asker = datagrams.recvmsg(65535, 256)
                threading.Thread(
                    target=udp, args=(spoil, datagrams, server, message, asked, asker), daemon=True
                ).start()
            else:
                threading.Thread(target=tcp, args=(spoil, server, streams.accept()[0]), daemon=True).start()


if __name__ == "__main__":
    main()
