"""Which control group trees a lab joins, by the mounts of the machines that there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.embedded.cgroups import Hierarchy, hierarchies

V2 = """\
proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0
cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec,relatime,nsdelegate,memory_recursiveprot 0 0
tmpfs /run tmpfs rw,nosuid,nodev,size=1G,mode=755 0 0
"""
V1 = """\
tmpfs /sys/fs/cgroup tmpfs ro,nosuid,nodev,noexec,mode=755 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,nosuid,nodev,noexec,relatime,xattr,release_agent=/lib/x,name=systemd 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,nodev,noexec,relatime,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,nosuid,nodev,noexec,relatime,memory 0 0
cgroup /sys/fs/cgroup/devices cgroup rw,nosuid,nodev,noexec,relatime,devices 0 0
"""
HYBRID = V1 + "cgroup2 /sys/fs/cgroup/unified cgroup2 rw,nosuid,nodev,noexec,relatime 0 0\n"
V1_TREES = (
    Hierarchy(Path("/sys/fs/cgroup/systemd"), "name=systemd"),
    Hierarchy(Path("/sys/fs/cgroup/cpu,cpuacct"), "cpu,cpuacct"),
    Hierarchy(Path("/sys/fs/cgroup/memory"), "memory"),
    Hierarchy(Path("/sys/fs/cgroup/devices"), "devices"),
)


@pytest.mark.parametrize(
    ("mounts", "trees"),
    [
        (V2, (Hierarchy(Path("/sys/fs/cgroup"), ""),)),
        (V1, V1_TREES),
        (HYBRID, V1_TREES),
        (V2 + "cgroup2 /run/other/cgroup cgroup2 rw 0 0\n", (Hierarchy(Path("/sys/fs/cgroup"), ""),)),
        ("tmpfs /run tmpfs rw 0 0\n", ()),
        ("", ()),
    ],
    ids=["v2", "v1", "hybrid", "v2 mounted twice", "none", "no mounts"],
)
def test_the_trees_of(mounts: str, trees: tuple[Hierarchy, ...]) -> None:
    assert hierarchies(mounts) == trees


def test_only_the_second_version_is_unified() -> None:
    assert [tree.unified for tree in hierarchies(V2)] == [True]
    assert [tree.unified for tree in hierarchies(HYBRID)] == [False] * 4


def test_this_machine_has_one_kind_of_tree() -> None:
    found = hierarchies()
    assert len({tree.unified for tree in found}) <= 1
    assert all(tree.path.is_dir() for tree in found)
