"""HTTP to the agent of a service on a node: who dials, TLS with the cluster's own authority, and refusals in words.

`requests` takes an adapter that sends a session's requests. The one here sends them over sockets that a `Dial` opens:
from the runner, or from a process on the node, through the node's shell. TLS goes around either of them.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import socket
import ssl
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Literal, Protocol

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection

from lab.errors import HarnessError
from lab.inventory import Node, Service, Tls

from .shell import Shell, describe_error
from .tunnel import open_tunnel

IDLE_FROM_RUNNER = 10
"""Idle connections that are kept for the next request."""
MOST_FROM_NODE = 2
"""Connections from a node at the same time. Each is a session on its SSH connection, of which OpenSSH allows 10 by
default (MaxSessions, sshd_config(5)); a further request waits for one."""
MOST_LINE = 4096
"""Bytes of the first line that the process on a node writes."""
RELAY_S = 15.0
"""Bound on the time until the process on a node has dialled, seconds: it waits for the answer 10 s."""
MOST_BODY, MOST_BODY_S = 64 << 20, 60.0
"""Bytes of an answer, and seconds until it has come: an agent that goes on without end must not hold the runner."""
LONGEST_REFUSAL = 80
"""Characters of the body of a refusal that its message repeats."""

Dial = Callable[[float | None], socket.socket]
"""Opens a connection, given how long that and each later wait on it may take (seconds, None: without end).

Raises OSError (of it ssl.SSLError), and HarnessError when the node itself cannot be reached.
"""
ServiceName = Literal["consul", "nomad"]
"""A section of the cluster file that is a Service."""

RELAY = """\
import os,socket,sys,threading,time
try: s=socket.create_connection((sys.argv[1],int(sys.argv[2])),10)
except OSError as e:
 os.write(1,('%d %s\\n'%(e.errno or 110,e.strerror or e)).encode());sys.exit()
s.settimeout(None)
os.write(1,b'0 \\n')
def up():
 while 1:
  d=os.read(0,65536)
  if not d: break
  s.sendall(d)
 s.shutdown(1);time.sleep(30);os._exit(0)
threading.Thread(target=up,daemon=True).start()
while 1:
 d=s.recv(65536)
 if not d: break
 while d: d=d[os.write(1,d):]
"""
"""The process on the node: dials argv[1] (host) and argv[2] (port), writes a line with the errno (0: connected) and
its text, then joins the connection to its standard input and output. It ends with the connection, and 30 s after the
end of its input at the latest."""


class Access(Protocol):
    """A node and the way to it (NodeAccess is one)."""

    @property
    def node(self) -> Node: ...
    @property
    def shell(self) -> Shell: ...


class PermissionDenied(HarnessError):
    """An agent refused a request because the token does not allow it (403)."""


class UnbufferedResponse(http.client.HTTPResponse):
    """A response that takes nothing from the socket beyond its own headers before its body is read.

    It is for protocols that go on with the socket itself after the headers, as the Docker API's `exec` does.
    """

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = io.BufferedReader(self.fp.detach(), buffer_size=1)


class _Connection(HTTPConnection):
    """An HTTP connection over the socket that `dial` opens."""

    def __init__(
        self, *arguments: Any, dial: Dial, response_class: type[http.client.HTTPResponse], **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self._dial = dial
        self.response_class = response_class

    def connect(self) -> None:
        timeout_s = self.timeout if isinstance(self.timeout, int | float) else None
        self.sock = self._dial(timeout_s)
        self.sock.settimeout(timeout_s)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class DialAdapter(HTTPAdapter):
    """Sends every request of a session over connections that `dial` opens, whatever the request's URL.

    At most `idle` connections are kept for later requests; with `most` no more than these are ever open, and further
    requests wait. TLS is for `dial` to add (`with_tls`).
    """

    def __init__(
        self,
        dial: Dial,
        *,
        host: str,
        port: int,
        idle: int = IDLE_FROM_RUNNER,
        most: bool = False,
        response_class: type[http.client.HTTPResponse] = http.client.HTTPResponse,
    ) -> None:
        super().__init__()
        self._options: dict[str, Any] = {
            "host": host, "port": port, "maxsize": idle, "block": most, "dial": dial, "response_class": response_class,
        }  # fmt: skip
        self._pool = _Pool(**self._options)

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> _Pool:
        return self._pool

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """Nothing of requests' own idea of certificates applies: the socket has verified them."""

    def close(self) -> None:
        """Close the connections that are idle, and each other one after its request; later requests open new ones."""
        super().close()
        closing, self._pool = self._pool, _Pool(**self._options)
        closing.close()


