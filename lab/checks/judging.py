"""Judges what was read of a cluster: what keeps a run from testing it, and what may disturb the run.

Pure functions: records in, findings out; a finding is one line, `<where>: <what is wrong>; <what to do>`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from lab.inventory import Inventory, Node
from lab.overlays import DUAL_STACK

from .facts import CAPABILITIES, HostFacts

OLDEST_PYTHON = (3, 6)
OLDEST_API = (1, 25)
"""The oldest Docker API that the SDK speaks reliably here: networks by name, attachable overlays."""
ROOM_KIB = 64 * 1024
"""What the demo image and the layers of its containers may take, KiB; the image has about 2 MiB."""
FULL = 0.75
"""A table that is fuller than this before a run may overflow during it."""


@dataclass(frozen=True)
class Finding:
    """One thing that is not as a run needs it."""

    text: str
    hinders: bool = True
    """A run cannot begin; otherwise it can, and the text says what to expect."""

    def __str__(self) -> str:
        return self.text


def problem(where: str, wrong: str, way_out: str) -> Finding:
    """What keeps a run from beginning."""
    return Finding(f"{where}: {wrong}; {way_out}")


def note(where: str, wrong: str, way_out: str) -> Finding:
    """What a run can live with."""
    return Finding(f"{where}: {wrong}; {way_out}", hinders=False)


def judge_host(node: Node, facts: HostFacts) -> list[Finding]:
    """What a node lacks."""
    where, found = f"node {node.name}", []
    if facts.uid != 0:
        seen = "not known" if facts.uid is None else str(facts.uid)
        wrong = f"commands do not run as root there (user number {seen})"
        found.append(problem(where, wrong, "use root, or `become: sudo` or `become: docker`"))
    if node.agent_image is None and (facts.python is None or facts.python < OLDEST_PYTHON):
        seen = "none" if facts.python is None else "{}.{}".format(*facts.python)
        wrong = f"has no Python 3.6 or newer as python3 ({seen})"
        found.append(problem(where, wrong, "install it, or write the `agent_image` of one that has it"))
    if not facts.ip_json:
        found.append(problem(where, "has no `ip` with -json", "install iproute2, 4.13 or newer"))
    lacking = [name for bit, name in CAPABILITIES.items() if not facts.capabilities >> bit & 1]
    if lacking and facts.uid == 0:
        wrong = f"root lacks {', '.join(lacking)} there, which sockets inside containers need"
        found.append(problem(where, wrong, "reach the host itself, not a confined container on it"))
    found += _judge_interface(node, facts)
    if facts.free_kib is not None and facts.free_kib < ROOM_KIB:
        wrong = f"{facts.free_kib // 1024} MiB are free where the engine keeps images"
        found.append(problem(where, wrong, f"make room for {ROOM_KIB // 1024} MiB"))
    tables = {"connection table (conntrack)": facts.conntrack, "neighbour table": facts.neighbours}
    for name, table in tables.items():
        if table is not None and table[0] > FULL * table[1]:
            wrong = f"the {name} holds {table[0]} of {table[1]} entries"
            found.append(note(where, wrong, "a run may find it full, and so may your services"))
    return found


def _judge_interface(node: Node, facts: HostFacts) -> list[Finding]:
    where, write = f"node {node.name}", f"write `interface: {facts.holder}`"
    if not facts.ip_json:
        return []  # without `ip` nothing was seen of any interface
    if facts.holder is None:
        way_out = "write its address on the underlay, and in `ssh.config` (HostName) the one by which SSH reaches it"
        return [problem(where, f"none of its interfaces has {node.address}", way_out)]
    if not facts.has_interface:
        return [problem(where, f"has no interface {node.interface}", write)]
    if facts.holder != node.interface:
        wrong = f"{node.address} is on {facts.holder}, and captures are made on {node.interface}"
        return [note(where, wrong, f"{write} if that carries the overlay")]
    return []


def judge_engine(
    node: Node, info: Mapping[str, Any], version: Mapping[str, Any], facts: HostFacts | None
) -> list[Finding]:
    """What keeps a node's engine from running containers; `info` and `version` as Docker's API gives them."""
    where, found = f"node {node.name}: Docker", []
    api = tuple(int(part) for part in str(version.get("ApiVersion", "0.0")).split(".") if part.isdigit())
    if api < OLDEST_API:
        way_out = "upgrade it to 1.25 (Docker 1.13) or newer"
        found.append(problem(where, f"speaks API {version.get('ApiVersion')}", way_out))
    if info.get("OSType", "linux") != "linux":
        found.append(problem(where, f"runs {info['OSType']} containers", "use a node with Linux containers"))
    confined = any("apparmor" in str(option) for option in info.get("SecurityOptions") or ())
    if confined and facts is not None and facts.uid == 0 and not facts.apparmor_parser:
        wrong = "uses AppArmor, and apparmor_parser is not on the node, so no container starts"
        found.append(problem(where, wrong, "install apparmor"))
    return found


FIRST_PROTECTING_ENGINE = 28
"""From this Docker on, containers on a bridge network are not reached by routing past their host (28.0.0 notes)."""


@dataclass(frozen=True)
class Engine:
    """A node's engine as far as networks are concerned."""

    networks: Mapping[str, Mapping[str, Any] | None]
    """{network that the file needs: what Docker says of it; None: Docker does not know it}"""
    swarm: Mapping[str, Any]
    """`Swarm` of /info: LocalNodeState, ControlAvailable …"""
    major: int = 0
    """The first number of the engine's version; 0: unknown."""

    @property
    def manages(self) -> bool:
        """The node is a manager of a swarm, which knows all networks of it."""
        return bool(self.swarm.get("ControlAvailable"))

    @property
    def works(self) -> bool:
        """The node is a worker of a swarm, which knows an overlay network only while a container is attached to it."""
        return not self.manages and self.swarm.get("LocalNodeState") == "active"


