"""Weave Net 2.8.1: its Docker plugin (a network `weave` on every engine) or its Docker API proxy.

What is done on a node is done by Weave's own script and its local HTTP API, over SSH alone,
so the adapter serves a cluster where Weave already runs. `overlay.options` of the inventory:
`command` (the script, default `weave`), `api` (default 127.0.0.1:6784) and `mtu` (of a
container's interface: 1376 over the fast datapath, which is the default).
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.embedded.preflight import cache
from lab.inventory import Node

from ..errors import HarnessError
from ..waiting import wait_for
from .base import Capabilities, Link, Overlay, Peer

if TYPE_CHECKING:
    from lab.access.cluster import ClusterAccess, NodeAccess

VERSION = "2.8.1"
BRIDGE = "weave"
FAST_MTU = 1376
"""Weave's own choice for its fast datapath, bytes: it fits any underlay of 1410 and more."""
SLEEVE_MTU = 65535
"""A bridge without the fast datapath keeps the largest MTU: sleeve cuts frames itself."""
COMMAND_TIMEOUT_S = 60.0
"""Each call of the script starts a container."""
_ASK = """\
import sys, urllib.error, urllib.request
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
question = urllib.request.Request(sys.argv[1], headers={"Accept": "application/json"})
try:
    sys.stdout.write(direct.open(question, timeout=10).read().decode())
except urllib.error.HTTPError as error:
    sys.exit("HTTP status %d: %s" % (error.code, error.read().decode().strip()))
except OSError as error:
    sys.exit("Weave does not answer: %s" % error)
"""


@dataclass(frozen=True)
class Connection:
    """One connection of a router, by its own word."""

    nickname: str
    identity: str
    """Name of the peer in Weave, a MAC address."""
    established: bool
    medium: str
    """`fastdp` or `sleeve`, and the MTU it found; a reason where there is no connection."""


def connections(report: Mapping[str, Any]) -> tuple[Connection, ...]:
    """The connections of the router whose `weave report` this is."""
    router = report["Router"]
    own: Mapping[str, Any] = next((peer for peer in router["Peers"] if peer["Name"] == router["Name"]), {})
    media = {one["Address"]: one for one in router["Connections"] or ()}
    return tuple(
        Connection(one["NickName"], one["Name"], bool(one["Established"]), _medium(media.get(one["Address"], {})))
        for one in own.get("Connections") or ()
    )


def _medium(connection: Mapping[str, Any]) -> str:
    attributes = connection.get("Attrs") or {}
    if "name" in attributes:
        return f"{attributes['name']}, MTU {attributes.get('mtu', 'unknown')}"
    return str(connection.get("Info") or connection.get("State") or "no connection")


def archives() -> list[Path]:
    """The images (`docker save`) of router, its helper and its data, in the cache."""
    return sorted(script().parent.glob("*.tar"))


def script() -> Path:
    """Weave's script, in the cache; put there last, so that with it all is there."""
    return cache() / "weave" / "weave"