def dial_from_runner(host: str, port: int) -> Dial:
    """Dial from this process."""
    return lambda timeout_s: socket.create_connection((host, port), timeout_s)


def dial_from_node(shell: Shell, host: str, port: int) -> Dial:
    """Dial from a process on the node; an error of its socket is raised here as if this process had dialled."""

    def dial(timeout_s: float | None) -> socket.socket:
        complaints: deque[str] = deque(maxlen=1)
        sock = open_tunnel(shell.python([RELAY, host, str(port)]), complaints.append)
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(sock.close)
            sock.settimeout(RELAY_S)
            first = _read_line(sock)
            number, _, text = first.partition(" ")
            if not number.lstrip("-").isdigit():
                said = (complaints[-1] if complaints else first).splitlines() or ["nothing"]
                raise HarnessError(
                    f"node {shell.node.name}: no connection from there to {host}:{port}: python3 said: {said[-1]}"
                )
            if number != "0":
                raise OSError(int(number), text)
            sock.settimeout(timeout_s)
            on_failure.pop_all()
        return sock

    return dial


def _read_line(sock: socket.socket) -> str:
    line = b""
    while not line.endswith(b"\n") and len(line) < MOST_LINE and (piece := sock.recv(1)):
        line += piece
    return line.decode(errors="replace").strip("\n")


def with_tls(dial: Dial, context: ssl.SSLContext, server_name: str) -> Dial:
    """TLS over what `dial` opens; the server's certificate has to be valid for `server_name`."""

    def secure(timeout_s: float | None) -> socket.socket:
        sock = dial(timeout_s)
        try:
            return context.wrap_socket(sock, server_hostname=server_name)
        except BaseException:
            sock.close()
            raise

    return secure


def tls_context(tls: Tls, key: str) -> ssl.SSLContext:
    """TLS that trusts the authority of `tls` alone; `key` is its place in the cluster file.

    Raises HarnessError when one of its files cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # it verifies certificate and host name
    try:
        context.load_verify_locations(cafile=tls.ca)
    except OSError as error:
        raise HarnessError(f"{key}.ca {tls.ca}: {_tls_reason(error)}; give a certificate in PEM") from None

    def no_passphrase() -> str:
        raise HarnessError(f"{key}.key {tls.key}: it has a passphrase; give a key without one")

    if tls.certificate is not None:
        try:
            context.load_cert_chain(tls.certificate, tls.key, password=no_passphrase)
        except OSError as error:
            raise HarnessError(
                f"{key}.certificate {tls.certificate}: {_tls_reason(error)}; give it and its key in PEM"
            ) from None
    return context


def read_token(settings: Service, section: ServiceName) -> str | None:
    """The ACL token that the cluster file names; None when it names none. Raises HarnessError when it is not there."""
    if settings.token_env is not None:
        token = os.environ.get(settings.token_env, "").strip()
        if not token:
            raise HarnessError(f"{section}.token_env: the variable {settings.token_env} is not set or empty; export it")
        return token
    if settings.token_file is None:
        return None
    try:
        token = settings.token_file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise HarnessError(f"{section}.token_file {settings.token_file}: {describe_error(error)}") from None
    if not token:
        raise HarnessError(f"{section}.token_file {settings.token_file}: it is empty; write the token into it")
    return token


def token_words(settings: Service, section: ServiceName) -> str:
    """Which token a request carries, for messages; never the token."""
    if settings.token_env is not None:
        return f"the token of the variable {settings.token_env}"
    if settings.token_file is not None:
        return f"the token of {section}.token_file"
    return f"there is no {section}.token_file, and the anonymous token"


_from_node: weakref.WeakKeyDictionary[Shell, dict[tuple[object, ...], DialAdapter]] = weakref.WeakKeyDictionary()
"""The adapters whose connections are channels of a shell, so that all clients of a node share the few there are."""
_lock = threading.Lock()


class ServiceSession(requests.Session):
    """Requests to one agent. Nothing of the environment (proxies, certificates, netrc) is used.

    Raises requests.RequestException with a readable message, PermissionDenied when the agent answers 403, and
    HarnessError when a file of the settings cannot be used or the node cannot be reached.
    """

    def __init__(
        self, access: Access, settings: Service, section: ServiceName, *, port: int,
        rule: Callable[[str, str], tuple[str, str] | None],
    ) -> None:  # fmt: skip
        """`rule`: what a request (method, path) does, and the rule of a policy that allows it; None: not known."""
        super().__init__()
        self.trust_env = False
        self._where = f"node {access.node.name}: {section.capitalize()}"
        self._token_words = token_words(settings, section)
        self._rule = rule
        self.base_url = f"{'http' if settings.tls is None else 'https'}://{host_of(access.node, settings)}:{port}"
        """The agent's URL, without a slash at its end."""
        adapter = _adapter(access, settings, section, port)
        self.mount("http://", adapter)
        self.mount("https://", adapter)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        try:
            response = super().send(request, **{**options, "stream": True})
            if not options.get("stream"):
                _read_body(response)
        except (requests.ConnectionError, requests.Timeout) as error:
            raise type(error)(describe_failure(error), request=request) from error
        if response.status_code == requests.codes.forbidden:
            raise PermissionDenied(self._refusal(request, response))
        return response

    def _refusal(self, request: requests.PreparedRequest, response: requests.Response) -> str:
        said = " ".join(response.text.split())[:LONGEST_REFUSAL] or "no reason given"
        path = request.path_url.partition("?")[0]
        found = self._rule(request.method or "GET", path)
        does, needs = found or (f"{request.method} {path}", "a policy that allows it")
        return f"{self._where} refuses to {does} (403: {said}): {self._token_words} needs {needs}"


