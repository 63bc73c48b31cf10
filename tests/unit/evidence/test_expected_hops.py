"""Which interfaces a packet of an edge is expected on."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from fixtures.evidence.expected_hops import expected_hops
from fixtures.probes.delivery import Edge, Endpoint, Transport
from fixtures.probes.trail import Hop

SUBNETS = {"a": IPv4Network("10.32.0.0/24"), "b": IPv4Network("10.32.1.0/24")}
KINDS = ("bridge a", "bridge b", "tunnel a", "tunnel b", "NIC")
HOPS = {node: [Hop(node, kind, kind.replace(" ", "-")) for kind in KINDS] for node in ("u1", "u2")}
A1, A2 = (Endpoint(f"u{number}/a", f"u{number}", "netns", f"10.32.0.{number}") for number in (1, 2))
B2 = Endpoint("u2/b", "u2", "netns", "10.32.1.2")
NODE = Endpoint("u1", "u1", None, "192.168.56.3")


def crossed(source: Endpoint, destination: Endpoint) -> list[str]:
    edge = Edge(source, destination, Transport.UDP)
    return [f"{hop.node} {hop.kind}" for hop in expected_hops(edge, HOPS, SUBNETS)]


@pytest.mark.parametrize(
    ("source", "destination", "expected"),
    [
        (A1, A2, ["u1 bridge a", "u1 tunnel a", "u1 NIC", "u2 NIC", "u2 tunnel a", "u2 bridge a"]),
        (A2, A1, ["u2 bridge a", "u2 tunnel a", "u2 NIC", "u1 NIC", "u1 tunnel a", "u1 bridge a"]),
        (A1, replace(A1, name="u1/a2", address="10.32.0.9"), ["u1 bridge a"]),
        (A2, B2, ["u2 bridge a", "u2 bridge b"]),
        (NODE, A1, ["u1 bridge a"]),
        (NODE, A2, ["u1 bridge a", "u1 tunnel a", "u1 NIC", "u2 NIC", "u2 tunnel a", "u2 bridge a"]),
        (NODE, replace(NODE, name="u2", node="u2", address="192.168.56.4"), ["u1 NIC", "u2 NIC"]),
    ],
)
def test_the_hops_between(source: Endpoint, destination: Endpoint, expected: list[str]) -> None:
    assert crossed(source, destination) == expected


def test_an_edge_between_subnets_is_expected_on_those_of_both() -> None:
    assert crossed(A1, B2)[:5] == ["u1 bridge a", "u1 bridge b", "u1 tunnel a", "u1 tunnel b", "u1 NIC"]


def test_a_node_whose_interfaces_are_not_known_has_none() -> None:
    edge = Edge(A1, A2, Transport.UDP)
    assert [hop.node for hop in expected_hops(edge, {"u2": HOPS["u2"]}, SUBNETS)] == ["u2"] * 3
    assert expected_hops(edge, {}, SUBNETS) == []
