"""A node's own addresses in a subnet of the overlay: what they are, and how a local bridge gets and loses one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network, ip_network
from typing import TYPE_CHECKING, Any

from lab.answers import reading

TUNNELS = ("vxlan", "geneve", "gretap", "ip6gretap", "l2tp")
"""Kinds of links by which a bridge reaches other machines, as the kernel names them."""

if TYPE_CHECKING:
    from lab.access.cluster import NodeAccess


def addresses6_within(node: NodeAccess, subnet: IPv6Network, interface: str | None = None) -> list[IPv6Interface]:
    """The node's own IPv6 addresses that lie in `subnet`, of one interface or of all."""
    of = ["dev", interface] if interface else []
    shown = node.run(["ip", "-json", "-6", "address", "show", *of]).stdout
    with reading(f"node {node.name}: ip -json address"):
        found = [
            IPv6Interface(f"{entry['local']}/{entry['prefixlen']}")
            for link in json.loads(shown or "[]")
            for entry in link.get("addr_info", [])
        ]
    return [address for address in found if address.ip in subnet]


def own_address6(node: NodeAccess, subnet: IPv6Network, interface: str | None = None) -> IPv6Address | None:
    """The first of the node's own IPv6 addresses in `subnet`; None when it has none there."""
    found = addresses6_within(node, subnet, interface)
    return found[0].ip if found else None


def addresses_within(node: NodeAccess, subnet: IPv4Network, interface: str | None = None) -> list[IPv4Interface]:
    """The node's own addresses that lie in `subnet`, of one interface or of all."""
    of = ["dev", interface] if interface else []
    shown = node.run(["ip", "-json", "-4", "address", "show", *of]).stdout
    with reading(f"node {node.name}: ip -json address"):
        found = parse_addresses(shown)
    return [address for address in found if address.ip in subnet]


def parse_addresses(shown: str) -> list[IPv4Interface]:
    """The addresses in what `ip -json -4 address show` printed."""
    return [
        IPv4Interface(f"{entry['local']}/{entry['prefixlen']}")
        for link in json.loads(shown)
        for entry in link.get("addr_info", [])
    ]


def own_address(node: NodeAccess, subnet: IPv4Network, interface: str | None = None) -> IPv4Address | None:
    """The first of the node's own addresses in `subnet`; None when it has none there."""
    found = addresses_within(node, subnet, interface)
    return found[0].ip if found else None


def gateway_of(network: Mapping[str, Any], subnet: IPv4Network) -> IPv4Interface | None:
    """The gateway that Docker gives containers in `subnet`, from its description of the network; None: it has none."""
    for pool in (network.get("IPAM") or {}).get("Config") or ():
        if ip_network(pool.get("Subnet", "0.0.0.0/32")) == subnet and pool.get("Gateway"):
            return IPv4Interface(f"{pool['Gateway'].partition('/')[0]}/{subnet.prefixlen}")
    return None


def gateway6_of(network: Mapping[str, Any], subnet: IPv6Network) -> IPv6Interface | None:
    """The IPv6 gateway that Docker gives containers in `subnet`; None: it has none."""
    for pool in (network.get("IPAM") or {}).get("Config") or ():
        if ip_network(pool.get("Subnet", "::/128")) == subnet and pool.get("Gateway"):
            return IPv6Interface(f"{pool['Gateway'].partition('/')[0]}/{subnet.prefixlen}")
    return None


def give(node: NodeAccess, bridge: str, address: IPv4Interface | IPv6Interface) -> None:
    """Give the bridge an address, and with it the node a route to the subnet. Raises HarnessError.

    An IPv6 address can be used at once: the engine gave it to nobody else, so it need not be looked for (RFC 4862).
    """
    at_once = ["nodad"] if address.version == 6 else []
    node.run(["ip", "address", "replace", str(address), "dev", bridge, *at_once])


def take(node: NodeAccess, bridge: str, subnet: IPv4Network | IPv6Network) -> None:
    """Take from the bridge every address that it has in `subnet`. Raises HarnessError."""
    found: list[IPv4Interface] | list[IPv6Interface]
    found = (
        addresses_within(node, subnet, bridge)
        if isinstance(subnet, IPv4Network)
        else addresses6_within(node, subnet, bridge)
    )
    for address in found:
        node.run(["ip", "address", "delete", str(address), "dev", bridge])


def tunnels_in(node: NodeAccess, bridge: str) -> list[str]:
    """Names of the tunnels (VXLAN, GRE, GENEVE …) that are ports of the bridge, sorted."""
    shown = node.run(["ip", "-json", "-details", "link", "show", "master", bridge]).stdout
    with reading(f"node {node.name}: ip -json link"):
        return parse_tunnels(shown)


def parse_tunnels(shown: str) -> list[str]:
    """The tunnels in what `ip -json -details link show` printed, sorted."""
    ports = json.loads(shown or "[]")
    return sorted(str(port["ifname"]) for port in ports if port.get("linkinfo", {}).get("info_kind") in TUNNELS)
