"""A routed network whose nodes are joined by WireGuard: what crosses the underlay between them is encrypted.

Every node is a peer of every other one. AllowedIPs of a peer are its parts of the subnets and its own address, so the
interface itself says which peer a packet is for, and refuses sources that a peer does not have. Containers send to
nodes by the tunnel as well: a routing rule sees to that, for sources within the overlay only.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from lab.answers import reading
from lab.programs import find_program

from .base import Peer
from .options import Option
from .routed import CHAIN, MTU, Routed

if TYPE_CHECKING:
    from lab.access.cluster import ClusterAccess, NodeAccess

INTERFACE = "wg0"
PORT = 51820
OVERHEAD = 80
"""Outer IPv6 40 + UDP 8 + WireGuard's type, receiver and counter 16 + Poly1305 tag 16 bytes (wg-quick's default)."""
TABLE = 4200
"""The routing table by which containers reach nodes through the tunnel."""
LAST_RESORT = 4096
"""Metric of routes that hold while the tunnel is away: nothing of the overlay leaves in clear then."""
FOLDER = "/var/lib/flatnet-wireguard"
"""On a node's disk: its key, and its configuration as `wg setconf` reads it."""
KEEPALIVE_S = 25
"""As wg(8) advises; with it peers make a new handshake every two minutes, whether containers send or not."""
STALE_S = 200
"""After 180 s without a handshake nothing is accepted any more (REJECT_AFTER_TIME, WireGuard's paper §6.1)."""
TUN = Path("/dev/net/tun")
"""The device by which wireguard-go makes an interface."""
MODULE = "ip link add {name} type wireguard"


class Wireguard(Routed):
    """The adapter of routes into a WireGuard interface: the kernel's, else wireguard-go's."""

    name = "wireguard"
    encrypted = True
    needs = ("wg",)
    options: ClassVar[tuple[Option, ...]] = (*Routed.options, Option("interface", str))

    @classmethod
    def lacking(cls) -> str | None:
        if find_program("wg") is None:
            return "overlay wireguard needs the program wg; install wireguard-tools and wireguard-go"
        if find_program("wireguard-go") is None:
            return "overlay wireguard needs wireguard-go, for kernels without WireGuard; install wireguard-go"
        if not TUN.exists():
            return "overlay wireguard needs /dev/net/tun; load the kernel's module tun"
        return None

    @property
    def interface(self) -> str:
        """Name of the WireGuard interface on every node."""
        return self.option("interface", INTERFACE)

    def towards_nodes(self, node: NodeAccess) -> str:
        return self.interface

    def mtu(self, subnet: str) -> int:
        return self.option("mtu", MTU - OVERHEAD)

    # -- a lab -----------------------------------------------------------------

    def deploy(self, cluster: ClusterAccess) -> None:
        keys = cluster.each(self._make_key)
        cluster.each(lambda node: self._write_configuration(node, keys))
        super().deploy(cluster)

    def _make_key(self, node: NodeAccess) -> str:
        """Make the node's key, which never leaves it; its public key."""
        return node.run(
            f"set -e; umask 077; mkdir -p {FOLDER}; wg genkey >{FOLDER}/key; wg pubkey <{FOLDER}/key"
        ).stdout.strip()

    def _write_configuration(self, node: NodeAccess, keys: Mapping[str, str]) -> None:
        peers = [
            {
                "PublicKey": keys[peer.name],
                "Endpoint": f"{peer.address}:{PORT}",
                "AllowedIPs": ", ".join([*map(str, self.parts_of(index)), f"{peer.address}/32"]),
                "PersistentKeepalive": str(KEEPALIVE_S),
            }
            for index, peer in enumerate(self.inventory.nodes)
            if peer.name != node.name
        ]
        lines = [f"ListenPort = {PORT}"]
        for peer in peers:
            lines += ["", "[Peer]", *(f"{key} = {value}" for key, value in peer.items())]
        node.run(
            "set -e; umask 077\n"
            f'{{ echo "[Interface]"; echo "PrivateKey = $(cat {FOLDER}/key)"; cat; }} >{FOLDER}/conf',
            stdin="\n".join(lines) + "\n",
        )

    folder = FOLDER

    def peer_key(self, address: str) -> str:
        """A line of shell that sets `key` to the public key of the peer with this address on the underlay."""
        return f"key=$(wg show {shlex.quote(self.interface)} endpoints | awk '$2 == \"{address}:{PORT}\" {{print $1}}')"

    def parts_of(self, index: int) -> list[IPv4Network]:
        """What a lab's node `index` has of each subnet."""
        return [self.slice_of(subnet, index) for subnet in self.subnets]

    def _links_up(self, node: NodeAccess) -> list[str]:
        wg, table = shlex.quote(self.interface), f"table {TABLE}"
        others = [str(peer.address) for peer in self.inventory.nodes if peer.name != node.name]
        return [
            f"if [ ! -e /sys/class/net/{wg} ]; then",
            f"{MODULE.format(name=wg)} 2>/dev/null || WG_PROCESS_FOREGROUND=1 "
            f"setsid wireguard-go {wg} >>/run/flatnet/log/wireguard.log 2>&1 </dev/null &",
            f"for try in $(seq 500); do wg show {wg} >/dev/null 2>&1 && break; sleep 0.02; done",
            f"wg setconf {wg} {FOLDER}/conf",
            f"ip link set {wg} mtu {int(self.mtu(next(iter(self.subnets))))} up",
            "fi",
            *(f"ip route replace unreachable {whole} metric {LAST_RESORT}" for whole in self.subnets.values()),
            *(f"ip route replace unreachable {peer}/32 {table} metric {LAST_RESORT}" for peer in others),
            *(f"ip route replace {peer}/32 dev {wg} {table}" for peer in others),
            *(
                f"ip rule show | grep -q 'from {whole} lookup {TABLE}' || ip rule add from {whole} lookup {TABLE}"
                for whole in self.subnets.values()
            ),
        ]

    def _links_down(self, node: NodeAccess) -> list[str]:
        wg = shlex.quote(self.interface)
        return [
            f"ip link delete {wg}",
            # wireguard-go ends when its interface is gone; one that is still ending would keep the name.
            f"for try in $(seq 500); do wg show {wg} >/dev/null 2>&1 || break; sleep 0.02; done",
        ]

    def _way_to(self, node: NodeAccess, peer: str) -> list[str]:
        return ["dev", self.interface, "src", node.address]

    def _rules(self, node: NodeAccess) -> list[str]:
        index = self._index(node)
        parts = {self.bridge(name): (whole, self.slice_of(name, index)) for name, whole in self.subnets.items()}
        return filter_rules(parts, self.interface)

    def _reach_peers(self, node: NodeAccess) -> None:
        super()._reach_peers(node)
        shown = node.run(["wg", "show", self.interface, "dump"]).stdout
        with reading(f"node {node.name}: wg show dump"):
            parse_dump(shown)

    # -- containers and nodes ----------------------------------------------------

    def forwards_by_program(self, node: NodeAccess) -> bool:
        """Whether wireguard-go forwards, whose interface is a tun device."""
        kind = f"/sys/class/net/{shlex.quote(self.interface)}/tun_flags"
        return node.run(f"if [ -e {kind} ]; then echo yes; fi").stdout.strip() == "yes"

    def peers(self, node: NodeAccess) -> tuple[Peer, ...]:
        """The other nodes; established are those with a recent handshake, and with a part of every subnet allowed."""
        done = node.run(f"date +%s; wg show {shlex.quote(self.interface)} dump")
        with reading(f"node {node.name}: wg show dump"):
            now, _, dump = done.stdout.partition("\n")
            at, seen = int(now), {each.address: each for each in parse_dump(dump)}
        found = []
        for peer in self.inventory.nodes:
            if peer.name != node.name:
                problem = self._problem(seen.get(peer.address), at)
                detail = problem or "a handshake within the last 200 s, and a part of every subnet"
                found.append(Peer(peer.name, peer.address, established=problem is None, detail=detail))
        return tuple(found)

    def _problem(self, seen: WireguardPeer | None, now: int) -> str | None:
        if seen is None:
            return f"{self.interface} has no peer with that address"
        lost = [name for name, whole in self.subnets.items() if not any(one.subnet_of(whole) for one in seen.allowed)]
        if lost:
            return f"AllowedIPs have no part of {', '.join(f'subnet {name}' for name in lost)}"
        if not seen.handshake:
            return "there has been no handshake"
        age = now - seen.handshake
        return f"the last handshake was {age} s ago" if age > STALE_S else None


