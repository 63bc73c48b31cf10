"""Clients of Consul and Nomad: their arguments alone decide what is sent; the environment does not."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter

from lab.access import consul, nomad
from lab.access.shell import Channel, Shell
from lab.errors import HarnessError
from lab.inventory import Consul, Inventory, Node, Nomad

NODE = Node.model_validate(
    {"name": "u1", "address": "192.168.56.3", "ssh": {"key": "key", "known_hosts": "known_hosts"}}
)


class NoShell(Shell):
    """A shell that nobody asks for anything."""

    def connect(self, **_: Any) -> object:
        raise AssertionError

    def channel(self, *_: Any, **__: Any) -> Channel:
        raise AssertionError

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True)
class Reached:
    """A node and the way to it."""

    node: Node
    shell: Shell


ACCESS = Reached(NODE, NoShell(NODE))
ENVIRONMENT = {
    "CONSUL_HTTP_ADDR": "not an address at all:::",
    "CONSUL_HTTP_SSL": "true",
    "CONSUL_HTTP_SSL_VERIFY": "false",
    "CONSUL_HTTP_TOKEN": "of the environment",
    "NOMAD_ADDR": "https://192.0.2.1:1",
    "NOMAD_REGION": "elsewhere",
    "NOMAD_NAMESPACE": "elsewhere",
    "NOMAD_TOKEN": "of the environment",
    "NOMAD_CLIENT_CERT": "/nowhere/cert",
    "NOMAD_CLIENT_KEY": "/nowhere/key",
    "http_proxy": "http://192.0.2.1:3128",
    "HTTP_PROXY": "http://192.0.2.1:3128",
    "all_proxy": "http://192.0.2.1:3128",
    "REQUESTS_CA_BUNDLE": "/nowhere/ca",
}


class Recorder(BaseAdapter):
    """Takes the place of the network: remembers what would be sent, and answers."""

    def __init__(self, body: Any) -> None:
        super().__init__()
        self.sent: list[requests.PreparedRequest] = []
        self.arguments: list[dict[str, Any]] = []
        self.bodies = [body]
        """The answers in turn; the last one goes on."""
        self.status = 200

    def send(self, request: requests.PreparedRequest, *_: Any, **arguments: Any) -> requests.Response:
        self.sent.append(request)
        self.arguments.append(arguments)
        response = requests.Response()
        response.status_code = self.status
        response.headers["X-Consul-Index"] = "1"
        response._content = json.dumps(self.bodies.pop(0) if len(self.bodies) > 1 else self.bodies[0]).encode()
        return response

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture(params=[{}, ENVIRONMENT], ids=["plain environment", "misleading environment"])
def environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    for name, value in request.param.items():
        monkeypatch.setenv(name, value)


def recorded(client: consul.ConsulClient | nomad.NomadClient, body: Any) -> Recorder:
    recorder = Recorder(body)
    session = client.http.session if isinstance(client, consul.ConsulClient) else client.agent.session
    session.mount("http://", recorder)
    session.mount("https://", recorder)
    return recorder


Read = Callable[[consul.ConsulClient], Any]
READS: dict[str, tuple[Read, str]] = {
    "health": (lambda client: client.health.service("web"), "/v1/health/service/web?dc=dc1"),
    "raft": (lambda client: client.operator.raft_config(), "/v1/operator/raft/configuration"),
    "peers": (lambda client: client.status.peers(), "/v1/status/peers"),
    "self": (lambda client: client.agent.self(), "/v1/agent/self"),
    "catalog": (lambda client: client.catalog.nodes(), "/v1/catalog/nodes?dc=dc1"),
}


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("consistency", ["default", "stale", "consistent"])
@pytest.mark.parametrize("read", READS)
def test_a_read_of_consul_goes_where_the_arguments_say(read: str, consistency: consul.Consistency) -> None:
    ask, path = READS[read]
    client = consul.connect(ACCESS, Consul(http_port=8511), timeout_s=2.5, consistency=consistency)
    recorder = recorded(client, [])
    ask(client)
    mode = "" if consistency == "default" else f"{'&' if '?' in path else '?'}{consistency}=1"
    assert [request.url for request in recorder.sent] == [f"http://192.168.56.3:8511{path}{mode}"]
    assert "X-Consul-Token" not in recorder.sent[0].headers
    assert (recorder.arguments[0]["timeout"], dict(recorder.arguments[0]["proxies"])) == (2.5, {})
    assert recorder.arguments[0]["verify"] is True and not recorder.arguments[0]["cert"]


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("read", READS)
def test_every_read_of_consul_carries_the_token(read: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    client = consul.connect(ACCESS, Consul(token_file=tmp_path / "token"))
    recorder = recorded(client, [])
    READS[read][0](client)
    assert recorder.sent[0].headers["X-Consul-Token"] == "secret"
    assert recorder.arguments[0]["timeout"] == consul.HTTP_TIMEOUT_S


@pytest.mark.usefixtures("environment")
def test_a_write_to_consul_has_no_consistency_mode() -> None:
    client = consul.connect(ACCESS, Consul(), consistency="stale")
    recorder = recorded(client, None)
    client.agent.service.deregister("web-1")
    assert recorder.sent[0].url == "http://192.168.56.3:8500/v1/agent/service/deregister/web-1"


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("token", [None, "secret"])
def test_a_call_of_nomad_goes_where_the_arguments_say(token: str | None, tmp_path: Path) -> None:
    if token is not None:
        (tmp_path / "token").write_text(f"{token}\n")
    settings = Nomad(http_port=4711, token_file=None if token is None else tmp_path / "token")
    client = nomad.connect(ACCESS, settings, timeout_s=3)
    recorder = recorded(client, [])
    client.job.get_allocations("web")
    client.nodes.get_nodes()
    client.agent.get_members()
    client.status.leader.get_leader()
    client.jobs.parse("job x {}")
    assert [str(request.url) for request in recorder.sent] == [
        "http://192.168.56.3:4711/v1/job/web/allocations",
        "http://192.168.56.3:4711/v1/nodes",
        "http://192.168.56.3:4711/v1/agent/members",
        "http://192.168.56.3:4711/v1/status/leader",
        "http://192.168.56.3:4711/v1/jobs/parse",
    ]
    assert {request.headers.get("X-Nomad-Token") for request in recorder.sent} == {token}
    assert all(arguments["timeout"] == 3 and not arguments["cert"] for arguments in recorder.arguments)
    assert all(not arguments["proxies"] for arguments in recorder.arguments)


def test_clients_are_made_where_warnings_are_errors() -> None:
    code = (
        "from tests.unit.lab.test_api_clients import ACCESS, Consul, Nomad, consul, nomad;"
        "consul.connect(ACCESS, Consul()); nomad.connect(ACCESS, Nomad())"
    )
    root = Path(__file__).resolve().parents[3]
    # Imported first, since the libraries themselves may warn when they are.
    program = f"import consul, nomad, warnings, pytest, requests; warnings.simplefilter('error'); {code}"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=root, env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_refused_connection_is_told_from_other_failures() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    session = requests.Session()
    session.trust_env = False
    with pytest.raises(requests.ConnectionError) as refused:
        session.get(f"http://127.0.0.1:{port}", timeout=5)
    assert consul.connection_refused(refused.value)
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(requests.ReadTimeout) as silent:
        session.get(f"http://127.0.0.1:{server.getsockname()[1]}", timeout=0.05)
    assert not consul.connection_refused(silent.value)


def test_the_cause_of_an_error_counts_before_what_it_was_raised_in() -> None:
    error, refused, reset = OSError(), ConnectionRefusedError(), ConnectionResetError()
    error.__cause__, error.__context__ = refused, reset
    assert consul.connection_refused(error)
    error.__cause__, error.__context__ = None, refused
    assert consul.connection_refused(error)


def test_words_about_a_refused_connection_are_not_one() -> None:
    assert not consul.connection_refused(requests.ConnectionError("[Errno 111] Connection refused"))
    assert consul.connection_refused(ConnectionRefusedError())
    assert not consul.connection_refused(ConnectionResetError())


def inventory(*, servers: int = 3, with_nomad: bool = True) -> Inventory:
    nodes = [
        {
            "name": f"u{number}",
            "address": f"192.168.56.{number + 2}",
            "ssh": {"key": "key", "known_hosts": "known_hosts"},
            "nomad_server": number <= servers,
        }
        for number in (1, 2, 3)
    ]
    return Inventory.model_validate(
        {
            "name": "test",
            "nodes": nodes,
            "overlay": {"name": "vxlan", "range": "10.32.0.0/16", "subnets": {"a": "10.32.0.0/24"}},
            **({"nomad": {}} if with_nomad else {}),
        }
    )


ALL = frozenset(f"192.168.56.{number}" for number in (3, 4, 5))
LEADER = frozenset({"192.168.56.5"})
READY = dict.fromkeys(ALL, "ready")


@pytest.mark.parametrize(
    ("quorum", "missing"),
    [
        (nomad.Quorum(ALL, ALL, LEADER), False),
        (nomad.Quorum(ALL | {"192.168.56.9"}, ALL | {"192.168.56.9"}, LEADER), False),
        (nomad.Quorum(ALL - LEADER, ALL, LEADER), True),
        (nomad.Quorum(ALL, ALL - LEADER, LEADER), True),
        (nomad.Quorum(ALL, ALL, frozenset()), True),
        (nomad.Quorum(ALL, ALL, ALL), True),
    ],
)
def test_nomad_lacks_servers_until_all_live_and_vote_and_one_leads(quorum: nomad.Quorum, missing: bool) -> None:
    assert nomad.describe_missing(inventory(), quorum, READY) == (str(quorum) if missing else None)


def test_nomad_lacks_clients_until_all_are_ready() -> None:
    quorum = nomad.Quorum(ALL, ALL, LEADER)
    states = {"192.168.56.3": "ready", "192.168.56.4": "down"}
    assert nomad.describe_missing(inventory(), quorum, states) == "client u2: down, client u3: not there"
    assert nomad.describe_missing(inventory(servers=1), nomad.Quorum(ALL, ALL, LEADER), READY) is None


def test_an_agent_that_does_not_answer_is_not_ready() -> None:
    client = nomad.connect(ACCESS, Nomad())
    recorder = recorded(client, "no leader " * 20)
    recorder.status = 500
    reason = nomad.unready(inventory(), client)
    assert reason is not None and "no leader" in reason and len(reason) == nomad.MOST_OF_ERROR
    with pytest.raises(HarnessError, match="section `nomad`"):
        nomad.unready(inventory(with_nomad=False), client)


def test_a_quorum_without_servers_or_members_is_empty() -> None:
    assert nomad.read_quorum({"Members": None}, None, "") == nomad.Quorum(*[frozenset[str]()] * 3)


def test_a_servers_ipv6_address_keeps_its_colons() -> None:
    seen = nomad.read_quorum({"Members": []}, ["[fd00::1]:4647"], "[fd00::1]:4647")
    assert seen.voters == seen.leaders == {"[fd00::1]"}


def test_an_agent_is_asked_for_members_servers_and_clients() -> None:
    members = {"Members": [{"Addr": address, "Status": "alive"} for address in sorted(ALL)]}
    peers, (leader,) = [f"{each}:4647" for each in sorted(ALL)], LEADER
    docker = {"docker": {"Detected": True, "Healthy": True}}
    nodes = [
        {"Address": each, "Status": "ready", "SchedulingEligibility": "eligible", "Drivers": docker}
        for each in ["192.168.56.3", "192.168.56.4"]
    ]
    client = nomad.connect(ACCESS, Nomad())
    recorder = recorded(client, None)
    recorder.bodies = [members, peers, f"{leader}:4647", nodes]
    assert nomad.unready(inventory(), client) == "client u3: not there"
    assert [request.path_url.partition("?")[0] for request in recorder.sent] == [
        "/v1/agent/members",
        "/v1/status/peers",
        "/v1/status/leader",
        "/v1/nodes",
    ]


def test_a_quorum_prints_its_servers() -> None:
    assert str(nomad.Quorum(ALL, frozenset(), LEADER)) == (
        "alive: 192.168.56.3, 192.168.56.4, 192.168.56.5; voters: none; leader: 192.168.56.5"
    )
