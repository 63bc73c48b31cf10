"""Consul's HTTP API on a node: python-consul2's endpoints on an HTTP client of our own.

python-consul2 0.1.5 separates its endpoints (`Catalog`, `Health`, …) from the HTTP client that they call, and
takes any subclass of `consul.std.HTTPClient`. `RegistryHTTPClient` is ours: it has a time-out, sends the ACL
token and the consistency mode with every read, also where an endpoint has no argument for them, and ignores
proxies of the environment. The library's own class `consul.Consul` is not used: its constructor lets CONSUL_*
variables override its arguments, and warns about endpoints that Flatnet does not need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import consul
import consul.std

from lab.inventory import Consul as ConsulSettings
from lab.inventory import Node, Tls

HTTP_TIMEOUT_S = 5.0

Consistency = Literal["default", "stale", "consistent"]
"""How a read is answered (Consul's documentation, "Consistency modes"): `stale` from the copy of the server that
is asked, `consistent` by the leader after it made sure that it still leads, `default` by the leader."""


class RegistryHTTPClient(consul.std.HTTPClient):  # type: ignore[misc]  # python-consul2 ships no types
    """HTTP to one Consul agent: `timeout` in seconds, one token and one consistency mode for all reads."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        timeout: float,
        token: str | None = None,
        consistency: Consistency = "default",
        tls: Tls | None = None,
    ) -> None:
        scheme, verify, cert = ("http", True, None) if tls is None else ("https", str(tls.ca), _certificate(tls))
        super().__init__(host, port, scheme=scheme, verify=verify, cert=cert, timeout=timeout)
        self.session.trust_env = False  # a proxy of the environment must not answer for the cluster
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
    node: Node,
    settings: ConsulSettings,
    *,
    timeout_s: float = HTTP_TIMEOUT_S,
    consistency: Consistency = "default",
) -> ConsulClient:
    """A client of the Consul agent on `node`; nothing is sent yet.

    Only the arguments decide what it does: no variable of the environment is read. Its calls raise
    `requests.RequestException` and `consul.ConsulException`.
    """
    token = settings.token_file.read_text().strip() if settings.token_file is not None else None
    http = RegistryHTTPClient(
        str(node.address), settings.http_port, timeout=timeout_s, token=token, consistency=consistency, tls=settings.tls
    )
    return ConsulClient(http, token=token, datacenter=settings.datacenter)


def _certificate(tls: Tls) -> tuple[str, str] | None:
    return None if tls.certificate is None else (str(tls.certificate), str(tls.key))


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
