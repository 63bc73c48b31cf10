"""The files a node starts with: names, daemon configurations, service scripts."""

from __future__ import annotations

import json
import shlex
import uuid
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.inventory import Inventory, Node
from lab.overlays import adapter
from lab.programs import find_program

from . import foreign
from .acl import ask_consul, consul_names, consul_options, nomad_options
from .foreign import CA, CERTIFICATE, KEY
from .keys import make_key, write_private
from .node import SERVICES
from .nomad import nomad_configuration
from .preflight import missing_capabilities

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
SSHD = "/usr/sbin/sshd -D -e -f /etc/flatnet/{file}"


def machine_id(node: str, lab: str) -> str:
    """machine-id(5) of a lab's node: 32 hexadecimal digits, different for each node and the same in each run."""
    return uuid.uuid5(uuid.NAMESPACE_DNS, f"{node}.{lab}").hex


def write_node(
    state: Path, inventory: Inventory, node: Node, runner_key: str, credentials: Credentials | None = None
) -> str:
    """Write every file that `node` starts with into its run directory; returns its public SSH host key.

    With credentials it is a node of a foreign lab.
    """
    folder = state / "nodes" / node.name
    etc = folder / "etc"
    _names(folder, node.name, inventory)
    (etc / "resolv.conf").write_text(_resolv_conf(inventory, node))
    (etc / "passwd").write_text(_passwd(Path("/etc/passwd").read_text()))
    own = "sshd" if credentials is None else "lab-sshd"  # in a foreign lab, `sshd` is for its operators
    (etc / "flatnet" / f"{own}_config").write_text(f"Port {node.ssh.port or 22}\n{_SSHD}")
    (folder / "authorized_keys").write_text(runner_key + "\n")
    _service(etc, own, SSHD.format(file=f"{own}_config"))
    if credentials is not None:
        _let_in_others(folder, inventory, node, credentials)
    _docker(folder, tls=credentials is not None)
    overlay = adapter(inventory)
    if overlay.packet_filter:
        _packet_filter(folder / "bin", overlay.packet_filter)
    _service(etc, "docker", "dockerd --config-file /run/flatnet/docker.json")
    if inventory.consul is not None:
        configuration = consul_configuration(inventory, node)
        if credentials is not None:
            configuration |= consul_options(inventory.consul, node, credentials.consul_tokens)
            names = consul_names(inventory.consul, node)
            credentials.consul.issue(
                folder / "tls" / "consul", node.name, names=names, addresses=[node.address, LOOPBACK]
            )
        (folder / "consul.json").write_text(json.dumps(configuration, indent=1))
        _service(etc, "consul", "consul agent -config-file /run/flatnet/consul.json")
    if inventory.nomad is not None:
        endpoint = overlay.endpoint(node)
        configuration = nomad_configuration(inventory, node, endpoint, raw_exec=credentials is not None)
        # Nomad's Docker driver looks for the engine when it starts, and after that only every 30 s.
        after = [["docker", "--host", endpoint, "version"]]
        if credentials is not None:
            configuration |= nomad_options(inventory, node, credentials.consul_tokens)
            credentials.nomad.issue(
                folder / "tls" / "nomad", node.name, names=[node.name], addresses=[node.address, LOOPBACK]
            )
            if inventory.consul is not None:
                write_private(folder / "tls" / "consul" / "token", credentials.consul_tokens["nomad"])
                after.append(ask_consul(inventory.consul, find_program("consul") or "consul"))
        (folder / "nomad.json").write_text(json.dumps(configuration, indent=1))
        _service(etc, "nomad", "nomad agent -config /run/flatnet/nomad.json", after=after)
    return make_key(folder / "ssh_host_key", comment=node.name)


def _names(folder: Path, name: str, inventory: Inventory) -> None:
    """Make a machine's run directory, with its own names in it and those of the nodes."""
    etc = folder / "etc"
    (folder / "log").mkdir(parents=True)
    (etc / "flatnet").mkdir(parents=True)
    (etc / "hostname").write_text(f"{name}\n")
    (etc / "machine-id").write_text(f"{machine_id(name, inventory.name)}\n")
    hosts = ["127.0.0.1 localhost", "::1 localhost"]
    hosts += [f"{node.address} {node.name}" for node in inventory.nodes]
    (etc / "hosts").write_text("\n".join(hosts) + "\n")


