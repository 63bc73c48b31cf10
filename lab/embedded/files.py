"""The files a node starts with: names and the configurations of its daemons; lab.embedded.services writes the rest."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.inventory import Inventory, Node
from lab.overlays import adapter

from . import foreign
from .acl import consul_names, consul_options, nomad_options
from .keys import make_key, write_private
from .nomad import nomad_configuration
from .services import SSHD, write_service, write_services, write_users
from .userland import Userland

if TYPE_CHECKING:
    from .credentials import Credentials

_SSHD = """\
HostKey /run/flatnet/ssh_host_key
AuthorizedKeysFile /run/flatnet/authorized_keys
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UsePAM no
UseDNS no
StrictModes no
PermitUserRC no
PidFile none
"""


LOOPBACK = IPv4Address("127.0.0.1")
THE_MACHINES = Userland()


def machine_id(node: str, lab: str) -> str:
    """machine-id(5) of a lab's node: 32 hexadecimal digits, different for each node and the same in each run."""
    return uuid.uuid5(uuid.NAMESPACE_DNS, f"{node}.{lab}").hex


def write_node(
    state: Path,
    inventory: Inventory,
    node: Node,
    runner_key: str,
    credentials: Credentials | None = None,
    userland: Userland = THE_MACHINES,
) -> str:
    """Write every file that `node` starts with into its run directory; returns its public SSH host key.

    With credentials it is a node of a foreign lab.
    """
    folder = state / "nodes" / node.name
    etc = folder / "etc"
    write_names(folder, node.name, inventory)
    (etc / "resolv.conf").write_text(resolv_conf(inventory, node), encoding="utf-8")
    own = "sshd" if credentials is None else "lab-sshd"  # as in lab.embedded.services
    (etc / "flatnet" / f"{own}_config").write_text(f"Port {node.ssh.port or 22}\n{_SSHD}", encoding="utf-8")
    (folder / "authorized_keys").write_text(runner_key + "\n", encoding="utf-8")
    if credentials is not None:
        _let_in_others(folder, inventory, node, credentials)
    if inventory.consul is not None:
        configuration = consul_configuration(inventory, node)
        if credentials is not None:
            configuration |= consul_options(inventory.consul, node, credentials.consul_tokens)
            names = consul_names(inventory.consul, node)
            credentials.consul.issue(
                folder / "tls" / "consul", node.name, names=names, addresses=[node.address, LOOPBACK]
            )
        (folder / "consul.json").write_text(json.dumps(configuration, indent=1), encoding="utf-8")
    if inventory.nomad is not None:
        endpoint = adapter(inventory).endpoint(node)
        configuration = nomad_configuration(inventory, node, endpoint, raw_exec=credentials is not None)
        if credentials is not None:
            configuration |= nomad_options(inventory, node, credentials.consul_tokens)
            credentials.nomad.issue(
                folder / "tls" / "nomad", node.name, names=[node.name], addresses=[node.address, LOOPBACK]
            )
            if inventory.consul is not None:
                write_private(folder / "tls" / "consul" / "token", credentials.consul_tokens["nomad"])
        (folder / "nomad.json").write_text(json.dumps(configuration, indent=1), encoding="utf-8")
    write_services(folder, inventory, node, userland, others=credentials is not None)
    return make_key(folder / "ssh_host_key", comment=node.name)


def write_names(folder: Path, name: str, inventory: Inventory) -> None:
    """Make a machine's run directory, with its own names in it and those of the nodes."""
    etc = folder / "etc"
    (folder / "log").mkdir(parents=True)
    (etc / "flatnet").mkdir(parents=True)
    (etc / "hostname").write_text(f"{name}\n", encoding="utf-8")
    (etc / "machine-id").write_text(f"{machine_id(name, inventory.name)}\n", encoding="utf-8")
    hosts = ["127.0.0.1 localhost", "::1 localhost"]
    hosts += [f"{node.address} {node.name}" for node in inventory.nodes]
    (etc / "hosts").write_text("\n".join(hosts) + "\n", encoding="utf-8")


def resolv_conf(inventory: Inventory, node: Node) -> str:
    """The node's own Consul first, then other servers, so that names resolve when one is down.

    resolv.conf(5) takes three servers at most.
    """
    others = [other.address for other in inventory.nodes if other.consul_server and other.name != node.name]
    servers = "".join(f"nameserver {address}\n" for address in [node.address, *others][:3])
    return f"{servers}options timeout:1 attempts:2\n"


