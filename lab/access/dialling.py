"""Sockets to a daemon of a node: by a relay that runs on the node, or dialled by the runner with TLS."""

from __future__ import annotations

import contextlib
import shlex
import socket
import ssl
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

from lab.inventory import Tls

from .http import tls_context
from .shell import CONNECTION_ERRORS, PIECE_BYTES, Shell
from .tunnel import open_tunnel

CONNECT_TIMEOUT_S = 10.0
_RELAY = """\
import os, socket, sys, threading
kind, place, port = sys.argv[1:4]
if kind == "unix":
    far = socket.socket(socket.AF_UNIX)
    target = place
else:
    far = socket.socket()
    target = (place, int(port))
try:
    far.connect(target)
except OSError as error:
    sys.exit("%s: %s" % (place if kind == "unix" else "%s:%s" % (place, port), error.strerror))
def send():
    while True:
        piece = os.read(0, 65536)
        if not piece:
            break
        far.sendall(piece)
    far.shutdown(socket.SHUT_WR)
threading.Thread(target=send, daemon=True).start()
while True:
    piece = far.recv(65536)
    if not piece:
        break
    while piece:
        piece = piece[os.write(1, piece):]
"""
"""Joins a socket to standard input and output; with half-close, as HTTP upgrades need it."""


def dial_engine(shell: Shell, endpoint: str, on_stderr: Callable[[str], None]) -> socket.socket:
    """A socket to the engine at `endpoint` (`unix:///…`, `tcp://…`) as a process on the node reaches it.

    Docker's client joins them where the node has one, else Python does. Raises HarnessError when neither can be
    started; what they write to standard error is given to `on_stderr`.
    """
    place = urlsplit(endpoint)
    words = ["unix", place.path, "0"] if place.scheme == "unix" else ["tcp", place.hostname or "", str(place.port)]
    client = shlex.join(["docker", "--host", endpoint, "system", "dial-stdio"])
    relay = shlex.join(["python3", "-c", _RELAY, *words])
    return open_tunnel(
        shell.channel(f"if command -v docker >/dev/null; then exec {client}; else exec {relay}; fi"), on_stderr
    )


def dial_tcp(endpoint: str, tls: Tls | None) -> socket.socket:
    """A socket to `tcp://HOST:PORT` that the runner dials, inside TLS when `tls` is given.

    Raises OSError, and HarnessError when the files of `tls` are not what they should be.
    """
    place = urlsplit(endpoint)
    host, port = place.hostname or "", place.port or (2375 if tls is None else 2376)
    if tls is None:
        return socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S)
    return dial_tls(host, port, tls)


def dial_tls(host: str, port: int, tls: Tls, *, timeout_s: float = CONNECT_TIMEOUT_S) -> socket.socket:
    """A local socket whose other end is a TLS connection to `host:port`, verified against `tls`.

    Half-close works: after `shutdown(SHUT_WR)` the server is told the end of the data (close_notify, RFC 8446
    §6.1), and its answer can still be read. Raises OSError (ssl.SSLError for a certificate that does not hold).
    """
    context = tls_context(tls, "docker_tls")
    far = socket.create_connection((host, port), timeout=timeout_s)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing, server_hostname=tls.server_name or host)
    try:
        while True:
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                _flush(outgoing, far)
                piece = far.recv(PIECE_BYTES)
                if not piece:
                    raise ConnectionError("the server closed the connection during the TLS handshake") from None
                incoming.write(piece)
        _flush(outgoing, far)
    except OSError:
        with contextlib.suppress(OSError):
            _flush(outgoing, far)  # the alert, which tells the server why
        far.close()
        raise
    far.settimeout(None)
    ours, theirs = socket.socketpair()
    lock = threading.Lock()
    threading.Thread(target=_send, args=(ours, far, session, outgoing, lock), name="to TLS server", daemon=True).start()
    threading.Thread(
        target=_receive, args=(ours, far, session, incoming, outgoing, lock), name="from TLS server", daemon=True
    ).start()
    return theirs


def _flush(outgoing: ssl.MemoryBIO, far: socket.socket) -> None:
    if piece := outgoing.read():
        far.sendall(piece)


def _send(
    ours: socket.socket, far: socket.socket, session: ssl.SSLObject, outgoing: ssl.MemoryBIO, lock: threading.Lock
) -> None:
    """Move bytes to the server until the local end has no more; then say so to the server."""
    with contextlib.suppress(*CONNECTION_ERRORS):
        while piece := ours.recv(PIECE_BYTES):
            with lock:
                session.write(piece)
                _flush(outgoing, far)
        with lock:
            with contextlib.suppress(ssl.SSLError):  # the server's own close_notify is not there yet
                session.unwrap()
            _flush(outgoing, far)


def _receive(
    ours: socket.socket,
    far: socket.socket,
    session: ssl.SSLObject,
    incoming: ssl.MemoryBIO,
    outgoing: ssl.MemoryBIO,
    lock: threading.Lock,
) -> None:
    """Move bytes from the server until it has no more, or the local end is closed."""
    with ours, far:
        with contextlib.suppress(*CONNECTION_ERRORS):
            while piece := far.recv(PIECE_BYTES):
                plain, ended = bytearray(), False
                with lock:
                    incoming.write(piece)
                    try:
                        while part := session.read(PIECE_BYTES):
                            plain += part
                        ended = True
                    except ssl.SSLWantReadError:
                        pass
                    except ssl.SSLError:  # its end (SSLZeroReturnError), or garbage; what came before is passed on
                        ended = True
                    _flush(outgoing, far)
                ours.sendall(plain)
                if ended:
                    break
        with contextlib.suppress(OSError):
            ours.shutdown(socket.SHUT_RDWR)  # both the local end and the sender see the end
