"""What is near a limit is told with node, figures and consequence; what cannot be read does not pass."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.control_plane.limit_judging import (
    BEYOND,
    CONNECTIONS,
    NEAR,
    NEIGHBOURS,
    Kernel,
    Limits,
    Usage,
    read_limits,
)

OWN = "/proc/self/ns/net"
ELSEWHERE = Kernel("another boot", ((None, None), (None, None)))


def namespace(path: str = OWN, **changes: Any) -> dict[str, Any]:
    return {"path": path, "connections": [10, 1000], "neighbours": [5, 6], "fdbs": [], **changes}


def answer(*namespaces: dict[str, Any], **changes: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "boot": "b",
        "neighbours": [1024, 1024],
        "files": [1237, 0, 100_000],
        "engines": [["dockerd", 7, 50, 1024]],
    }
    return {**usual, "namespaces": list(namespaces) or [namespace()], **changes}


def test_a_healthy_node_is_near_nothing() -> None:
    limits = read_limits({"u1": answer()}, ELSEWHERE)
    assert not limits.near and not limits.unreadable
    assert list(map(str, limits.usages)) == [
        "node u1: connection table (conntrack): 10 of 1,000, 1 %",
        "node u1: open files of the whole system: 1,237 of 100,000, 1.24 %",
        "node u1: open files of dockerd (pid 7): 50 of 1,024, 4.88 %",
        "node u1: neighbour table of IPv4: 5 of 1,024, 0.488 %",
        "node u1: neighbour table of IPv6: 6 of 1,024, 0.586 %",
    ]


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (
            answer(namespace(connections=[750, 1000])),
            "node u1: connection table (conntrack): 750 of 1,000, 75 %; beyond it the kernel drops packets of new "
            "connections",
        ),
        (
            answer(namespace(), namespace("/proc/9/ns/net", connections=[999, 1000])),
            "node u1: connection table (conntrack) of the network namespace /proc/9/ns/net: 999 of 1,000, 99.9 %; "
            "beyond it the kernel drops packets of new connections",
        ),
        (
            answer(namespace(neighbours=[700, 0]), namespace("/proc/9/ns/net", neighbours=[100, 0])),
            "node u1: neighbour table of IPv4: 800 of 1,024, 78.1 %; beyond net.ipv4.neigh.default.gc_thresh3 "
            "nothing is sent to a new neighbour",
        ),
        (
            answer(namespace(neighbours=[0, 1024])),
            "node u1: neighbour table of IPv6: 1,024 of 1,024, 100 %; beyond net.ipv6.neigh.default.gc_thresh3 "
            "nothing is sent to a new neighbour",
        ),
        (
            answer(namespace(fdbs=[["vx-a", 1, 1]])),
            "node u1: FDB of vx-a: 1 of 1, 100 %; beyond it no address is learned, and what is for it is flooded or "
            "lost",
        ),
        (
            answer(namespace("/run/x", fdbs=[["vxlan0", 3, 4]], connections=[])),
            "node u1: FDB of vxlan0 in /run/x: 3 of 4, 75 %; beyond it no address is learned, and what is for it is "
            "flooded or lost",
        ),
        (
            answer(files=[90_000, 10_000, 100_000]),
            "node u1: open files of the whole system: 80,000 of 100,000, 80 %; beyond it nothing can be opened, no "
            "connection either",
        ),
        (
            answer(engines=[["dockerd", 7, 50, 1024], ["containerd", 8, 1000, 1024]]),
            "node u1: open files of containerd (pid 8): 1,000 of 1,024, 97.7 %; beyond it nothing can be opened, no "
            "connection either",
        ),
    ],
    ids=[
        "conntrack",
        "of a container",
        "neighbours of all namespaces",
        "IPv6",
        "FDB",
        "FDB in a namespace",
        "files",
        "engine",
    ],
)
def test_what_is_near_its_limit_is_told(found: dict[str, Any], line: str) -> None:
    assert read_limits({"u1": found}, ELSEWHERE).near == [line]


def test_just_below_is_not_near_and_the_nearest_comes_first() -> None:
    assert not Usage("u1", CONNECTIONS, "", 749, 1000).near
    full, near = Usage("u1", "FDB", "vx-a", 8, 8), Usage("u2", CONNECTIONS, "", int(NEAR * 1000), 1000)
    assert [line.partition(";")[0] for line in Limits((near, full), ()).near] == [str(full), str(near)]


def test_no_limit_is_not_a_limit() -> None:
    limits = read_limits({"u1": answer(namespace(connections=[9, 0], fdbs=[["fn-a", 9, 0]]))}, ELSEWHERE)
    assert not limits.near and not limits.unreadable
    assert not any(usage.what in (CONNECTIONS, "FDB") for usage in limits.usages)


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (answer(namespace(connections=[None, 9])), "node u1: connection table (conntrack) cannot be read"),
        (answer(namespace(connections=[9, None])), "node u1: connection table (conntrack) cannot be read"),
        (answer(files=None), "node u1: open files of the whole system cannot be read"),
        (answer(files=[1]), "node u1: open files of the whole system cannot be read"),
        (answer(engines=[["dockerd", 7, None, 9]]), "node u1: open files of dockerd (pid 7) cannot be read"),
        (answer(engines=[["dockerd", 7, 9, None]]), "node u1: open files of dockerd (pid 7) cannot be read"),
        (answer(engines=[]), "node u1: no process of the container engine was found, whose open files count"),
        (answer(neighbours=[None, 9]), "node u1: neighbour table of IPv4: its limit cannot be read"),
        (answer(neighbours=[9000, None]), "node u1: neighbour table of IPv6: its limit cannot be read"),
        (answer(neighbours=[None, 9000], boot=""), "node u1: neighbour table of IPv4: its limit cannot be read"),
    ],
    ids=[
        "count",
        "limit",
        "files",
        "half of files",
        "engine",
        "engine's limit",
        "no engine",
        "IPv4",
        "IPv6",
        "no boot id",
    ],
)
def test_what_cannot_be_read_is_said(found: dict[str, Any], line: str) -> None:
    limits = read_limits({"u1": found}, Kernel("", ((1, 2), (1, 2))))
    assert line in limits.unreadable


def test_the_runner_reads_for_nodes_that_have_its_kernel() -> None:
    hidden = answer(neighbours=[None, None])
    here = Kernel("b", ((900, 1024), (3, 1024)))
    limits = read_limits({"u1": hidden, "u2": hidden, "u3": answer(boot="c")}, here)
    assert [line.partition(";")[0] for line in limits.near] == [
        "node u1: neighbour table of IPv4 of its kernel, which u1 and u2 share with this machine: 900 of 1,024, 87.9 %"
    ]
    assert not limits.unreadable
    alone = read_limits({"u1": hidden}, here)
    assert "of its kernel, this machine's: 900 of" in alone.near[0]


@pytest.mark.parametrize("unknown", [(None, 1024), (900, None)])
def test_what_the_runner_cannot_read_either_is_said_once(unknown: tuple[int | None, int | None]) -> None:
    hidden = answer(neighbours=[None, 1024])
    limits = read_limits({"u1": hidden, "u2": hidden}, Kernel("b", (unknown, (3, 1024))))
    assert limits.unreadable == ("node u1: neighbour table of IPv4: neither the node nor the runner can read it",)


def test_every_limit_has_a_consequence() -> None:
    found = answer(
        namespace(connections=[1, 1], neighbours=[9, 9], fdbs=[["x", 1, 1]]), neighbours=[9, 9], files=[9, 0, 9]
    )
    assert {usage.what for usage in read_limits({"u1": found}, ELSEWHERE).usages if usage.near} == set(BEYOND)
    assert set(NEIGHBOURS) < set(BEYOND)


def test_a_limit_that_systemd_has_taken_away_is_read() -> None:
    """It sets fs.file-max to the largest number that the kernel knows (systemd, PROC_SYS_FS_FILE_MAX)."""
    limits = read_limits({"u1": answer(files=[1237, 0, 9223372036854775807])}, ELSEWHERE)
    assert not limits.near and not limits.unreadable
