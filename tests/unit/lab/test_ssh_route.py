"""Which SSH servers lie on the way to a node: the cluster file's keys before those of OpenSSH's configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.access.ssh_route import JumpHost, read_jump, read_options, route
from lab.errors import LabError
from lab.inventory import Node


def node(**ssh: Any) -> Node:
    return Node.model_validate({"name": "u1", "address": "192.168.56.3", "ssh": ssh})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in ("id", "other", "id-cert.pub", "hosts", "more"):
        (tmp_path / name).touch()
    return tmp_path


def configuration(home: Path, text: str) -> Path:
    path = home / "config"
    path.write_text(f"{text}\nHost *\n  IdentityFile {home}/id\n  UserKnownHostsFile {home}/hosts {home}/more\n")
    return path


def test_without_a_configuration_the_nodes_address_is_dialled_as_root(home: Path) -> None:
    (hop,) = route(node(key=home / "id", known_hosts=home / "hosts"))
    assert (str(hop), hop.keys, hop.known_hosts) == ("root@192.168.56.3:22", (home / "id",), (home / "hosts",))
    assert (hop.certificate, hop.host_key_alias, hop.proxy_command) == (None, None, None)


def test_a_configuration_is_looked_up_by_the_nodes_name(home: Path) -> None:
    entry = "Host u1\n  HostName 10.9.9.9\n  User deploy\n  Port 2222\n  HostKeyAlias one"
    (hop,) = route(node(config=configuration(home, f"{entry}\n  CertificateFile {home}/id-cert.pub")))
    assert str(hop) == "deploy@10.9.9.9:2222"
    assert (hop.keys, hop.certificate) == ((home / "id",), home / "id-cert.pub")
    assert (hop.known_hosts[:2], hop.host_key_alias) == ((home / "hosts", home / "more"), "one")


def test_a_name_that_it_does_not_hold_is_looked_up_by_address(home: Path) -> None:
    (hop,) = route(node(config=configuration(home, "Host 192.168.56.*\n  User deploy\n  Port 2222")))
    assert str(hop) == "deploy@192.168.56.3:2222"


def test_the_cluster_files_keys_come_first(home: Path) -> None:
    config = configuration(home, "Host u1\n  User deploy\n  Port 2222")
    (hop,) = route(node(config=config, user="me", port=23, key=home / "other", known_hosts=home / "more"))
    assert (str(hop), hop.keys, hop.known_hosts) == ("me@192.168.56.3:23", (home / "other",), (home / "more",))


def test_a_jump_of_the_cluster_file_uses_its_key(home: Path) -> None:
    first, second, last = route(node(key=home / "id", known_hosts=home / "hosts", jump="a@one:2200,two"))
    assert [str(first), str(second), str(last)] == ["a@one:2200", "root@two:22", "root@192.168.56.3:22"]
    assert first.keys == second.keys == last.keys == (home / "id",)


def test_jumps_of_a_configuration_have_jumps_of_their_own(home: Path) -> None:
    text = (
        "Host u1\n  ProxyJump inner\nHost inner\n  HostName 10.1.1.1\n  User j\n  ProxyJump outer\nHost outer\n  User o"
    )
    assert [str(hop) for hop in route(node(config=configuration(home, text), user="me"))] == [
        "o@outer:22",
        "j@10.1.1.1:22",
        "me@192.168.56.3:22",
    ]


def test_a_circle_of_jumps_is_an_error(home: Path) -> None:
    text = "Host u1\n  ProxyJump inner\nHost inner\n  ProxyJump outer\nHost outer\n  ProxyJump inner"
    with pytest.raises(LabError, match=r"^node u1: ssh: the way leads through 'inner' twice; correct ProxyJump$"):
        route(node(config=configuration(home, text)))


def test_a_proxy_command_is_kept(home: Path) -> None:
    (hop,) = route(node(config=configuration(home, "Host u1\n  ProxyCommand connect %h %p")))
    assert hop.proxy_command == "connect %h %p"


def test_a_configuration_that_openssh_refuses_is_an_error_in_one_line(home: Path) -> None:
    with pytest.raises(LabError, match=r"^node u1: ssh\.config .*config: .*[Bb]ad configuration option.*; correct it$"):
        route(node(config=configuration(home, "Host u1\n  Prot 22")))


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("none", ()),
        ("host", (JumpHost("host", None, None),)),
        ("me@host:22", (JumpHost("host", "me", 22),)),
        ("a@b@host", (JumpHost("host", "a@b", None),)),
        ("[fe80::1]:23", (JumpHost("fe80::1", None, 23),)),
        ("ssh://me@host:24,x", (JumpHost("host", "me", 24), JumpHost("x", None, None))),
    ],
)
def test_a_jump_as_openssh_writes_it(text: str, entries: tuple[JumpHost, ...]) -> None:
    assert read_jump(text) == entries


def test_an_option_that_is_there_twice_has_both_values() -> None:
    assert read_options("port 22\nidentityfile a\nidentityfile b c\n") == {
        "port": ["22"],
        "identityfile": ["a", "b c"],
    }
