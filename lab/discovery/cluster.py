"""From what the nodes answered to a cluster file: names, addresses, NICs, commands, and what stays a question."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from lab.answers import reading

from .networks import propose, subnet_name
from .questions import Host, Survey
from .services import CONSUL_PORT, Member, consul_of, members_of, nomad_names, nomad_of, not_asked
from .writing import Found, FoundNode, Lost, one_line

DEFAULT_INTERFACE = "eth0"
SOCKET = "/var/run/docker.sock"
SV = "sv -w 20 {action} {folder}/{service}"


@reading("discover: what the nodes, Docker, Consul, Nomad or Weave")
def interpret(
    surveys: Sequence[Survey],
    *,
    name: str,
    command: str,
    ssh: Mapping[str, str | int | bool],
    common: Mapping[str, object],
) -> Found:
    """The cluster file of the nodes that answered; the others stand in it as comments."""
    reached = [survey for survey in surveys if survey.engine is not None]
    named = [Survey(**{**vars(survey), "name": node_name(survey, nomad_names(surveys))}) for survey in reached]
    named = _unique(named)
    members = {member.address: member for member in members_of(surveys)}
    consul, nomad = consul_of(named), nomad_of(named)
    if not any(f":{CONSUL_PORT}/" in url for survey in surveys for url in survey.http):
        consul, nomad = consul or not_asked("Consul"), nomad or not_asked("Nomad")
    nodes = []
    for survey in named:
        node = _node(survey, members)
        for key, service in (("consul_server", consul), ("nomad_server", nomad)):
            if service is not None and own_addresses(survey) & service.servers:
                node.keys[key] = True
        nodes.append(node)
    usual = next((way for way, _ in Counter(survey.become for survey in named).most_common(1)), "none")
    shared = {**common, **({"become": usual} if usual != "none" else {})}
    for node, survey in zip(nodes, named, strict=True):
        if survey.become != usual:
            node.keys["become"] = survey.become
    underlays = {_underlay(node.address, survey.host) for node, survey in zip(nodes, named, strict=True)}
    underlay = underlays.pop() if len(underlays) == 1 else None
    return Found(
        name=name,
        command=command,
        ssh=ssh,
        common=shared,
        nodes=nodes,
        lost=[
            Lost(survey.name, survey.address, one_line(survey.errors.values()))
            for survey in surveys
            if survey.engine is None
        ],
        underlay=underlay,
        overlay=propose(named),
        comments=[] if len(surveys) > 1 else ["Nothing here knows other nodes; if there are any, name them too."],
        consul=consul,
        nomad=nomad,
    )


def node_name(survey: Survey, by_nomad: Mapping[str, str]) -> str:
    """The node's name: Nomad's for its client, else its host name, as far as a cluster file can hold it."""
    for address in sorted(own_addresses(survey)):
        if address in by_nomad:
            return subnet_name(by_nomad[address], ())
    told = survey.host.hostname if survey.host is not None else ""
    if not told and survey.engine is not None:
        told = str(survey.engine.info.get("Name", ""))
    return subnet_name(told.partition(".")[0] or survey.name, ())


def _unique(surveys: Sequence[Survey]) -> list[Survey]:
    made: list[Survey] = []
    for survey in surveys:
        made.append(Survey(**{**vars(survey), "name": subnet_name(survey.name, [other.name for other in made])}))
    return made


def own_addresses(survey: Survey) -> set[str]:
    """The addresses that the node has itself; the one that was dialled where it does not tell."""
    if survey.host is None or not survey.host.addresses:
        return {survey.address}
    return {str(one.ip) for addresses in survey.host.addresses.values() for one in addresses} - {"127.0.0.1"}


def underlay_address(survey: Survey, members: Mapping[str, Member]) -> str:
    """The node's address among the others: the one by which they know it, else the one that was dialled."""
    swarm = (survey.engine.info.get("Swarm") or {}) if survey.engine is not None else {}
    own = own_addresses(survey)
    known = [str(swarm.get("NodeAddr") or ""), *(address for address in members if address in own), survey.address]
    return next((address for address in known if address in own), survey.address)


def _node(survey: Survey, members: Mapping[str, Member]) -> FoundNode:
    address = underlay_address(survey, members)
    node = FoundNode(survey.name, address)
    if survey.engine is not None:
        version = survey.engine.version
        node.told = f"Docker {version.get('Version', '?')}, {survey.engine.info.get('OperatingSystem', '?')}"
    if survey.host is None:
        node.comments += ["interface: which NIC carries the overlay? There is no shell to ask (default: eth0)"]
        node.comments += [one_line(survey.errors.values())] if survey.errors else []
        return node
    if survey.host.python:
        node.told += f", Python {survey.host.python}"
    else:
        node.comments.append("agent_image: the node has no python3; which image, on the node, has one?")
    found = survey.host.interface_of(address)
    if found is None:
        node.comments.append(f"address: no interface of the node has {address}; which address do the other nodes use?")
    elif found[0] != DEFAULT_INTERFACE:
        node.keys["interface"] = found[0]
    _add_commands(node, survey.host)
    if survey.errors:
        node.comments.append(one_line(survey.errors.values()))
    return node


def _add_commands(node: FoundNode, host: Host) -> None:
    """How daemons are stopped and started: systemd's units are the defaults; runit's services are asked by `sv`."""
    if host.systemd and "docker" in host.units:
        return
    if host.runit is not None:
        for service in ("docker", "consul"):
            for action in ("stop", "start"):
                node.commands[f"{action}_{service}"] = SV.format(action=action, folder=host.runit, service=service)
        return
    node.comments.append("commands: how are Docker and Consul stopped and started here? (for --disruptive only)")


def _underlay(address: str, host: Host | None) -> str | None:
    found = host.interface_of(address) if host is not None else None
    return str(found[1].network) if found is not None and found[1].network.prefixlen < 32 else None


def same_node(survey: Survey, member: Member) -> bool:
    """Whether a node that others name is one that answered already."""
    return member.address in own_addresses(survey) or member.address == survey.address


def short(text: str) -> str:
    """A name that a cluster file can hold, of a host name or an address."""
    return subnet_name(re.sub(r"\.", "-", text), ())
