"""The Docker API of a node, however it is reached: a plain docker.DockerClient on a transport of our own.

The SDK's own SSH transport reads ~/.ssh and knows neither our keys nor our known_hosts. A client is a
requests.Session, so the transport is an adapter that is mounted on it, the extension point of requests;
the adapter's connections are urllib3's, over sockets that lab.access.dialling opens. That
needs no socket in a file system, so a run that is killed leaves none behind.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import docker
import requests
from docker.constants import DEFAULT_DOCKER_API_VERSION
from docker.utils import version_lt

from lab.answers import reading
from lab.errors import HarnessError

from .http import DialAdapter, UnbufferedResponse

API_TIMEOUT_S = 60
"""Bound on the silence of an engine, seconds: on an emulated machine it takes 30 to start a container."""
IDLE_CONNECTIONS = 2
"""As many are kept for the next request. Each is a session on the SSH connection, of which OpenSSH allows 10 by
default (MaxSessions, sshd_config(5)); requests that come one after the other share one."""
_URL = "tcp://docker:2375"
"""Names no host: the adapter takes every request to the node, whatever its URL."""

Dial = Callable[[], socket.socket]
DialEngine = Callable[[Callable[[str], None]], socket.socket]


def connect(node: str, endpoint: str, dial: DialEngine, *, patience: float = 1.0) -> docker.DockerClient:
    """A client of the engine at `endpoint` on the node of that name (or of another socket there, such as a proxy's).

    `dial` opens a socket to it, and is given a function for what a command on the way writes to standard error.
    `patience`: the factor by which an answer may take longer than API_TIMEOUT_S.
    The client speaks the newest version of the API that both the engine and the SDK know. Raises HarnessError when
    the engine does not answer, or speaks only versions that the SDK has dropped.
    """
    complaints: deque[str] = deque(maxlen=1)
    adapter = DialAdapter(
        lambda _: dial(complaints.append),
        host="docker",
        port=2375,
        idle=IDLE_CONNECTIONS,
        response_class=UnbufferedResponse,  # what `exec` prints follows the headers at once
    )
    with contextlib.ExitStack() as on_failure:
        on_failure.callback(adapter.close)
        try:
            with reading(f"node {node}: Docker at {endpoint}"):
                client = _client(adapter, DEFAULT_DOCKER_API_VERSION, patience)
                offered = client.version(api_version=False).get("ApiVersion")
                if not isinstance(offered, str):
                    raise HarnessError(f"node {node}: {endpoint} answers, but names no version of the Docker API")
                if version_lt(offered, DEFAULT_DOCKER_API_VERSION):
                    client = _client(adapter, offered, patience)
        except (docker.errors.DockerException, requests.RequestException, OSError) as error:
            reason = " ".join((complaints[-1] if complaints else str(error)).split())
            raise HarnessError(f"node {node}: Docker at {endpoint} does not answer: {reason}") from None
        on_failure.pop_all()
    return client


def upgrade(dial: Dial, version: str, path: str, body: Mapping[str, Any]) -> socket.socket:
    """POST a request of the API that turns its connection into a stream (attach, exec), and return its socket.

    The SDK has such calls too, but keeps a part of the connection to itself. Raises OSError, and docker.errors.APIError
    (NotFound for 404) when the engine refuses.
    """
    connection = http.client.HTTPConnection("docker", timeout=API_TIMEOUT_S)
    connection.response_class = UnbufferedResponse
    connection.sock = sock = dial()
    stream = None
    try:
        sock.settimeout(API_TIMEOUT_S)
        headers = {"Content-Type": "application/json", "Connection": "Upgrade", "Upgrade": "tcp"}
        connection.request("POST", f"/v{version}{path}", json.dumps(body), headers)
        response = connection.getresponse()
        if response.status in (101, 200):
            stream = sock.dup()
            stream.settimeout(None)
            return stream
        reason = response.read().decode(errors="replace").strip()
        kind = docker.errors.NotFound if response.status == 404 else docker.errors.APIError
        raise kind(f"HTTP status {response.status}: {reason}")
    except http.client.HTTPException as error:
        raise OSError(f"the engine's answer is not HTTP: {type(error).__name__}") from None
    finally:
        connection.close()
        sock.close()


def _client(adapter: DialAdapter, version: str, patience: float) -> docker.DockerClient:
    client = docker.DockerClient(base_url=_URL, version=version, timeout=round(API_TIMEOUT_S * patience))
    client.api.trust_env = False  # a proxy for this machine's HTTP is not on the way to a node's socket
    client.api.mount("http://", adapter)
    return client
