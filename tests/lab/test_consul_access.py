"""A Consul with TLS, client certificates and default-deny ACLs, asked from the runner and from the node."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import consul as library
import pytest
import requests

from lab.access import consul as consul_api
from lab.access.http import MOST_FROM_NODE, PermissionDenied
from lab.errors import HarnessError
from lab.inventory import Consul, Tls
from tests.lab.own_services import NODE, Access, LocalShell, SecureConsul, secure_consul

ALL = " ".join(rule for _, _, rule in consul_api.RIGHTS)
Call = Callable[[consul_api.ConsulClient], Any]
SERVICE = "flatnet-shop"


def register(client: consul_api.ConsulClient) -> object:
    check = {**library.Check.ttl("30m"), "Status": "passing"}
    return client.agent.service.register(SERVICE, service_id=SERVICE, address="127.0.0.1", port=1, check=check)


CALLS: dict[str, Call] = {
    "/v1/agent/self": lambda client: client.agent.self(),
    "/v1/agent/services": lambda client: client.agent.services(),
    "/v1/agent/members": lambda client: client.agent.members(),
    "/v1/agent/service/register": register,
    "/v1/agent/join/": lambda client: client.agent.join("127.0.0.1"),
    "/v1/agent/check/": lambda client: client.agent.check.ttl_pass(f"service:{SERVICE}", "well"),
    "/v1/catalog/nodes": lambda client: client.catalog.nodes()[1],
    "/v1/catalog/": lambda client: client.catalog.service(SERVICE)[1],
    "/v1/health/": lambda client: client.health.service(SERVICE)[1],
    "/v1/operator/raft/configuration": lambda client: client.operator.raft_config(),
    "/v1/agent/service/deregister/": lambda client: client.agent.service.deregister(SERVICE),
}
"""{path of a rule: a call of Flatnet's that needs it}"""
SILENT = {"/v1/agent/services", "/v1/agent/members", "/v1/catalog/nodes", "/v1/catalog/", "/v1/health/"}
"""Paths where Consul leaves out what the token may not see, without an error."""


class Secure:
    """The Consul of this module, and clients of it."""

    def __init__(self, consul: SecureConsul, folder: Path) -> None:
        self.consul, self._folder = consul, folder
        self.shell = LocalShell(NODE)
        self.access = Access(NODE, self.shell)

    def settings(self, token: str | None = None, *, through: str = "runner", **tls: Path | str | None) -> Consul:
        """Right in every respect, but for `tls` and the token."""
        files = self.consul.certificates
        given: dict[str, Path | str | None] = {
            "ca": files / "consul-agent-ca.pem",
            "certificate": files / "dc1-client-consul-0.pem",
            "key": files / "dc1-client-consul-0-key.pem",
            **tls,
        }
        section: dict[str, Any] = {"http_port": 8501, "through": through, "tls": Tls.model_validate(given)}
        if token is not None:
            section["token_file"] = self._folder / f"token-{token}"
            section["token_file"].write_text(token + "\n")
        return Consul.model_validate(section)

    def ask(self, settings: Consul, call: Call) -> Any:
        return self.consul.place.do(lambda: call(consul_api.connect(self.access, settings)))


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    folder = tmp_path_factory.mktemp("consul")
    with secure_consul(folder) as consul:
        yield Secure(consul, folder)


@pytest.mark.parametrize("through", ["runner", "node"])
def test_a_client_with_certificate_and_token_is_answered(secure: Secure, through: str) -> None:
    answer = secure.ask(secure.settings(secure.consul.management, through=through), CALLS["/v1/agent/self"])
    assert answer["Config"]["NodeName"] == "u1"


@pytest.mark.parametrize("through", ["runner", "node"])
@pytest.mark.parametrize(
    ("tls", "said"),
    [
        ({"server_name": "server.dc1.consul"}, None),
        ({"server_name": "u1.example"}, "TLS: its certificate is refused: hostname mismatch, certificate is not"),
        ({"ca": "other"}, "TLS: its certificate is refused: unable to get local issuer certificate"),
        ({"certificate": None, "key": None}, "TLS: "),
    ],
    ids=["the name in the certificate", "another name", "another authority", "no certificate of the client's"],
)
def test_certificates_are_verified_either_way(
    secure: Secure, through: str, tls: dict[str, str | None], said: str | None
) -> None:
    made: dict[str, Path | str | None] = {**tls}
    if "ca" in tls:
        made["ca"] = secure.consul.other_ca
    settings = secure.settings(secure.consul.management, through=through, **made)
    if said is None:
        assert secure.ask(settings, lambda client: client.status.peers()) == ["127.0.0.1:8300"]
        return
    with pytest.raises(requests.RequestException) as raised:
        secure.ask(settings, lambda client: client.status.peers())
    assert str(raised.value).startswith(said)


@pytest.mark.parametrize("through", ["runner", "node"])
def test_a_port_where_nothing_listens_is_told_apart(secure: Secure, through: str) -> None:
    settings = Consul.model_validate({"http_port": 8599, "through": through})
    with pytest.raises(requests.ConnectionError, match=r"^connection refused$") as raised:
        secure.ask(settings, lambda client: client.status.peers())
    assert consul_api.connection_refused(raised.value)


def test_a_node_without_python_is_one_line(secure: Secure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    shell = LocalShell(NODE)
    shell.program = "/bin/sh"
    settings = Consul.model_validate({"http_port": 8501, "through": "node"})
    with pytest.raises(HarnessError, match=r"^node u1: no connection from there to 127\.0\.0\.1:8501: .*python3"):
        secure.consul.place.do(lambda: consul_api.connect(Access(NODE, shell), settings).status.peers())


def test_all_clients_of_a_node_share_few_channels(secure: Secure) -> None:
    settings = secure.settings(secure.consul.management, through="node")
    shell = LocalShell(NODE)
    channels = shell.channels

    def ask_all(shell: LocalShell) -> None:
        modes: tuple[consul_api.Consistency, ...] = ("default", "stale", "consistent", "default")
        for mode in modes:
            client = consul_api.connect(Access(NODE, shell), settings, consistency=mode)
            with ThreadPoolExecutor(6) as pool:
                for answer in [pool.submit(client.catalog.nodes) for _ in range(6)]:
                    answer.result()

    secure.consul.place.do(partial(ask_all, shell))
    assert 1 <= len(channels) <= MOST_FROM_NODE, "connections are used again"
    del shell
    gc.collect()
    for channel in channels:
        channel.wait_closed()


@pytest.mark.parametrize(("path", "needs"), [(path, needs) for _, path, _, needs in consul_api.RULES])
def test_each_rule_is_what_its_request_needs(secure: Secure, path: str, needs: str) -> None:
    """With the rule the request works; with all others it is refused by a line that names it, or sees nothing."""
    management = secure.settings(secure.consul.management)
    secure.ask(management, register)
    assert secure.ask(secure.settings(secure.consul.token(needs)), CALLS[path])
    others = {consul_api.AGENT_READ, consul_api.NODE_READ, consul_api.OPERATOR_READ, consul_api.SERVICE_READ}
    lacking = secure.settings(secure.consul.token(" ".join(rule for rule in others if rule not in needs)))
    secure.ask(management, register)
    if path in SILENT:
        assert not secure.ask(lacking, CALLS[path])
        return
    with pytest.raises(PermissionDenied) as raised:
        secure.ask(lacking, CALLS[path])
    assert str(raised.value).startswith("node u1: Consul refuses to ")
    assert str(raised.value).endswith(f"the token of consul.token_file needs {needs}")


@pytest.mark.parametrize("rule", [rule for _, _, rule in consul_api.RIGHTS])
def test_the_check_before_a_run_names_the_rule_that_is_missing(secure: Secure, rule: str) -> None:
    rules = " ".join(each for _, _, each in consul_api.RIGHTS if each != rule)
    settings = secure.settings(secure.consul.token(rules))
    assert secure.ask(settings, consul_api.missing_rules) == [rule]
    assert secure.ask(secure.settings(secure.consul.token(ALL)), consul_api.missing_rules) == []


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (None, r"\(403: Permission denied\): there is no consul\.token_file, and the anonymous token needs agent_pre"),
        ("11111111-2222-3333-4444-555555555555", r"\(403: ACL not found\): the token of consul\.token_file needs ag"),
    ],
    ids=["no token", "a token that Consul does not know"],
)
def test_a_token_that_is_missing_or_unknown_is_one_line(secure: Secure, token: str | None, said: str) -> None:
    with pytest.raises(PermissionDenied, match=said):
        secure.ask(secure.settings(token), CALLS["/v1/agent/self"])
