"""Weave Net 2.8.1: its Docker plugin (a network `weave` on every engine) or its Docker API proxy.

On a node the adapter uses only Weave's own script and its local HTTP API, both over SSH, so it also
works on a cluster where Weave already runs. `overlay.options` of the inventory: `command` (the script,
default `weave`), `api` (default 127.0.0.1:6784) and `mtu` (of a container's interface, bytes; default
1376, Weave's choice for its fast datapath). The plugin's network is `weave`, or what `overlay.networks` says.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker

from lab.access.shell import CommandFailed, CommandResult
from lab.answers import reading
from lab.inventory import Node
from lab.programs import cache

from ..errors import HarnessError
from ..waiting import wait_for
from . import legs
from .base import MIN_MTU, Capabilities, Link, NoAddress, Overlay, Peer
from .options import Option
from .weave_launch import CONTAINER, PROXY_SOCKET, Launch, Unreadable, read_launch

if TYPE_CHECKING:
    from lab.access.cluster import ClusterAccess, NodeAccess

VERSION = "2.8.1"
API, FIRST_REFUSING_ENGINE = "1.18", 25
"""The version of the Docker API that it speaks; Docker 25.0 refuses those before 1.24 (its release notes)."""
BRIDGE = "weave"
FAST_MTU = 1376
"""Weave's own choice for its fast datapath, bytes: it fits any underlay of 1410 and more."""
SLEEVE_MTU = 65535
"""Without the fast datapath the bridge has the largest MTU, since sleeve fragments frames itself, bytes."""
COMMAND_TIMEOUT_S = 60.0
"""Each call of the script starts a container, which takes seconds."""
_HTTP_GET = """\
import sys, urllib.error, urllib.request
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
request = urllib.request.Request(sys.argv[1], headers={"Accept": "application/json"})
try:
    sys.stdout.write(direct.open(request, timeout=10).read().decode())
except urllib.error.HTTPError as error:
    sys.exit("HTTP status %d: %s" % (error.code, error.read().decode().strip()))
except OSError as error:
    sys.exit("Weave does not answer: %s" % error)
"""
_KEEP_LOG = f"""\
ended=$(docker container ls -aq --filter name='^/{CONTAINER}$' --filter status=exited --filter status=restarting \
    --filter status=created --filter status=dead)
[ -n "$ended" ] || exit 0
if [ -d /run/flatnet/log ]; then docker logs {CONTAINER} >/run/flatnet/log/{CONTAINER}.log 2>&1; fi
docker logs --tail 5 {CONTAINER} 2>&1"""
"""Prints the last lines of a router that has ended; a lab keeps the whole log with those of its nodes' daemons."""


@dataclass(frozen=True)
class Connection:
    """A connection between two routers, as one of them reports it."""

    nickname: str
    identity: str
    """The peer's name in Weave, which has the form of a MAC address."""
    established: bool
    medium: str
    """`fastdp` or `sleeve` and the MTU that it found; where there is no connection, the reason."""


def connections(report: Mapping[str, Any]) -> tuple[Connection, ...]:
    """A router's connections, from its report (`weave report`)."""
    router = report["Router"]
    own: Mapping[str, Any] = next((peer for peer in router["Peers"] if peer["Name"] == router["Name"]), {})
    attempts = {attempt["Address"]: attempt for attempt in router["Connections"] or ()}
    return tuple(
        Connection(
            nickname=connection["NickName"],
            identity=connection["Name"],
            established=bool(connection["Established"]),
            medium=_medium(attempts.get(connection["Address"], {})),
        )
        for connection in own.get("Connections") or ()
    )


def _medium(attempt: Mapping[str, Any]) -> str:
    attributes = attempt.get("Attrs") or {}
    if "name" in attributes:
        return f"{attributes['name']}, MTU {attributes.get('mtu', 'unknown')}"
    return str(attempt.get("Info") or attempt.get("State") or "no connection")


def archives() -> list[Path]:
    """The images (`docker save`) of the router, its helper and its data volume, in the cache."""
    return sorted(script().parent.glob("*.tar"))


def script() -> Path:
    """Weave's script, in the cache. It is put there last, so where it is, everything is."""
    return cache() / "weave" / "weave"


def _last_line(error: HarnessError) -> str:
    """What a failed command wrote last, which is where it says why it failed."""
    return str(error).splitlines()[-1]


