"""Which of the Docker networks are the overlay, and which adapter knows them: a proposal for the section `overlay`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Any

from lab.overlays.docker import bridge_of, parent_of
from lab.overlays.routed import MTU as ROUTED_MTU
from lab.overlays.vxlan import FIRST_VNI, OVERHEAD, UDP_PORT
from lab.overlays.wireguard import INTERFACE
from lab.overlays.wireguard import OVERHEAD as OVERHEAD_OF_WIREGUARD

from .candidates import Candidate, by_name, mtu_of, subnet_of
from .questions import Host, Survey, parsed
from .routed import Parted, find_parted
from .services import WEAVE_PORT

DEFAULT_PREFIX = "flatnet-"
MOST_NAME = 31


@dataclass
class Proposal:
    """The section `overlay`."""

    adapter: str = ""
    """Empty: no network looks like an overlay."""
    range: IPv4Network | None = None
    subnets: dict[str, IPv4Network] = field(default_factory=dict)
    networks: dict[str, str] = field(default_factory=dict)
    options: dict[str, str | int | bool] = field(default_factory=dict)
    comments: list[str] = field(default_factory=list)


def propose(surveys: Sequence[Survey]) -> Proposal:
    """The overlay of the nodes whose engines answered."""
    asked = [survey for survey in surveys if survey.engine is not None]
    parted = find_parted(asked)
    candidates, comments = find_candidates(asked, without={network.name for network in parted})
    weave = _propose_weave(asked, candidates)
    if weave is not None:
        made = weave
    else:
        families = _families(asked, candidates, parted)
        chosen = max(families, key=lambda name: len(families[name]), default="")
        made = Proposal(chosen)
        for candidate in families.get(chosen, ()):
            _add(made, candidate, asked)
        comments += [
            f"network {other.name} ({other.driver}, {other.subnet}) needs a file of its own, with adapter {name}"
            for name, others in families.items()
            if name != chosen
            for other in others
        ]
    made.comments += comments
    return made


def find_candidates(surveys: Sequence[Survey], without: Collection[str]) -> tuple[list[Candidate], list[str]]:
    """The networks that all nodes have alike, by name, and why others are none of them.

    `without`: names of networks that are looked at elsewhere.
    """
    found, comments = [], []
    for name, on in by_name(surveys).items():
        if name in without:
            continue
        one = next(iter(on.values()))
        subnets = {node: subnet_of(network) for node, network in on.items()}
        different = sorted({str(subnet) for subnet in subnets.values()})
        missing = [survey.name for survey in surveys if survey.name not in on]
        subnet = next(iter(subnets.values()))
        kind = f"network {name} ({one['Driver']}, {', '.join(different)})"
        if missing and one.get("Scope") != "swarm":
            comments.append(f"{kind} is not on {', '.join(missing)}")
        elif len(different) > 1:
            comments.append(f"{kind} is not the same network on every node")
        elif subnet is None:
            comments.append(f"{kind} has no IPv4 subnet that Docker knows")
        elif one["Driver"] == "overlay" and not one.get("Attachable"):
            comments.append(f"{kind} is not attachable: only services can join it")
        else:
            found.append(Candidate(name, str(one["Driver"]), subnet, mtu_of(one), on))
    return found, comments


def _families(
    surveys: Sequence[Survey], candidates: Iterable[Candidate], parted: Iterable[Parted]
) -> dict[str, list[Candidate]]:
    """{adapter: networks that it knows}"""
    found: dict[str, list[Candidate]] = {}
    for network in parted:
        found.setdefault("wireguard" if network.interface else "routed", []).append(network)
    for candidate in candidates:
        if candidate.driver == "overlay":
            name = "swarm"
        elif candidate.driver == "bridge":
            name = _of_bridges(surveys, candidate)
        else:
            name = "docker"
        if name:
            found.setdefault(name, []).append(candidate)
    if not found:  # bridges that nothing here recognises as joined are better than nothing, with a question
        alone = [candidate for candidate in candidates if candidate.driver == "bridge"]
        return {"docker": alone} if alone else {}
    return found


def _of_bridges(surveys: Sequence[Survey], candidate: Candidate) -> str:
    """The adapter of a network of bridges that tunnels join; empty: nothing is seen that joins them."""
    if not _tunnelled(surveys, candidate):
        return ""
    if not _same_names(surveys, candidate):
        return "docker"
    return "evpn" if all(_told_by_bgp(survey, candidate) for survey in surveys) else "vxlan"


def _learns(host: Host | None, bridge: str | None) -> bool:
    """Whether the tunnel in the bridge learns by itself who is where."""
    data = ((tunnel_in(host, bridge) or {}).get("linkinfo") or {}).get("info_data") or {}
    return data.get("learning") is not False


def _told_by_bgp(survey: Survey, candidate: Candidate) -> bool:
    """Whether BGP tells the node who is where: its tunnel learns nothing by itself, and FRR's bgpd runs."""
    return (
        survey.host is not None and survey.host.bgpd and not _learns(survey.host, bridge_of(candidate.on[survey.name]))
    )


