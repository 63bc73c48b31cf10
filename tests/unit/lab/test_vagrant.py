"""Machines by Vagrant: the same addresses and files as the embedded lab's, and a cluster file that can be read."""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from lab.embedded import plan
from lab.embedded.plan import LabSpec
from lab.errors import EXIT_USAGE, HarnessError
from lab.inventory import load
from lab.vagrant import __main__ as vagrant

VAGRANTFILE = vagrant.HERE / "Vagrantfile"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(vagrant, "STATE", tmp_path / "state")
    monkeypatch.setattr(vagrant, "CLUSTER_FILE", tmp_path / "state" / "cluster.yaml")
    return tmp_path / "state"


def test_the_cluster_file_has_the_labs_nodes_and_power_by_vagrant(state: Path) -> None:
    assert vagrant.main(["seeds", "--nodes", "3", "--overlay", "vxlan"]) == 0
    made, lab = load(state / "cluster.yaml"), plan.inventory(LabSpec())
    assert [(node.name, node.address) for node in made.nodes] == [(node.name, node.address) for node in lab.nodes]
    assert made.overlay.subnets == lab.overlay.subnets and made.kind == "cluster"
    assert made.node("u2").power is not None and made.node("u2").interface == "eth1"
    assert [line.split()[0] for line in (state / "known_hosts").read_text(encoding="utf-8").splitlines()] == [
        str(node.address) for node in made.nodes
    ]


def test_a_box_gets_the_files_of_a_machine_but_its_own(state: Path) -> None:
    vagrant.main(["seeds"])
    with tarfile.open(state / "seed-u1.tar") as packed:
        names = packed.getnames()
    assert {"etc/consul.d/consul.json", "etc/systemd/system/consul.service", "root/.ssh/authorized_keys"} <= set(names)
    assert not {"etc/fstab", "etc/machine-id"} & set(names) and "etc/resolv.conf" in names
    assert "docker.io" in (state / "packages").read_text(encoding="utf-8").split()


def test_a_second_call_keeps_the_keys(state: Path) -> None:
    vagrant.main(["seeds"])
    before = [(state / name).read_bytes() for name in ("runner", "known_hosts")]
    vagrant.main(["seeds"])
    assert [(state / name).read_bytes() for name in ("runner", "known_hosts")] == before


def test_errors_are_one_line(state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert vagrant.main(["seeds", "--nodes", "99"]) == EXIT_USAGE
    assert capsys.readouterr().err.count("\n") == 1
    monkeypatch.setenv("PATH", str(state))
    with pytest.raises(HarnessError, match="no program vagrant; install it"):
        vagrant.vagrant("status")


def test_the_vagrantfile_has_the_first_nodes_address_of_the_lab() -> None:
    text = VAGRANTFILE.read_text(encoding="utf-8")
    assert 'ip: "192.168.56.#{index + 3}"' in text and str(LabSpec().address(0)) == "192.168.56.3"
    assert set(re.findall(r'provider "(\w+)"', text)) == {"virtualbox", "libvirt"}


@pytest.mark.skipif(shutil.which("ruby") is None, reason="no ruby on this machine")
def test_the_vagrantfile_is_ruby() -> None:
    done = subprocess.run(["ruby", "-c", VAGRANTFILE], capture_output=True, encoding="utf-8", check=False)
    assert done.stdout == "Syntax OK\n", done.stderr
