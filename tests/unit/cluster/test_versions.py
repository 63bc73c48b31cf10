"""What a node runs, from what a shell printed there."""

from __future__ import annotations

import subprocess

import pytest

from fixtures.cluster.versions import COMMAND, engine_settings, read

SHOWN = "kernels Linux 6.1.0-28-amd64\nsystems Debian GNU/Linux 12 (bookworm)\nconsul Consul v1.8.7+dfsg1\n"


def test_versions_are_told_by_kind_and_node() -> None:
    assert read({"u1": SHOWN, "u2": "kernels Linux 6.12\nnomad Nomad v1.1.2\n"}) == {
        "kernels": {"u1": "Linux 6.1.0-28-amd64", "u2": "Linux 6.12"},
        "systems": {"u1": "Debian GNU/Linux 12 (bookworm)"},
        "consul": {"u1": "Consul v1.8.7+dfsg1"},
        "nomad": {"u2": "Nomad v1.1.2"},
    }


def test_what_is_not_there_is_left_out() -> None:
    assert read({"u1": "consul \nsomething else\n", "u2": ""}) == {}


def test_the_command_works_in_any_shell() -> None:
    shown = subprocess.run(["sh", "-c", COMMAND], capture_output=True, text=True, check=False)
    found = read({"here": shown.stdout})
    assert found["kernels"]["here"].startswith("Linux ") and found["inits"]["here"]
    assert found["cgroups"]["here"] in ("v1", "v2")


@pytest.mark.parametrize(
    ("info", "told"),
    [
        (
            {
                "Driver": "overlay2",
                "CgroupDriver": "systemd",
                "CgroupVersion": "2",
                "SecurityOptions": ["name=seccomp,profile=default", "name=apparmor"],
            },
            "storage overlay2, control groups by systemd v2, security apparmor seccomp",
        ),
        ({"Driver": "vfs", "CgroupDriver": "cgroupfs"}, "storage vfs, control groups by cgroupfs"),
        ({"SecurityOptions": None}, "says nothing of its settings"),
    ],
)
def test_an_engine_tells_its_settings(info: dict[str, object], told: str) -> None:
    assert engine_settings(info) == told
