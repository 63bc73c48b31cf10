"""Consul's HTTP API on a node: python-consul2's endpoints on an HTTP client of our own.

python-consul2 0.1.5 separates its endpoints (`Catalog`, `Health`, …) from the HTTP client that they call, and
takes any subclass of `consul.std.HTTPClient`. `RegistryHTTPClient` is ours: it has a time-out, sends the ACL
token and the consistency mode with every read, also where an endpoint has no argument for them, and its session
(lab.access.http) dials from the runner or from the node, verifies certificates as the cluster file says, and ignores
the environment. The library's own class `consul.Consul` is not used: its constructor lets CONSUL_* variables override
its arguments, and warns about endpoints that Flatnet does not need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import consul
import consul.std
import requests

from lab.inventory import Consul as ConsulSettings

from . import http

HTTP_TIMEOUT_S = 5.0
SERVICE_PREFIX = "flatnet-"
"""Names of services that Flatnet registers begin with it, so that a policy can allow them and no other."""
AGENT_READ = 'agent_prefix "" { policy = "read" }'
NODE_READ = 'node_prefix "" { policy = "read" }'
SERVICE_READ = 'service_prefix "" { policy = "read" }'
SERVICE_WRITE = f'service_prefix "{SERVICE_PREFIX}" {{ policy = "write" }}'
OPERATOR_READ = 'operator = "read"'
RULES = (
    ("GET", "/v1/agent/self", "tell about its agent", AGENT_READ),
    ("GET", "/v1/agent/services", "list the agent's services", SERVICE_READ),
    ("GET", "/v1/agent/members", "list the members of the cluster", NODE_READ),
    ("PUT", "/v1/agent/service/register", "register a service", SERVICE_WRITE),
    ("PUT", "/v1/agent/service/deregister/", "deregister a service", SERVICE_WRITE),
    ("PUT", "/v1/agent/join/", "look for members again", 'agent_prefix "" { policy = "write" }'),
    ("PUT", "/v1/agent/check/", "set the state of a service's check", SERVICE_WRITE),
    ("GET", "/v1/catalog/nodes", "list the nodes of its catalog", NODE_READ),
    ("GET", "/v1/catalog/", "list the services of its catalog", f"{SERVICE_READ} {NODE_READ}"),
    ("GET", "/v1/health/", "list the health of services", f"{SERVICE_READ} {NODE_READ}"),
    ("GET", "/v1/operator/raft/configuration", "list its servers", OPERATOR_READ),
)
"""(method, beginning of the path, what the request does, the rule of an ACL policy that allows it). Each was tried on
Consul 1.8.7; "HTTP API", section "Required ACL", in Consul's documentation has the same."""
RIGHTS = (
    ("agent", "read", AGENT_READ),
    ("node", "read", NODE_READ),
    ("service", "read", SERVICE_READ),
    ("service", "write", SERVICE_WRITE),
    ("operator", "read", OPERATOR_READ),
)
"""(resource, access, the rule that allows it): all that a run may need."""

Consistency = Literal["default", "stale", "consistent"]
"""How a read is answered (Consul's documentation, "Consistency modes"): `stale` from the copy of the server that
is asked, `consistent` by the leader after it made sure that it still leads, `default` by the leader."""


class RegistryHTTPClient(consul.std.HTTPClient):  # type: ignore[misc]  # python-consul2 ships no types
    """HTTP to one Consul agent: `timeout` in seconds, one token and one consistency mode for all reads."""

    def __init__(
        self,
        session: http.ServiceSession,
        *,
        timeout: float,
        token: str | None = None,
        consistency: Consistency = "default",
    ) -> None:
        super().__init__(timeout=timeout)
        self.session = session
        self.base_uri = session.base_url
        if token is not None:
            self.session.headers["X-Consul-Token"] = token
        self._mode = [] if consistency == "default" else [(consistency, "1")]

    def get(
        self,
        callback: Callable[[Any], Any],
        path: str,
        params: Sequence[tuple[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Read `path` with the client's consistency mode; what the endpoint's `callback` makes of the response."""
        return super().get(callback, path, [*(params or ()), *self._mode], headers)


class ConsulClient:
    """One agent's API: the endpoints of python-consul2 that Flatnet uses, with their own documentation."""

    def __init__(self, http: consul.std.HTTPClient, *, token: str | None, datacenter: str | None) -> None:
        # What the library's endpoints read from the object that they belong to.
        self.http = http
        self.token = token
        self.dc = datacenter
        self.consistency = "default"
        self.agent = consul.Consul.Agent(self)
        self.catalog = consul.Consul.Catalog(self)
        self.health = consul.Consul.Health(self)
        self.operator = consul.Consul.Operator(self)
        self.status = consul.Consul.Status(self)


def connect(
    access: http.Access,
    settings: ConsulSettings,
    *,
    timeout_s: float = HTTP_TIMEOUT_S,
    consistency: Consistency = "default",
) -> ConsulClient:
    """A client of the Consul agent on the node of `access`; nothing is sent yet.

    Only the arguments decide what it does; of the environment, the variable alone that `settings.token_env` names.
    Its calls raise `requests.RequestException`, `consul.ConsulException`, PermissionDenied when the token does not
    allow them, and HarnessError when the node cannot be reached. Raises HarnessError when a file of `settings`
    cannot be used.
    """
    token = http.read_token(settings, "consul")
    session = http.ServiceSession(access, settings, "consul", port=settings.http_port, rule=rule_for)
    client = RegistryHTTPClient(session, timeout=timeout_s, token=token, consistency=consistency)
    return ConsulClient(client, token=token, datacenter=settings.datacenter)


def rule_for(method: str, path: str) -> tuple[str, str] | None:
    """What a request does, and the rule of an ACL policy that allows it; None when it is none of RULES."""
    for rule_method, prefix, does, needs in RULES:
        if method == rule_method and path.startswith(prefix):
            return does, needs
    return None


def missing_rules(client: ConsulClient) -> list[str]:
    """Rules of RIGHTS that the client's token lacks; empty where Consul has no ACLs, or does not know the question.

    Consul leaves out of its lists what the token may not see, without an error, so a token that lacks a rule makes
    services look as if nobody had registered them.
    """
    asked = [
        {"Resource": resource, "Access": access, "Segment": SERVICE_PREFIX if access == "write" else ""}
        for resource, access, _ in RIGHTS
    ]
    response = client.http.session.post(
        f"{client.http.base_uri}/v1/internal/acl/authorize", json=asked, timeout=client.http.timeout
    )
    if response.status_code in (requests.codes.not_found, requests.codes.unauthorized):
        return []  # it does not know the question, or has no ACLs
    response.raise_for_status()
    return [rule for (_, _, rule), answer in zip(RIGHTS, response.json(), strict=True) if not answer["Allow"]]


def connection_refused(error: BaseException) -> bool:
    """Whether a call failed because nothing listens at the agent's address (ECONNREFUSED).

    requests and urllib3 each raise their own exception from the one below; the OSError is the last of that chain.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ConnectionRefusedError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
