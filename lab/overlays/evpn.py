"""VXLAN whose control plane is BGP EVPN (RFC 8365): no flooding to learn, and ARP is answered at home.

FRR on every node: zebra reads the MACs of its containers from the bridges, bgpd tells them to every other node (a full
mesh of iBGP), and what others tell becomes entries of the tunnels and of the neighbour tables by which the bridges
answer ARP. A frame for a MAC that nobody has told, and a broadcast, go to the nodes that have told that they take part.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING

from lab.answers import reading
from lab.programs import find_program

from ..waiting import wait_for
from .base import Peer
from .vxlan import UDP_PORT, Vxlan

if TYPE_CHECKING:
    from lab.access.cluster import ClusterAccess, NodeAccess

DAEMONS = "/usr/lib/frr"
"""Where Debian's package has zebra and bgpd, which no PATH names."""
FOLDER = "/var/lib/flatnet-evpn"
"""On a node's disk: the daemons' configurations."""
AS = 65000
"""Of all nodes; private use (RFC 6996)."""
KEEPALIVE_S, HOLD_S, CONNECT_S = 3, 9, 1
"""Timers of the sessions, seconds, as FRR's `datacenter` profile has the first two."""
ESTABLISHED = "Established"
START = f"""set -e
for daemon in zebra bgpd; do
    if [ -e /run/frr/$daemon.pid ] && kill -0 $(cat /run/frr/$daemon.pid) 2>/dev/null; then continue; fi
    {DAEMONS}/$daemon -d -A 127.0.0.1 -f {FOLDER}/$daemon.conf -i /run/frr/$daemon.pid 2>>/run/flatnet/log/frr.log
done"""
"""Starts each daemon that does not run."""


class Evpn(Vxlan):
    """The adapter of kernel VXLAN under FRR; bridges, VNIs and addresses as in vxlan."""

    name = "evpn"
    dual_stack = False  # not tried yet
    needs = ("vtysh",)

    @classmethod
    def lacking(cls) -> str | None:
        if find_program("vtysh") is None or not Path(DAEMONS, "bgpd").exists():
            return "overlay evpn needs FRR (zebra, bgpd, vtysh); install frr"
        return None

    def deploy(self, cluster: ClusterAccess) -> None:
        super().deploy(cluster)
        for node in cluster.nodes.values():
            wait_for(f"node {node.name}: BGP", partial(self._not_established, node))

    def _not_established(self, node: NodeAccess) -> str | None:
        """Which nodes BGP or zebra on this node does not know yet."""
        lost = [peer for peer in self.peers(node) if not peer.established]
        return "; ".join(f"{peer.name}: {peer.detail}" for peer in lost) or None

    def start(self, node: NodeAccess) -> None:
        """Make the tunnels, which learn nothing by themselves, and start FRR."""
        script = ["set -e"]
        for subnet in self.subnets:
            present = shlex.quote(f"/sys/class/net/{self.tunnel(subnet)}")
            script += [f"if [ ! -e {present} ]; then", *self.make_tunnel(node, subnet, node.address), "fi"]
        node.run("\n".join([*script, *self.kept_apart()]))
        node.run(
            f"set -e; mkdir -p {FOLDER} /run/frr; chown frr:frr /run/frr; cd {FOLDER}; : >zebra.conf; cat >bgpd.conf",
            stdin=self.configuration(node.name),
        )
        node.run(START)

    def make_tunnel(self, node: NodeAccess, subnet: str, own: str) -> list[str]:
        """Lines of shell that make a subnet's tunnel, with this address as the node's endpoint."""
        tunnel, bridge, nic = self.tunnel(subnet), self.bridge(subnet), node.node.interface
        make = ["type", "vxlan", "id", str(self.vni(subnet)), "dstport", str(self.option("port", UDP_PORT))]
        return [
            shlex.join(["ip", "link", "add", tunnel, *make, "local", own, "dev", nic, "nolearning"]),
            shlex.join(["ip", "link", "set", tunnel, "mtu", str(self.mtu(subnet)), "master", bridge, "up"]),
            shlex.join(["bridge", "link", "set", "dev", tunnel, "learning", "off", "neigh_suppress", "on"]),
        ]

    def stop(self, node: NodeAccess) -> None:
        """End FRR and remove the tunnels, with all that it has entered."""
        node.run(
            "set -e\nfor name in bgpd zebra; do kill $(cat /run/frr/$name.pid); done\n"
            "for try in $(seq 500); do kill -0 $(cat /run/frr/zebra.pid) 2>/dev/null || break; sleep 0.02; done\n"
            "rm -f /run/frr/bgpd.pid /run/frr/zebra.pid"
        )
        super().stop(node)

    def configuration(self, name: str) -> str:
        """bgpd.conf of a node."""
        own = next(node for node in self.inventory.nodes if node.name == name)
        others = [node.address for node in self.inventory.nodes if node.name != name]
        lines = [f"router bgp {AS}", f" bgp router-id {own.address}", " no bgp default ipv4-unicast"]
        for other in others:
            lines += [
                f" neighbor {other} remote-as {AS}",
                f" neighbor {other} timers {KEEPALIVE_S} {HOLD_S}",
                f" neighbor {other} timers connect {CONNECT_S}",
                f" neighbor {other} advertisement-interval 0",
            ]
        lines += [" address-family l2vpn evpn", *(f"  neighbor {other} activate" for other in others)]
        return "\n".join([*lines, "  advertise-all-vni", " exit-address-family", ""])

    def peers(self, node: NodeAccess) -> tuple[Peer, ...]:
        """The other nodes, as BGP and zebra on this one see them.

        Established are those with a session, from which zebra has a tunnel endpoint in every subnet.
        """
        asked = ["show bgp l2vpn evpn summary json", "show evpn vni json"]
        sessions, vnis = (node.run(["vtysh", "-c", question]).stdout for question in asked)
        with reading(f"node {node.name}: vtysh"):
            seen = parse_state(sessions, vnis)
        found = []
        for peer in self.inventory.nodes:
            if peer.name != node.name:
                problem = self._problem(seen, str(peer.address))
                detail = problem or "a BGP session, and a tunnel endpoint in every subnet"
                found.append(Peer(peer.name, IPv4Address(peer.address), established=problem is None, detail=detail))
        return tuple(found)

    def _problem(self, seen: BgpState, address: str) -> str | None:
        state = seen.sessions.get(address)
        if state is None:
            return f"BGP has no neighbour {address}"
        if state != ESTABLISHED:
            return f"the BGP session with {address} is {state}"
        lost = [name for name in self.subnets if address not in seen.endpoints.get(self.vni(name), ())]
        if lost:
            return f"BGP tells no tunnel endpoint {address} in {', '.join(f'subnet {name}' for name in lost)}"
        return None


@dataclass(frozen=True)
class BgpState:
    """What FRR on a node knows of the others."""

    sessions: dict[str, str]
    """{neighbour's address: state of the session}"""
    endpoints: dict[int, tuple[str, ...]]
    """{VNI: addresses of the other nodes that take part in it}"""


def parse_state(sessions: str, vnis: str) -> BgpState:
    """What `show bgp l2vpn evpn summary json` and `show evpn vni json` printed."""
    peers = json.loads(sessions).get("peers", {})
    return BgpState(
        {address: str(peer["state"]) for address, peer in peers.items()},
        {int(vni): tuple(entry.get("remoteVteps") or ()) for vni, entry in json.loads(vnis).items()},
    )
