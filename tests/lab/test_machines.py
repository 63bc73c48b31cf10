"""Labs whose nodes are QEMU machines: what a person sees of one, power, and that a killed run leaves nothing of it.

Without KVM a machine takes half a minute to boot on a machine that does nothing else, and minutes on one that is busy.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.embedded.vm.qemu import DISK_PROGRAM, PROGRAM
from lab.errors import EXIT_UNUSABLE
from tests.lab.conftest import Place
from tests.lab.traces import cgroups, descendants, end_started, holders, machine, namespaces, wait_ended, wait_gone

pytestmark = pytest.mark.nightly
BOOT_S = 900.0
QEMU = PROGRAM


@pytest.fixture(scope="module")
def vms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A place with a lab of two nodes, of which u2 is a virtual machine."""
    made = Place(tmp_path_factory.mktemp("vms"))
    try:
        up = made.lab("up", "--nodes", "2", "--machines", "u2=vm", "--no-nomad", timeout=BOOT_S)
        assert up.returncode == 0, up.stdout + up.stderr
        yield made
    finally:
        made.lab("down")


def on(place: Place, node: str, command: str) -> str:
    done = place.lab("exec", node, "--", "sh", "-c", command)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_machine_has_a_kernel_an_init_and_an_engine_of_its_own(vms: Place) -> None:
    assert on(vms, "u2", "cat /proc/1/comm") == "systemd"
    assert "cloud" in on(vms, "u2", "uname -r") and on(vms, "u2", "uname -r") != os.uname().release
    assert on(vms, "u2", "systemctl is-active docker.service consul.service ssh.service").split() == ["active"] * 3
    assert on(vms, "u2", "test -e /sys/fs/cgroup/cgroup.controllers && echo v2") == "v2"
    assert on(vms, "u2", "systemctl --failed --no-legend") == ""
    assert "u2 (machine, " in vms.lab("list").stdout


def test_a_machine_has_no_way_out_of_the_lab(vms: Place) -> None:
    assert on(vms, "u2", "ip -4 route show default") == ""
    assert "eth0" in on(vms, "u2", "ls /sys/class/net").split()


def test_a_machine_keeps_its_disk_when_its_power_is_cut(vms: Place) -> None:
    on(vms, "u2", "echo kept >/var/lib/mine && sync")
    before = vms.facts("lab")["nodes"]["u2"]
    assert vms.lab("power-off", "u2").returncode == 0
    assert wait_gone({before: QEMU}) == {}
    done = vms.lab("power-on", "u2", timeout=BOOT_S)
    assert done.returncode == 0, done.stderr
    assert on(vms, "u2", "cat /var/lib/mine") == "kept"


def test_packets_pass_between_a_machine_and_a_node_in_namespaces(vms: Place) -> None:
    done = vms.pytest("suites/no_nat", "--lab", "lab", "-q", timeout=BOOT_S)
    assert done.returncode == 0, done.stdout[-4000:]
    cluster = json.loads((vms.out / "latest" / "verdict.json").read_text(encoding="utf-8"))["cluster"]
    assert cluster["inits"]["u2"] == "systemd" and cluster["cgroups"]["u2"] == "v2"
    assert "control groups by systemd" in cluster["engines"]["u2"]
    assert cluster["kernels"]["u1"] != cluster["kernels"]["u2"]


def test_a_killed_run_leaves_no_machine_no_port_and_no_file(place: Place) -> None:
    before, known = machine(), descendants()
    running = place.start("suites/no_nat/test_addresses.py", "-v", "--nodes", "2", "--machines", "u2=vm")
    running.wait_begun(within_s=BOOT_S)
    pids = {pid: words for pid, words in descendants().items() if pid not in known}
    assert sum(words.startswith(QEMU) for words in pids.values()) == 1
    inside = holders(namespaces(pids))
    os.kill(running.process.pid, signal.SIGKILL)
    running.wait()
    assert wait_gone(pids) == {} and wait_ended(inside) == {}
    assert [*place.left(), *cgroups(running.lab)] == []
    assert before.difference(machine()) == []
    end_started()


def test_without_qemu_a_lab_of_machines_is_refused_in_one_line(place: Place, tmp_path: Path) -> None:
    bare = tmp_path / "bin"
    bare.mkdir()
    for folder in os.environ["PATH"].split(":"):
        for program in Path(folder).iterdir() if Path(folder).is_dir() else ():
            if program.name not in (QEMU, DISK_PROGRAM) and not (bare / program.name).exists():
                (bare / program.name).symlink_to(program)
    done = place.lab("up", "--machines", "vm", PATH=str(bare))
    assert done.returncode == EXIT_UNUSABLE and done.stderr.count("\n") == 1, done.stderr
    assert f"program {QEMU} (install qemu-system-x86)" in done.stderr
    assert f"program {DISK_PROGRAM} (install qemu-utils)" in done.stderr
