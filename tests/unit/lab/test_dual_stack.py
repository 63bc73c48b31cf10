"""What adapters do with the IPv6 networks of subnets."""

from __future__ import annotations

import json
from ipaddress import IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.access.cluster import NodeAccess
from lab.embedded import plan
from lab.embedded.plan import LabSpec
from lab.overlays import legs
from lab.overlays.base import NoAddress
from lab.overlays.vxlan import Vxlan

SUBNET = IPv6Network("fd00:10:32::/64")
SHOWN = [
    {"addr_info": [{"local": "fe80::1", "prefixlen": 64}, {"local": "fd00:10:32::2", "prefixlen": 64}]},
    {"addr_info": [{"local": "fd00:10:32:1::2", "prefixlen": 64}]},
    {},
]


class Node:
    """A node that shows these addresses, and keeps the commands that it is given."""

    name = "u1"

    def __init__(self, shown: object = ()) -> None:
        self.shown = json.dumps(shown)
        self.commands: list[str] = []

    def run(self, command: list[str], **_: object) -> Any:
        self.commands.append(" ".join(command))
        return SimpleNamespace(stdout=self.shown)


def node(shown: object = ()) -> Any:
    return Node(shown)


def test_a_nodes_own_ipv6_address_is_the_one_in_the_subnet() -> None:
    one = node(SHOWN)
    assert legs.own_address6(one, SUBNET, "fn-a") == IPv6Address("fd00:10:32::2")
    assert one.commands == ["ip -json -6 address show dev fn-a"]
    assert (
        legs.own_address6(node(SHOWN), IPv6Network("fd00:9::/64")) is None and legs.own_address6(node(), SUBNET) is None
    )


def test_an_ipv6_address_is_given_without_looking_for_others() -> None:
    one = node()
    legs.give(one, "fn-a", IPv6Interface("fd00:10:32::2/64"))
    legs.give(one, "fn-a", IPv4Interface("10.32.0.2/24"))
    assert one.commands == [
        "ip address replace fd00:10:32::2/64 dev fn-a nodad",
        "ip address replace 10.32.0.2/24 dev fn-a",
    ]


def test_what_is_taken_is_of_the_subnets_family() -> None:
    one = node(SHOWN)
    legs.take(one, "fn-a", SUBNET)
    assert one.commands[1:] == ["ip address delete fd00:10:32::2/64 dev fn-a"]
    other = node([{"addr_info": [{"local": "10.32.0.2", "prefixlen": 24}]}])
    legs.take(other, "fn-a", IPv4Network("10.32.0.0/24"))
    assert other.commands == ["ip -json -4 address show dev fn-a", "ip address delete 10.32.0.2/24 dev fn-a"]


@pytest.mark.parametrize(
    ("pools", "gateway"),
    [
        ([{"Subnet": "10.32.0.0/24", "Gateway": "10.32.0.1"}], None),
        ([{"Subnet": str(SUBNET), "Gateway": "fd00:10:32::3"}], "fd00:10:32::3/64"),
        ([{"Subnet": str(SUBNET), "Gateway": "fd00:10:32::3/64"}], "fd00:10:32::3/64"),
        ([{"Subnet": str(SUBNET)}], None),
        ([{"Subnet": "fd00:9::/64", "Gateway": "fd00:9::1"}], None),
        ([{}], None),
    ],
)
def test_the_ipv6_gateway_is_the_one_of_the_subnets_pool(pools: list[dict[str, str]], gateway: str | None) -> None:
    found = legs.gateway6_of({"IPAM": {"Config": pools}}, SUBNET)
    assert found == (IPv6Interface(gateway) if gateway else None)
    assert legs.gateway6_of({}, SUBNET) is None


DUAL = Vxlan(plan.inventory(LabSpec(families="46")))


def described(**network: str) -> dict[str, Any]:
    return {"Name": "/x1", "NetworkSettings": {"Networks": {"flatnet-a": network}}}


def test_a_containers_ipv6_address_is_dockers() -> None:
    one = cast(NodeAccess, SimpleNamespace(name="u1"))
    details = described(GlobalIPv6Address="fd00:10:32:0:1::")
    assert DUAL.address6_of(one, details, "a") == IPv6Address("fd00:10:32:0:1::")
    with pytest.raises(NoAddress, match="container x1 on u1: Docker has no IPv6 address for it in flatnet-a"):
        DUAL.address6_of(one, described(IPAddress="10.32.0.64"), "a")
    with pytest.raises(NoAddress):
        DUAL.address6_of(one, details, "b")
    assert Vxlan(plan.inventory(LabSpec())).address6_of(one, described(), "a") is None


def test_holders_are_told_with_both_families() -> None:
    networks = {"flatnet-a": {"IPAddress": "10.32.0.64", "GlobalIPv6Address": "fd00::1"}, "none": {"IPAddress": ""}}
    container = SimpleNamespace(name="x1", attrs={"NetworkSettings": {"Networks": networks}})
    engine = SimpleNamespace(containers=SimpleNamespace(list=lambda **_: [container]))
    one = cast(NodeAccess, SimpleNamespace(name="u1", docker=engine))
    assert DUAL.holders(one) == [("10.32.0.64", "u1/x1"), ("fd00::1", "u1/x1")]
