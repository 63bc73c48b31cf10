"""Kernel tables, from bytes as the kernel writes them (recorded on Linux 6.18, little-endian)."""

from __future__ import annotations

import struct

import pytest

from fixtures.existing.netlink import (
    NOARP,
    PERMANENT,
    REACHABLE,
    STALE,
    Address,
    FdbEntry,
    Link,
    Neighbour,
    Tracked,
    addresses,
    attributes,
    connections,
    fdb_entries,
    links,
    listening,
    mac_of,
    messages,
    neighbours,
)

MAC = bytes.fromhex("02420a200002")


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", len(value) + 4, kind) + value + bytes(-len(value) % 4)


def message(body: bytes) -> bytes:
    return struct.pack("=IHHII", len(body) + 16, 28, 2, 1, 0) + body + bytes(-len(body) % 4)


def neighbour(family: int, index: int, state: int, *parts: bytes) -> bytes:
    return message(struct.pack("=BxxxiHBB", family, index, state, 0, 1) + b"".join(parts))


def test_links() -> None:
    head = struct.pack("=BxHiII", 0, 1, 7, 0, 0)
    bridge, peer = struct.pack("=i", 3), struct.pack("=i", 2)
    parts = (
        attribute(3, b"vethx\0"), attribute(1, MAC), attribute(10, bridge), attribute(5, peer),
        attribute(18 | 0x8000, attribute(1, b"veth\0")),
    )  # fmt: skip
    plain = message(struct.pack("=BxHiII", 0, 1, 1, 0, 0) + attribute(3, b"lo\0"))
    assert links(message(head + b"".join(parts)) + plain) == [
        Link(7, "vethx", "02:42:0a:20:00:02", "veth", 3, 2), Link(1, "lo", ""),
    ]  # fmt: skip


def test_addresses() -> None:
    def entry(family: int, *parts: bytes) -> bytes:
        return message(struct.pack("=BBBBi", family, 24, 0, 0, 5) + b"".join(parts))

    own, peer = attribute(2, bytes([10, 32, 0, 2])), attribute(1, bytes([10, 32, 0, 9]))
    assert addresses(entry(2, peer, own)) == [Address(5, "10.32.0.2", 24)]
    assert addresses(entry(2, peer)) == [Address(5, "10.32.0.9", 24)]
    assert addresses(entry(10, own) + entry(2)) == []


def test_neighbours() -> None:
    address, lladdr = attribute(1, bytes([10, 32, 0, 2])), attribute(2, MAC)
    data = neighbour(2, 4, REACHABLE, address, lladdr) + neighbour(2, 4, PERMANENT, address, lladdr)
    found = neighbours(data)
    assert found[0] == Neighbour(4, "10.32.0.2", "02:42:0a:20:00:02", REACHABLE)
    assert [entry.lasting for entry in found] == [False, True]
    assert Neighbour(1, "", "", NOARP).lasting and not Neighbour(1, "", "", STALE).lasting
    assert neighbours(neighbour(2, 4, REACHABLE, address) + neighbour(10, 4, STALE, address, lladdr)) == []


def test_fdb_entries() -> None:
    times = attribute(3, struct.pack("=IIII", 1, 2, 250, 0))
    data = neighbour(7, 4, NOARP, attribute(2, MAC), attribute(1, bytes([192, 168, 56, 4])), times)
    data += neighbour(7, 9, STALE, attribute(2, MAC))
    assert fdb_entries(data) == [
        FdbEntry(4, "02:42:0a:20:00:02", NOARP, "192.168.56.4", 2.5), FdbEntry(9, "02:42:0a:20:00:02", STALE),
    ]  # fmt: skip
    assert [entry.lasting for entry in fdb_entries(data)] == [True, False] and FdbEntry(1, "", PERMANENT).lasting
    assert fdb_entries(neighbour(2, 4, NOARP, attribute(2, MAC)) + neighbour(7, 4, NOARP)) == []
    sixth = neighbour(7, 4, NOARP, attribute(2, MAC), attribute(1, bytes(15) + b"\1"))
    assert fdb_entries(sixth)[0].remote == "::1"


def ends(source: bytes, destination: bytes, protocol: int, ports: tuple[int, int] | None) -> bytes:
    transport = attribute(1, bytes([protocol]))
    if ports is not None:
        transport += attribute(2, struct.pack("!H", ports[0])) + attribute(3, struct.pack("!H", ports[1]))
    return attribute(1, attribute(1, source) + attribute(2, destination)) + attribute(2, transport)


def test_connections() -> None:
    client, node, backend = bytes([192, 0, 2, 1]), bytes([192, 168, 56, 3]), bytes([10, 32, 0, 9])
    original = attribute(1, ends(client, node, 17, (5000, 53)))
    reply = attribute(2, ends(backend, client, 17, (5353, 5000)))
    head = struct.pack("=BBH", 2, 0, 0)
    data = message(head + original + reply + attribute(7, struct.pack("!I", 77)))
    assert connections(data) == [Tracked(17, "192.0.2.1", 5000, "192.168.56.3", 53, "10.32.0.9", 5353, 77)]
    icmp = message(head + attribute(1, ends(client, node, 1, None)) + attribute(2, ends(node, client, 1, None)))
    assert connections(icmp) == [Tracked(1, "192.0.2.1", 0, "192.168.56.3", 0, "192.168.56.3", 0, 0)]
    assert connections(message(head + original)) == [] and connections(message(head + reply)) == []
    assert connections(data)[0].key == (17, "192.0.2.1", 5000, "192.168.56.3", 53)


def test_listening() -> None:
    assert listening(["0200200A:0050", "00000000:1F90", "0100007F:0035"]) == {
        ("10.32.0.2", 80), ("0.0.0.0", 8080), ("127.0.0.1", 53),
    }  # fmt: skip
    every, mapped = "0" * 32 + ":1538", "0000000000000000FFFF00000200200A:0051"
    local = "00000000000000000000000001000000:0016"
    assert listening([every]) == {("0.0.0.0", 5432)}
    assert listening([mapped]) == {("10.32.0.2", 81)} and listening([local]) == set()


def test_what_is_cut_off_is_refused() -> None:
    whole = message(b"12345678")
    assert list(messages(whole + whole)) == [b"12345678", b"12345678"] and list(messages(b"")) == []
    for data in (whole[:-1], whole + whole[:10], struct.pack("=IHHII", 4, 0, 0, 0, 0)):
        with pytest.raises(ValueError, match="ends within a message"):
            list(messages(data))
    with pytest.raises(ValueError, match="does not fit"):
        attributes(struct.pack("=HH", 9, 1) + b"1234")
    with pytest.raises(ValueError, match="does not fit"):
        attributes(struct.pack("=HH", 3, 1))
    assert attributes(attribute(1, b"a") + attribute(0x8002, b"")) == {1: b"a", 2: b""}
    assert mac_of(MAC) == "02:42:0a:20:00:02"
