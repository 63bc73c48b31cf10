"""The plan of a foreign lab: accounts, the bastion's rules, certificates, policies, the cluster file of each face."""

from __future__ import annotations

import ssl
import subprocess
import sys
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import paramiko
import pytest
from cryptography.hazmat.primitives.serialization import load_ssh_public_identity

from lab.access.consul import SERVICE_WRITE
from lab.embedded import acl, faces, foreign, pki, plan
from lab.embedded.credentials import make_credentials
from lab.embedded.foreign import client_tls, key_file, passphrase_file, token_file
from lab.embedded.keys import make_key
from lab.embedded.plan import LabSpec
from lab.errors import UsageError
from lab.inventory import Inventory, Nomad, load

MANAGER = IPv4Address("192.168.56.1")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A run directory with every file that cluster files name."""
    make_credentials(tmp_path)
    (tmp_path / "known_hosts").write_text("")
    return tmp_path


def own(state: Path, overlay: str = "vxlan", nodes: int = 3) -> Inventory:
    """The lab's own inventory, with Nomad whether the machine has one or not."""
    ordinary = plan.inventory(LabSpec(nodes=nodes, overlay=overlay))
    servers = tuple(node.model_copy(update={"nomad_server": True}) for node in ordinary.nodes[:3])
    with_nomad = {"nomad": Nomad(), "nodes": (*servers, *ordinary.nodes[3:])}
    return foreign.own_inventory(ordinary.model_copy(update=with_nomad), state)


def face(name: str, state: Path) -> Inventory:
    namespaces = {name: Path(f"/proc/{number}/ns/net") for number, name in enumerate(foreign.DESKS, start=101)}
    return faces.face(name, own(state), state, namespaces)


def test_an_ordinary_lab_has_nothing_of_it() -> None:
    inventory = plan.inventory(LabSpec())
    assert inventory.overlay.networks == {} and inventory.consul is not None and inventory.consul.tls is None
    assert {node.ssh.port for node in inventory.nodes} == {None}


@pytest.mark.parametrize("overlay", ["vxlan", "swarm"])
def test_names_differ_from_the_defaults_and_the_lab_has_a_way_of_its_own(state: Path, overlay: str) -> None:
    inventory = own(state, overlay)
    assert inventory.overlay.networks == {"a": "shop_front", "b": "backoffice.v2"}
    assert inventory.consul is not None and (inventory.consul.datacenter, inventory.consul.domain) == ("ams1", "corp")
    assert {node.ssh.port for node in inventory.nodes} == {foreign.LAB_SSH_PORT}


@pytest.mark.parametrize("spec", [{"underlay": "172.31.255.0/24"}, {"range": "172.31.0.0/16"}])
def test_the_management_network_overlaps_nothing(spec: dict[str, str]) -> None:
    changed = {key: IPv4Network(value) for key, value in spec.items()}
    replace(LabSpec(), **changed)  # type: ignore[arg-type]  # an ordinary lab may lie there
    with pytest.raises(UsageError, match="a foreign lab's management network"):
        replace(LabSpec(foreign=True), **changed)  # type: ignore[arg-type]


def test_accounts_have_no_password_and_one_user_is_in_the_group_of_the_engine() -> None:
    passwd = foreign.add_users("root:x:0:0::/root:/bin/sh\noperator:x:37:37::/:/bin/sh\n", [foreign.OPERATOR])
    assert passwd == "root:x:0:0::/root:/bin/sh\noperator:*:2001:2001::/var/home/operator:/bin/sh\n"
    users = [foreign.OPERATOR, foreign.DOCKHAND]
    group = foreign.add_groups("root:x:0:\ndocker:x:106:somebody\n", users, [foreign.DOCKHAND])
    assert group == "root:x:0:\noperator:x:2001:\ndockhand:x:2002:\ndocker:x:106:dockhand\n"
    assert "docker:x:2000:\n" in foreign.add_groups("root:x:0:\n", users)


def test_nodes_let_in_two_users_from_the_bastion_and_never_root() -> None:
    lines = foreign.node_sshd(IPv4Address("192.168.56.2")).splitlines()
    assert "PermitRootLogin no" in lines
    assert "AllowUsers operator@192.168.56.2 dockhand@192.168.56.2" in lines


def test_the_bastion_forwards_to_the_nodes_ssh_and_grants_nothing_else(state: Path) -> None:
    lines = foreign.bastion_sshd(own(state, nodes=1).nodes).splitlines()
    assert "PermitOpen 192.168.56.3:22 u1:22" in lines
    assert {"AllowUsers jumper", "ForceCommand /usr/sbin/nologin", "PermitTTY no", "PermitRootLogin no"} <= set(lines)