def _let_in_others(folder: Path, inventory: Inventory, node: Node, credentials: Credentials) -> None:
    """Add what a foreign lab's node has beside the lab's own sshd: its users' keys, their sshd's configuration, and the
    engine's certificate.
    """
    keys = {foreign.OPERATOR: credentials.operator, foreign.DOCKHAND: credentials.dockhand}
    _keys(folder / "etc", keys, credentials.user_ca)
    sudoers = folder / "etc" / "sudoers.d" / foreign.OPERATOR.name
    sudoers.parent.mkdir()
    sudoers.write_text(foreign.SUDOERS, encoding="utf-8")
    sudoers.chmod(0o440)
    (folder / "etc" / "flatnet" / "sshd_config").write_text(
        foreign.node_sshd(foreign.bastion_address(inventory)), encoding="utf-8"
    )
    credentials.engines.issue(folder / "tls" / "docker", node.name, names=[node.name], addresses=[node.address])


def write_bastion(state: Path, inventory: Inventory, manager: IPv4Address, credentials: Credentials) -> str:
    """Write every file that the bastion of a foreign lab starts with; returns its public SSH host key."""
    folder = state / "nodes" / foreign.BASTION
    etc = folder / "etc"
    write_names(folder, foreign.BASTION, inventory)
    (etc / "resolv.conf").write_text("# no server: the bastion asks for no names\n", encoding="utf-8")
    keys = {foreign.JUMPER: f"{credentials.operator}\n{credentials.dockhand}"}
    write_users(etc, THE_MACHINES, [foreign.JUMPER])
    _keys(etc, keys, credentials.user_ca)
    (etc / "flatnet" / "sshd_config").write_text(foreign.bastion_sshd(inventory.nodes), encoding="utf-8")
    (etc / "flatnet" / "firewall.nft").write_text(foreign.firewall(inventory, manager), encoding="utf-8")
    filtered = ["nft -f /etc/flatnet/firewall.nft || exit 1", "echo 1 >/proc/sys/net/ipv4/ip_forward"]
    write_service(etc, THE_MACHINES, "sshd", SSHD.format(file="sshd_config"), first=filtered)
    return make_key(folder / "ssh_host_key", comment=foreign.BASTION)


def _keys(etc: Path, keys: Mapping[foreign.User, str], user_ca: str) -> None:
    """Write the users' keys, and the authority of the certificates with which they come in as well."""
    place = etc / "flatnet" / "authorized_keys"
    place.mkdir()
    for user, lines in keys.items():
        (place / user.name).write_text(f"{lines}\n", encoding="utf-8")
    (etc / "flatnet" / "user_ca.pub").write_text(f"{user_ca}\n", encoding="utf-8")


def consul_configuration(inventory: Inventory, node: Node) -> dict[str, Any]:
    """Consul's configuration on `node`: short timers, no telemetry, DNS on the DNS port."""
    consul = inventory.consul
    assert consul is not None
    slow = inventory.patience
    servers = [server for server in inventory.nodes if server.consul_server]
    configuration: dict[str, Any] = {
        "node_name": node.name,
        "datacenter": consul.datacenter,
        "domain": consul.domain,
        "data_dir": "/var/lib/consul",
        "bind_addr": str(node.address),
        "client_addr": "0.0.0.0",
        "ports": {"http": consul.http_port, "dns": consul.dns_port, "grpc": -1},
        "server": node.consul_server,
        "retry_join": [str(server.address) for server in servers if server.name != node.name],
        "retry_interval": "1s",
        "retry_max": 0,
        "disable_update_check": True,
        "disable_anonymous_signature": True,
        "enable_script_checks": False,
        "leave_on_terminate": False,
        "rejoin_after_leave": True,
        "log_level": "INFO",
        # Where a node is slow, all are given its time, up to what Consul takes (its documentation, raft_multiplier).
        "performance": {"raft_multiplier": min(10, math.ceil(slow))},
        "gossip_lan": {
            "gossip_interval": f"{50 * slow:.0f}ms",
            "probe_interval": f"{300 * slow:.0f}ms",
            "probe_timeout": f"{150 * slow:.0f}ms",
        },
        # A server that is down comes back, so it keeps its place among the voters.
        "autopilot": {"server_stabilization_time": "100ms", "cleanup_dead_servers": False},
        "dns_config": {"service_ttl": {"*": f"{consul.service_ttl_s}s"}, "allow_stale": True},
    }
    if node.consul_server:
        configuration["bootstrap_expect"] = len(servers)
    return configuration
