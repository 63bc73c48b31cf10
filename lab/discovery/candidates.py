"""Docker networks that could be the overlay, as the nodes' engines describe them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network
from typing import Any

from .questions import Survey

BUILT_IN = {"bridge", "host", "none", "docker_gwbridge", "ingress"}
"""Networks that every engine, or every swarm, has."""
_MTU = "com.docker.network.driver.mtu"
Described = Mapping[str, Any]
"""A network, as its engine describes it."""


@dataclass(frozen=True)
class Candidate:
    """A user-defined network that all nodes have."""

    name: str
    driver: str
    subnet: IPv4Network
    mtu: int | None
    on: Mapping[str, Described]
    """{node: what its engine says of it}"""


def by_name(surveys: Sequence[Survey]) -> dict[str, dict[str, Described]]:
    """{network: {node: what its engine says of it}} of every user-defined network, sorted by name."""
    found: dict[str, dict[str, Described]] = {}
    for survey in surveys:
        assert survey.engine is not None
        for network in survey.engine.networks:
            if network["Name"] not in BUILT_IN and not network.get("Ingress"):
                found.setdefault(str(network["Name"]), {})[survey.name] = network
    return dict(sorted(found.items()))


def subnet_of(network: Described) -> IPv4Network | None:
    """The network's first IPv4 subnet according to Docker's IPAM."""
    for pool in (network.get("IPAM") or {}).get("Config") or ():
        if pool.get("Subnet"):
            subnet = ip_network(pool["Subnet"], strict=False)
            if isinstance(subnet, IPv4Network):
                return subnet
    return None


def mtu_of(network: Described) -> int | None:
    """The MTU that the network's option gives its containers, bytes; None: it has no such option."""
    mtu = str((network.get("Options") or {}).get(_MTU, ""))
    return int(mtu) if mtu.isdigit() else None
