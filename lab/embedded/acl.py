"""Access control of a foreign lab's Consul and Nomad: policies, tokens, and the configurations that enforce them.

Consul 1.8: "ACL Rules", "Securing Consul with ACLs" and "Encryption" in its documentation. Nomad 1.1: "Access Control".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import requests

from lab.access.consul import AGENT_READ, NODE_READ, RIGHTS, SERVICE_READ
from lab.errors import LabError
from lab.inventory import Consul, Inventory, Node, Nomad
from lab.waiting import wait_for

from .foreign import CA, CERTIFICATE, KEY, MANAGEMENT_TOKEN, token_file
from .keys import write_private

HTTP_TIMEOUT_S = 5.0
NODE_WRITE = 'node_prefix "" { policy = "write" }'
SERVICE_WRITE = 'service_prefix "" { policy = "write" }'
CONSUL_POLICIES = {
    "agent": (NODE_WRITE, SERVICE_READ, AGENT_READ),
    "dns": (NODE_READ, SERVICE_READ),
    "nomad": (AGENT_READ, NODE_READ, SERVICE_WRITE),
    "flatnet": tuple(rule for _, _, rule in RIGHTS),
    "read-only": tuple(rule for _, access, rule in RIGHTS if access == "read"),
}
"""The rules of Consul's policies; each belongs to a token of its name. `agent` is the agents' own, and `dns` answers
DNS and whoever shows no token. `flatnet` is what a run needs, and `read-only` may not register a service."""

_READS = 'agent { policy = "read" } node { policy = "read" } operator { policy = "read" }'
NOMAD_POLICIES = {
    # A raw_exec task runs as root on its node; a shell in it is a right of its own.
    "flatnet": f'namespace "default" {{ policy = "write" capabilities = ["alloc-node-exec"] }} {_READS}',
    "read-only": f'namespace "default" {{ policy = "read" }} {_READS}',
}
"""The rules of Nomad's policies, likewise."""
CONSUL_PLACE, NOMAD_PLACE = "/run/flatnet/tls/consul", "/run/flatnet/tls/nomad"
"""Where a node has its certificates."""
NOMADS_TOKEN = "/run/flatnet/tls/consul/token"
"""Where a node has the token with which its Nomad goes to Consul."""


def consul_options(consul: Consul, node: Node, tokens: Mapping[str, str]) -> dict[str, Any]:
    """What a foreign lab's node has in its Consul configuration beside what every lab's has."""
    own = {"agent": tokens["agent"], "default": tokens["dns"]}
    return {
        "ports": {"http": -1, "https": consul.http_port, "dns": consul.dns_port, "grpc": -1},
        "primary_datacenter": consul.datacenter,
        "ca_file": f"{CONSUL_PLACE}/{CA}",
        "cert_file": f"{CONSUL_PLACE}/{CERTIFICATE}",
        "key_file": f"{CONSUL_PLACE}/{KEY}",
        "verify_incoming": True,
        "verify_outgoing": True,
        "verify_server_hostname": True,
        "acl": {
            "enabled": True,
            "default_policy": "deny",
            # An agent other than a server remembers for so long that a token does not exist yet.
            "token_ttl": "1s",
            "tokens": {**own, "master": tokens[MANAGEMENT_TOKEN]} if node.consul_server else own,
        },
    }


def consul_names(consul: Consul, node: Node) -> list[str]:
    """The names in a node's certificate; clients recognise a server by the second (verify_server_hostname)."""
    return [node.name, "localhost", *([f"server.{consul.datacenter}.{consul.domain}"] if node.consul_server else [])]


def nomad_options(inventory: Inventory, node: Node, tokens: Mapping[str, str]) -> dict[str, Any]:
    """What a foreign lab's node has in its Nomad configuration beside what every lab's has."""
    address = str(node.address)
    options: dict[str, Any] = {
        "acl": {"enabled": True},
        "tls": {
            "http": True,
            "verify_https_client": True,
            "ca_file": f"{NOMAD_PLACE}/{CA}",
            "cert_file": f"{NOMAD_PLACE}/{CERTIFICATE}",
            "key_file": f"{NOMAD_PLACE}/{KEY}",
        },
        # It answers at 127.0.0.1 as well.
        "addresses": {"http": "0.0.0.0"},
        "advertise": {"http": address, "rpc": address, "serf": address},
    }
    if inventory.consul is not None:
        options["consul"] = {
            "address": f"127.0.0.1:{inventory.consul.http_port}",
            "ssl": True,
            "ca_file": f"{CONSUL_PLACE}/{CA}",
            "cert_file": f"{CONSUL_PLACE}/{CERTIFICATE}",
            "key_file": f"{CONSUL_PLACE}/{KEY}",
            "token": tokens["nomad"],
        }
    return options