class Weave(Overlay):
    """What plugin and proxy share: the router, its bridge, and how nodes get in."""

    capabilities = Capabilities(expose=True, subnets=True)
    packet_filter = "legacy"

    @classmethod
    def lacking(cls) -> str | None:
        if archives() and script().is_file():
            return None
        return (
            f"overlay {cls.name} needs Weave Net {VERSION}, which is not in {script().parent}: "
            "`python -m lab fetch weave` gets it, or takes it from a directory (--from DIR)"
        )

    @classmethod
    def lab_options(cls) -> dict[str, str | int | bool]:
        # Weave would look for a newer version, and put a CNI plugin into the machine's own /opt.
        quiet = "CHECKPOINT_DISABLE=1 WEAVEEXEC_DOCKER_ARGS='-e WEAVE_CNI_PLUGIN_DIR=/tmp/cni'"
        fast = Path("/sys/module/openvswitch").exists()
        # Weave falls back to sleeve by itself, but then does not start again over its own bridge.
        datapath = "" if fast else "WEAVE_NO_FASTDP=1 "
        return {
            "command": f"{datapath}{quiet} sh {shlex.quote(str(script()))}",
            "mtu": FAST_MTU if fast else SLEEVE_MTU,
        }

    def _weave(self, node: NodeAccess, *words: str) -> str:
        """Run Weave's script on the node; its output. Raises HarnessError when it fails."""
        command = str(self.inventory.overlay.options.get("command", "weave"))
        return node.run(f"{command} {shlex.join(words)}", timeout_s=COMMAND_TIMEOUT_S).stdout

    def _ask(self, node: NodeAccess, path: str) -> str:
        """Weave's HTTP API on the node. Raises HarnessError when it does not answer, or refuses."""
        api = self.inventory.overlay.options.get("api", "127.0.0.1:6784")
        return node.run(["python3", "-c", _ASK, f"http://{api}{path}"]).stdout

    def report(self, node: NodeAccess) -> dict[str, Any]:
        """All that the node's router says of itself (`weave report`)."""
        report: dict[str, Any] = json.loads(self._ask(node, "/report"))
        return report

    def deploy(self, cluster: ClusterAccess) -> None:
        # A lab's nodes share the machine's files: each engine reads the archives for itself.
        load = "\n".join(["set -e", *(f"docker load -q -i {shlex.quote(str(path))}" for path in archives())])
        cluster.each(lambda node: node.run(load, timeout_s=120))
        cluster.each(self._launch)
        cluster.each(self._connected)

    def _launch(self, node: NodeAccess) -> None:
        index = [each.name for each in self.inventory.nodes].index(node.name)
        self._weave(
            node,
            "launch",
            "--no-dns",
            f"--name=00:00:00:00:00:{index + 1:02x}",
            f"--ipalloc-range={self.inventory.overlay.range}",
            f"--ipalloc-default-subnet={self.subnets[self.inventory.default_subnet]}",
            *(str(peer.address) for peer in self.inventory.nodes if peer.name != node.name),
        )

    def reset(self, node: NodeAccess) -> None:
        """Take the node out of Weave, with its bridge and all it allocated; `relaunch` brings it back."""
        self._weave(node, "reset")

    def relaunch(self, cluster: ClusterAccess) -> None:
        """Launch Weave on every node again after a reset."""
        cluster.each(self._launch)
        cluster.each(self._connected)

    def _connected(self, node: NodeAccess) -> None:
        def look() -> str | None:
            try:
                wrong = [peer for peer in self.peers(node) if not peer.established]
            except HarnessError as error:
                return str(error).splitlines()[-1]
            return "; ".join(f"{peer.name}: {peer.detail}" for peer in wrong) or None

        wait_for(f"node {node.name}: Weave", look)

    def prove(self, cluster: ClusterAccess) -> None:
        subnet = self.inventory.default_subnet

        def expose(node: NodeAccess) -> IPv4Address | None:
            self.expose(node, subnet)
            return self.exposed(node, subnet)

        addresses = cluster.each(expose)

        def hear(node: NodeAccess) -> None:
            others = [str(address) for name, address in addresses.items() if name != node.name]
            for address in others:
                # A router that has just learned of a peer may lose the first packets to it.
                node.run(f"for i in 1 2 3 4 5 6 7 8 9; do busybox ping -c 1 -W 1 {address} && exit; done; exit 1")

        try:
            cluster.each(hear)
        finally:
            cluster.each(lambda node: self.hide(node, subnet))

    def start(self, node: NodeAccess) -> None:
        """The router's container is on the node's disk; Docker restarts it itself, unless it was stopped."""
        node.run(["docker", "start", "weave"])
        self._connected(node)

    def stop(self, node: NodeAccess) -> None:
        node.run(["docker", "stop", "-t", "2", "weave"])

    def expose(self, node: NodeAccess, subnet: str) -> None:
        self._weave(node, "expose", f"net:{self.subnets[subnet]}")

    def hide(self, node: NodeAccess, subnet: str) -> None:
        if self.exposed(node, subnet) is not None:
            self._weave(node, "hide", f"net:{self.subnets[subnet]}")

    def exposed(self, node: NodeAccess, subnet: str) -> IPv4Address | None:
        shown = node.run(f"ip -json -4 address show dev {BRIDGE} 2>/dev/null || echo '[]'").stdout
        for link in json.loads(shown):
            for entry in link.get("addr_info", []):
                address = IPv4Interface(f"{entry['local']}/{entry['prefixlen']}")
                if address.network == self.subnets[subnet]:
                    return address.ip
        return None

    def peers(self, node: NodeAccess) -> tuple[Peer, ...]:
        known = {one.nickname: one for one in connections(self.report(node))}
        return tuple(
            Peer(
                name=peer.name,
                address=peer.address,
                established=peer.name in known and known[peer.name].established,
                detail=f"{known[peer.name].identity} by {known[peer.name].medium}"
                if peer.name in known
                else "no connection to a peer of that name",
            )
            for peer in self.inventory.nodes
            if peer.name != node.name
        )

    def mtu(self, subnet: str) -> int:
        return int(self.inventory.overlay.options.get("mtu", FAST_MTU))

    def links(self, node: NodeAccess) -> dict[str, Link]:
        """One bridge for all subnets; router and bridge meet at `vethwe-bridge`."""
        found = {}
        for subnet in self.subnets:
            found[f"bridge {subnet}"] = Link(BRIDGE)
            found[f"router {subnet}"] = Link("vethwe-bridge")
        return {**found, "NIC": Link(node.node.interface)}


