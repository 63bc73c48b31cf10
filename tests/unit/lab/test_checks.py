"""What keeps a run from beginning: each problem on one line with the way out, all of them at once."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import consul
import docker
import pytest
import requests

from lab.access.cluster import ClusterAccess, NodeAccess
from lab.checks import examination, facts
from lab.checks.examination import ERRORS, LONGEST, attempt
from lab.checks.facts import HostFacts
from lab.checks.judging import (
    Engine,
    Finding,
    judge_consul,
    judge_engine,
    judge_host,
    judge_networks,
    judge_nomad,
)
from lab.errors import HarnessError, LabError
from lab.inventory import Inventory, Node
from lab.overlays import adapter

SSH = {"key": "id", "known_hosts": "known"}
NODE = Node.model_validate({"name": "u1", "address": "192.168.56.3", "ssh": SSH})
SOUND = HostFacts(
    uid=0,
    python=(3, 11),
    ip_json=True,
    capabilities=0x1FFFFFFFFFF,
    has_interface=True,
    holder="eth0",
    apparmor_parser=True,
    conntrack=(75, 100),
    neighbours=(75, 100),
    free_kib=64 * 1024,
)
SAID = """\
uid=0
python=3.11
ip=[{"ifindex":1,"ifname":"lo"}]
capabilities=000001ffffffffff
interface=yes
holder=2: eth0    inet 192.168.56.3/24 brd 192.168.56.255 scope global eth0\\       valid_lft forever
parser=yes
conntrack=75 100
neighbours=75 100
disk=overlay         100000 34464     65536      4% /var/lib/docker
end=yes
"""


def texts(findings: list[Finding]) -> list[str]:
    return [("" if finding.hinders else "note: ") + finding.text for finding in findings]


def test_what_the_script_prints_is_read() -> None:
    assert facts.read(SAID) == SOUND
    nothing = HostFacts(None, None, False, 0, False, None, False, None, None, None)
    assert facts.read("end=yes") == nothing
    assert facts.read("uid=\npython=\nip=\ncapabilities=\nholder=\nneighbours=1\ndisk=df: no\nend=yes") == nothing
    assert facts.read("holder=3: eth0.7@eth0    inet 10.0.0.1/24\nend=yes").holder == "eth0.7"


@pytest.mark.parametrize("output", ["", "uid=0\n", SAID.removesuffix("end=yes\n")])
def test_an_answer_that_was_cut_off_is_not_an_answer(output: str) -> None:
    with pytest.raises(ValueError, match="cut off"):
        facts.read(output)


def test_the_script_asks_for_what_the_file_names() -> None:
    assert "df" not in facts.script(NODE, None) and "df -Pk '/data/dock er'" in facts.script(NODE, "/data/dock er")
    assert "show to 192.168.56.3/32" in facts.script(NODE, None) and "/sys/class/net/eth0 " in facts.script(NODE, None)


def test_a_sound_node_has_no_problem() -> None:
    assert judge_host(NODE, SOUND) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"uid": 1000},
            "node u1: commands do not run as root there (user number 1000); use root, or `become: sudo` or",
        ),
        ({"uid": None}, "node u1: commands do not run as root there (user number not known); use root"),
        ({"python": (3, 5)}, "node u1: has no Python 3.6 or newer as python3 (3.5); install it, or write the"),
        ({"python": None}, "node u1: has no Python 3.6 or newer as python3 (none); install it"),
        ({"capabilities": 0x1FFFFFFFFFF & ~(1 << 12)}, "node u1: root lacks CAP_NET_ADMIN there, which sockets inside"),
        ({"capabilities": 1 << 12 | 1 << 13 | 1 << 19}, "node u1: root lacks CAP_SYS_ADMIN there"),
        ({"holder": None}, "node u1: none of its interfaces has 192.168.56.3; write its address on the underlay"),
        ({"has_interface": False, "holder": "ens3"}, "node u1: has no interface eth0; write `interface: ens3`"),
        ({"holder": "ens3"}, "note: node u1: 192.168.56.3 is on ens3, and captures are made on eth0; write"),
        ({"free_kib": 64 * 1024 - 1}, "node u1: 63 MiB are free where the engine keeps images; make room for 64 MiB"),
        (
            {"conntrack": (76, 100)},
            "note: node u1: the connection table (conntrack) holds 76 of 100 entries; a run may",
        ),
        ({"neighbours": (76, 100)}, "note: node u1: the neighbour table holds 76 of 100 entries; a run may find it"),
    ],
)
def test_what_a_node_lacks_is_named(change: dict[str, Any], said: str) -> None:
    (found,) = texts(judge_host(NODE, replace(SOUND, **change)))
    assert found.startswith(said) and "\n" not in found


def test_without_ip_nothing_is_said_of_interfaces() -> None:
    without = replace(SOUND, ip_json=False, holder=None, has_interface=False, neighbours=None, conntrack=None)
    assert texts(judge_host(NODE, without)) == ["node u1: has no `ip` with -json; install iproute2, 4.13 or newer"]


def test_python_of_an_image_is_enough() -> None:
    assert judge_host(NODE.model_copy(update={"agent_image": "python:3"}), replace(SOUND, python=None)) == []


def test_apparmor_needs_its_parser() -> None:
    info, version = {"SecurityOptions": ["name=apparmor", "name=seccomp"]}, {"ApiVersion": "1.25"}
    (found,) = judge_engine(NODE, info, version, replace(SOUND, apparmor_parser=False))
    assert found.text.endswith("apparmor_parser is not on the node, so no container starts; install apparmor")
    assert judge_engine(NODE, info, version, SOUND) == []
    assert judge_engine(NODE, {}, version, replace(SOUND, apparmor_parser=False)) == []
    assert judge_engine(NODE, info, version, None) == [], "where the node was not asked, nothing is said"
    assert judge_engine(NODE, info, version, replace(SOUND, apparmor_parser=False, uid=1000)) == []


def test_an_engine_that_is_too_old_or_of_another_kind() -> None:
    (old,) = judge_engine(NODE, {}, {"ApiVersion": "1.24"}, SOUND)
    assert old.text == "node u1: Docker: speaks API 1.24; upgrade it to 1.25 (Docker 1.13) or newer"
    (other,) = judge_engine(NODE, {"OSType": "windows"}, {"ApiVersion": "1.41"}, SOUND)
    assert other.text == "node u1: Docker: runs windows containers; use a node with Linux containers"


def inventory(**options: Any) -> Inventory:
    overlay = {"name": "docker", "subnets": {"web": "10.0.1.0/24"}, "networks": {"web": "office"}, "options": options}
    nodes = [{"name": f"u{i}", "address": f"192.168.56.{i}", "ssh": SSH} for i in (1, 2)]
    return Inventory.model_validate({"name": "office", "nodes": nodes, "overlay": overlay})


def network(driver: str = "macvlan", scope: str = "local", **more: Any) -> dict[str, Any]:
    pool = {"Subnet": "10.0.1.0/24", **more.pop("pool", {})}
    return {"Driver": driver, "Scope": scope, "IPAM": {"Driver": "default", "Config": [pool]}, **more}


def own(first: int) -> dict[str, Any]:
    """A network whose engine hands out addresses of its own."""
    return network(pool={"IPRange": f"10.0.1.{first}/26", "Gateway": f"10.0.1.{first + 1}"})


WORKER = {"LocalNodeState": "active", "ControlAvailable": False}
MANAGER = {"LocalNodeState": "active", "ControlAvailable": True}
OVERLAY = network("overlay", "swarm", Attachable=True)
ABSENT = "Docker has no network office (subnet web); make it, or write the name that it has in `overlay.networks.web`"


@pytest.mark.parametrize(
    ("engines", "options", "said"),
    [
        ({"u1": (own(0), {}), "u2": (own(64), {})}, {"driver": "macvlan", "expose": "bridge", "mtu": 1500}, []),
        (
            {"u1": (own(0), {}), "u2": (None, {})},
            {},
            [f"node u2: {ABSENT}"],
        ),
        ({"u1": (OVERLAY, MANAGER), "u2": (None, WORKER)}, {"driver": "overlay"}, []),
        (
            {"u1": (None, MANAGER), "u2": (None, WORKER)},
            {},
            [f"node {name}: {ABSENT}" for name in ("u1", "u2")],
        ),
        ({"u1": (OVERLAY, WORKER), "u2": (None, WORKER)}, {}, []),
        (
            {"u1": (None, WORKER), "u2": (None, WORKER)},
            {},
            [
                "note: network office (subnet web): no node of the file is a manager of the swarm, so nothing tells "
                "whether the network exists; the first container that joins it will"
            ],
        ),
        ({"u1": (own(0), WORKER), "u2": (None, WORKER)}, {}, ["node u2: Docker has no network office (subnet web); "]),
        (
            {"u1": ({**OVERLAY, "Attachable": False}, MANAGER)},
            {},
            ["node u1: network office: is not attachable, so only services can join it; make"],
        ),
        (
            {"u1": (network(pool={"Subnet": "10.0.2.0/24"}), {})},
            {},
            ["node u1: network office: its subnet is 10.0.2.0/24, and the file's overlay.subnets.web is 10.0.1.0/24"],
        ),
        (
            {"u1": (network(), {})},
            {"driver": "overlay"},
            ["node u1: network office: its driver is macvlan, and overlay.options.driver is overlay; correct the file"],
        ),
        (
            {"u1": (network(Options={"com.docker.network.driver.mtu": "1400"}), {})},
            {"mtu": 1450},
            ["node u1: network office: its MTU is 1400, and overlay.options.mtu is 1450; correct the file"],
        ),
        (
            {"u1": (network(), {}), "u2": (network(), {})},
            {},
            ["note: network office: the engines of u1 and u2 both hand out addresses of 10.0.1.0/24"],
        ),
        (
            {
                "u1": (network(pool={"IPRange": "10.0.1.0/26", "Gateway": "10.0.1.1"}), {}),
                "u2": (network(pool={"IPRange": "10.0.1.64/26", "Gateway": "10.0.1.1"}), {}),
            },
            {"expose": "bridge"},
            ["network office: 10.0.1.1 is the gateway on u1, u2, and exposed each of them would have it"],
        ),
    ],
)
def test_networks_are_judged_on_all_nodes_together(
    engines: dict[str, tuple[Any, Any]], options: dict[str, Any], said: list[str]
) -> None:
    seen = {name: Engine({"office": described}, swarm) for name, (described, swarm) in engines.items()}
    found = texts(judge_networks(inventory(**options), {"web": "office"}, seen))
    assert len(found) == len(said)
    for text, beginning in zip(found, said, strict=True):
        assert text.startswith(beginning)


def test_a_plugin_may_give_out_part_of_its_subnet() -> None:
    theirs = {
        "Driver": "weavemesh",
        "Scope": "local",
        "IPAM": {"Driver": "weavemesh", "Config": [{"Subnet": "10.32.0.0/16"}]},
    }
    assert judge_networks(inventory(), {"web": "office"}, {"u1": Engine({"office": theirs}, {})}) == []


def test_an_ipv6_pool_is_left_alone() -> None:
    both = network()
    both["IPAM"]["Config"].append({"Subnet": "fd00::/64", "Gateway": "fd00::1"})
    seen = {name: Engine({"office": both}, {}) for name in ("u1",)}
    assert judge_networks(inventory(expose="bridge"), {"web": "office"}, seen) == []


def test_consul_is_the_files() -> None:
    server = NODE.model_copy(update={"consul_server": True})
    assert judge_consul(server, "dc1", {"Datacenter": "dc1", "Server": True}, "192.168.56.3:8300") == []
    assert texts(judge_consul(server, "dc1", {"Datacenter": "ham", "Server": False}, "")) == [
        "node u1: Consul: its datacenter is ham, and the file's consul.datacenter is dc1; correct the file",
        "node u1: Consul: there is no leader, so nothing can be registered; look at its servers",
        "node u1: Consul: runs as a client there; leave out the node's `consul_server: true`",
    ]


@pytest.mark.parametrize(
    ("client", "said"),
    [
        ({"Address": "192.168.56.3", "Datacenter": "dc1", "Status": "ready"}, []),
        (
            {"Address": "192.168.56.4", "Datacenter": "dc1", "Status": "ready"},
            ["knows no client at 192.168.56.3"],
        ),
        (
            {"Address": "192.168.56.3", "Datacenter": "ham", "Status": "ready"},
            ["its datacenter is ham, and the file's nomad.datacenter is dc1; correct the file"],
        ),
        ({"Address": "192.168.56.3", "Datacenter": "dc1", "Status": "down"}, ["its client is down; look at its log"]),
    ],
)
def test_every_node_has_a_client_of_nomad(client: dict[str, Any], said: list[str]) -> None:
    found = texts(judge_nomad([NODE], "dc1", [client]))
    assert [
        text.removeprefix("node u1: Nomad: ")[: len(begin)] for text, begin in zip(found, said, strict=True)
    ] == said


def fail(error: BaseException) -> list[Finding]:
    raise error


NOT_JSON = json.JSONDecodeError("no JSON", "<html>", 0)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (HarnessError("node u1: `test`: exit status 1\nmore"), "node u1: Docker: `test`: exit status 1"),
        (docker.errors.DockerException("no engine"), "node u1: Docker: no engine"),
        (requests.ConnectionError(), "node u1: Docker: ConnectionError"),
        (consul.ConsulException("500"), "node u1: Docker: 500"),
        (TimeoutError("late"), "node u1: Docker: late"),
        (NOT_JSON, "node u1: Docker: no JSON: line 1 column 1 (char 0)"),
    ],
)
def test_what_a_check_raises_is_one_line(error: Exception, said: str) -> None:
    assert isinstance(error, ERRORS)
    assert attempt("node u1", "Docker", lambda: fail(error)) == [Finding(said)]


def test_the_way_out_follows_where_the_error_has_none() -> None:
    (plain,) = attempt("node u1", "Docker", lambda: fail(HarnessError("node u1: Docker at x: down")), "start it")
    (own,) = attempt("node u1", "Docker", lambda: fail(OSError("down; do this")), "start it")
    assert (plain.text, own.text) == ("node u1: Docker at x: down; start it", "node u1: Docker: down; do this")


def test_a_long_error_is_cut() -> None:
    (found,) = attempt("node u1", "Docker", lambda: fail(OSError("x" * 1000)))
    assert len(found.text) == LONGEST and found.text.startswith("node u1: Docker: xxx")


def test_a_defect_of_flatnet_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        attempt("node u1", "Docker", lambda: fail(ZeroDivisionError()))


def test_a_dead_node_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = ClusterAccess(inventory())

    def connect(self: Any, **_: Any) -> None:
        if self.node.name == "u1":
            raise LabError("node u1: ssh root@192.168.56.1:22: unreachable: no route to host")

    def look(node: NodeAccess, overlay: Any, findings: list[Finding], start_container: bool) -> Engine:
        findings.append(Finding(f"node {node.name}: Docker: it is wrong"))
        return Engine({"office": None}, {})

    monkeypatch.setattr(type(cluster.nodes["u1"].shell), "connect", connect)
    monkeypatch.setattr(examination, "_examine_engine", look)
    found = texts(examination.examine(cluster, adapter(inventory()), start_container=False))
    assert found == [
        "node u1: ssh root@192.168.56.1:22: unreachable: no route to host",
        "node u2: Docker: it is wrong",
        f"node u2: {ABSENT}",
    ]


class FakeEngine:
    """Docker's containers: one left over from an earlier check, and those that are made."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.containers = self.images = self
        self.labels = {examination.LABEL: "1"}
        self.done: list[str] = []

    def list(self, **_: Any) -> list[Any]:
        return [self]

    def load(self) -> None:
        self.done.append("load")

    def create(self, image: str, **settings: Any) -> Any:
        self.done.append("create")
        if "load" not in self.done:
            raise docker.errors.ImageNotFound("none")
        assert settings["network_mode"] == "none"
        return self

    def start(self) -> None:
        self.done.append("start")

    def wait(self, timeout: float) -> dict[str, int]:
        return {"StatusCode": self.status}

    def remove(self, force: bool) -> None:
        self.done.append("remove")


@pytest.mark.parametrize("status", [0, 127])
def test_the_container_of_the_check_is_removed_whatever_it_does(status: int) -> None:
    engine = FakeEngine(status)
    node = cast(NodeAccess, SimpleNamespace(name="u1", docker=engine, borrow_demo_image=engine.load))
    found = examination._start_container(node)
    assert engine.done == ["remove", "create", "load", "create", "start", "remove"]
    assert bool(found) is bool(status)


@pytest.mark.parametrize(("answer", "entries"), [("exit 1", None), ("exit 0", 0), ("echo one; echo two", 2)])
def test_an_ip_that_fails_does_not_read_as_an_empty_table(tmp_path: Path, answer: str, entries: int | None) -> None:
    program = tmp_path / "ip"
    program.write_text(f"#!/bin/sh\n{answer}\n")
    program.chmod(0o755)
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    said = subprocess.run(["sh"], input=facts.script(NODE, None), env=path, text=True, capture_output=True, check=True)
    found = facts.read(said.stdout).neighbours
    assert (found and found[0]) == entries