def ask_consul(consul: Consul, program: str) -> list[str]:
    """A command on a node that succeeds once Consul accepts the token of Nomad, which looks for Consul every 15 s."""
    return [
        program, "info", f"-http-addr=https://127.0.0.1:{consul.http_port}", f"-ca-file={CONSUL_PLACE}/{CA}",
        f"-client-cert={CONSUL_PLACE}/{CERTIFICATE}", f"-client-key={CONSUL_PLACE}/{KEY}",
        f"-token-file={NOMADS_TOKEN}",
    ]  # fmt: skip


class _Api:
    """Requests to a service by its address, with a token and the client's certificate of the lab's own inventory."""

    def __init__(self, settings: Consul | Nomad, header: str) -> None:
        assert settings.tls is not None and settings.token_file is not None
        self._settings = settings
        self._header = header
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(settings.tls.ca)
        self.session.cert = (str(settings.tls.certificate), str(settings.tls.key))

    def ask(self, node: Node, method: str, path: str, body: Mapping[str, Any] | None = None) -> requests.Response:
        """Send a request to the agent on `node`; its token is read each time, since it may have been made just now."""
        assert self._settings.token_file is not None
        token = self._settings.token_file.read_text(encoding="utf-8").strip()
        return self.session.request(
            method,
            f"https://{node.address}:{self._settings.http_port}{path}",
            json=body,
            headers={self._header: token} if token else {},
            timeout=HTTP_TIMEOUT_S,
        )

    def need(self, node: Node, method: str, path: str, body: Mapping[str, Any] | None = None) -> requests.Response:
        """The response. Raises LabError when the service refuses the request, or does not answer."""
        try:
            response = self.ask(node, method, path, body)
        except requests.RequestException as error:
            raise LabError(f"node {node.name}: {method} {path}: {error}") from None
        if not response.ok:
            raise LabError(f"node {node.name}: {method} {path}: {response.status_code} {response.text.strip()}")
        return response

    def wait(self, node: Node, path: str, what: str, stopped: Callable[[], bool]) -> None:
        """Wait until the service answers a GET. Raises LabError when it does not, or `stopped` says so."""

        def why_not() -> str | None:
            if stopped():
                raise LabError(f"{what}: given up, another part of the lab failed")
            try:
                response = self.ask(node, "GET", path)
            except requests.RequestException as error:
                return type(error).__name__
            return None if response.ok else f"{response.status_code} {response.text.strip()}"

        wait_for(what, why_not)


def make_consul_tokens(inventory: Inventory, state: Path, stopped: Callable[[], bool]) -> None:
    """Make Consul's policies, and the tokens that were written down for them. Raises LabError.

    Agents that began before they existed are given theirs once more, upon which they register their nodes at once.
    """
    assert inventory.consul is not None
    api = _Api(inventory.consul, "X-Consul-Token")
    server = next(node for node in inventory.nodes if node.consul_server)
    api.wait(server, "/v1/acl/policies", f"ACLs of Consul on {server.name}", stopped)
    for name, rules in CONSUL_POLICIES.items():
        api.need(server, "PUT", "/v1/acl/policy", {"Name": name, "Rules": " ".join(rules)})
        secret = token_file(state, "consul", name).read_text(encoding="utf-8").strip()
        token = {"SecretID": secret, "Description": name, "Policies": [{"Name": name}]}
        api.need(server, "PUT", "/v1/acl/token", token)
    for node in inventory.nodes:
        for kind, name in (("agent", "agent"), ("default", "dns")):
            secret = token_file(state, "consul", name).read_text(encoding="utf-8").strip()
            api.need(node, "PUT", f"/v1/agent/token/{kind}", {"Token": secret})


def make_nomad_tokens(inventory: Inventory, state: Path) -> None:
    """Make Nomad's first token, the lab's own, then policies with a token each; all are written down. Raises LabError.

    Nomad 1.1 chooses the secrets of its tokens itself.
    """
    assert inventory.nomad is not None
    api = _Api(inventory.nomad, "X-Nomad-Token")
    server = next(node for node in inventory.nodes if node.nomad_server)

    def why_not() -> str | None:
        try:
            response = api.ask(server, "PUT", "/v1/acl/bootstrap")
        except requests.RequestException as error:
            return type(error).__name__
        if not response.ok:
            return f"{response.status_code} {response.text.strip()}"
        write_private(token_file(state, "nomad", MANAGEMENT_TOKEN), response.json()["SecretID"])
        return None

    wait_for(f"ACLs of Nomad on {server.name}", why_not)
    for name, rules in NOMAD_POLICIES.items():
        api.need(server, "PUT", f"/v1/acl/policy/{name}", {"Name": name, "Rules": rules})
        token = api.need(server, "PUT", "/v1/acl/token", {"Name": name, "Type": "client", "Policies": [name]})
        write_private(token_file(state, "nomad", name), token.json()["SecretID"])
