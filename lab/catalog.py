"""Consul's HTTP API on a node, by python-consul2, with what that client leaves out.

python-consul2 0.1.5 lets CONSUL_* variables override explicit arguments, has no
default timeout, and warns in its constructor (DESIGN §10).
"""

from __future__ import annotations

import os
import warnings
from unittest.mock import patch

import consul

from .inventory import Consul as ConsulSettings
from .inventory import Node

HTTP_TIMEOUT_S = 5.0


def connect(node: Node, settings: ConsulSettings, *, timeout_s: float = HTTP_TIMEOUT_S) -> consul.Consul:
    """A client of the Consul agent on `node`; nothing is sent yet."""
    token = settings.token_file.read_text().strip() if settings.token_file is not None else None
    plain = {name: value for name, value in os.environ.items() if not name.startswith("CONSUL_")}
    with patch.dict(os.environ, plain, clear=True), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        client = consul.Consul(
            host=str(node.address), port=settings.http_port, token=token, dc=settings.datacenter, timeout=timeout_s
        )
    client.http.session.trust_env = False  # a proxy of the environment must not answer for the cluster
    return client
