"""A local socket whose other end is the standard input and output of a command on a node."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Callable

from .shell import CONNECTION_ERRORS, Channel

_PIECE_BYTES = 65536
STALL_S = 30.0
"""A command that reads nothing for so long is given up, seconds."""


def open_tunnel(channel: Channel, on_stderr: Callable[[str], None]) -> socket.socket:
    """Join a command's channel to a new local socket, and return that socket.

    It is one end of a socket pair, so it has no name in any file system and ends with this process,
    however that ends. Two threads move the bytes until either side closes; they close the channel
    and the other end of the pair. Half-close works: after `shutdown(SHUT_WR)` the command's standard
    input ends, and its output can still be read. When its output ends, the socket reads an end of
    file. `on_stderr` is given what the command wrote to standard error, before that end of file.
    """
    ours, theirs = socket.socketpair()
    channel.settimeout(STALL_S)
    threading.Thread(target=_serve, args=(ours, channel, on_stderr), name="tunnel to node", daemon=True).start()
    return theirs


def _serve(sock: socket.socket, channel: Channel, on_stderr: Callable[[str], None]) -> None:
    receiver = threading.Thread(
        target=_move_from_node, args=(sock, channel, on_stderr), name="tunnel from node", daemon=True
    )
    receiver.start()
    with sock:
        try:
            _move_to_node(sock, channel)
        finally:
            with contextlib.suppress(*CONNECTION_ERRORS):  # the connection ended before
                channel.close()
            receiver.join()  # it still passes on what had arrived before


def _move_to_node(sock: socket.socket, channel: Channel) -> None:
    """Return when the local end is closed, or when one of the two sides fails."""
    with contextlib.suppress(*CONNECTION_ERRORS):
        while piece := sock.recv(_PIECE_BYTES):
            channel.sendall(piece)
        channel.shutdown_write()
        # An end of file is a half-close or a close; only the latter is a hang-up (unix(7), poll(2)).
        hang_up = select.poll()
        hang_up.register(sock, 0)
        hang_up.poll()


def _move_from_node(sock: socket.socket, channel: Channel, on_stderr: Callable[[str], None]) -> None:
    """Return when the command's output ends, or when one of the two sides fails."""
    with contextlib.suppress(*CONNECTION_ERRORS):
        while (piece := _receive(channel)) != b"":
            sock.sendall(piece)
        if stderr := _read_stderr(channel):
            on_stderr(stderr)
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)  # both the local end and the sender see the end


def _receive(channel: Channel) -> bytes:
    """The next piece, however long the command is silent; b"" at the end of its output."""
    while True:
        with contextlib.suppress(TimeoutError):
            return channel.recv(_PIECE_BYTES)


def _read_stderr(channel: Channel) -> str:
    stderr = bytearray()
    while channel.recv_stderr_ready():
        stderr += channel.recv_stderr(_PIECE_BYTES)
    return stderr.decode(errors="replace").strip()
