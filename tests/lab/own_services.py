"""Daemons in a network namespace that has nothing but its loopback, and calls from a thread that is in there."""

from __future__ import annotations

import contextlib
import json
import select
import shlex
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import requests

from lab.access.shell import Channel, Command, Shell
from lab.embedded.namespaces import CLONE_NEWNET, setns
from lab.inventory import Node
from lab.programs import find_program

T = TypeVar("T")
START_S = 30.0
NODE = Node.model_validate({"name": "u1", "address": "127.0.0.1", "ssh": {"key": "key", "known_hosts": "hosts"}})


class LocalChannel:
    """A command of this machine, in the network namespace of the thread that starts it."""

    def __init__(self, words: Sequence[str]) -> None:
        self._sock, theirs = socket.socketpair()
        self._errors, their_errors = socket.socketpair()
        self._process: subprocess.Popen[bytes] = subprocess.Popen(
            words, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=their_errors.fileno()
        )
        theirs.close()
        their_errors.close()
        self._closed = threading.Event()

    @property
    def open(self) -> bool:
        return not self._closed.is_set()

    def wait_closed(self) -> None:
        """Wait until `close` was called."""
        assert self._closed.wait(START_S)

    def settimeout(self, seconds: float | None) -> None:
        self._sock.settimeout(seconds)

    def sendall(self, data: bytes) -> None:
        self._sock.sendall(data)

    def shutdown_write(self) -> None:
        self._sock.shutdown(socket.SHUT_WR)

    def recv(self, size: int) -> bytes:
        return self._sock.recv(size)

    def recv_stderr_ready(self) -> bool:
        ready, _, _ = select.select([self._errors], [], [], 0)
        return bool(ready) and bool(self._errors.recv(1, socket.MSG_PEEK))

    def recv_stderr(self, size: int) -> bytes:
        return self._errors.recv(size)

    def recv_exit_status(self) -> int:
        return self._process.wait()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._process.wait(START_S)
        self._sock.close()
        self._errors.close()
        self._closed.set()


class LocalShell(Shell):
    """A shell of this machine; `channels`: what it has started."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self.channels: list[LocalChannel] = []
        self.program = "sh"

    def connect(self, **_: Any) -> None:
        """It is always there."""

    def channel(self, command: Command, **_: Any) -> Channel:
        words = [self.program, "-c", command if isinstance(command, str) else shlex.join(command)]
        self.channels.append(LocalChannel(words))
        return self.channels[-1]

    def close(self) -> None:
        """Each channel closes by itself."""


@dataclass
class Access:
    """A node and the way to it."""

    node: Node
    shell: Shell


class Place:
    """A network namespace with a daemon in it."""

    def __init__(self, folder: Path, command: Sequence[str]) -> None:
        self.folder = folder
        self._log = (folder / "log").open("wb")
        script = f"ip link set lo up && exec {shlex.join(command)}"
        self.process = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", script], stdout=self._log, stderr=self._log, stdin=subprocess.DEVNULL
        )
        own = Path("/proc/self/ns/net").readlink()
        until = time.monotonic() + START_S
        while (namespace := Path(f"/proc/{self.process.pid}/ns/net")).readlink() == own:
            assert time.monotonic() < until, "unshare did not enter a namespace"
            time.sleep(0.01)
        self._pool = ThreadPoolExecutor(1, initializer=lambda: setns(namespace, CLONE_NEWNET))

    def do(self, call: Callable[[], T]) -> T:
        """The call's result, from a thread in the namespace."""
        return self._pool.submit(call).result()

    def log(self) -> str:
        """What the daemon wrote."""
        return (self.folder / "log").read_text(errors="replace")

    def close(self) -> None:
        """End the daemon."""
        self.process.terminate()
        self.process.wait(START_S)
        self._pool.shutdown()
        self._log.close()


@dataclass
class SecureConsul:
    """A Consul server with default-deny ACLs that serves its API by TLS alone, and asks for a client's certificate."""

    place: Place
    certificates: Path
    """Holds dc1-{server,client}-consul-0{,-key}.pem and consul-agent-ca.pem; the server's name is server.dc1.consul."""
    other_ca: Path
    management: str
    """A token that may do everything."""

    def request(self, method: str, path: str, **options: Any) -> Any:
        """An answer of the API, asked with the management token."""
        files = self.certificates

        def ask() -> Any:
            session = requests.Session()
            session.trust_env = False
            response = session.request(
                method,
                f"https://localhost:8501{path}",
                headers={"X-Consul-Token": self.management},
                verify=str(files / "consul-agent-ca.pem"),
                cert=(str(files / "dc1-client-consul-0.pem"), str(files / "dc1-client-consul-0-key.pem")),
                timeout=10,
                **options,
            )
            response.raise_for_status()
            return response.json()

        return self.place.do(ask)

    def token(self, rules: str) -> str:
        """A new token that has these rules and no others."""
        name = f"policy-{threading.get_ident()}-{time.monotonic_ns()}"
        self.request("PUT", "/v1/acl/policy", json={"Name": name, "Rules": rules})
        made = self.request("PUT", "/v1/acl/token", json={"Policies": [{"Name": name}]})
        return str(made["SecretID"])


@contextlib.contextmanager
def secure_consul(folder: Path) -> Iterator[SecureConsul]:
    """A Consul that lives as long as the context; its network is a loopback of its own."""
    program = find_program("consul")
    assert program is not None, "Consul is one of the programs that a lab needs"
    certificates, other = folder / "tls", folder / "other"
    for made_in in (certificates, other):
        made_in.mkdir()
        subprocess.run([program, "tls", "ca", "create"], cwd=made_in, check=True, capture_output=True)
    for kind in ("-server", "-client"):
        subprocess.run(
            [program, "tls", "cert", "create", kind, "-dc", "dc1"], cwd=certificates, check=True, capture_output=True
        )
    management = "6d1a2f0c-3c57-4c1e-9d4f-0f6d2c1b7a55"
    configuration = {
        "datacenter": "dc1", "node_name": "u1", "data_dir": str(folder / "data"), "server": True,
        "bootstrap_expect": 1, "bind_addr": "127.0.0.1", "client_addr": "127.0.0.1", "disable_update_check": True,
        "ports": {"http": -1, "https": 8501, "dns": -1, "grpc": -1},
        "acl": {"enabled": True, "default_policy": "deny", "tokens": {"master": management, "agent": management}},
        "ca_file": str(certificates / "consul-agent-ca.pem"),
        "cert_file": str(certificates / "dc1-server-consul-0.pem"),
        "key_file": str(certificates / "dc1-server-consul-0-key.pem"),
        "verify_incoming": True,
    }  # fmt: skip
    (folder / "consul.json").write_text(json.dumps(configuration))
    place = Place(folder, [program, "agent", "-config-file", str(folder / "consul.json")])
    made = SecureConsul(place, certificates, other / "consul-agent-ca.pem", management)
    try:
        until = time.monotonic() + START_S
        while not _leads(made):
            assert time.monotonic() < until, place.log()
            time.sleep(0.1)
        yield made
    finally:
        place.close()


def _leads(consul: SecureConsul) -> bool:
    try:
        return bool(consul.request("GET", "/v1/catalog/nodes"))
    except requests.RequestException:
        return False