def _resolv_conf(inventory: Inventory, node: Node) -> str:
    """The node's own Consul first, then other servers, so that names resolve when one is down.

    resolv.conf(5) takes three servers at most.
    """
    others = [other.address for other in inventory.nodes if other.consul_server and other.name != node.name]
    servers = "".join(f"nameserver {address}\n" for address in [node.address, *others][:3])
    return f"{servers}options timeout:1 attempts:2\n"


def _passwd(machine: str) -> str:
    """The machine's users; root gets /bin/sh, which reads none of a person's start-up files."""
    lines = [line for line in machine.splitlines() if not line.startswith("root:")]
    return "\n".join(["root:x:0:0:root:/root:/bin/sh", *lines]) + "\n"


def _let_in_others(folder: Path, inventory: Inventory, node: Node, credentials: Credentials) -> None:
    """Add what a foreign lab's node has beside the lab's own sshd: users, their sshd, and the engine's certificate."""
    users = (foreign.OPERATOR, foreign.DOCKHAND)
    keys = {foreign.OPERATOR: credentials.operator, foreign.DOCKHAND: credentials.dockhand}
    _accounts(folder / "etc", keys, credentials.user_ca, docker=[foreign.DOCKHAND])
    sudoers = folder / "etc" / "sudoers.d" / foreign.OPERATOR.name
    sudoers.parent.mkdir()
    sudoers.write_text(foreign.SUDOERS)
    sudoers.chmod(0o440)
    (folder / "etc" / "flatnet" / "sshd_config").write_text(foreign.node_sshd(foreign.bastion_address(inventory)))
    homes = [f"install -d -o {user.name} -g {user.name} -m 700 {user.home}" for user in users]
    _service(folder / "etc", "sshd", SSHD.format(file="sshd_config"), first=["mkdir -p /var/home", *homes])
    credentials.engines.issue(folder / "tls" / "docker", node.name, names=[node.name], addresses=[node.address])


def write_bastion(state: Path, inventory: Inventory, manager: IPv4Address, credentials: Credentials) -> str:
    """Write every file that the bastion of a foreign lab starts with; returns its public SSH host key."""
    folder = state / "nodes" / foreign.BASTION
    etc = folder / "etc"
    _names(folder, foreign.BASTION, inventory)
    (etc / "resolv.conf").write_text("# no server: the bastion asks for no names\n")
    keys = {foreign.JUMPER: f"{credentials.operator}\n{credentials.dockhand}"}
    _accounts(etc, keys, credentials.user_ca)
    (etc / "flatnet" / "sshd_config").write_text(foreign.bastion_sshd(inventory.nodes))
    (etc / "flatnet" / "firewall.nft").write_text(foreign.firewall(inventory, manager))
    filtered = ["nft -f /etc/flatnet/firewall.nft || exit 1", "echo 1 >/proc/sys/net/ipv4/ip_forward"]
    _service(etc, "sshd", SSHD.format(file="sshd_config"), first=filtered)
    return make_key(folder / "ssh_host_key", comment=foreign.BASTION)


def _accounts(
    etc: Path, keys: Mapping[foreign.User, str], user_ca: str, *, docker: Sequence[foreign.User] = ()
) -> None:
    """Write passwd, group, the users' keys, and the authority of the certificates with which they come in as well."""
    (etc / "passwd").write_text(foreign.add_users(_passwd(Path("/etc/passwd").read_text()), keys))
    (etc / "group").write_text(foreign.add_groups(Path("/etc/group").read_text(), keys, docker))
    place = etc / "flatnet" / "authorized_keys"
    place.mkdir()
    for user, lines in keys.items():
        (place / user.name).write_text(f"{lines}\n")
    (etc / "flatnet" / "user_ca.pub").write_text(f"{user_ca}\n")


