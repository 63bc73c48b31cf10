"""The ways that `discover` takes to the nodes: what a person types, and a cluster that only Nomad's API tells of."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from lab.discovery.by_nomad import surveys_of
from lab.discovery.cluster import interpret
from lab.discovery.options import Ways, add_options, targets_of
from lab.discovery.writing import scalar, write
from lab.errors import UsageError
from lab.inventory import Nomad, load

RECORDINGS = Path(__file__).parents[1] / "workloads" / "recordings"


def test_nomad_alone_names_the_nodes(tmp_path: Path) -> None:
    rows = json.loads((RECORDINGS / "nomad" / "nodes.json").read_text())
    rows[0]["Status"] = "down"
    told = json.loads((RECORDINGS / "nomad" / "agent-self.json").read_text())
    (tmp_path / "token").touch()
    found = interpret(surveys_of(rows, told), name="x", command="c", ssh={}, common={"via": "nomad"})
    assert found.nomad is not None and not any("nomad_server" in node.keys for node in found.nodes)
    found.nomad.reached_by(Nomad(http_host="192.168.56.3", token_file=tmp_path / "token"))
    text = write(found)
    assert sorted(node.name for node in found.nodes) + [lost.name for lost in found.lost] == ["u1", "u3", "u2"]
    assert "was not reached, so it is left out: its Nomad client is down" in text
    assert "# overlay:" in text and "Nomad lists nodes, and not Docker's networks" in text
    answered = text.replace("# overlay:", "overlay: {name: swarm, subnets: {a: 10.32.0.0/24}}")
    (tmp_path / "cluster.yaml").write_text(answered)
    made = load(tmp_path / "cluster.yaml")
    assert {node.via for node in made.nodes} == {"nomad"} and made.nomad is not None
    assert (made.nomad.http_host, made.nomad.token_file) == ("192.168.56.3", tmp_path / "token")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--via", "nomad"], "--via nomad and --nomad URL go together"),
        (["--nomad", "http://a", "u1"], "--via nomad and --nomad URL go together"),
        (["--via", "nomad", "--nomad", "http://a", "u1"], "Nomad names the nodes itself"),
        ([], "name a node"),
        (["--via", "nomad", "--nomad", "https://a"], "together with --tls DIR"),
        (["--via", "nomad", "--nomad", "a:4646"], "write http://HOST:PORT"),
        (["--via", "nomad", "--nomad", "http://a", "--token-file", "nowhere"], "--token-file nowhere: no such file"),
        (["--via", "docker", "u1"], "give --docker"),
        (["--key", "nowhere", "--known-hosts", "nowhere", "u1"], "--key nowhere: no such file"),
        (["--tls", "nowhere", "--via", "docker", "u1"], "no ca.pem in it"),
    ],
)
def test_options_that_do_not_fit_together(words: list[str], said: str) -> None:
    parser = argparse.ArgumentParser()
    add_options(parser)
    with pytest.raises(UsageError) as caught:
        Ways(parser.parse_args(words)).nomad()
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_hosts_have_one_user_and_one_port(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    add_options(parser)
    (tmp_path / "id").touch()
    key = ["--key", str(tmp_path / "id"), "--known-hosts", str(tmp_path / "id")]
    ways = Ways(parser.parse_args([*key, "op@192.168.56.3:2222", "192.168.56.4"]))
    assert (ways.ssh["user"], ways.ssh["port"]) == ("op", 2222)
    assert [target.name for target in targets_of(["op@192.168.56.3:2222"])] == ["net-192-168-56-3"]
    with pytest.raises(UsageError, match="several users or ports"):
        Ways(parser.parse_args([*key, "op@192.168.56.3", "root@192.168.56.4"]))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("br-office", "br-office"), ("10.0.0.1", "10.0.0.1"), ("no", '"no"'), ("a: b", '"a: b"'), ("x #y", '"x #y"'),
        ("7", '"7"'), (7, "7"), (True, "true"), ("systemctl stop docker", '"systemctl stop docker"'), ("", '""'),
        ({"ca": "/x/ca.pem"}, "{ca: /x/ca.pem}"), ("2026-01-01", '"2026-01-01"'), ("a:", '"a:"'),
    ],
)  # fmt: skip
def test_a_value_is_read_back_as_it_was(value: object, text: str) -> None:
    assert scalar(value) == text
