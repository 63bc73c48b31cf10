"""What a machine has to have for a lab: the table of programs, and file systems that a mount would load."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.embedded.preflight import PROGRAMS, can_mount, needed_programs


def test_a_lab_needs_its_own_programs_only() -> None:
    table = "# a comment\n\ndocker lab docker-cli docker.io\nfping more fping\n"
    assert needed_programs(table) == {"docker": "docker-cli or docker.io"}


@pytest.mark.parametrize("line", ["docker lab", "docker", "docker often docker.io"])
def test_a_line_that_is_not_understood_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match="is not `program need packages`"):
        needed_programs(f"dockerd lab docker.io\n{line}\n")


def test_the_table_names_what_a_lab_runs() -> None:
    assert {"dockerd", "docker", "sshd", "ip", "busybox"} <= set(PROGRAMS)


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """/proc/filesystems of a kernel that was just booted."""
    place = tmp_path / "filesystems"
    place.write_text("nodev\tproc\nnodev\ttmpfs\n\text4\n")
    return place


def test_a_file_system_whose_module_was_not_loaded_yet_can_be_mounted(known: Path, tmp_path: Path) -> None:
    folder = tmp_path / "modules" / os.uname().release
    folder.mkdir(parents=True)
    (folder / "modules.dep").write_text("kernel/fs/fuse/fuse.ko:\nkernel/fs/overlayfs/overlay.ko.xz:\n")
    assert can_mount("overlay", known=known, modules=tmp_path / "modules")
    assert not can_mount("lay", known=known, modules=tmp_path / "modules")


def test_a_file_system_that_the_kernel_lacks_cannot_be_mounted(known: Path, tmp_path: Path) -> None:
    assert not can_mount("overlay", known=known, modules=tmp_path)
    assert can_mount("tmpfs", known=known, modules=tmp_path)
