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
from lab.inventory import Node, Nomad, Tls
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
        script = f"ip link set lo up && {shlex.join(command)}"
        # The daemon and all that it starts end with `unshare`, and so do its mounts.
        unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        self.process = subprocess.Popen(
            [*unshare, "sh", "-c", script], stdout=self._log, stderr=self._log, stdin=subprocess.DEVNULL
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
        """End the daemon and all that it started."""
        self.process.kill()
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


@dataclass
class SecureNomad:
    """A Nomad of one agent, server and client, with ACLs, that serves its API by TLS to clients with a certificate."""

    place: Place
    settings: Nomad
    """How its API is reached; it has no token."""
    management: str = ""

    def request(self, method: str, path: str, **options: Any) -> Any:
        """An answer of the API, asked with the management token."""
        tls = self.settings.tls
        assert tls is not None

        def ask() -> Any:
            session = requests.Session()
            session.trust_env = False
            response = session.request(
                method,
                f"https://127.0.0.1:{self.settings.http_port}{path}",
                headers={"X-Nomad-Token": self.management} if self.management else {},
                verify=str(tls.ca),
                cert=(str(tls.certificate), str(tls.key)),
                timeout=30,
                **options,
            )
            response.raise_for_status()
            return response.json() if response.content else None

        return self.place.do(ask)

    def token(self, rules: str) -> Nomad:
        """Settings with a new token that has these rules and no others."""
        name = f"policy-{time.monotonic_ns()}"
        self.request("PUT", f"/v1/acl/policy/{name}", json={"Name": name, "Rules": rules})
        made = self.request("PUT", "/v1/acl/token", json={"Name": name, "Type": "client", "Policies": [name]})
        file = self.place.folder / name
        file.write_text(made["SecretID"])
        return self.settings.model_copy(update={"token_file": file})


@contextlib.contextmanager
def secure_nomad(folder: Path) -> Iterator[SecureNomad]:
    """A Nomad that lives as long as the context, with the driver raw_exec; its network is a loopback of its own."""
    program, consul = find_program("nomad"), find_program("consul")
    assert program is not None and consul is not None
    subprocess.run([consul, "tls", "ca", "create"], cwd=folder, check=True, capture_output=True)
    for kind in ("-server", "-client"):
        subprocess.run([consul, "tls", "cert", "create", kind], cwd=folder, check=True, capture_output=True)
    tls = Tls(
        ca=folder / "consul-agent-ca.pem",
        certificate=folder / "dc1-client-consul-0.pem",
        key=folder / "dc1-client-consul-0-key.pem",
    )
    configuration = {
        "name": "u1", "data_dir": str(folder / "data"), "bind_addr": "127.0.0.1", "disable_update_check": True,
        "disable_anonymous_signature": True,
        "advertise": {"http": "127.0.0.1", "rpc": "127.0.0.1", "serf": "127.0.0.1"},
        "server": {"enabled": True, "bootstrap_expect": 1},
        "client": {
            "enabled": True, "network_interface": "lo", "cpu_total_compute": 4000,
            "options": {"fingerprint.denylist": "env_aws,env_azure,env_gce", "driver.allowlist": "raw_exec"},
        },
        # Its cgroups would be the machine's.
        "plugin": {"raw_exec": {"config": {"enabled": True, "no_cgroups": True}}},
        "consul": {"address": "127.0.0.1:1", "server_auto_join": False, "client_auto_join": False},
        "acl": {"enabled": True},
        "tls": {
            "http": True, "verify_https_client": True, "ca_file": str(tls.ca),
            "cert_file": str(folder / "dc1-server-consul-0.pem"),
            "key_file": str(folder / "dc1-server-consul-0-key.pem"),
        },
    }  # fmt: skip
    (folder / "nomad.json").write_text(json.dumps(configuration))
    made = SecureNomad(Place(folder, [program, "agent", "-config", str(folder / "nomad.json")]), Nomad(tls=tls))
    try:
        until = time.monotonic() + 2 * START_S
        while not made.management:
            assert time.monotonic() < until and made.place.process.poll() is None, made.place.log()
            with contextlib.suppress(requests.RequestException):
                made.management = made.request("PUT", "/v1/acl/bootstrap")["SecretID"]
            time.sleep(0.1)
        while not any(client["Status"] == "ready" for client in made.request("GET", "/v1/nodes")):
            assert time.monotonic() < until, made.place.log()
            time.sleep(0.1)
        yield made
    finally:
        made.place.close()