class WeavePlugin(Weave):
    """Containers join the Docker network `weave`; which subnet they ask for is ignored there."""

    name = "weave-plugin"

    def network_of(self, subnet: str) -> str:
        return "weave"

    def attach(self, subnet: str) -> dict[str, Any]:
        asked = {} if subnet == self.inventory.default_subnet else {"WEAVE_CIDR": f"net:{self.subnets[subnet]}"}
        return {"network": "weave", "environment": asked}


class WeaveProxy(Weave):
    """Containers are created through the proxy's socket, and ask for their subnet by WEAVE_CIDR."""

    name = "weave-proxy"
    capabilities = Capabilities(expose=True, subnets=True, proxy=True)

    def network_of(self, subnet: str) -> None:
        return None

    def endpoint(self, node: Node) -> str:
        return "unix:///var/run/weave/weave.sock"

    def attach(self, subnet: str) -> dict[str, Any]:
        return {"environment": {"WEAVE_CIDR": f"net:{self.subnets[subnet]}"}}

    def address_of(self, node: NodeAccess, details: Mapping[str, Any], subnet: str) -> IPv4Address:
        """By Weave's word: Docker knows the container's address on docker0 alone."""
        try:
            found = self._ask(node, f"/ip/{details['Id']}/{self.subnets[subnet]}").split()
        except HarnessError as error:
            found, reason = [], str(error).splitlines()[-1]
        else:
            reason = "it has none there"
        if not found:
            name = details["Name"].lstrip("/")
            raise HarnessError(
                f"container {name} on {node.name}: Weave names no address in {self.subnets[subnet]}: {reason}"
            )
        return IPv4Interface(found[0]).ip

    def holders(self, node: NodeAccess) -> list[tuple[str, str]]:
        names = {handle.id: handle.name for handle in node.docker.containers.list(ignore_removed=True)}
        owned = json.loads(self._ask(node, "/ip"))["owned"] or ()
        return super().holders(node) + [
            (str(IPv4Interface(address).ip), f"{node.name}/{names[one['containerid']]}")
            for one in owned
            if one["containerid"] in names
            for address in one["addrs"]
        ]