def test_the_bastion_lets_each_desk_through_to_what_its_faces_grant(state: Path) -> None:
    rules = [line.strip() for line in foreign.firewall(own(state), MANAGER).splitlines()]
    accepted = [rule for rule in rules if rule.endswith(" accept") and not rule.startswith(("iifname", "ct state"))]
    assert accepted == [
        "ip saddr { 172.31.255.11, 192.168.56.1 } tcp dport 22 accept",
        "ip saddr 172.31.255.12 ip daddr { 192.168.56.3, 192.168.56.4, 192.168.56.5 } tcp dport 2376 accept",
        "ip saddr 172.31.255.13 ip daddr 192.168.56.3 tcp dport 4646 accept",
    ]
    assert sum(rule.endswith("policy drop;") for rule in rules) == 2
    without = foreign.firewall(own(state).model_copy(update={"nomad": None}), MANAGER)
    assert "4646" not in without and "172.31.255.13" not in without


def test_an_ordinary_lab_does_not_load_what_makes_certificates() -> None:
    program = "import sys, lab.embedded.lifecycle; print('cryptography.x509' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# -- certificates ----------------------------------------------------------


def handshake(server: Path, client: Path, authority: Path, name: str) -> None:
    """TLS between a server that wants a certificate and a client that dials `name`; raises ssl.SSLError."""
    of_server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(server / foreign.CA))
    of_server.load_cert_chain(server / foreign.CERTIFICATE, server / foreign.KEY)
    of_server.verify_mode = ssl.CERT_REQUIRED
    of_client = ssl.create_default_context(cafile=str(authority / foreign.CA))
    of_client.load_cert_chain(client / foreign.CERTIFICATE, client / foreign.KEY)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        of_client.wrap_bio(to_client, to_server, server_hostname=name),
        of_server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(6):
        for end in list(ends):
            try:
                end.do_handshake()
                ends.remove(end)
            except ssl.SSLWantReadError:
                continue
    assert not ends


def test_a_server_and_a_client_of_one_authority_trust_each_other(tmp_path: Path) -> None:
    authority, another = pki.Authority("one"), pki.Authority("another")
    server, client, stranger = tmp_path / "server", tmp_path / "client", tmp_path / "stranger"
    authority.issue(server, "u1", names=["u1"], addresses=[IPv4Address("192.168.56.3")])
    authority.issue(client, "runner")
    another.issue(stranger, "runner")
    handshake(server, client, client, "192.168.56.3")
    handshake(server, client, client, "u1")
    with pytest.raises(ssl.SSLError):
        handshake(server, client, client, "192.168.56.4")
    with pytest.raises(ssl.SSLError):
        handshake(server, stranger, client, "192.168.56.3")
    with pytest.raises(ssl.SSLError):
        handshake(server, client, stranger, "192.168.56.3")


def test_the_key_is_encrypted_and_the_certificate_is_for_its_users(state: Path) -> None:
    with pytest.raises(paramiko.PasswordRequiredException):
        paramiko.Ed25519Key.from_private_key_file(str(key_file(state, "operator")))
    phrase = passphrase_file(state).read_text().strip()
    assert paramiko.Ed25519Key.from_private_key_file(str(key_file(state, "operator")), phrase).get_name()
    certificate = load_ssh_public_identity(foreign.certificate_file(state).read_bytes())
    assert certificate.valid_principals == [b"operator", b"jumper"]  # type: ignore[union-attr]
    certificate.verify_cert_signature()  # type: ignore[union-attr]


def test_what_others_may_not_read_is_root_s_alone(state: Path) -> None:
    names = ("keys", "tls", "tokens")
    modes = {path.stat().st_mode & 0o777 for name in names for path in (state / name).rglob("*") if path.is_file()}
    assert modes == {0o600}


def test_a_plain_key_is_as_it_was(tmp_path: Path) -> None:
    line = make_key(tmp_path / "key", comment="runner")
    key = paramiko.Ed25519Key.from_private_key_file(str(tmp_path / "key"))
    assert line == f"ssh-ed25519 {key.get_base64()} runner"


# -- access control --------------------------------------------------------


def test_consul_denies_by_default_and_only_servers_know_the_management_token(state: Path) -> None:
    tokens = make_credentials(state).consul_tokens
    inventory = own(state, nodes=4)
    assert inventory.consul is not None
    made = {node.name: acl.consul_options(inventory.consul, node, tokens) for node in inventory.nodes}
    for options in made.values():
        assert options["ports"]["http"] == -1 and options["ports"]["https"] == inventory.consul.http_port
        assert options["verify_incoming"] and options["acl"]["default_policy"] == "deny"
    assert [name for name, options in made.items() if "master" in options["acl"]["tokens"]] == ["u1", "u2", "u3"]
    assert tokens["management"] not in str(made["u4"])
    assert "server.ams1.corp" in acl.consul_names(inventory.consul, inventory.nodes[0])
    assert "server.ams1.corp" not in acl.consul_names(inventory.consul, inventory.nodes[3])