def _service(
    etc: Path, name: str, command: str, *, first: Sequence[str] = (), after: Sequence[Sequence[str]] = ()
) -> None:
    """Write the run script of a service that runsvdir keeps running.

    It begins with the lines of `first`, and waits until each command of `after` succeeds.
    """
    program, *rest = shlex.split(command)
    path = find_program(program) or program
    script = etc.parent / "etc" / SERVICES.removeprefix("/etc/") / name / "run"
    script.parent.mkdir(parents=True)
    script.write_text(
        f"#!/bin/sh\nexec >>/run/flatnet/log/{name}.log 2>&1\n"
        f"export PATH={shlex.quote(_service_path(path))}\n"
        + "".join(f"{line}\n" for line in first)
        + "".join(f"until {shlex.join(words)} >/dev/null 2>&1; do sleep 0.1; done\n" for words in after)
        + f"exec {shlex.join([path, *rest])}\n"
    )
    script.chmod(0o755)


def _service_path(program: str) -> str:
    places = [
        "/run/flatnet/bin",
        str(Path(program).parent),
        "/usr/local/sbin",
        "/usr/local/bin",
        "/usr/sbin",
        "/usr/bin",
        "/sbin",
        "/bin",
    ]
    return ":".join(dict.fromkeys(places))


def _packet_filter(folder: Path, back_end: str) -> None:
    """Make `iptables` mean that back end for the node's services, whatever the machine's default is."""
    folder.mkdir()
    for name in ("iptables", "ip6tables"):
        for suffix in ("", "-save", "-restore"):
            program = find_program(f"{name}-{back_end}{suffix}")
            if program is not None:
                (folder / f"{name}{suffix}").symlink_to(program)


def _docker(folder: Path, *, tls: bool) -> None:
    configuration: dict[str, Any] = {
        "hosts": ["unix:///run/docker.sock"],
        "exec-root": "/run/docker",
        "pidfile": "/run/docker.pid",
        "storage-driver": "overlay2",
        "log-level": "warn",
        "shutdown-timeout": 2,
    }
    if tls:
        configuration["hosts"].append(f"tcp://0.0.0.0:{foreign.ENGINE_PORT}")
        place = "/run/flatnet/tls/docker"
        configuration |= {"tlsverify": True, "tlscacert": f"{place}/{CA}"}
        configuration |= {"tlscert": f"{place}/{CERTIFICATE}", "tlskey": f"{place}/{KEY}"}
    missing = missing_capabilities()
    if missing:
        shim = folder / "runc-shim"
        shim.write_text(runtime_shim(missing, find_program("runc") or "runc"))
        shim.chmod(0o755)
        configuration["runtimes"] = {"bounded": {"path": "/run/flatnet/runc-shim"}}
        configuration["default-runtime"] = "bounded"
    (folder / "docker.json").write_text(json.dumps(configuration, indent=1))


def runtime_shim(missing: tuple[str, ...], runc: str) -> str:
    """A wrapper around runc that removes capabilities which this machine cannot grant from a bundle's config."""
    edits = "".join(f's/,"{name}"//g;s/"{name}",//g;s/"{name}"//g;' for name in missing)
    return f"""#!/bin/sh
# runc refuses capabilities outside its bounding set; --privileged asks for all of them.
bundle=.
create=
process=
previous=
for word in "$@"; do
    case "$previous" in --bundle|-b) bundle=$word ;; --process|-p) process=$word ;; esac
    case "$word" in create|run|restore) create=yes ;; esac
    previous=$word
done
[ -z "$create" ] || sed -i '{edits}' "$bundle/config.json"
[ -z "$process" ] || sed -i '{edits}' "$process" # what `docker exec` runs
exec {runc} "$@"
"""


def consul_configuration(inventory: Inventory, node: Node) -> dict[str, Any]:
    """Consul's configuration on `node`: short timers, no telemetry, DNS on the DNS port."""
    consul = inventory.consul
    assert consul is not None
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
        "performance": {"raft_multiplier": 1},
        "gossip_lan": {"gossip_interval": "50ms", "probe_interval": "300ms", "probe_timeout": "150ms"},
        # A server that is down comes back, so it keeps its place among the voters.
        "autopilot": {"server_stabilization_time": "100ms", "cleanup_dead_servers": False},
        "dns_config": {"service_ttl": {"*": f"{consul.service_ttl_s}s"}, "allow_stale": True},
    }
    if node.consul_server:
        configuration["bootstrap_expect"] = len(servers)
    return configuration
