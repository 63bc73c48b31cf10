"""A lab comes up complete, changes nothing else on the machine, and ends with its supervisor."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.programs import search_path
from tests.lab.conftest import ROOT, Place
from tests.lab.traces import (
    STARTED,
    cgroups,
    descendants,
    holders,
    machine,
    namespaces,
    wait_ended,
    wait_gone,
    wait_until,
)

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What was recorded before, during and after the life of one lab."""
    place = Place(tmp_path_factory.mktemp("life"))
    before, others = machine(), descendants()
    up = place.lab("up", "--lab", "life")
    try:
        during = machine()
        hosts = {
            node: place.lab("exec", "--lab", "life", node, "--", "sh", "-c", _LOOK).stdout
            for node in ("u1", "u2", "u3")
        }
        listed = place.lab("list").stdout
        inventory = place.lab("inventory", "--lab", "life").stdout
        again = place.lab("up", "--lab", "life")
        pids = {pid: name for pid, name in descendants().items() if pid not in others}
        inside = holders(namespaces(pids))
    finally:
        down = place.lab("down", "--lab", "life")
    return {
        "up": up, "before": before, "during": during, "after": machine(), "hosts": hosts, "listed": listed,
        "inventory": inventory, "again": again, "pids": pids, "inside": inside, "down": down, "place": place,
    }  # fmt: skip


_LOOK = (
    "hostname; cat /etc/machine-id; cat /etc/resolv.conf; readlink /proc/1/exe; ip -brief -4 address;"
    "ip route; stat -f -c %T /var/lib/docker; docker info -f '{{.Name}} {{.Driver}}'; ip route get 198.51.100.1 2>&1"
)


def test_up_says_each_step_with_its_time(life: dict[str, Any]) -> None:
    up = life["up"]
    assert up.returncode == 0, up.stdout + up.stderr
    steps = [line for line in up.stdout.splitlines() if re.match(r"\s+\d+\.\d\d s  ", line)]
    assert len(steps) >= 5 and "lab is up" in steps[-1], up.stdout


def test_every_node_is_a_host_of_its_own(life: dict[str, Any]) -> None:
    hosts = life["hosts"]
    for index, (name, text) in enumerate(hosts.items()):
        lines = text.splitlines()
        assert lines[0] == name
        assert f"nameserver 192.168.56.{3 + index}" in text
        assert "tini" in text
        assert f"192.168.56.{3 + index}/24" in text
        assert "tmpfs" in lines
        assert f"{name} overlay2" in text
    assert len({text.splitlines()[1] for text in hosts.values()}) == 3, "machine ids differ"


def test_nodes_have_no_way_out(life: dict[str, Any]) -> None:
    for text in life["hosts"].values():
        assert "default" not in text
        assert "unreachable" in text.splitlines()[-1]


def test_the_machine_is_the_same_before_during_and_after(life: dict[str, Any]) -> None:
    assert life["before"].difference(life["during"]) == []
    assert life["before"].difference(life["after"]) == []


def test_list_and_inventory_name_the_lab(life: dict[str, Any]) -> None:
    assert "life: vxlan 10.32.0.0/16, nodes u1, u2, u3" in life["listed"]
    assert "address: 192.168.56.3" in life["inventory"]


def test_a_taken_name_is_one_line_and_exit_code_3(life: dict[str, Any]) -> None:
    again = life["again"]
    assert again.returncode == 3
    assert again.stderr.count("\n") == 1 and "'life' is taken" in again.stderr, again.stderr


def test_down_leaves_nothing(life: dict[str, Any]) -> None:
    assert life["down"].returncode == 0, life["down"].stderr
    assert len(life["pids"]) > 10, "the look at the running lab found its processes"
    assert wait_gone(life["pids"]) == {}
    assert life["inside"] and wait_ended(life["inside"]) == {}
    assert cgroups("life") == []
    assert life["place"].left() == []


@pytest.mark.parametrize("victim", ["supervisor", "launcher"])
def test_killing_any_of_its_roots_ends_the_lab(lab: Command, run_dir: Path, victim: str) -> None:
    before, others = machine(), descendants()
    assert lab("up", "--lab", "crash", "--nodes", "2", "--no-nomad").returncode == 0
    state = run_dir / "crash"
    supervisor = json.loads((state / "state.json").read_text())["supervisor"]
    status = Path(f"/proc/{supervisor}/status").read_text()
    launcher = int(re.search(r"^PPid:\s+(\d+)", status, re.M).group(1))  # type: ignore[union-attr]
    pids = {pid: name for pid, name in descendants().items() if pid not in others}
    assert {supervisor, launcher} <= set(pids)
    inside = holders(namespaces(pids))
    os.kill({"supervisor": supervisor, "launcher": launcher}[victim], signal.SIGKILL)
    assert wait_gone(pids) == {}
    assert inside and wait_ended(inside) == {}
    assert before.difference(machine()) == []
    up = lab("up", "--lab", "crash", "--nodes", "1", "--no-nomad")
    assert up.returncode == 0, up.stdout + up.stderr
    lab("down", "--lab", "crash")
    assert cgroups("crash") == []