@dataclass(frozen=True)
class WireguardPeer:
    """A peer in what `wg show INTERFACE dump` printed."""

    address: IPv4Address | None
    """Of its endpoint; None: it has none, or not an IPv4 one."""
    allowed: tuple[IPv4Network, ...]
    handshake: int
    """When the last one was, seconds of the epoch; 0: there was none."""


def parse_dump(shown: str) -> list[WireguardPeer]:
    """The peers in what `wg show INTERFACE dump` printed (wg(8)); the first line is the interface itself.

    Raises ValueError for what is not such a dump.
    """
    _, *lines = shown.splitlines()
    found = []
    for line in lines:
        _, _, endpoint, allowed, handshake, _, _, _ = line.split("\t")
        host = endpoint.rpartition(":")[0]
        networks = [word for word in allowed.split(",") if word not in ("(none)", "") and ":" not in word]
        address = None if host.startswith("[") or not host else IPv4Address(host)
        found.append(WireguardPeer(address, tuple(map(IPv4Network, networks)), int(handshake)))
    return found


def filter_rules(bridges: Mapping[str, tuple[IPv4Network, IPv4Network]], tunnel: str) -> list[str]:
    """Rules of the filter, as iptables-save writes them. `bridges`: {bridge: (its subnet, the node's part of it)}.

    A container receives from its subnet by the bridge and by the tunnel, and what comes by the tunnel from outside the
    subnets, which are nodes as AllowedIPs say. What comes in clear is dropped, wherever it says that it comes from.
    """
    rules = [f"-A {CHAIN} -i {bridge} ! -s {own} -j DROP" for bridge, (_, own) in bridges.items()]
    for bridge, (whole, _) in bridges.items():
        others: Sequence[Any] = [other for name, (other, _) in bridges.items() if name != bridge]
        rules += [f"-A {CHAIN} -i {incoming} -o {bridge} -s {whole} -j ACCEPT" for incoming in (bridge, tunnel)]
        rules += [f"-A {CHAIN} -o {bridge} -s {other} -j DROP" for other in others]
        rules += [f"-A {CHAIN} -i {tunnel} -o {bridge} -j ACCEPT", f"-A {CHAIN} -o {bridge} -j DROP"]
    return rules + [f"-A {CHAIN} -i {bridge} -j ACCEPT" for bridge in bridges]
