"""A lab with a foreign face: the same lab as somebody else's cluster. What it is, before anything is made.

Its operators let nobody in as root. A runner stands at a desk, a network namespace on a management network, from
which it reaches a bastion and nothing else, or the one port that was opened for it. The lab itself keeps a way of its
own, which no desk reaches: a second sshd on every node, for root with the lab's key, from the manager's namespace.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

from lab.inventory import Consul, Inventory, Node, Nomad, Tls
from lab.overlays import adapter

CLUSTER = "acme"
DATACENTER = "ams1"
DOMAIN = "corp"
"""Consul's domain of names."""
NETWORKS = ("shop_front", "backoffice.v2")
"""Names of the Docker networks, in the order of the subnets."""
BASTION = "bastion"
MANAGEMENT = IPv4Network("172.31.255.0/24")
"""The network of the desks, and of the bastion's second interface."""
BASTION_OUTSIDE = IPv4Interface("172.31.255.2/24")
LAB_SSH_PORT = 2222
"""Where the lab's own sshd listens, beside the cluster's at port 22."""
ENGINE_PORT = 2376
"""Docker's port for TLS (dockerd(8))."""
CONSUL_PORT = 8501
"""Consul's port for HTTPS (its documentation, "Ports used")."""
CA, CERTIFICATE, KEY = "ca.pem", "certificate.pem", "key.pem"
"""The files of a party of TLS, in its folder."""
DOCKER_GROUP = "docker"
MANAGEMENT_TOKEN = "management"
"""Name of the token of Consul, and of Nomad, that may do everything."""


@dataclass(frozen=True)
class Desk:
    """A place from which a runner reaches the cluster. The bastion lets it through to what its faces grant."""

    name: str
    address: IPv4Interface


DESKS = {
    name: Desk(name, IPv4Interface(f"{MANAGEMENT[11 + index]}/{MANAGEMENT.prefixlen}"))
    for index, name in enumerate(("ssh", "tls", "nomad"))
}


@dataclass(frozen=True)
class User:
    """An account on the machines of a foreign lab; it has no password."""

    name: str
    number: int
    shell: str = "/bin/sh"

    @property
    def home(self) -> str:
        """On the node's own disk: /home is the machine's."""
        return f"/var/home/{self.name}"


OPERATOR = User("operator", 2001)
"""May become root by sudo, without a password."""
DOCKHAND = User("dockhand", 2002)
"""Is in the group docker."""
JUMPER = User("jumper", 2003, "/usr/sbin/nologin")
"""Has an account on the bastion alone, to be let through to the nodes' SSH."""


def bastion_address(inventory: Inventory) -> IPv4Address:
    """The bastion's address on the underlay, between the manager's and the first node's."""
    assert inventory.underlay is not None
    return inventory.underlay[2]


def own_inventory(inventory: Inventory, state: Path) -> Inventory:
    """The inventory that a foreign lab has for itself, from that of the ordinary one.

    It says how the lab itself gets in: as root by the lab's own sshd, and with tokens that may do everything.
    """
    nodes = tuple(
        node.model_copy(update={"ssh": node.ssh.model_copy(update={"port": LAB_SSH_PORT})}) for node in inventory.nodes
    )
    overlay = adapter(inventory)
    names = dict(zip(inventory.overlay.subnets, NETWORKS, strict=True))
    networks = {subnet: name for subnet, name in names.items() if overlay.network_of(subnet) is not None}
    consul = Consul(
        http_port=CONSUL_PORT,
        datacenter=DATACENTER,
        domain=DOMAIN,
        token_file=token_file(state, "consul", MANAGEMENT_TOKEN),
        tls=client_tls(state, "consul"),
    )
    nomad = inventory.nomad and Nomad(
        datacenter=DATACENTER,
        token_file=token_file(state, "nomad", MANAGEMENT_TOKEN),
        tls=client_tls(state, "nomad"),
    )
    changed = {"nodes": nodes, "overlay": inventory.overlay.model_copy(update={"networks": networks})}
    return inventory.model_copy(update={**changed, "consul": consul, "nomad": nomad})


# -- where things lie in the lab's run directory ---------------------------


def faces_folder(state: Path) -> Path:
    """Where a lab's cluster files lie, one for each face."""
    return state / "faces"


def key_file(state: Path, name: str) -> Path:
    """A private key: `operator` (encrypted), `dockhand`, `signed` (with a certificate), `user_ca`."""
    return state / "keys" / name


def passphrase_file(state: Path) -> Path:
    """The passphrase of operator's key."""
    return state / "keys" / "operator.passphrase"


def certificate_file(state: Path) -> Path:
    """The certificate of the key `signed`: for operator on the nodes, and jumper on the bastion."""
    return state / "keys" / "signed-cert.pub"