def launch_failure(errors: str, log: str) -> str:
    """Why a launch failed, one line. `log`: of a router that has ended, else empty; `errors`: what the script wrote."""
    for text, rest in ((log, f"; `docker logs {CONTAINER}` on the node has the rest"), (errors, "")):
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if lines:
            return lines[-1] + rest
    return "it ended without a word"


class Weave(Overlay):
    """What plugin and proxy have in common: the router, its bridge, and how nodes are exposed."""

    capabilities = Capabilities(expose=True, subnets=True)
    options = (Option("command", str), Option("api", str), Option("mtu", int, least=MIN_MTU))
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
    def refuses_engine(cls, version: tuple[int, ...]) -> str | None:
        if version[0] < FIRST_REFUSING_ENGINE:
            return None
        return (
            f"Weave Net {VERSION} speaks version {API} of the Docker API, which Docker {'.'.join(map(str, version))} "
            f"refuses; give the nodes a release with a Docker before {FIRST_REFUSING_ENGINE}, such as bookworm"
        )

    @classmethod
    def lab_options(cls, *, own_kernels: bool) -> dict[str, str | int | bool]:
        # Without these, Weave looks for a newer version, and installs a CNI plugin in the machine's own /opt.
        quiet = "CHECKPOINT_DISABLE=1 WEAVEEXEC_DOCKER_ARGS='-e WEAVE_CNI_PLUGIN_DIR=/tmp/cni'"
        fast = own_kernels or Path("/sys/module/openvswitch").exists()
        # Weave falls back to sleeve by itself, but then it cannot start again with the bridge that it made.
        datapath = "" if fast else "WEAVE_NO_FASTDP=1 "
        return {
            "command": f"{datapath}{quiet} sh {shlex.quote(str(script()))}",
            "mtu": FAST_MTU if fast else SLEEVE_MTU,
        }

    def _weave(self, node: NodeAccess, *words: str) -> str:
        """Run Weave's script on the node, and return its output. Raises HarnessError when it fails."""
        command = str(self.option("command", "weave"))
        return node.run(f"{command} {shlex.join(words)}", timeout_s=COMMAND_TIMEOUT_S).stdout

    def _http_get(self, node: NodeAccess, path: str) -> str:
        """The answer of Weave's HTTP API on the node. Raises HarnessError when there is none, or an HTTP error."""
        return node.run(["python3", "-c", _HTTP_GET, f"http://{self.option('api', '127.0.0.1:6784')}{path}"]).stdout

    def _owned(self, node: NodeAccess) -> list[tuple[str, list[str]]]:
        """(container's id, its addresses) according to the node's router."""
        with reading(f"node {node.name}: Weave's list of addresses"):
            owned = json.loads(self._http_get(node, "/ip"))["owned"] or ()
            return [(str(entry["containerid"]), list(entry["addrs"] or ())) for entry in owned]

    def report(self, node: NodeAccess) -> dict[str, Any]:
        """The complete report of the node's router (`weave report`)."""
        with reading(f"node {node.name}: Weave's report"):
            return dict(json.loads(self._http_get(node, "/report")))

    def deploy(self, cluster: ClusterAccess) -> None:
        # A lab's nodes see the machine's files, so each engine reads the archives where they are.
        load = "\n".join(["set -e", *(f"docker load -q -i {shlex.quote(str(path))}" for path in archives())])
        cluster.each(lambda node: node.run(load, timeout_s=120))
        cluster.each(self._launch)
        cluster.each(self._wait_until_connected)

    def _launch(self, node: NodeAccess) -> None:
        index = [peer.name for peer in self.inventory.nodes].index(node.name)
        arguments = (
            "--no-dns",
            f"--name=00:00:00:00:00:{index + 1:02x}",
            f"--ipalloc-range={self.inventory.overlay.span}",
            f"--ipalloc-default-subnet={self.subnets[self.inventory.default_subnet]}",
        )
        peers = tuple(str(peer.address) for peer in self.inventory.nodes if peer.name != node.name)
        self._launch_as(node, Launch(arguments, peers, {}, f"weaveworks/weave:{VERSION}"))

    def _launch_as(self, node: NodeAccess, launch: Launch) -> None:
        """Launch the router. Raises HarnessError with the last line of its log, which stays on the node."""
        done = self._run_with(node, launch, "launch", *launch.arguments, *launch.peers)
        if done.exit_status != 0:
            log = node.run(_KEEP_LOG, check=False).stdout
            raise HarnessError(f"node {node.name}: weave launch: {launch_failure(done.stderr, log)}")

    def _run_with(self, node: NodeAccess, launch: Launch, *words: str) -> CommandResult:
        """Run Weave's script with a launch's variables, by standard input: a password is in no list of processes."""
        exports = [f"export {name}={shlex.quote(value)}" for name, value in launch.environment.items()]
        script = "\n".join([*exports, f"{self.option('command', 'weave')} {shlex.join(words)}"])
        return node.run(["sh", "-s"], stdin=script, timeout_s=COMMAND_TIMEOUT_S, check=False)

    def how_launched(self, node: NodeAccess) -> Launch:
        """How the router that runs on the node was launched. Raises Unreadable, and HarnessError without an answer."""
        try:
            container = node.docker.containers.get(CONTAINER).attrs
            with reading(f"node {node.name}: Docker"):
                image = node.docker.images.get(container["Image"]).attrs
        except docker.errors.NotFound:
            raise Unreadable(f"its engine has no container {CONTAINER}") from None
        except docker.errors.DockerException as error:
            raise HarnessError(f"node {node.name}: Docker: {error}") from None
        with reading(f"node {node.name}: Weave's report, or Docker"):
            targets = self.report(node)["Router"]["Targets"] or ()
            return read_launch(container, image["Config"]["Env"] or (), targets)

    def allocation(self, node: NodeAccess) -> tuple[IPv4Network, IPv4Network]:
        """(the range that the node's router gives addresses of, its default subnet)."""
        with reading(f"node {node.name}: Weave's report"):
            addresses = self.report(node)["IPAM"]
            return IPv4Network(addresses["Range"]), IPv4Network(addresses["DefaultSubnet"])

    def attached(self, node: NodeAccess) -> list[str]:
        """Ids of the running containers on the node that have an address of Weave, by plugin or by proxy."""
        running = {container.id for container in node.docker.containers.list(ignore_removed=True)}
        found = {container for container, _ in self._owned(node)}
        for network in node.docker.networks.list(filters={"driver": "weavemesh"}):
            network.reload()
            found |= set(network.attrs.get("Containers") or ())
        return sorted(found & running)

    def reset(self, node: NodeAccess, launch: Launch) -> None:
        """Remove Weave from the node, with its bridge and its allocations; `launch`: how it runs now, or last ran.

        Raises HarnessError when the script fails.
        """
        done = self._run_with(node, launch, "reset", "--force")
        if done.exit_status != 0:
            raise HarnessError(f"node {node.name}: weave reset: {launch_failure(done.stderr, '')}")

    def relaunch(self, cluster: ClusterAccess, launches: Mapping[str, Launch]) -> None:
        """Launch Weave on every node again after a reset; `launches`: {node: how}."""
        cluster.each(lambda node: self._launch_as(node, launches[node.name]))
        cluster.each(self._wait_until_connected)

    def _wait_until_connected(self, node: NodeAccess) -> None:
        """Return when the node's router has a connection with every other. Raises LabError when time runs out."""

        def find_missing() -> str | None:
            try:
                missing = [peer for peer in self.peers(node) if not peer.established]
            except HarnessError as error:
                return _last_line(error)
            return "; ".join(f"{peer.name}: {peer.detail}" for peer in missing) or None

        wait_for(f"node {node.name}: Weave", find_missing)

    def prove(self, cluster: ClusterAccess) -> None:
        subnet = self.inventory.default_subnet

        def expose(node: NodeAccess) -> IPv4Address | None:
            self.expose(node, subnet)
            return self.exposed(node, subnet)

        addresses = cluster.each(expose)

        def reach_others(node: NodeAccess) -> None:
            others = [str(address) for name, address in addresses.items() if name != node.name]
            for address in others:
                to = shlex.quote(address)
                # A router that has just learned of a peer may lose the first packets to it.
                node.run(f"for i in 1 2 3 4 5 6 7 8 9; do busybox ping -c 1 -W 1 {to} && exit; done; exit 1")

        try:
            cluster.each(reach_others)
        finally:
            cluster.each(lambda node: self.hide(node, subnet))

    def start(self, node: NodeAccess) -> None:
        """Start the router's container, which Docker itself restarts unless it was stopped."""
        node.run(["docker", "start", "weave"])
        self._wait_until_connected(node)

    def stop(self, node: NodeAccess) -> None:
        node.run(["docker", "stop", "-t", "2", "weave"])

    def expose(self, node: NodeAccess, subnet: str) -> None:
        self._weave(node, "expose", f"net:{self.subnets[subnet]}")

    def hide(self, node: NodeAccess, subnet: str) -> None:
        if self.exposed(node, subnet) is not None:
            self._weave(node, "hide", f"net:{self.subnets[subnet]}")

    def exposed(self, node: NodeAccess, subnet: str) -> IPv4Address | None:
        # Before Weave runs on the node there is no bridge; any other reason for an empty answer is an error.
        show = f"if [ -e /sys/class/net/{BRIDGE} ]; then ip -json -4 address show dev {BRIDGE}; else echo '[]'; fi"
        shown = node.run(show).stdout
        with reading(f"node {node.name}: ip -json address"):
            own = [address for address in legs.parse_addresses(shown) if address.network == self.subnets[subnet]]
        return own[0].ip if own else None

    def peers(self, node: NodeAccess) -> tuple[Peer, ...]:
        with reading(f"node {node.name}: Weave's report"):
            known = {connection.nickname: connection for connection in connections(self.report(node))}
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

    def forwards_by_program(self, node: NodeAccess) -> bool:
        """Whether the router itself forwards to a peer (sleeve), rather than the kernel for it (fast datapath)."""
        return any(connection.medium.startswith("sleeve") for connection in connections(self.report(node)))

    def mtu(self, subnet: str) -> int:
        return int(self.option("mtu", FAST_MTU))

    def links(self, node: NodeAccess) -> dict[str, Link]:
        """One bridge for all subnets, to which the router is connected by `vethwe-bridge`."""
        found = {}
        for subnet in self.subnets:
            found[f"bridge {subnet}"] = Link(BRIDGE)
            found[f"router {subnet}"] = Link("vethwe-bridge")
        return {**found, "NIC": Link(node.node.interface)}


