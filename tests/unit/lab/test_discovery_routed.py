"""Networks that nodes route between, and tunnels that BGP tells: which adapter is proposed, and what is asked."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Interface, IPv4Network
from typing import Any

import pytest

from lab.discovery.networks import Proposal, propose
from lab.discovery.questions import Host, Survey, read_host
from lab.discovery.routed import find_parted, way_to, whole_of

from .test_discovery import ADDRESSES, OUTPUT, bridged, host, network, survey, vxlan

PARTS = {"u1": "10.32.0.64/26", "u2": "10.32.0.128/26", "u3": "10.32.0.192/26"}
NODES = tuple(PARTS)


def routes(name: str, via: str = "", parts: dict[str, str] | None = None) -> tuple[dict[str, Any], ...]:
    """As `ip -json route` shows them on a node: to the other nodes by their address, or into the interface `via`."""
    known = {
        other: ({"dst": part, "dev": via} if via else {"dst": part, "gateway": ADDRESSES[other], "dev": "eth1"})
        for other, part in (parts or PARTS).items()
    }
    own = {"dst": known[name]["dst"], "dev": "fn-a", "protocol": "kernel"}
    default = {"dst": "default", "gateway": "192.168.56.1", "dev": "eth1"}
    return (default, own, *(route for other, route in known.items() if other != name))


def routed(
    name: str, *, via: str = "", mtu: str = "", bridge: str = "fn-a", of: str = "flatnet-a", **more: Any
) -> Survey:
    options = {"com.docker.network.bridge.name": bridge, **({"com.docker.network.driver.mtu": mtu} if mtu else {})}
    wireguard = frozenset({via} if via.startswith("wg") else set())
    answers = host(name, **{"routes": routes(name, via), "wireguard": wireguard, **more})
    return survey(name, network("flatnet-a", "bridge", PARTS[name], Options=options), host=answers)


def proposed(*surveys: Survey) -> Proposal:
    return propose(surveys)


def test_parts_that_nodes_route_to_are_one_subnet() -> None:
    made = proposed(*(routed(name, mtu="1500") for name in NODES))
    assert (made.adapter, made.subnets) == ("routed", {"a": IPv4Network("10.32.0.0/24")})
    assert not made.networks and not made.options, "all is as the adapter has it"
    assert made.comments[0].startswith("network flatnet-a has 10.32.0.64/26 on u1, 10.32.0.128/26 on u2")
    assert "is it the subnet?" in made.comments[0] and "overlay.options.closed" in made.comments[1]
    assert len(made.comments) == 2


def test_what_differs_from_the_adapters_names_is_an_option() -> None:
    made = proposed(*(routed(name, mtu="1400", bridge="br-a") for name in NODES))
    assert made.options == {"bridge.a": "br-a", "mtu": 1400}


@pytest.mark.parametrize(
    ("via", "mtu", "options"),
    [("wg0", "1420", {}), ("wg7", "1420", {"interface": "wg7"}), ("wg0", "1380", {"mtu": 1380}), ("wg0", "", {})],
)
def test_routes_into_a_wireguard_interface_are_wireguard(via: str, mtu: str, options: dict[str, Any]) -> None:
    made = proposed(*(routed(name, via=via, mtu=mtu) for name in NODES))
    assert (made.adapter, made.options) == ("wireguard", options)


def test_a_router_between_the_nodes_leaves_their_peers_unknown() -> None:
    def by_router(name: str) -> tuple[dict[str, Any], ...]:
        return tuple({**route, "gateway": "192.168.56.254"} if "gateway" in route else route for route in routes(name))

    made = proposed(*(routed(name, routes=by_router(name)) for name in NODES))
    assert made.adapter == "routed" and made.options == {"peers": False}
    assert any("a router lies between the nodes" in comment for comment in made.comments)


@pytest.mark.parametrize(
    "changed",
    [
        {"routes": ()},
        {"routes": routes("u1")[:2]},
        {"routes": (*routes("u1")[:3], {"type": "unreachable", **routes("u1")[3]})},
        {"routes": routes("u1", "tun0"), "wireguard": frozenset({"tun0"})},
    ],
    ids=["no routes seen", "only the default route", "unreachable", "one node by WireGuard"],
)
def test_what_is_not_routed_everywhere_is_no_overlay(changed: dict[str, Any]) -> None:
    made = proposed(routed("u1", **changed), *(routed(name) for name in NODES[1:]))
    assert not made.adapter and "is not the same network on every node" in made.comments[0]


def test_a_node_without_a_shell_leaves_it_open() -> None:
    alone = replace(routed("u1"), host=None)
    assert find_parted([alone, routed("u2")]) == [] and find_parted([routed("u1")]) == []


def test_parts_need_one_bridge_name_and_must_not_overlap() -> None:
    assert find_parted([routed("u1", bridge="br-1"), routed("u2")]) == []
    same = [survey(name, bridged(name), host=host(name, routes=routes(name))) for name in ("u1", "u2")]
    assert find_parted(same) == [], "both nodes have the whole subnet"
    assert propose(same).adapter == "docker"
    plugin = [survey(name, network("flatnet-a", "macvlan", PARTS[name]), host=host(name, routes=routes(name)))
              for name in ("u1", "u2")]  # fmt: skip
    assert find_parted(plugin) == []
    nameless = [routed("u1"), survey("u2", bridged("u2", "flatnet-a", "fn-a", IPAM={"Config": []}), host=host("u2"))]
    assert find_parted(nameless) == []


def test_the_most_special_route_counts() -> None:
    wide, narrow = {"dst": "10.32.0.0/16", "dev": "wg0"}, {"dst": "10.32.0.128/26", "dev": "eth1", "gateway": "x"}
    found = way_to(
        host("u1", routes=(wide, narrow, {"dst": "10.32.0.192/26", "dev": "eth9"})), IPv4Network(PARTS["u2"])
    )
    assert found is not None and (found.device, found.gateway) == ("eth1", "x")
    one = way_to(host("u1", routes=(wide,)), IPv4Network(PARTS["u2"]))
    assert one is not None and (one.device, one.gateway) == ("wg0", "")
    assert way_to(host("u1", routes=({"dst": "10.32.0.128/25"},)), IPv4Network(PARTS["u2"])) is None


def test_the_whole_is_the_smallest_network_of_all_parts() -> None:
    assert whole_of([IPv4Network("10.32.0.64/26"), IPv4Network("10.32.0.128/26")]) == IPv4Network("10.32.0.0/24")
    assert whole_of([IPv4Network("10.32.0.64/26")]) == IPv4Network("10.32.0.64/26")


def told(name: str, *, learning: bool | None = False, bgpd: bool = True) -> Host:
    """A node with a VXLAN tunnel, with FRR or without."""
    made = vxlan(name)
    info = dict(made.links[0]["linkinfo"]["info_data"])
    if learning is not None:
        info["learning"] = learning
    link = {**made.links[0], "linkinfo": {"info_kind": "vxlan", "info_data": info}}
    return replace(made, links=(link,), bgpd=bgpd)


@pytest.mark.parametrize(
    ("of", "adapter", "asks"),
    [
        ({}, "evpn", False),
        ({"learning": True}, "vxlan", False),
        ({"learning": None}, "vxlan", False),
        ({"bgpd": False}, "vxlan", True),
        ({"learning": True, "bgpd": False}, "vxlan", False),
    ],
)
def test_tunnels_that_learn_nothing_are_evpn_where_bgpd_runs(of: dict[str, Any], adapter: str, asks: bool) -> None:
    made = propose([survey(name, bridged(name), host=told(name, **of)) for name in ("u1", "u2")])
    assert made.adapter == adapter and made.subnets == {"a": IPv4Network("10.32.0.0/24")} and not made.options
    assert any("its tunnels learn nothing by themselves" in comment for comment in made.comments) == asks


def test_one_node_without_bgpd_is_not_evpn() -> None:
    made = propose([survey(name, bridged(name), host=told(name, bgpd=name == "u1")) for name in ("u1", "u2")])
    assert made.adapter == "vxlan"


def test_a_node_says_its_routes_its_tunnels_and_its_bgpd() -> None:
    said = read_host(
        'routes=[{"dst":"10.32.0.128/26","gateway":"192.168.56.4","dev":"eth1"},{}]\nwireguard=wg0 wg1\nbgpd=yes\n'
        + OUTPUT
    )
    assert [route["dst"] for route in said.routes] == ["10.32.0.128/26"]
    assert said.wireguard == {"wg0", "wg1"} and said.bgpd
    plain = read_host(OUTPUT)
    assert (plain.routes, plain.wireguard, plain.bgpd) == ((), frozenset(), False)
    assert plain.interface_of("192.168.56.3") == ("eth1", IPv4Interface("192.168.56.3/24"))