def tls_folder(state: Path, service: str) -> Path:
    """A client's certificate for `docker`, its key, and the authority's certificate (CA and the others)."""
    return state / "tls" / service


def token_file(state: Path, service: str, name: str) -> Path:
    """A token of `consul` or `nomad`, by the name of its policy."""
    return state / "tokens" / f"{service}-{name}"


def client_tls(state: Path, service: str) -> Tls:
    """How the clients of a service show their certificate and verify the server's."""
    folder = tls_folder(state, service)
    return Tls(ca=folder / CA, certificate=folder / CERTIFICATE, key=folder / KEY)


# -- files of the machines -------------------------------------------------


def add_users(passwd: str, users: Iterable[User]) -> str:
    """passwd(5) with these users; a `*` can be no password's hash, and locks no account (sshd(8))."""
    lines = _others(passwd, {user.name for user in users})
    lines += [f"{user.name}:*:{user.number}:{user.number}::{user.home}:{user.shell}" for user in users]
    return "\n".join(lines) + "\n"


def add_groups(group: str, users: Iterable[User], docker: Iterable[User] = ()) -> str:
    """group(5) with a group for each user, and the group of the engine's socket, in which are only `docker`."""
    own = {user.name for user in users}
    number = next((line.split(":")[2] for line in group.splitlines() if line.startswith(f"{DOCKER_GROUP}:")), "2000")
    members = ",".join(user.name for user in docker)
    lines = _others(group, {*own, DOCKER_GROUP})
    lines += [f"{user.name}:x:{user.number}:" for user in users]
    return "\n".join([*lines, f"{DOCKER_GROUP}:x:{number}:{members}"]) + "\n"


def _others(table: str, names: set[str]) -> list[str]:
    return [line for line in table.splitlines() if line.split(":")[0] not in names]


SUDOERS = f"{OPERATOR.name} ALL=(ALL:ALL) NOPASSWD: ALL\n"

_SSHD = """\
Port 22
HostKey /run/flatnet/ssh_host_key
AuthorizedKeysFile /etc/flatnet/authorized_keys/%u
TrustedUserCAKeys /etc/flatnet/user_ca.pub
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
UsePAM no
UseDNS no
StrictModes no
PermitUserRC no
PidFile none
"""


def node_sshd(bastion: IPv4Address) -> str:
    """sshd_config(5) of a node: two users, and only from the bastion."""
    return f"{_SSHD}AllowUsers {OPERATOR.name}@{bastion} {DOCKHAND.name}@{bastion}\n"


def bastion_sshd(nodes: Iterable[Node]) -> str:
    """sshd_config(5) of the bastion: one user, who is let through to the nodes' SSH and gets nothing else."""
    targets = " ".join(f"{host}:22" for node in nodes for host in (node.address, node.name))
    return (
        f"{_SSHD}AllowUsers {JUMPER.name}\n"
        "PermitTTY no\n"
        "X11Forwarding no\n"
        "AllowAgentForwarding no\n"
        "AllowStreamLocalForwarding no\n"
        "AllowTcpForwarding local\n"
        f"PermitOpen {targets}\n"
        "ForceCommand /usr/sbin/nologin\n"
    )


def firewall(inventory: Inventory, manager: IPv4Address) -> str:
    """Rules for `nft -f` in the bastion: each desk is let through to what its faces grant, and to nothing else.

    What is not granted is rejected, so that a runner that dials it knows at once. The manager asks whether sshd runs.
    """
    nodes = ", ".join(str(node.address) for node in inventory.nodes)
    ssh, tls, nomad = (DESKS[name].address.ip for name in ("ssh", "tls", "nomad"))
    grants = [f"ip saddr {tls} ip daddr {{ {nodes} }} tcp dport {ENGINE_PORT} accept"]
    if inventory.nomad is not None:
        server = nomad_server(inventory)
        grants.append(f"ip saddr {nomad} ip daddr {server.address} tcp dport {inventory.nomad.http_port} accept")
    rules = "\n        ".join(grants)
    return f"""\
flush ruleset
table ip bastion {{
    chain input {{
        type filter hook input priority 0; policy drop;
        iifname "lo" accept
        ct state established,related accept
        ip saddr {{ {ssh}, {manager} }} tcp dport 22 accept
        reject with icmp type admin-prohibited
    }}
    chain forward {{
        type filter hook forward priority 0; policy drop;
        ct state established,related accept
        {rules}
        reject with icmp type admin-prohibited
    }}
    chain output {{
        type filter hook output priority 0; policy accept;
        oifname "eth0" ct state new tcp dport != 22 reject
    }}
    chain postrouting {{
        type nat hook postrouting priority 100;
        oifname "eth0" masquerade
    }}
}}
"""


def nomad_server(inventory: Inventory) -> Node:
    """The one server whose HTTP API the desk `nomad` reaches."""
    return next(node for node in inventory.nodes if node.nomad_server)
