"""How many neighbours the kernels under the nodes have room for."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.probes.room import (
    DEFAULT_LIMIT,
    LEAST,
    SPARED,
    USED,
    Kernel,
    Room,
    own_entries,
    own_kernel,
    room,
    under_nodes,
)

HERE = Kernel("one", 1024, 124)


def test_nodes_of_one_kernel_share_its_room() -> None:
    shared = dict.fromkeys(("u1", "u2", "u3"), HERE)
    assert room(shared) == Room(900 * 600 // 1024, 900 * 350 // 1024, 512 - 124)
    assert room({"u1": HERE}) == room(shared)


def test_nodes_with_kernels_of_their_own_have_as_much_room_each_as_the_fullest() -> None:
    own = {"u1": Kernel("one", 1024, 0), "u2": Kernel("two", 1024, 512)}
    assert room(own) == Room(2 * 300, 2 * 175, 2 * LEAST)
    mixed = {"u1": Kernel("one", 2048, 0), "u2": Kernel("one", 2048, 0), "u3": Kernel("two", 4096, 0)}
    assert room(mixed) == Room(3 * 600, 3 * 350, 3 * 512)


def test_a_limit_that_nobody_reads_is_the_kernels_usual_one() -> None:
    assert DEFAULT_LIMIT == 1024
    assert room({"u1": Kernel("")}) == Room(600, 350, 512) == room({})
    assert room({"u1": Kernel("", 8192, None)}) == Room(8 * 600, 8 * 350, 4096)


@pytest.mark.parametrize("entries", [1024, 2000, 1000])
def test_a_full_table_has_a_little_room(entries: int) -> None:
    assert Kernel("one", 1024, entries).free == LEAST
    assert room({"u1": Kernel("one", 1024, entries)}) == Room(LEAST * USED // 1024, LEAST * SPARED // 1024, LEAST)


def test_the_runners_own_kernel_is_known_better() -> None:
    nodes = {"u1": Kernel("one"), "u2": Kernel("two", 512)}
    assert under_nodes(nodes, HERE) == {"u1": HERE, "u2": Kernel("two", 512)}


def test_entries_are_counted_over_all_namespaces(tmp_path: Path) -> None:
    table = tmp_path / "arp_cache"
    assert own_entries(table) is None
    table.write_text("entries  allocs\n0000001f 000\n0000001f 001\n")
    assert own_entries(table) == 31
    table.write_text("entries\n")
    assert own_entries(table) is None
    table.write_text("entries\nmany\n")
    assert own_entries(table) is None


def test_this_machines_kernel_can_be_read() -> None:
    kernel = own_kernel()
    assert kernel.boot == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert kernel.free >= LEAST
