"""Docker's driver macvlan, which nobody calls an overlay, by the adapter docker: what holds on it, and what cannot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from lab.embedded import lifecycle as embedded
from lab.inventory import dump

from .conftest import ROOT, lab_command

pytestmark = pytest.mark.nightly
NODES = ("u1", "u2")
WEB = IPv4Network("10.40.0.0/24")
NETWORK = "warehouse_web"
MAKE = "docker network create -d macvlan -o parent=eth0 --subnet {web} --ip-range {part} --gateway {gateway} {network}"


@dataclass(frozen=True)
class Warehouse:
    """A lab whose containers are in a macvlan network on the nodes' NICs, and its cluster file."""

    run_dir: Path
    file: Path

    def on(self, node: str, command: str) -> int:
        return lab_command("exec", "--lab", "macvlan", node, "--", "sh", "-c", command, run_dir=self.run_dir).returncode

    def write(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FLATNET_RUN", str(self.run_dir))
            made = embedded.attach("macvlan").inventory
        options: dict[str, str | int | bool] = {"driver": "macvlan", "mtu": 1500}
        overlay = {"name": "docker", "range": None, "subnets": {"web": WEB}, "networks": {"web": NETWORK}}
        declared = made.overlay.model_copy(update={**overlay, "options": options})
        self.file.write_text(dump(made.model_copy(update={"overlay": declared, "consul": None, "dns": ("docker",)})))

    def judged(self, out: Path, *suites: str) -> dict[str, Any]:
        """{requirement: what a run says of it}"""
        chosen = [*suites, "--cluster", str(self.file), "--no-disruptive", "--out", str(out)]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *chosen],
            cwd=ROOT,
            env={**os.environ, "FLATNET_RUN": str(self.run_dir)},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 1, done.stdout + done.stderr
        requirements: dict[str, Any] = json.loads((out / "latest" / "verdict.json").read_text())["requirements"]
        return requirements


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """Two nodes; skipped where the kernel has no macvlan."""
    run_dir = tmp_path_factory.mktemp("run")
    made = Warehouse(run_dir, run_dir / "cluster.yaml")
    up = lab_command("up", "--lab", "macvlan", "--nodes", str(len(NODES)), "--no-nomad", run_dir=run_dir)
    assert up.returncode == 0, up.stdout + up.stderr
    try:
        if made.on("u1", "ip link add link eth0 name mv0 type macvlan && ip link delete mv0"):
            pytest.skip("the kernel has no macvlan")
        for node, part in zip(NODES, list(WEB.subnets(new_prefix=26))[1:], strict=False):
            assert made.on(node, MAKE.format(web=WEB, part=part, gateway=WEB[1], network=NETWORK)) == 0
        yield made
    finally:
        lab_command("down", "--lab", "macvlan", run_dir=run_dir)


def test_containers_and_names_are_sound_and_nodes_are_outside(warehouse: Warehouse, tmp_path: Path) -> None:
    warehouse.write()
    judged = warehouse.judged(
        tmp_path, "suites/no_nat/test_reachability.py", "suites/dns/test_docker_names.py", "suites/expose/test_nodes.py"
    )
    statuses = {name: entry["status"] for name, entry in judged.items() if entry["status"] != "not-applicable"}
    assert {name for name, status in statuses.items() if status == "fail"} == {"HOST-2", "HOST-4"}
    proved = {"NET-1", "DNS-1", "DNS-2", "DNS-5", "DNS-6", "DNS-7", "DNS-8", "DNS-10"}
    assert {statuses[name] for name in proved} == {"pass"}, statuses
    assert "Network is unreachable" in judged["HOST-2"]["reason"]