def tunnel_in(host: Host | None, bridge: str | None) -> Mapping[str, Any] | None:
    """The VXLAN interface that is a port of the bridge, as `ip` describes it."""
    for link in host.links if host is not None and bridge is not None else ():
        if link.get("master") == bridge and (link.get("linkinfo") or {}).get("info_kind") == "vxlan":
            return link
    return None


def _same_names(surveys: Sequence[Survey], candidate: Candidate) -> bool:
    """Whether bridge and tunnel have one name each on all nodes, as the adapter vxlan has to know them."""
    bridges = {bridge_of(candidate.on[survey.name]) for survey in surveys}
    tunnels = {
        str((tunnel_in(survey.host, bridge_of(candidate.on[survey.name])) or {}).get("ifname")) for survey in surveys
    }
    return len(bridges) == 1 and len(tunnels) == 1


def _tunnelled(surveys: Sequence[Survey], candidate: Candidate) -> bool:
    """Whether the bridge has, on every node, a VXLAN interface that floods to other nodes."""
    for survey in surveys:
        tunnel = tunnel_in(survey.host, bridge_of(candidate.on[survey.name]))
        if survey.host is None or tunnel is None or not survey.host.flooded.get(str(tunnel["ifname"])):
            return False
    return True


def _add(made: Proposal, candidate: Candidate, surveys: Sequence[Survey]) -> None:
    key = subnet_name(candidate.name, made.subnets)
    overlapping = [name for name, taken in made.subnets.items() if taken.overlaps(candidate.subnet)]
    if overlapping:
        made.comments.append(f"network {candidate.name} ({candidate.subnet}) overlaps {overlapping[0]}: left out")
        return
    made.subnets[key] = candidate.subnet
    default = key if made.adapter == "docker" else f"{DEFAULT_PREFIX}{key}"
    if candidate.name != default:
        made.networks[key] = candidate.name
    add = {
        "swarm": _add_swarm, "vxlan": _add_vxlan, "evpn": _add_vxlan, "docker": _add_docker, "routed": _add_routed,
        "wireguard": _add_routed,
    }[made.adapter]  # fmt: skip
    add(made, key, candidate, surveys)


def subnet_name(network: str, taken: Iterable[str]) -> str:
    """A name for the subnet that a network is: the network's own, as far as a cluster file can hold it."""
    plain = re.sub(r"[^a-z0-9-]+", "-", network.removeprefix(DEFAULT_PREFIX).lower()).strip("-")
    name = (plain if re.match("[a-z]", plain) else f"net-{plain}")[:MOST_NAME].rstrip("-")
    used, number, made = set(taken), 1, name
    while made in used:
        number += 1
        made = f"{name[: MOST_NAME - 4]}-{number}"
    return made


def _add_swarm(made: Proposal, key: str, candidate: Candidate, surveys: Sequence[Survey]) -> None:
    if candidate.mtu is not None:
        _option(made, "mtu", candidate.mtu)


def _add_vxlan(made: Proposal, key: str, candidate: Candidate, surveys: Sequence[Survey]) -> None:
    first = surveys[0]
    bridge = bridge_of(candidate.on[first.name]) or ""
    tunnel = tunnel_in(first.host, bridge) or {}
    data = (tunnel.get("linkinfo") or {}).get("info_data") or {}
    for name, value, default in (
        (f"bridge.{key}", bridge, f"fn-{key}"[:15]),
        (f"tunnel.{key}", str(tunnel.get("ifname", "")), f"vx-{key}"[:15]),
        (f"vni.{key}", data.get("id"), FIRST_VNI + list(made.subnets).index(key)),
        ("port", data.get("port"), UDP_PORT),
        ("mtu", candidate.mtu or tunnel.get("mtu"), 1500 - OVERHEAD),
    ):
        if value is not None and value != default:
            _option(made, name, value)
    if made.adapter == "vxlan" and not _learns(first.host, bridge):
        made.comments.append(
            f"network {candidate.name}: its tunnels learn nothing by themselves, and FRR's bgpd does not run on every "
            "node; what tells the nodes which container is where?"
        )


