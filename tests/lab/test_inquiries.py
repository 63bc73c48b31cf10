"""`discover`, `check` and a run, one after the other, as somebody does who has never seen the cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from lab.inventory import Inventory, load
from lab.overlays import adapter
from tests.lab.conftest import Place, Result

NODES = {"u1": "192.168.56.3", "u2": "192.168.56.4"}


def inside(place: Place) -> list[str]:
    """The way into the network from which the nodes are reached."""
    return ["nsenter", f"--net=/proc/{place.facts('lab')['manager']}/ns/net"]


def lab(place: Place, *words: str) -> Result:
    """`python -m lab` from the machine on the cluster's network."""
    return place._run([*inside(place), *place.pytest_words()[:1], "-m", "lab", *words], 120)


def known(place: Place, tmp_path: Path) -> list[str]:
    """Options of `discover` with the key and the host keys that the operator gave."""
    return [
        "--key",
        str(place.run / "lab" / "keys" / "runner"),
        "--known-hosts",
        str(place.run / "lab" / "known_hosts"),
    ]


@pytest.fixture(scope="module")
def found(kept: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cluster file that `discover` writes from one node's address."""
    file = tmp_path_factory.mktemp("found") / "cluster.yaml"
    done = lab(kept, "discover", *known(kept, file.parent), "--out", str(file), f"root@{NODES['u1']}")
    assert done.returncode == 0, done.stdout + done.stderr
    return file


def test_one_node_leads_to_the_whole_cluster(kept: Place, found: Path) -> None:
    made, own = load(found), load(kept.run / "lab" / "inventory.yaml")
    assert [(node.name, node.address, node.interface) for node in made.nodes] == [
        (node.name, node.address, node.interface) for node in own.nodes
    ]
    assert made.underlay == own.underlay and made.consul == own.consul
    assert [node.consul_server for node in made.nodes] == [node.consul_server for node in own.nodes]
    assert [node.commands for node in made.nodes] == [node.commands for node in own.nodes]
    assert made.overlay.name == "vxlan" and made.overlay.subnets == own.overlay.subnets
    assert networks_of(made) == networks_of(own) and not made.overlay.options


def networks_of(inventory: Inventory) -> list[str | None]:
    return [adapter(inventory).network_of(subnet) for subnet in inventory.overlay.subnets]


def test_what_was_found_is_ready_for_a_run(kept: Place, found: Path) -> None:
    before = listed(kept)
    for more in ([], ["--start-container"]):
        done = lab(kept, "check", "--cluster", str(found), *more)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.startswith("cluster: 2 nodes, overlay vxlan: nothing keeps a run from beginning ("), (
            done.stdout
        )
    assert listed(kept) == before


def listed(place: Place) -> list[str]:
    """Containers of all nodes, whether they run or not."""
    return [
        place.lab("exec", node, "--", "docker", "ps", "--all", "--quiet", "--no-trunc").stdout for node in sorted(NODES)
    ]


@pytest.mark.nightly
def test_a_run_on_what_was_found_proves_what_the_lab_does(kept: Place, found: Path) -> None:
    suites = ("suites/no_nat/test_addresses.py", "suites/control_plane/test_peers.py")
    verdicts = []
    for words, prefix in ((("--lab", "lab"), []), (("--cluster", str(found)), inside(kept))):
        done = kept.pytest(*suites, *words, "--no-disruptive", prefix=prefix)
        assert done.returncode == 0, done.stdout
        requirements = json.loads((kept.out / "latest" / "verdict.json").read_text())["requirements"]
        verdicts.append({name: entry["status"] for name, entry in requirements.items()})
    assert verdicts[0] == verdicts[1]


def test_nothing_is_overwritten(kept: Place, found: Path) -> None:
    text = found.read_text()
    done = lab(kept, "discover", *known(kept, found.parent), "--out", str(found), NODES["u1"])
    assert (done.returncode, done.stderr.count("\n")) == (4, 1) and "there is such a file" in done.stderr
    assert found.read_text() == text


def test_an_unknown_host_key_is_not_trusted(kept: Place, tmp_path: Path) -> None:
    (tmp_path / "nobody").touch()
    key = kept.run / "lab" / "keys" / "runner"
    done = lab(kept, "discover", "--key", str(key), "--known-hosts", str(tmp_path / "nobody"), NODES["u1"])
    assert done.returncode == 3 and "no host key for it in" in done.stderr and "ssh-keyscan" in done.stderr
    assert done.stdout == "" and not (tmp_path / "nobody").read_text()


def spoil(file: Path, to: Path, change: Any) -> Path:
    document = YAML(typ="safe", pure=True).load(file.read_text())
    change(document)
    YAML().dump(document, to)
    return to


def test_every_problem_is_told_at_once(kept: Place, found: Path, tmp_path: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        document["nodes"][0]["interface"] = "ens3"
        document["nodes"].append({"name": "u9", "address": "192.168.56.99"})
        document["overlay"]["subnets"]["c"] = "10.99.0.0/24"
        document["overlay"]["subnets"]["b"] = "10.32.2.0/24"
        document["consul"] |= {"datacenter": "ham", "dns_port": 5353}

    done = lab(kept, "check", "--cluster", str(spoil(found, tmp_path / "cluster.yaml", change)))
    assert done.returncode == 3 and "Traceback" not in done.stdout + done.stderr
    for said in (
        "problem: node u1: has no interface ens3; write `interface: eth0`",
        "problem: node u9: ssh root@192.168.56.99:22: unreachable",
        "problem: node u1: Consul: its datacenter is dc1, and the file's consul.datacenter is ham; correct the file",
        "problem: node u2: Consul: its datacenter is dc1, and the file's consul.datacenter is ham; correct the file",
        "problem: node u1: DNS at 192.168.56.3:5353, asked on the node for consul.service.consul: no answer",
        "problem: node u1: Docker has no network flatnet-c (subnet c); make it, or write the name that it has",
        "problem: node u2: network flatnet-b: its subnet is 10.32.1.0/24, and the file's overlay.subnets.b is 10",
    ):
        assert said in done.stdout, done.stdout


def test_a_run_says_the_same_as_check(kept: Place, found: Path, tmp_path: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        document["overlay"]["networks"] = {"a": "nothing"}

    file = spoil(found, tmp_path / "cluster.yaml", change)
    checked = lab(kept, "check", "--cluster", str(file))
    done = kept.pytest("suites/no_nat", "--cluster", str(file), prefix=inside(kept))
    problems = [line.removeprefix("problem: ") for line in checked.stdout.splitlines() if line.startswith("problem: ")]
    assert (checked.returncode, done.returncode) == (3, 3) and len(problems) == 2
    assert f"the cluster cannot be tested: {'; '.join(problems)}" in done.stdout + done.stderr
