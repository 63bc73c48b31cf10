"""How an agent counts neighbours and FDB entries from netlink dumps."""

from __future__ import annotations

import struct

from fixtures.probes.agent.formats import NETLINK_HEAD
from fixtures.probes.agent.limits import attributes, bodies, counted_neighbours, fdbs

PERMANENT, NOARP, REACHABLE, STALE = 0x80, 0x40, 0x02, 0x04
SELF, MASTER, EXT_LEARNED = 0x02, 0x04, 0x10


def attribute(kind: int, body: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(body), kind) + body + bytes(-len(body) % 4)


def neighbour(index: int, state: int, flags: int, mac: bytes = b"") -> bytes:
    return struct.pack("=BxxxiHBB", 2, index, state, flags, 0) + (attribute(2, mac) if mac else b"")


def dumped(*messages: bytes) -> bytes:
    found = b""
    for body in messages:
        found += NETLINK_HEAD.pack(NETLINK_HEAD.size + len(body), 28, 2, 1, 0) + body + bytes(-len(body) % 4)
    return found


def link(index: int, name: str, kind: str = "", **data: int) -> bytes:
    info = attribute(1, kind.encode() + b"\0")
    info += attribute(
        2 | 0x8000, b"".join(attribute(int(key[1:]), struct.pack("=I", value)) for key, value in data.items())
    )
    body = struct.pack("=BxHiII", 0, 1, index, 0, 0) + attribute(3, name.encode() + b"\0")
    return body + (attribute(18 | 0x8000, info) if kind else b"")


def test_only_neighbours_that_count_towards_the_limit_are_counted() -> None:
    data = dumped(
        neighbour(1, REACHABLE, 0), neighbour(1, STALE, 0), neighbour(1, NOARP, 0), neighbour(1, PERMANENT, 0),
        neighbour(1, STALE, EXT_LEARNED),
    )  # fmt: skip
    assert counted_neighbours(data) == 3
    assert counted_neighbours(b"") == 0


def test_an_fdb_is_counted_by_its_own_macs() -> None:
    one, other = b"\2\0\0\0\0\1", b"\2\0\0\0\0\2"
    entries = [
        neighbour(5, PERMANENT, SELF, bytes(6)), neighbour(5, PERMANENT, SELF, bytes(6)), neighbour(5, 0, SELF, one),
        neighbour(5, 0, MASTER, other), neighbour(6, 0, SELF, other),
    ]  # fmt: skip
    links = [link(5, "vx-a", "vxlan", _9=4), link(6, "vx-b", "vxlan", _9=0), link(7, "vx-c", "vxlan")]
    assert fdbs(links, entries) == [["vx-a", 2, 4]]


def test_a_bridge_counts_itself_what_it_learned() -> None:
    links = [
        link(3, "fn-a", "bridge", _48=7, _49=8),
        link(4, "fn-b", "bridge", _48=7, _49=0),
        link(2, "eth0"),
        link(9, "v", "veth"),
    ]
    assert fdbs(links, []) == [["fn-a", 7, 8]]


def test_a_broken_attribute_ends_the_reading() -> None:
    assert attributes(struct.pack("=HH", 2, 1) + bytes(8)) == {}
    assert list(bodies(dumped(b"abcd", b"ef"))) == [b"abcd", b"ef"]