def test_what_is_handed_out_may_register_its_own_services_and_the_other_none() -> None:
    assert [rule for rule in acl.CONSUL_POLICIES["flatnet"] if "write" in rule] == [SERVICE_WRITE]
    assert not [rule for rule in acl.CONSUL_POLICIES["read-only"] if "write" in rule]
    assert "write" not in acl.NOMAD_POLICIES["read-only"] and "alloc-node-exec" in acl.NOMAD_POLICIES["flatnet"]


def test_nomad_wants_certificates_and_goes_to_consul_with_a_token(state: Path) -> None:
    inventory = own(state)
    options = acl.nomad_options(inventory, inventory.nodes[0], {"nomad": "secret"})
    assert options["acl"] == {"enabled": True} and options["tls"]["verify_https_client"]
    assert options["consul"]["token"] == "secret" and options["consul"]["ssl"]
    alone = inventory.model_copy(update={"consul": None})
    assert "consul" not in acl.nomad_options(alone, inventory.nodes[0], {})


# -- faces -----------------------------------------------------------------


@pytest.mark.parametrize("name", faces.DESK_OF)
def test_a_face_is_a_cluster_file_with_nothing_of_the_lab_in_it(state: Path, name: str) -> None:
    made = face(name, state)
    desk = {"ssh": 101, "tls": 102, "nomad": 103}[faces.DESK_OF[name]]
    assert (made.name, made.kind, made.runner.switch) == ("acme", "cluster", None)
    assert made.runner.namespace == Path(f"/proc/{desk}/ns/net")
    assert {node.power for node in made.nodes} == {None}
    text = faces.as_written(made)
    assert str(key_file(state, "runner")) not in text and "management" not in text
    assert str(foreign.LAB_SSH_PORT) not in text


@pytest.mark.parametrize("name", faces.DESK_OF)
def test_a_face_is_read_back_as_it_was_written(state: Path, name: str) -> None:
    made = own(state)
    namespaces = dict.fromkeys(foreign.DESKS, Path("/proc/1/ns/net"))
    faces.write(made, state, namespaces)
    file = faces.cluster_file(state, name)
    assert file.stat().st_mode & 0o777 == 0o600
    assert load(file) == faces.face(name, made, state, namespaces)


@pytest.mark.parametrize(
    ("name", "via", "become", "user"),
    [
        ("sudo", "ssh", "sudo", "operator"), ("cert", "ssh", "sudo", None), ("docker", "ssh", "docker", "dockhand"),
        ("tls", "docker", "none", None), ("nomad", "nomad", "none", None),
    ],
)  # fmt: skip
def test_each_face_has_its_own_way_in(state: Path, name: str, via: str, become: str, user: str | None) -> None:
    for node in face(name, state).nodes:
        assert (node.via, node.become, node.ssh.user) == (via, become, user)
        assert node.ssh.jump == ("jumper@172.31.255.2:22" if user else None)
        assert (node.ssh.passphrase_file is not None) == (name == "sudo")


def test_a_runner_dials_only_what_its_face_grants(state: Path) -> None:
    for name in faces.DESK_OF:
        made = face(name, state)
        assert made.consul is not None and made.nomad is not None
        assert made.consul.through == "node" and made.consul.token_file == token_file(state, "consul", "flatnet")
        assert (made.nomad.through, made.nomad.http_host) == (
            ("runner", "192.168.56.3") if name == "nomad" else ("node", None)
        )
    engines = face("tls", state).nodes
    assert [node.docker for node in engines] == [f"tcp://192.168.56.{last}:2376" for last in (3, 4, 5)]
    assert {node.docker_tls for node in engines} == {client_tls(state, "docker")}


def test_the_configuration_of_ssh_goes_through_the_bastion(state: Path) -> None:
    config = paramiko.SSHConfig.from_text(faces.ssh_config(own(state), state))
    node, bastion = config.lookup("u2"), config.lookup("bastion")
    assert (node["hostname"], node["user"], node["proxyjump"]) == ("192.168.56.4", "operator", "bastion")
    assert (bastion["hostname"], bastion["user"]) == ("172.31.255.2", "jumper") and "proxyjump" not in bastion
    assert node["certificatefile"] == str(foreign.certificate_file(state))


def test_an_unknown_face_is_a_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--face visitor: unknown; there are: root, sudo, cert, docker, tls, nomad"):
        faces.cluster_file(tmp_path, "visitor")