class WeavePlugin(Weave):
    """Containers join the Docker network `weave`, where the plugin ignores the subnet that they ask for."""

    name = "weave-plugin"
    capabilities = Capabilities(expose=True, subnets=True, addresses=False, closed=True)

    def network_of(self, subnet: str) -> str:
        return self.networks.get(subnet, "weave")

    def attach(self, subnet: str) -> dict[str, Any]:
        asked = {} if subnet == self.inventory.default_subnet else {"WEAVE_CIDR": f"net:{self.subnets[subnet]}"}
        return {"network": self.network_of(subnet), "environment": asked}


class WeaveProxy(Weave):
    """Containers are created through the proxy's socket, and ask for their subnet by WEAVE_CIDR."""

    name = "weave-proxy"
    capabilities = Capabilities(expose=True, subnets=True, proxy=True, closed=True)
    named_networks = False

    def network_of(self, subnet: str) -> None:
        return None

    def endpoint(self, node: Node) -> str:
        return PROXY_SOCKET

    def attach(self, subnet: str) -> dict[str, Any]:
        return {"environment": {"WEAVE_CIDR": f"net:{self.subnets[subnet]}"}}

    def attach_at(self, subnet: str, address: str, address6: str = "") -> dict[str, Any]:
        return {"environment": {"WEAVE_CIDR": f"{address}/{self.subnets[subnet].prefixlen}"}}

    def address_of(self, node: NodeAccess, details: Mapping[str, Any], subnet: str) -> IPv4Address:
        """The address according to Weave: Docker knows only the container's address on docker0."""
        try:
            found = self._http_get(node, f"/ip/{details['Id']}/{self.subnets[subnet]}").split()
        except CommandFailed as error:
            found, reason = [], _last_line(error)
        else:
            reason = "it has none there"
        if not found:
            name = details["Name"].lstrip("/")
            raise NoAddress(
                f"container {name} on {node.name}: Weave has no address for it in {self.subnets[subnet]}: {reason}"
            )
        return IPv4Interface(found[0]).ip

    def holders(self, node: NodeAccess) -> list[tuple[str, str]]:
        names = {container.id: container.name for container in node.docker.containers.list(ignore_removed=True)}
        with reading(f"node {node.name}: Weave's list of addresses"):
            return super().holders(node) + [
                (str(IPv4Interface(address).ip), f"{node.name}/{names[container]}")
                for container, addresses in self._owned(node)
                if container in names
                for address in addresses
            ]
