"""Access control of a foreign lab's Consul and Nomad: policies, tokens, and the configurations that enforce them.

Consul 1.8: "ACL Rules", "Securing Consul with ACLs" and "Encryption" in its documentation. Nomad 1.1: "Access Control".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import requests

from lab.errors import LabError
from lab.inventory import Consul, Inventory, Node, Nomad
from lab.waiting import wait_for

from .foreign import MANAGEMENT_TOKEN, token_file
from .pki import CA, CERTIFICATE, KEY

HTTP_TIMEOUT_S = 5.0
AGENT_READ = 'agent_prefix "" { policy = "read" }'
NODE_READ, NODE_WRITE = 'node_prefix "" { policy = "read" }', 'node_prefix "" { policy = "write" }'
SERVICE_READ, SERVICE_WRITE = 'service_prefix "" { policy = "read" }', 'service_prefix "" { policy = "write" }'
FLATNETS_SERVICES = 'service_prefix "flatnet-" { policy = "write" }'
OPERATOR_READ = 'operator = "read"'
CONSUL_POLICIES = {
    "agent": (NODE_WRITE, SERVICE_READ, AGENT_READ),
    "dns": (NODE_READ, SERVICE_READ),
    "nomad": (AGENT_READ, NODE_READ, SERVICE_WRITE),
    "flatnet": (AGENT_READ, NODE_READ, SERVICE_READ, FLATNETS_SERVICES, OPERATOR_READ),
    "read-only": (AGENT_READ, NODE_READ, SERVICE_READ, OPERATOR_READ),
}
"""The rules of Consul's policies; each belongs to a token of its name. `agent` is the agents' own, and `dns` answers
DNS and whoever shows no token. `flatnet` is what a run needs, and `read-only` may not register a service."""


def consul_options(consul: Consul, node: Node, tokens: Mapping[str, str]) -> dict[str, Any]:
    """What a foreign lab's node has in its Consul configuration beside what every lab's has."""
    own = {"agent": tokens["agent"], "default": tokens["dns"]}
    place = "/run/flatnet/tls/consul"
    return {
        "ports": {"http": -1, "https": consul.http_port, "dns": consul.dns_port, "grpc": -1},
        "primary_datacenter": consul.datacenter,
        "ca_file": f"{place}/{CA}",
        "cert_file": f"{place}/{CERTIFICATE}",
        "key_file": f"{place}/{KEY}",
        "verify_incoming": True,
        "verify_outgoing": True,
        "verify_server_hostname": True,
        "acl": {
            "enabled": True,
            "default_policy": "deny",
            # An agent that is no server remembers for so long that a token does not exist yet.
            "token_ttl": "1s",
            "tokens": {**own, "master": tokens[MANAGEMENT_TOKEN]} if node.consul_server else own,
        },
    }


def consul_names(consul: Consul, node: Node) -> list[str]:
    """The names in a node's certificate; clients recognise a server by the second (verify_server_hostname)."""
    return [node.name, "localhost", *([f"server.{consul.datacenter}.{consul.domain}"] if node.consul_server else [])]


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
        token = self._settings.token_file.read_text().strip()
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
        secret = token_file(state, "consul", name).read_text().strip()
        token = {"SecretID": secret, "Description": name, "Policies": [{"Name": name}]}
        api.need(server, "PUT", "/v1/acl/token", token)
    for node in inventory.nodes:
        for kind, name in (("agent", "agent"), ("default", "dns")):
            secret = token_file(state, "consul", name).read_text().strip()
            api.need(node, "PUT", f"/v1/agent/token/{kind}", {"Token": secret})
