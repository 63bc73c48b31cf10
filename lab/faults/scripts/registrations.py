"""Runs on a lab's node, between Nomad and the node's Consul agent, and spoils what is registered.

registrations.py MODE PORT NODE_ADDRESS CONSUL_PORT; modes: node-address, kept, once.
The packet filter redirects local connections for Consul's HTTP port to PORT. What this program sends to
Consul itself carries MARK, and is not redirected.
"""

from __future__ import annotations

import http.client
import json
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

MARK = 0xFA17
SO_MARK = 36
TIMEOUT_S = 700
"""Longer than any blocking query: Consul's longest wait is 10 minutes (Consul documentation: blocking queries)."""
SERVICE, CHECK = "/v1/agent/service/register", "/v1/agent/check/register"
DEREGISTER = "/v1/agent/service/deregister/"
OF_NOMAD = "_nomad-task-"
"""How the ids begin under which Nomad registers the services of its tasks."""
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


def at_the_node(path: str, body: bytes, address: str) -> bytes:
    """The body that is passed on: a task's service gets the node's address, its check stays what it was."""
    if path != SERVICE:
        return body
    service = json.loads(body)
    if not str(service.get("ID", "")).startswith(OF_NOMAD):
        return body
    return json.dumps({**service, "Address": address}).encode()


def swallowed(path: str, body: bytes) -> bool:
    """Whether Consul must not see a request, so that a task's service stays listed when the task is gone.

    That is its deregistration, and its check, which would fail then.
    """
    if path == CHECK:
        return str(json.loads(body).get("ServiceID", "")).startswith(OF_NOMAD)
    return path.startswith(DEREGISTER + OF_NOMAD)


def again(path: str, body: bytes, known: set[str]) -> bool:
    """Whether a request registers a task's service that was registered before; `known`: the ids of those, extended."""
    if path != SERVICE:
        return False
    service = str(json.loads(body).get("ID", ""))
    if not service.startswith(OF_NOMAD):
        return False
    if service in known:
        return True
    known.add(service)
    return False


class Marked(http.client.HTTPConnection):
    """A connection to Consul itself."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_MARK, MARK)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect((self.host, self.port))


class Proxy(BaseHTTPRequestHandler):
    """Passes every request on to Consul, and changes those that the mode is about."""

    protocol_version = "HTTP/1.1"
    mode = ""
    node_address = ""
    consul_port = 8500
    known: ClassVar[set[str]] = set()
    """Ids of the services of tasks that were registered."""

    def forward(self) -> None:
        """Answer one request, as Consul does or as the mode wants it."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        if (self.mode == "kept" and swallowed(path, body)) or (self.mode == "once" and again(path, body, self.known)):
            self.answer(200, {}, b"")
            return
        if self.mode == "node-address":
            body = at_the_node(path, body, self.node_address)
        consul = Marked("127.0.0.1", self.consul_port)
        try:
            kept = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
            consul.request(self.command, self.path, body or None, kept)
            reply = consul.getresponse()
            headers = {name: value for name, value in reply.getheaders() if name.lower() not in HOP_BY_HOP}
            self.answer(reply.status, headers, reply.read())
        except OSError as error:
            self.answer(502, {}, str(error).encode())
        finally:
            consul.close()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = forward  # noqa: N815 (http.server calls them so)

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """Write the answer to whoever asked."""
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 (the name in http.server)
        """Nothing: the log is for what went wrong."""


def main() -> None:
    """Pass on until killed."""
    Proxy.mode, Proxy.node_address, Proxy.consul_port = sys.argv[1], sys.argv[3], int(sys.argv[4])
    server = ThreadingHTTPServer(("0.0.0.0", int(sys.argv[2])), Proxy)
    server.daemon_threads = True
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
