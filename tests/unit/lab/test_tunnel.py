"""A tunnel moves bytes both ways, keeps half-closes, and leaves nothing when either side ends."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import cast

import paramiko
import pytest

from lab.access.tunnel import open_tunnel

WITHIN_S = 10.0


class FakeChannel:
    """A paramiko channel to a command that this process plays at the other end of a socket pair."""

    def __init__(self, stderr: bytes = b"", silences: int = 0) -> None:
        self._sock, self.command = socket.socketpair()
        self.command.settimeout(WITHIN_S)
        self._stderr, self._silences = stderr, silences
        self.closed = threading.Event()

    def settimeout(self, timeout: float | None) -> None:
        pass  # silences are played instead

    def recv(self, size: int) -> bytes:
        if self._silences:
            self._silences -= 1
            raise TimeoutError
        return self._sock.recv(size)

    def sendall(self, data: bytes) -> None:
        self._sock.sendall(data)

    def shutdown_write(self) -> None:
        self._sock.shutdown(socket.SHUT_WR)

    def recv_stderr_ready(self) -> bool:
        return bool(self._stderr)

    def recv_stderr(self, size: int) -> bytes:
        piece, self._stderr = self._stderr[:3], self._stderr[3:]
        return piece

    def close(self) -> None:
        self.closed.set()
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def __del__(self) -> None:
        self._sock.close()
        self.command.close()


def tunnels() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("tunnel")]


Open = Callable[..., tuple[FakeChannel, socket.socket]]


@pytest.fixture
def tunnel() -> Iterator[Open]:
    """Opens a tunnel; after the test all of them are closed, and no thread of theirs is left."""
    opened: list[socket.socket] = []

    def start(**options: object) -> tuple[FakeChannel, socket.socket]:
        channel = FakeChannel(**options)  # type: ignore[arg-type]
        sock = open_tunnel(cast(paramiko.Channel, channel), complaints.append)
        sock.settimeout(WITHIN_S)
        opened.append(sock)
        return channel, sock

    complaints.clear()
    yield start
    for sock in opened:
        sock.close()
    for thread in tunnels():
        thread.join(WITHIN_S)
    assert not tunnels()


complaints: list[str] = []


def read_all(sock: socket.socket) -> bytes:
    data = b""
    while piece := sock.recv(65536):
        data += piece
    return data


def test_bytes_pass_both_ways(tunnel: Open) -> None:
    channel, sock = tunnel()
    sock.sendall(b"question")
    assert channel.command.recv(64) == b"question"
    channel.command.sendall(b"answer")
    assert sock.recv(64) == b"answer"
    assert not channel.closed.is_set()


def test_megabytes_arrive_whole_both_ways_at_once(tunnel: Open) -> None:
    channel, sock = tunnel()
    data = bytes(range(256)) * (8 << 10)
    at_node: list[bytes] = []

    def play_command() -> None:
        writer = threading.Thread(target=channel.command.sendall, args=(data,))
        writer.start()
        at_node.append(read_all(channel.command))
        writer.join(WITHIN_S)
        channel.command.close()  # a command ends when it has read and written everything

    def send_from_here() -> None:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)

    threads = [threading.Thread(target=function) for function in (play_command, send_from_here)]
    for thread in threads:
        thread.start()
    with sock.makefile("rb") as reader:
        here = reader.read(len(data))
    for thread in threads:
        thread.join(WITHIN_S)
    assert [len(received) for received in (here, *at_node)] == [len(data)] * 2
    assert here == at_node[0] == data, "altered"


def test_after_a_half_close_the_output_can_still_be_read(tunnel: Open) -> None:
    channel, sock = tunnel()
    sock.sendall(b"all")
    sock.shutdown(socket.SHUT_WR)
    assert read_all(channel.command) == b"all"
    channel.command.sendall(b"still here")
    assert sock.recv(64) == b"still here"
    assert not channel.closed.is_set()
    channel.command.close()
    assert read_all(sock) == b""


def test_a_close_after_a_half_close_closes_the_channel(tunnel: Open) -> None:
    channel, sock = tunnel()
    sock.shutdown(socket.SHUT_WR)
    assert read_all(channel.command) == b""
    assert not channel.closed.wait(0.05)
    sock.close()
    assert channel.closed.wait(WITHIN_S)


def test_a_local_close_closes_the_channel(tunnel: Open) -> None:
    channel, sock = tunnel()
    channel.command.sendall(b"nobody reads this")
    sock.close()
    assert channel.closed.wait(WITHIN_S)


def test_what_a_command_wrote_before_its_end_arrives_before_the_end_of_file(tunnel: Open) -> None:
    channel, sock = tunnel(stderr=b"  no such\nsocket \n")
    channel.command.sendall(b"last words")
    channel.command.close()
    assert read_all(sock) == b"last words"
    assert complaints == ["no such\nsocket"]
    assert channel.closed.wait(WITHIN_S)


def test_a_command_that_says_nothing_wrong_is_not_quoted(tunnel: Open) -> None:
    channel, sock = tunnel()
    channel.command.close()
    assert read_all(sock) == b""
    assert complaints == []


def test_a_silent_command_is_waited_for(tunnel: Open) -> None:
    channel, sock = tunnel(silences=3)
    channel.command.sendall(b"after a while")
    assert sock.recv(64) == b"after a while"


def test_a_channel_that_is_lost_ends_the_local_socket(tunnel: Open) -> None:
    channel, sock = tunnel()
    channel.close()
    assert read_all(sock) == b""
