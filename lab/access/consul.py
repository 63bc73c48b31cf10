"""Consul's HTTP API on a node, by python-consul2, with what that client leaves out.

python-consul2 0.1.5 lets CONSUL_* variables override explicit arguments, has no
default timeout, and warns in its constructor (DESIGN §10); so it is put together here.
"""

from __future__ import annotations

import consul
import consul.std

from lab.inventory import Consul as ConsulSettings
from lab.inventory import Node

HTTP_TIMEOUT_S = 5.0
_PARTS = ("Agent", "Catalog", "Event", "Health", "KV", "Operator", "Session", "Status")


def connect(node: Node, settings: ConsulSettings, *, timeout_s: float = HTTP_TIMEOUT_S) -> consul.Consul:
    """A client of the Consul agent on `node`; nothing is sent yet. The environment has no say in it."""
    client = consul.Consul.__new__(consul.Consul)
    client.http = consul.std.HTTPClient(str(node.address), settings.http_port, timeout=timeout_s)
    client.http.session.trust_env = False  # a proxy of the environment must not answer for the cluster
    client.scheme = "http"
    client.consistency = "default"
    client.dc = settings.datacenter
    client.token = settings.token_file.read_text().strip() if settings.token_file is not None else None
    for part in _PARTS:
        setattr(client, part.lower(), getattr(consul.Consul, part)(client))
    return client