def major_of(version: Mapping[str, Any]) -> int:
    """The first number of an engine's version, from the answer of /version; 0: it begins with none."""
    number = str(version.get("Version", "")).partition(".")[0]
    return int(number) if number.isdecimal() else 0


def judge_networks(
    inventory: Inventory, names: Mapping[str, str], engines: Mapping[str, Engine], *, sliced: bool = False
) -> list[Finding]:
    """Networks of the file that nodes do not have, or have otherwise. `names`: {subnet: Docker network}.

    `sliced`: each node has a part of the subnet of its own, to which others are routed.
    """
    found = []
    for subnet, name in names.items():
        known = {node: seen for node, engine in engines.items() if (seen := engine.networks.get(name)) is not None}
        for node, network in known.items():
            where = f"node {node}: network {name}"
            found += _judge_subnet(inventory, where, subnet, network, sliced=sliced)
            found += _judge_network6(inventory, where, subnet, network)
            found += _judge_network(inventory, where, network)
            found += _judge_mode(inventory, where, network, engines[node].major, sliced=sliced)
        found += _judge_absence(subnet, name, engines, known)
        found += _judge_pools(name, known)
        if inventory.overlay.options.get("expose") == "bridge":
            found += _judge_gateways(name, known)
    return found


def _judge_absence(
    subnet: str, name: str, engines: Mapping[str, Engine], known: Mapping[str, Mapping[str, Any]]
) -> list[Finding]:
    overlays = [network for network in known.values() if network.get("Driver") == "overlay"]
    managed = any(engine.manages for engine in engines.values())
    unseen = [node for node, engine in engines.items() if node not in known and engine.works]
    missing = [node for node in engines if node not in known and node not in unseen]
    found = []
    if unseen and not overlays:
        if managed or known:  # a manager knows every network of its swarm; on other nodes it is not one of a swarm
            missing += unseen
        else:
            wrong = "no node of the file is a manager of the swarm, so nothing tells whether the network exists"
            found.append(note(f"network {name} (subnet {subnet})", wrong, "the first container that joins it will"))
    way_out = f"make it, or write the name that it has in `overlay.networks.{subnet}`"
    found += [problem(f"node {node}", f"Docker has no network {name} (subnet {subnet})", way_out) for node in missing]
    return found