def _read_body(response: requests.Response) -> None:
    """Read the whole body. Raises requests.ConnectionError when it is too large, or goes on for too long."""
    if response.raw is None:
        return  # it has been read
    until = time.monotonic() + MOST_BODY_S
    parts, size = [], 0
    for part in response.iter_content(65536):
        parts.append(part)
        size += len(part)
        if size > MOST_BODY or time.monotonic() > until:
            response.close()
            raise requests.ConnectionError(OSError(f"its answer goes on after {size} bytes"))
    response._content = b"".join(parts)


def host_of(node: Node, settings: Service) -> str:
    """The address that is dialled."""
    if settings.http_host is not None:
        return settings.http_host
    return str(node.address) if settings.through == "runner" else "127.0.0.1"


def dial_of(access: Access, settings: Service, section: ServiceName, port: int) -> Dial:
    """How the agent on a node is dialled, TLS included. Raises HarnessError when a file of `tls` cannot be used."""
    host = host_of(access.node, settings)
    dial = dial_from_runner(host, port) if settings.through == "runner" else dial_from_node(access.shell, host, port)
    if settings.tls is None:
        return dial
    return with_tls(dial, tls_context(settings.tls, f"{section}.tls"), settings.tls.server_name or host)


def _adapter(access: Access, settings: Service, section: ServiceName, port: int) -> DialAdapter:
    host = host_of(access.node, settings)
    if settings.through == "runner":
        return DialAdapter(dial_of(access, settings, section, port), host=host, port=port)
    key = host, port, settings.tls
    with _lock:
        shared = _from_node.setdefault(access.shell, {})
        if key not in shared:
            # The adapter must not keep the shell alive, which is the key that the adapter is kept under.
            shell = weakref.proxy(access.shell)
            dial = dial_of(_Weak(access.node, shell), settings, section, port)
            shared[key] = DialAdapter(dial, host=host, port=port, idle=MOST_FROM_NODE, most=True)
        return shared[key]


class _Weak:
    def __init__(self, node: Node, shell: Shell) -> None:
        self.node, self.shell = node, shell


def describe_failure(error: BaseException) -> str:
    """Why a request got no response, in a few words: the error below those of requests and urllib3."""
    innermost, cause = error, _below(error)
    while cause is not None:
        if isinstance(cause, OSError | http.client.HTTPException):
            innermost = cause
        cause = _below(cause)
    if isinstance(innermost, ssl.SSLError):
        return f"TLS: {_tls_reason(innermost)}"
    if isinstance(innermost, http.client.RemoteDisconnected):
        return "the connection was closed without an answer"
    return describe_error(innermost)


def _below(error: BaseException) -> BaseException | None:
    """The error that made this one; urllib3's SSLError has it as an argument."""
    wrapped = next((argument for argument in error.args if isinstance(argument, ssl.SSLError)), None)
    return error.__cause__ or error.__context__ or wrapped


def _tls_reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {error.verify_message.removesuffix('.').lower()}"
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).lower().replace("_", " ")
    return describe_error(error)
