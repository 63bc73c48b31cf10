"""The adapter docker: what it takes from Docker's description of a network, and what it does on a node."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from types import SimpleNamespace
from typing import Any, cast

import docker
import pytest

from lab.access.cluster import NodeAccess
from lab.errors import HarnessError, LabError
from lab.inventory import Inventory
from lab.overlays import Link, legs, sandbox
from lab.overlays.docker import Docker, bridge_of, parent_of

SUBNET = IPv4Network("10.32.0.0/24")
NODES = {"u1": "192.168.56.3", "u2": "192.168.56.4"}


def overlay(**options: Any) -> Docker:
    nodes = [
        {"name": name, "address": address, "ssh": {"key": "id", "known_hosts": "known"}}
        for name, address in NODES.items()
    ]
    section = {"name": "docker", "subnets": {"a": str(SUBNET)}, "networks": {"a": "office"}, "options": options}
    return Docker(Inventory.model_validate({"name": "office", "nodes": nodes, "overlay": section}))


def network(driver: str, **options: str) -> dict[str, Any]:
    pools = [{"Subnet": "fd00::/64"}, {"Subnet": str(SUBNET), "Gateway": "10.32.0.1"}]
    return {
        "Name": "office", "Id": "0123456789abcdef", "Driver": driver, "Options": options or None, "Ingress": False,
        "IPAM": {"Config": pools}, "Peers": [{"IP": "192.168.56.4"}],
    }  # fmt: skip


class FakeNode:
    """A node whose engine has some networks, and whose shell answers what it was given."""

    def __init__(self, *networks: dict[str, Any], **answers: str) -> None:
        self.node = SimpleNamespace(name="u1", interface="eth0")
        self.name = "u1"
        self.networks = {one["Id"]: one for one in networks}
        self.answers = answers
        self.ran: list[str] = []
        self.docker = SimpleNamespace(api=SimpleNamespace(networks=self._list, inspect_network=self._inspect))

    def _list(self, names: list[str] | None = None, filters: object = None) -> list[dict[str, Any]]:
        return [{**one, "Peers": None} for one in self.networks.values()]

    def _inspect(self, name: str) -> dict[str, Any]:
        return self.networks[name]

    def run(self, command: str | list[str], **_: Any) -> Any:
        line = command if isinstance(command, str) else " ".join(command)
        self.ran.append(line)
        return SimpleNamespace(stdout=next((self.answers[key] for key in self.answers if key in line), ""))


def on(node: FakeNode) -> NodeAccess:
    return cast(NodeAccess, node)


def addresses(*local: str) -> str:
    entries = [{"local": one.split("/")[0], "prefixlen": int(one.split("/")[1])} for one in local]
    return json.dumps([{"ifname": "br-office", "addr_info": entries}, {"ifname": "lo"}])


@pytest.mark.parametrize(
    ("described", "bridge", "parent"),
    [
        (network("bridge"), "br-0123456789ab", None),
        (network("bridge", **{"com.docker.network.bridge.name": "office0"}), "office0", None),
        (network("macvlan", parent="ens3.7"), None, "ens3.7"),
        (network("ipvlan"), None, None),
        (network("overlay", parent="x"), None, None),
    ],
)
def test_interfaces_are_those_that_docker_names(
    described: dict[str, Any], bridge: str | None, parent: str | None
) -> None:
    assert (bridge_of(described), parent_of(described)) == (bridge, parent)


def test_the_gateway_is_that_of_the_subnet() -> None:
    assert legs.gateway_of(network("bridge"), SUBNET) == IPv4Interface("10.32.0.1/24")
    assert legs.gateway_of(network("bridge"), IPv4Network("10.32.1.0/24")) is None
    assert legs.gateway_of({"IPAM": {"Config": [{"Subnet": str(SUBNET)}]}}, SUBNET) is None
    assert legs.gateway_of({}, SUBNET) is None


PORTS = json.dumps(
    [{}, {"ifname": "veth1", "linkinfo": {"info_kind": "veth"}}, {"ifname": "vx", "linkinfo": {"info_kind": "vxlan"}}]
)


@pytest.mark.parametrize(
    ("node", "links"),
    [
        (FakeNode(network("bridge"), master=PORTS), {"bridge a": Link("br-0123456789ab"), "tunnel a": Link("vx")}),
        (FakeNode(network("bridge"), master="[]"), {"bridge a": Link("br-0123456789ab")}),
        (FakeNode(network("macvlan", parent="ens3")), {"parent a": Link("ens3")}),
        (FakeNode(network("macvlan", parent="eth0")), {}),
        (FakeNode(network("weavemesh")), {}),
        (FakeNode(network("overlay")), {}),
        (
            FakeNode(network("overlay"), netns="there\n"),
            {
                "bridge a": Link("br0", "/var/run/docker/netns/1-0123456789"),
                "tunnel a": Link("vxlan0", "/var/run/docker/netns/1-0123456789"),
            },
        ),
        (FakeNode(), {}),
    ],
)
def test_the_links_of_a_network(node: FakeNode, links: dict[str, Link]) -> None:
    assert overlay().links(on(node)) == {**links, "NIC": Link("eth0")}


def test_a_node_is_exposed_by_the_gateways_address() -> None:
    node = FakeNode(network("bridge"), **{"address show": addresses("10.9.0.1/24", "10.32.0.1/24")})
    made = overlay(expose="bridge")
    made.expose(on(node), "a")
    assert node.ran == ["ip address replace 10.32.0.1/24 dev br-0123456789ab"]
    assert made.exposed(on(node), "a") == IPv4Address("10.32.0.1")
    made.hide(on(node), "a")
    assert node.ran[-1] == "ip address delete 10.32.0.1/24 dev br-0123456789ab"
    assert not [line for line in node.ran if "delete 10.9" in line or "flush" in line]


@pytest.mark.parametrize("declared", ["none", "always"])
def test_a_node_keeps_what_way_it_has(declared: str) -> None:
    node = FakeNode(network("macvlan"), **{"address show": addresses("10.32.0.200/24")})
    made = overlay(expose=declared)
    with pytest.raises(HarnessError, match=rf"^node u1: cannot be exposed .* overlay.options.expose: {declared}$"):
        made.expose(on(node), "a")
    made.hide(on(node), "a")
    assert node.ran == [] and made.exposed(on(node), "a") == IPv4Address("10.32.0.200")
    assert made.exposed(on(FakeNode(**{"address show": "[]"})), "a") is None


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (
            FakeNode(network("macvlan")),
            "network office has driver macvlan and no bridge of the node's own; declare another",
        ),
        (FakeNode(), "subnet a: Docker has no network office"),
        (
            FakeNode({**network("bridge"), "IPAM": {"Config": []}}),
            "Docker names no gateway of network office, which would",
        ),
    ],
)
def test_what_cannot_be_exposed_says_why(node: FakeNode, said: str) -> None:
    with pytest.raises(HarnessError) as caught:
        overlay(expose="bridge").expose(on(node), "a")
    assert str(caught.value).startswith(f"node u1: {said}")


def test_peers_are_those_of_the_gossip_where_the_driver_has_one() -> None:
    (peer,) = overlay(driver="overlay").peers(on(FakeNode(network("overlay"))))
    assert (peer.name, peer.established) == ("u2", True)
    (lost,) = overlay(driver="overlay").peers(on(FakeNode({**network("overlay"), "Peers": None})))
    assert not lost.established and lost.detail == "not in the gossip of any network of the swarm"
    with pytest.raises(HarnessError, match="nothing is known of the overlay's peers"):
        overlay(driver="macvlan").peers(on(FakeNode(network("macvlan"))))


@pytest.mark.parametrize("driver", ["macvlan", "overlay"])
def test_only_gossip_is_waited_for(driver: str) -> None:
    node = FakeNode(network(driver), netns="there\n", neighbour="late\n")
    assert overlay().wait_until_known(on(node), "a", ["10.32.0.9"]) is (driver == "macvlan" or not node.ran)
    assert overlay().wait_until_known(on(FakeNode()), "a", ["10.32.0.9"])


def test_a_network_is_found_by_its_whole_name() -> None:
    longer = {**network("macvlan"), "Name": "office2"}
    assert sandbox.inspect(on(FakeNode(longer)), "office") is None
    assert sandbox.inspect(on(FakeNode(longer, {**network("macvlan"), "Id": "f"})), "office")["Id"] == "f"  # type: ignore[index]


@pytest.mark.parametrize(
    ("error", "raised"),
    [(docker.errors.NotFound("gone"), False), (docker.errors.APIError("no"), True), (OSError("no"), True)],
)
def test_an_engine_that_does_not_answer_is_an_error(error: Exception, raised: bool) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    node = FakeNode()
    node.docker.api.networks = fail
    if not raised:
        assert sandbox.inspect(on(node), "office") is None
        return
    with pytest.raises(HarnessError, match="node u1: Docker: "):
        sandbox.inspect(on(node), "office")


def test_it_makes_no_network() -> None:
    for do in (overlay().deploy, overlay().prove):
        with pytest.raises(LabError, match="overlay docker is for cluster files"):
            do(cast(Any, None))