def _judge_subnet(
    inventory: Inventory, where: str, subnet: str, network: Mapping[str, Any], *, sliced: bool
) -> list[Finding]:
    declared = inventory.overlay.subnets[subnet]
    pools = [IPv4Network(pool["Subnet"]) for pool in _pools(network) if ":" not in pool.get("Subnet", ":")]
    # A plugin's own IPAM (Weave's) may give out a part of what Docker names, or name nothing.
    if not pools or _of_plugin(network):
        return []
    has = ", ".join(map(str, pools))
    if not any(pool.subnet_of(declared) for pool in pools):
        wrong = f"its subnet is {has}, and the file's overlay.subnets.{subnet} is {declared}"
        return [problem(where, wrong, "correct the file")]
    if declared not in pools and not sliced:
        wrong = f"its subnet is {has}, a part of the file's overlay.subnets.{subnet}, which is {declared}"
        way_out = "correct the file, or declare `overlay.name: routed` where nodes route between their parts"
        return [problem(where, wrong, way_out)]
    if declared in pools and sliced:
        wrong = f"it has all of overlay.subnets.{subnet}, {declared}, so nothing is routed to other nodes"
        return [problem(where, wrong, "give each node's network a part of its own, or declare another overlay")]
    return []


def _judge_network(inventory: Inventory, where: str, network: Mapping[str, Any]) -> list[Finding]:
    overlay = inventory.overlay
    found, driver = list[Finding](), network.get("Driver")
    if driver == "overlay" and not network.get("Attachable"):
        wrong = "is not attachable, so only services can join it"
        found.append(problem(where, wrong, "make it again with --attachable, or leave it out"))
    wanted = overlay.options.get("driver")
    if wanted is not None and driver != wanted:
        wrong = f"its driver is {driver}, and overlay.options.driver is {wanted}"
        found.append(problem(where, wrong, "correct the file"))
    mtu, wanted = (network.get("Options") or {}).get("com.docker.network.driver.mtu"), overlay.options.get("mtu")
    if mtu is not None and wanted is not None and str(wanted) != str(mtu):
        found.append(problem(where, f"its MTU is {mtu}, and overlay.options.mtu is {wanted}", "correct the file"))
    return found


def _judge_network6(inventory: Inventory, where: str, subnet: str, network: Mapping[str, Any]) -> list[Finding]:
    """A network's IPv6 subnet against the one that the file declares."""
    declared, key = inventory.overlay.subnets6.get(subnet), f"overlay.subnets6.{subnet}"
    pools = [IPv6Network(pool["Subnet"]) for pool in _pools(network) if ":" in pool.get("Subnet", "")]
    if not network.get("EnableIPv6"):
        pools = []
    has = ", ".join(map(str, pools))
    if declared is None:
        wrong = f"it has IPv6 ({has}), which the file does not declare, so nothing is tested over it"
        return [note(where, wrong, f"write it as {key}")] if pools and inventory.overlay.name in DUAL_STACK else []
    if not pools:
        return [problem(where, f"it has no IPv6, and the file has {key}", "make it with --ipv6, or correct the file")]
    if declared not in pools:
        wrong = f"its IPv6 subnet is {has}, and the file's {key} is {declared}"
        return [problem(where, wrong, "correct the file")]
    return []