def _add_routed(made: Proposal, key: str, candidate: Candidate, surveys: Sequence[Survey]) -> None:
    assert isinstance(candidate, Parted)
    by_tunnel = made.adapter == "wireguard"
    if candidate.bridge != f"fn-{key}"[:15]:
        _option(made, f"bridge.{key}", candidate.bridge)
    if candidate.mtu not in (None, ROUTED_MTU - OVERHEAD_OF_WIREGUARD if by_tunnel else ROUTED_MTU):
        _option(made, "mtu", candidate.mtu or 0)
    if by_tunnel and candidate.interface != INTERFACE:
        _option(made, "interface", candidate.interface)
    parts = ", ".join(f"{subnet_of(network)} on {node}" for node, network in candidate.on.items())
    made.comments.append(
        f"network {candidate.name} has {parts}; {candidate.subnet} is the smallest network that holds them: is it the "
        "subnet?"
    )
    if not by_tunnel and not candidate.direct:
        _option(made, "peers", False)
        made.comments.append(f"network {candidate.name}: a router lies between the nodes, so CP-1 does not apply")
    if len(made.subnets) == 1:
        made.comments.append(
            "are machines that are not nodes kept out? Then overlay.options.closed: true has that tested (HOST-6)"
        )


def _add_docker(made: Proposal, key: str, candidate: Candidate, surveys: Sequence[Survey]) -> None:
    _option(made, "driver", candidate.driver)
    if candidate.mtu is not None:
        _option(made, "mtu", candidate.mtu)
    reached = [survey for survey in surveys if survey.host is not None and _has_address(survey.host, candidate.subnet)]
    if len(reached) == len(surveys):
        _option(made, "expose", "always")
    if candidate.driver == "bridge" and _tunnelled(surveys, candidate):
        made.comments.append(
            f"network {candidate.name} is a bridge with a VXLAN tunnel in it, of other names on each node; with "
            "overlay.options.expose: bridge, Flatnet gives and takes the nodes' addresses there"
        )
    elif candidate.driver == "bridge" and any(survey.host is None for survey in surveys):
        made.comments.append(
            f"network {candidate.name} is a bridge on every node; what joins the bridges is not seen without a shell. "
            "How many routers are on the way (overlay.options.hops); do nodes reach them (overlay.options.expose)?"
        )
    elif candidate.driver == "bridge":
        made.comments.append(
            f"network {candidate.name} is a bridge on every node without a tunnel: are these bridges one network, by "
            "routes for example? Then say how many routers are between two nodes' containers (overlay.options.hops)"
        )
    else:
        parent = parent_of(next(iter(candidate.on.values())))
        on = f" on {parent}" if parent else ""
        made.comments.append(
            f"network {candidate.name} is {candidate.driver}{on}: are there routers between two nodes' containers? "
            "(overlay.options.hops, default 0); do nodes reach containers? (overlay.options.expose, default none)"
        )


def _has_address(host: Host, subnet: IPv4Network) -> bool:
    return any(address.ip in subnet for addresses in host.addresses.values() for address in addresses)


def _option(made: Proposal, key: str, value: str | int | bool) -> None:
    known = made.options.setdefault(key, value)
    if known != value:
        made.comments.append(f"{key}: some networks have {value}; a file has one value for all, {known}")


def _propose_weave(surveys: Sequence[Survey], candidates: Iterable[Candidate]) -> Proposal | None:
    """Weave Net, where its router answers on every node: by the plugin's network, or by the proxy."""
    reports = [parsed(survey.http.get(f"http://127.0.0.1:{WEAVE_PORT}/report")) for survey in surveys]
    if not reports or not all(isinstance(report, dict) and report.get("IPAM") for report in reports):
        return None
    ipam = reports[0]["IPAM"]
    plugin = [candidate.name for candidate in candidates if candidate.driver.startswith("weave")]
    known = [
        str(network["Name"])
        for survey in surveys
        if survey.engine is not None
        for network in survey.engine.networks
        if "weave" in str(network["Driver"])
    ]
    names = sorted({*plugin, *known})
    proxied = all(survey.host is not None and survey.host.weave_proxy for survey in surveys)
    made = Proposal("weave-plugin" if names else "weave-proxy", IPv4Network(ipam["Range"]))
    made.subnets["default"] = IPv4Network(ipam["DefaultSubnet"])
    if names and "weave" not in names:
        made.networks["default"] = names[0]
    if names and proxied:
        made.comments.append("Weave's Docker API proxy runs as well; adapter weave-proxy tests what joins by it")
    if not names and not proxied:
        made.comments.append("neither Weave's plugin nor its proxy was found; how do containers join?")
    made.comments.append("subnets: which other subnets of the range are used (WEAVE_CIDR=net:…)? Each is a line here")
    return made
