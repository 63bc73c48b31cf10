"""The adapter routed: parts of subnets, routes, the filter between subnets, and what it reads from a node."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Network
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.access.cluster import NodeAccess
from lab.checks.judging import Engine, judge_networks
from lab.embedded import plan
from lab.embedded.plan import LabSpec
from lab.errors import HarnessError, LabError
from lab.overlays import Link, adapter
from lab.overlays.routed import CHAIN, Routed, filter_rules, network_options, parse_routes
from lab.overlays.slices import slice_of

LAB = plan.inventory(LabSpec(name="x", overlay="routed", nomad=False))
WHOLE = IPv4Network("10.32.0.0/24")


def overlay() -> Routed:
    made = adapter(LAB)
    assert isinstance(made, Routed)
    return made


class FakeNode:
    """Node u2, whose engine has these networks, and whose shell answers what it was given."""

    def __init__(self, *networks: dict[str, Any], shown: str = "") -> None:
        self.name, self.address, self.node = "u2", "192.168.56.4", SimpleNamespace(name="u2", interface="eth0")
        self.ran: list[str] = []
        self._networks = {one["Name"]: one for one in networks}
        self._shown = shown
        api = SimpleNamespace(networks=lambda names: list(self._networks.values()), inspect_network=self._networks.get)
        self.docker = SimpleNamespace(api=api)

    def run(self, command: str | list[str], **_: Any) -> Any:
        self.ran.append(command if isinstance(command, str) else " ".join(command))
        return SimpleNamespace(stdout=self._shown)


def node(*networks: dict[str, Any], shown: str = "") -> tuple[NodeAccess, FakeNode]:
    made = FakeNode(*networks, shown=shown)
    return cast(NodeAccess, made), made


def network(subnet: str) -> dict[str, Any]:
    return {"Name": "flatnet-a", "Id": "flatnet-a", "Driver": "bridge", "IPAM": {"Config": [{"Subnet": subnet}]}}


@pytest.mark.parametrize(
    ("index", "nodes", "expected"),
    [(0, 3, "10.32.0.64/26"), (2, 3, "10.32.0.192/26"), (0, 1, "10.32.0.128/25"), (6, 7, "10.32.0.224/27")],
)
def test_a_node_has_a_part_of_its_own(index: int, nodes: int, expected: str) -> None:
    assert slice_of("a", WHOLE, index, nodes) == IPv4Network(expected)


def test_a_subnet_that_is_too_small_for_the_nodes_is_refused() -> None:
    assert slice_of("a", IPv4Network("10.32.0.0/26"), 6, 7) == IPv4Network("10.32.0.56/29")
    with pytest.raises(LabError, match=r"^overlay.subnets.a: 10.32.0.0/26 is too small for 8 nodes; widen it$"):
        slice_of("a", IPv4Network("10.32.0.0/26"), 0, 8)


def test_a_lab_declares_that_nodes_route_and_always_reach_containers() -> None:
    declared = overlay().capabilities
    assert (declared.expose, declared.always, declared.reach, declared.moves) == (False, True, True, False)
    assert declared.closed and declared.restart and declared.peers
    assert (overlay().hops(), overlay().hops_between("u1", "u2"), overlay().hops_between("u1", "u1")) == (2, 2, 0)


def test_a_cluster_has_to_declare_what_only_a_lab_is_known_to_do() -> None:
    theirs = LAB.overlay.model_copy(update={"options": {}})
    declared = adapter(LAB.model_copy(update={"overlay": theirs})).capabilities
    assert (declared.closed, declared.restart, declared.peers) == (False, False, True)


def test_routes_lead_to_the_other_nodes_parts_only() -> None:
    there, fake = node()
    overlay().start(there)
    routes = [line for line in fake.ran[0].splitlines() if line.startswith("ip route")]
    assert routes == [
        "ip route replace 10.32.0.64/26 via 192.168.56.3 dev eth0",
        "ip route replace 10.32.0.192/26 via 192.168.56.5 dev eth0",
        "ip route replace 10.32.1.64/26 via 192.168.56.3 dev eth0",
        "ip route replace 10.32.1.192/26 via 192.168.56.5 dev eth0",
    ]


def test_stopping_takes_the_routes_away_and_leaves_the_filter() -> None:
    there, fake = node()
    overlay().stop(there)
    assert fake.ran[0].count("ip route delete") == 4 and "iptables" not in fake.ran[0]


def test_the_filter_lets_in_the_own_subnet_and_nodes_and_drops_the_rest() -> None:
    own = IPv4Network("10.32.0.64/26")
    assert filter_rules({"fn-a": (WHOLE, own)}, ["192.168.56.3"]) == [
        f"-A {CHAIN} -i fn-a ! -s 10.32.0.64/26 -j DROP",
        f"-A {CHAIN} -o fn-a -s 10.32.0.0/24 -j ACCEPT",
        f"-A {CHAIN} -o fn-a -s 192.168.56.3 -j ACCEPT",
        f"-A {CHAIN} -o fn-a -j DROP",
        f"-A {CHAIN} -i fn-a -j ACCEPT",
    ]


def test_forged_sources_are_dropped_on_every_bridge_before_anything_is_accepted() -> None:
    parts = {"fn-a": (WHOLE, WHOLE), "fn-b": (IPv4Network("10.32.1.0/24"), IPv4Network("10.32.1.0/24"))}
    verdicts = [rule.rpartition(" ")[2] for rule in filter_rules(parts, [])]
    assert verdicts == ["DROP", "DROP", "ACCEPT", "DROP", "ACCEPT", "DROP", "ACCEPT", "ACCEPT"]


@pytest.mark.parametrize(
    ("version", "option"),
    [
        ("20.10.24+dfsg1", "enable_ip_masquerade"),
        ("26.1.5", "enable_ip_masquerade"),
        ("27.0.1", "gateway_mode_ipv4"),
        ("28.5.2+dfsg4", "gateway_mode_ipv4"),
        ("", "enable_ip_masquerade"),
    ],
)
def test_an_engine_with_gateway_modes_gets_the_mode_routed(version: str, option: str) -> None:
    values = {"enable_ip_masquerade": "false", "gateway_mode_ipv4": "routed"}
    assert network_options(version) == {f"com.docker.network.bridge.{option}": values[option]}


def test_a_peer_is_established_when_a_route_leads_to_its_part_of_every_subnet() -> None:
    routes = [
        {"dst": "default", "gateway": "192.168.56.3"},
        {"dst": "10.32.0.64/26", "gateway": "192.168.56.3"},
        {"dst": "10.32.1.64/26", "gateway": "192.168.56.3"},
        {"dst": "10.32.0.192/26", "gateway": "192.168.56.5"},
        {"dst": "10.33.1.192/26", "gateway": "192.168.56.5"},
        {"dst": "10.32.0.128/26", "dev": "fn-a"},
    ]
    there, _ = node(shown=json.dumps(routes))
    assert [(peer.name, peer.address, peer.established, peer.detail) for peer in overlay().peers(there)] == [
        ("u1", IPv4Address("192.168.56.3"), True, "a route to its part of every subnet"),
        ("u3", IPv4Address("192.168.56.5"), False, "no route by 192.168.56.5 to a part of subnet b"),
    ]


def test_routes_without_a_gateway_and_the_default_one_are_not_parts() -> None:
    assert parse_routes('[{"dst": "default", "gateway": "10.0.0.1"}, {"dst": "10.1.0.0/16", "dev": "x"}]') == []


def test_an_odd_list_of_routes_is_an_error_of_the_instrument() -> None:
    there, _ = node(shown="no json")
    with pytest.raises(HarnessError, match="node u2: ip -json route"):
        overlay().peers(there)


def test_the_nodes_part_is_what_its_engine_says() -> None:
    there, _ = node(network("10.32.0.128/26"))
    assert overlay().link_network(there, "a") == IPv4Network("10.32.0.128/26")
    for others in ([network("10.99.0.0/26")], []):
        there, _ = node(*others)
        with pytest.raises(HarnessError, match=r"node u2: Docker has no network flatnet-a with a part of 10.32.0.0/24"):
            overlay().link_network(there, "a")


def test_a_node_cannot_be_exposed_and_the_error_says_why() -> None:
    there, fake = node()
    with pytest.raises(HarnessError, match="node u2: overlay routed has no expose, since nodes always reach"):
        overlay().expose(there, "a")
    overlay().hide(there, "a")
    assert fake.ran == []


def test_the_links_are_bridges_and_the_nic() -> None:
    there, _ = node()
    assert overlay().towards_nodes(there) == "eth0"
    assert overlay().links(there) == {"bridge a": Link("fn-a"), "bridge b": Link("fn-b"), "NIC": Link("eth0")}


@pytest.mark.parametrize(
    ("subnet", "sliced", "said"),
    [
        ("10.32.0.64/26", True, ""),
        ("10.32.0.0/24", False, ""),
        ("10.32.0.64/26", False, "a part of the file's overlay.subnets.a, which is 10.32.0.0/24; correct the file, or"),
        ("10.32.0.0/24", True, "it has all of overlay.subnets.a, 10.32.0.0/24, so nothing is routed to other nodes;"),
        ("10.40.0.0/24", True, "its subnet is 10.40.0.0/24, and the file's overlay.subnets.a is 10.32.0.0/24;"),
    ],
)
def test_a_check_compares_the_nodes_part_with_the_file(subnet: str, sliced: bool, said: str) -> None:
    seen = {"u2": Engine({"flatnet-a": network(subnet)}, {})}
    found = [str(finding) for finding in judge_networks(LAB, {"a": "flatnet-a"}, seen, sliced=sliced)]
    assert len(found) == bool(said) and all(said in line for line in found), found


def test_a_check_says_what_docker_28_drops_of_what_is_routed() -> None:
    seen = {"u2": Engine({"flatnet-a": network("10.32.0.64/26")}, {}, 28)}
    found = [str(finding) for finding in judge_networks(LAB, {"a": "flatnet-a"}, seen, sliced=True)]
    assert len(found) == 1 and "Docker 28 drops in raw/PREROUTING" in found[0]