def test_only_whole_labs_stay(place: Place) -> None:
    others = descendants()
    words = [sys.executable, "-m", "lab", "up", "--lab", "half", "--nodes", "1", "--no-nomad"]
    with subprocess.Popen(words, cwd=ROOT, env=place.environment, stdout=subprocess.PIPE, text=True) as starting:
        STARTED.append(starting)
        assert starting.stdout is not None
        assert "switch and manager" in starting.stdout.readline()
        pids = {pid: name for pid, name in descendants().items() if pid not in {*others, starting.pid}}
        inside = holders(namespaces(pids))
        assert starting.poll() is None and len(pids) > 3
        starting.kill()
    assert wait_gone(pids) == {}
    assert wait_ended(inside) == {}
    assert wait_until(lambda: [*place.left(), *cgroups("half")], lambda left: not left) == []


def test_a_lab_ends_with_the_process_that_owns_it(place: Place) -> None:
    program = (
        "import sys, signal; from lab.embedded import lifecycle as embedded; from lab.embedded.plan import LabSpec;"
        "embedded.up(LabSpec(name='owned', nodes=1), stay=False); print('up', flush=True); signal.pause()"
    )
    others = descendants()
    owner = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=place.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    with owner.stdout:
        assert owner.stdout.readline() == "up\n"
        pids = {pid: name for pid, name in descendants().items() if pid not in {*others, owner.pid}}
        assert len(pids) > 4
        owner.kill()
        owner.wait(10)
    assert wait_gone(pids) == {}
    assert wait_until(place.left, lambda left: not left) == []
    assert cgroups("owned") == []


def test_down_of_a_lab_that_is_not_up(lab: Command) -> None:
    done = lab("down", "--lab", "nowhere")
    assert done.returncode == 3
    assert done.stderr == "lab: lab 'nowhere' is not up (up: none); start it with `python -m lab up --lab nowhere`\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["up", "--overlay", "carrier-pigeon"], 4, "--overlay carrier-pigeon: unknown"),
        (["up", "--nodes", "0"], 4, "--nodes 0"),
        (["up", "--lab", "No Good"], 4, "lab name 'No Good'"),
        (["up", "--underlay", "10.32.0.0/16"], 4, "overlaps"),
        (["frobnicate"], 4, "invalid choice"),
        (["exec", "u1", "--", "true"], 3, "is not up"),
    ],
)
def test_bad_input_is_one_line(lab: Command, run_dir: Path, words: list[str], code: int, said: str) -> None:
    done = lab(*words)
    assert done.returncode == code
    assert said in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert not run_dir.exists() or not list(run_dir.iterdir())


def test_a_python_without_the_packages_is_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-m", "lab", "list"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 3
    assert "no package" in done.stderr and "./run" in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr


def test_iproute2_is_given_no_namespace_by_number(place: Place, tmp_path: Path) -> None:
    """Up to 6.11 it passes a number to the kernel, since 6.12 it opens /proc/NUMBER: different processes."""
    real = shutil.which("ip", path=search_path())
    strict = tmp_path / "bin" / "ip"
    strict.parent.mkdir()
    log = tmp_path / "batches"
    strict.write_text(
        "#!/bin/sh\n"
        f'case "$*" in *-batch*) ;; *) exec {real} "$@" ;; esac\n'
        f'batch=$(cat); echo "$batch" >>{log}\n'
        "if echo \"$batch\" | grep -q 'netns [0-9]'; then echo 'a namespace by number' >&2; exit 1; fi\n"
        f'echo "$batch" | exec {real} "$@"\n'
    )
    strict.chmod(0o755)
    first = f"{strict.parent}:{os.environ['PATH']}"
    up = place.lab("up", "--lab", "strict", "--nodes", "2", "--no-nomad", PATH=first)
    assert up.returncode == 0, up.stderr
    assert log.read_text().count(" netns /proc/") == 3, "the manager and two nodes were plugged in by this ip"
    address = place.lab("exec", "--lab", "strict", "u2", "--", "ip", "-brief", "-4", "address", "show", "eth0")
    assert "192.168.56.4/24" in address.stdout, address.stderr


def test_missing_programs_are_listed_at_once(run_dir: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from lab import commands as m; from lab.embedded import preflight, lifecycle as embedded; import sys;"
            "preflight.PROGRAMS.update({'no-such-daemon': 'daemon-package', 'no-such-tool': 'tool-package'});"
            "sys.exit(m.main(['up']))",
        ],
        cwd=ROOT,
        env={**os.environ, "FLATNET_RUN": str(run_dir)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 3
    assert "no-such-daemon (install daemon-package)" in done.stderr
    assert "no-such-tool (install tool-package)" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not run_dir.exists()


def test_a_sweep_of_another_user_leaves_the_groups_of_a_lab_that_lives(
    place: Place, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Labs of other run roots may have the same name. A container's group is empty for a moment when it is made."""
    other = Place(tmp_path_factory.mktemp("other"))
    assert place.lab("up", "--lab", "twin", "--nodes", "1", "--no-nomad").returncode == 0
    try:
        made = [Path(group) / "u1" / "just-made" for group in cgroups("twin")]
        assert made
        for group in made:
            group.mkdir()
        swept = other.lab("sweep")
        assert swept.returncode == 0 and "twin" not in swept.stdout, swept.stdout
        assert [group for group in made if not group.is_dir()] == []
        for group in made:
            group.rmdir()
    finally:
        place.lab("down", "--lab", "twin")
    assert cgroups("twin") == []
