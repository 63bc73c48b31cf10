"""Registrations that lead nowhere or to something else are found, and no others."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network
from typing import Any

import pytest

from fixtures.dns.registrations import (
    Reality,
    Registration,
    from_catalog,
    from_health,
    misleading,
    node_ports,
    published_ports,
)

NODE, CONTAINER, GATEWAY, NOBODY, OUTSIDE = "192.168.56.3", "10.32.0.4", "10.32.0.1", "10.32.0.99", "203.0.113.7"
REALITY = Reality(
    nodes={NODE: "u1"},
    overlay=[IPv4Network("10.32.0.0/16")],
    containers={CONTAINER: "u1/web"},
    exposed={GATEWAY},
    published={("u1", 8080): "u1/web"},
    listening={("u1", 22)},
)


def at(address: str, port: int = 80) -> Registration:
    return Registration("web", "web-1", "consul-1", address, port)


@pytest.mark.parametrize(
    ("registration", "fault"),
    [
        (at(CONTAINER), None),
        (at(GATEWAY), None),
        (at(OUTSIDE), None),
        (at(NODE, 22), None),
        (at(NODE, 23), "that is node u1's address, where nothing listens on that port"),
        (at(NODE, 8080), "that is node u1's address, though it is container u1/web"),
        (at(NOBODY), "no running container has that overlay address"),
    ],
)
def test_a_registration_leads_to_a_container_or_to_a_node_that_serves(
    registration: Registration, fault: str | None
) -> None:
    expected = [] if fault is None else [f"{registration}: {fault}"]
    assert misleading([registration], REALITY) == expected


def test_an_ipv6_address_of_the_overlay_leads_to_a_container_too() -> None:
    both = replace(
        REALITY,
        overlay=[*REALITY.overlay, IPv6Network("fd00:10:32::/64")],
        containers={**REALITY.containers, "fd00:10:32::4": "u1/web"},
    )
    assert misleading([at("fd00:10:32::4"), at("fd00:10:33::9")], both) == []
    nobody = at("fd00:10:32::9")
    assert misleading([nobody], both) == [f"{nobody}: no running container has that overlay address"]


def test_a_published_port_is_misleading_though_the_node_listens_there() -> None:
    both = replace(REALITY, listening={("u1", 8080)})
    assert "though it is container" in misleading([at(NODE, 8080)], both)[0]


def test_every_misleading_registration_is_told() -> None:
    assert len(misleading([at(NOBODY), at(CONTAINER), at(NODE)], REALITY)) == 2


def test_only_ports_of_nodes_have_to_be_looked_at() -> None:
    assert node_ports([at(NODE, 22), at(CONTAINER, 80), at(NODE, 22), at(NODE, 21)], REALITY.nodes) == [
        ("u1", 21),
        ("u1", 22),
    ]


def details(ports: object) -> dict[str, Any]:
    return {"NetworkSettings": {"Ports": ports}}


def test_published_ports_are_read_from_dockers_details() -> None:
    bound = {
        "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "8081"}],
        "81/tcp": None,
        "82/tcp": [],
        "83/tcp": [{"HostIp": "0.0.0.0", "HostPort": ""}, {"HostIp": "0.0.0.0"}],
    }
    bare: dict[str, Any] = {"NetworkSettings": {}}
    containers: list[tuple[str, dict[str, Any]]] = [("web", details(bound)), ("none", details(None)), ("bare", bare)]
    assert published_ports("u1", containers) == {("u1", 8080): "u1/web", ("u1", 8081): "u1/web"}


def test_a_name_gives_the_services_address_or_else_its_nodes() -> None:
    node = {"Node": "consul-1", "Address": NODE}
    health: list[dict[str, Any]] = [
        {"Node": node, "Service": {"Service": "web", "ID": "web-1", "Address": CONTAINER, "Port": 80}},
        {"Node": node, "Service": {"Service": "web", "ID": "web-2", "Address": "", "Port": 81}},
    ]
    expected = [at(CONTAINER), Registration("web", "web-2", "consul-1", NODE, 81)]
    assert from_health(health) == expected
    catalog = [
        {
            **node,
            "ServiceName": entry["Service"]["Service"],
            "ServiceID": entry["Service"]["ID"],
            "ServiceAddress": entry["Service"]["Address"],
            "ServicePort": entry["Service"]["Port"],
        }
        for entry in health
    ]
    assert from_catalog(catalog) == expected


def test_a_registration_prints_where_its_name_leads() -> None:
    assert str(at(CONTAINER)) == f"web: web-1 is registered at {CONTAINER}:80 (by consul-1)"
