"""Networks of which each node has a part, between which the nodes route: adapters routed and wireguard. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from lab.overlays.docker import bridge_of

from .candidates import Candidate, by_name, mtu_of, subnet_of
from .questions import Host, Survey


@dataclass(frozen=True)
class Parted(Candidate):
    """A bridge network of the same name on all nodes, whose parts reach each other by the nodes' routes."""

    bridge: str
    """Its bridge's name on every node."""
    interface: str
    """The WireGuard interface that the routes lead into; empty: they lead by the NIC."""
    direct: bool
    """Whether the next hop of every route is an address of the node whose part it leads to."""


@dataclass(frozen=True)
class Way:
    """The route that a node has to another one's part."""

    device: str
    gateway: str


def find_parted(surveys: Sequence[Survey]) -> list[Parted]:
    """The networks whose parts every node has a route to; none where a node's routes were not seen."""
    hosts = {survey.name: survey.host for survey in surveys if survey.host is not None}
    if len(hosts) < len(surveys) or len(surveys) < 2:
        return []
    found = [_parted(name, on, hosts) for name, on in by_name(surveys).items() if set(on) == set(hosts)]
    return [network for network in found if network is not None]


def _parted(name: str, on: Mapping[str, Mapping[str, Any]], hosts: Mapping[str, Host]) -> Parted | None:
    bridges = {bridge_of(network) for network in on.values()}
    parts = {node: part for node, network in on.items() if (part := subnet_of(network)) is not None}
    bridge = next(iter(bridges))
    if bridge is None or len(bridges) > 1 or len(parts) < len(on) or _overlap(list(parts.values())):
        return None
    ways = {(node, other): way_to(hosts[node], part) for node in on for other, part in parts.items() if other != node}
    seen = {pair: way for pair, way in ways.items() if way is not None}
    tunnels = {way.device if way.device in hosts[node].wireguard else "" for (node, _), way in seen.items()}
    if len(seen) < len(ways) or len(tunnels) != 1:
        return None
    direct = all(way.gateway in _addresses(hosts[other]) for (_, other), way in seen.items())
    one = next(iter(on.values()))
    return Parted(name, "bridge", whole_of(list(parts.values())), mtu_of(one), on, bridge, tunnels.pop(), direct)


def way_to(host: Host, part: IPv4Network) -> Way | None:
    """The node's most special route that holds all of `part`; None: it has none but the default route."""
    fitting: list[tuple[int, Way]] = []
    for route in host.routes:
        text = str(route.get("dst", ""))
        if text == "default" or "dev" not in route or route.get("type", "unicast") != "unicast":
            continue
        destination = IPv4Network(text)
        if part.subnet_of(destination):
            fitting.append((destination.prefixlen, Way(str(route["dev"]), str(route.get("gateway", "")))))
    return max(fitting, key=lambda entry: entry[0])[1] if fitting else None


def whole_of(parts: Sequence[IPv4Network]) -> IPv4Network:
    """The smallest network that holds all parts."""
    whole = parts[0]
    while not all(part.subnet_of(whole) for part in parts):
        whole = whole.supernet()
    return whole


def _overlap(parts: Sequence[IPv4Network]) -> bool:
    return any(part.overlaps(other) for index, part in enumerate(parts) for other in parts[:index])


def _addresses(host: Host) -> set[str]:
    return {str(one.ip) for addresses in host.addresses.values() for one in addresses}
