"""The Docker API of a node, through its SSH connection (docker SDK)."""

# The stubs of the docker SDK leave out what an adapter of one's own needs.
# mypy: disable-error-code="attr-defined, arg-type, assignment, override, no-any-return, misc, var-annotated, index"

from __future__ import annotations

import contextlib
from typing import Any

import docker
import paramiko
import urllib3
from docker.constants import DEFAULT_DOCKER_API_VERSION
from docker.transport.sshconn import SSHConnection, SSHConnectionPool, SSHHTTPAdapter

from lab.errors import HarnessError

from .ssh import Shell

API_TIMEOUT_S = 30


class _Adapter(SSHHTTPAdapter):
    """The SDK's SSH adapter over a connection that is already there, host key verified.

    The SDK's own reads ~/.ssh and knows neither our key nor our known_hosts.
    """

    def __init__(self, shell: Shell, endpoint: str) -> None:
        self._shell = shell
        self._dial = f"docker --host {endpoint} system dial-stdio"
        super().__init__("ssh://" + str(shell.node.address), timeout=API_TIMEOUT_S, pool_connections=8)

    def _create_paramiko_client(self, base_url: str) -> None:
        self.ssh_client = None
        self.ssh_params = {}

    def _connect(self) -> None:
        self._shell.connect()

    def get_connection(self, url: str, proxies: Any = None) -> _Pool:
        with self.pools.lock:
            pool = self.pools.get(url)
            if pool is None:
                pool = _Pool(self._shell, self._dial, timeout=self.timeout, maxsize=8)
                self.pools[url] = pool
            return pool

    def get_connection_with_tls_context(
        self, request: Any, verify: Any, proxies: Any = None, cert: Any = None
    ) -> _Pool:
        return self.get_connection(request.url, proxies)

    def close(self) -> None:
        self.pools.clear()


class _Connection(SSHConnection):
    def __init__(self, shell: Shell, dial: str, timeout: float) -> None:
        super().__init__(ssh_transport=None, timeout=timeout, host=str(shell.node.address))
        self._shell = shell
        self._dial = dial

    def connect(self) -> None:
        channel = self._shell.channel(self._dial)
        channel.settimeout(self.timeout)
        self.sock = channel

    def close(self) -> None:
        # A pool that is forgotten closes its connections, also those of a node that is off.
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            super().close()


class _Pool(SSHConnectionPool):
    def __init__(self, shell: Shell, dial: str, timeout: float, maxsize: int) -> None:
        super().__init__(ssh_client=None, timeout=timeout, maxsize=maxsize, host=str(shell.node.address))
        self._shell = shell
        self._dial = dial

    def _get_conn(self, timeout: float | None = None) -> Any:
        """A connection that is not known to have ended; the SDK's pool hands out any."""
        found = super()._get_conn(timeout)
        if found.sock is not None and (found.sock.closed or found.sock.eof_received):
            found.close()  # it is opened anew when it is used
        return found

    def _new_conn(self) -> _Connection:
        return _Connection(self._shell, self._dial, self.timeout)


def connect(shell: Shell, endpoint: str | None = None) -> docker.DockerClient:
    """A client of the node's engine (or of another socket there, such as a proxy's).

    Raises HarnessError when the engine does not answer.
    """
    target = endpoint or shell.node.docker
    try:
        client = docker.DockerClient(
            base_url="tcp://docker:2375", version=DEFAULT_DOCKER_API_VERSION, timeout=API_TIMEOUT_S
        )
        client.api._custom_adapter = _Adapter(shell, target)
        client.api.mount("http+docker://ssh", client.api._custom_adapter)
        client.api.base_url = "http+docker://ssh"
        offered = client.api.version(api_version=False)["ApiVersion"]
        client.api._version = min(offered, DEFAULT_DOCKER_API_VERSION, key=_numbers)
    except (docker.errors.DockerException, urllib3.exceptions.HTTPError, OSError, paramiko.SSHException) as error:
        raise HarnessError(f"node {shell.node.name}: Docker at {target} does not answer: {error}") from None
    return client


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