def _judge_mode(
    inventory: Inventory, where: str, network: Mapping[str, Any], major: int, *, sliced: bool
) -> list[Finding]:
    """The gateway mode of a bridge network against what the file declares (Docker's documentation, "Gateway modes")."""
    options = inventory.overlay.options
    mode = (network.get("Options") or {}).get("com.docker.network.bridge.gateway_mode_ipv4") or "nat"
    if network.get("Driver") != "bridge":
        return []
    if mode == "isolated" and options.get("expose") == "bridge":
        wrong = "its gateway mode is isolated, in which Docker gives the bridge no address"
        return [problem(where, wrong, "make it with another, or declare another overlay.options.expose")]
    if mode == "nat" and major >= FIRST_PROTECTING_ENGINE and (sliced or int(options.get("hops", 0)) > 0):
        wrong = (
            f"its gateway mode is nat, and Docker {major} drops in raw/PREROUTING what is routed straight to its "
            "containers"
        )
        return [note(where, wrong, "make it with the mode routed or nat-unprotected where they are to be reached so")]
    return []


def _of_plugin(network: Mapping[str, Any]) -> bool:
    return str((network.get("IPAM") or {}).get("Driver", "default")) != "default"


def _pools(network: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return (network.get("IPAM") or {}).get("Config") or ()


def _judge_pools(name: str, known: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """Engines that each hand out addresses of the same range by themselves."""
    ranges = [
        (node, IPv4Network(given))
        for node, network in known.items()
        if network.get("Scope") == "local" and not _of_plugin(network)
        for pool in _pools(network)
        if (given := pool.get("IPRange") or pool.get("Subnet") or ":") and ":" not in given
    ]
    for index, (node, given) in enumerate(ranges):
        for other, taken in ranges[:index]:
            if other != node and given.overlaps(taken):
                wrong = f"the engines of {other} and {node} both hand out addresses of {given}, and two containers can "
                way_out = "give each engine a part of its own (--ip-range)"
                return [note(f"network {name}", f"{wrong}get the same", way_out)]
    return []


def _judge_gateways(name: str, known: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """Nodes that would have the same address in the network when they are exposed."""
    holders: dict[str, list[str]] = {}
    for node, network in known.items():
        for pool in _pools(network):
            if pool.get("Gateway") and ":" not in pool["Gateway"]:
                holders.setdefault(pool["Gateway"], []).append(node)
    return [
        problem(
            f"network {name}",
            f"{gateway} is the gateway on {', '.join(nodes)}, and exposed each of them would have it",
            "give each node's network a gateway of its own, or declare another overlay.options.expose",
        )
        for gateway, nodes in holders.items()
        if len(nodes) > 1
    ]


def judge_consul(node: Node, datacenter: str, config: Mapping[str, Any], leader: str) -> list[Finding]:
    """What is wrong with Consul on a node; `config`: of /v1/agent/self, `leader`: what /v1/status/leader says."""
    where, found = f"node {node.name}: Consul", []
    if config.get("Datacenter") != datacenter:
        wrong = f"its datacenter is {config.get('Datacenter')}, and the file's consul.datacenter is {datacenter}"
        found.append(problem(where, wrong, "correct the file"))
    if not leader:
        found.append(problem(where, "there is no leader, so nothing can be registered", "look at its servers"))
    if node.consul_server and config.get("Server") is False:
        found.append(problem(where, "runs as a client there", "leave out the node's `consul_server: true`"))
    return found


def judge_nomad(nodes: Sequence[Node], datacenter: str, clients: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Nodes without a Nomad client that is ready, from the answer of /v1/nodes."""
    by_address = {client.get("Address"): client for client in clients}
    found = []
    for node in nodes:
        where, client = f"node {node.name}: Nomad", by_address.get(str(node.address))
        if client is None:
            found.append(problem(where, f"knows no client at {node.address}", "start one, or correct the file"))
        elif client.get("Datacenter") != datacenter:
            wrong = f"its datacenter is {client.get('Datacenter')}, and the file's nomad.datacenter is {datacenter}"
            found.append(problem(where, wrong, "correct the file"))
        elif client.get("Status") != "ready":
            found.append(problem(where, f"its client is {client.get('Status')}", "look at its log"))
    return found
