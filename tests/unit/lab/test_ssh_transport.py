"""A transport sends nothing on a channel after the channel's end, which would end the whole connection."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import paramiko
import pytest
from paramiko.common import MSG_CHANNEL_CLOSE, MSG_CHANNEL_DATA, MSG_CHANNEL_EOF, MSG_GLOBAL_REQUEST

from lab.access.ssh_transport import OrderedTransport


def message(kind: int, channel: int) -> paramiko.Message:
    made = paramiko.Message()
    made.add_byte(bytes([kind]))
    made.add_int(channel)
    return made


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """(kind, channel) of every message that reached paramiko, in order."""
    found: list[tuple[int, int]] = []

    def send(_: paramiko.Transport, data: paramiko.Message) -> None:
        content = data.asbytes()
        found.append((content[0], int.from_bytes(content[1:5], "big")))

    monkeypatch.setattr(paramiko.Transport, "_send_user_message", send)
    return found


@pytest.fixture
def transport(monkeypatch: pytest.MonkeyPatch) -> Iterator[OrderedTransport]:
    ours, theirs = socket.socketpair()
    made = OrderedTransport(ours)
    yield made
    made.close()
    ours.close()
    theirs.close()


@pytest.mark.parametrize("late", [MSG_CHANNEL_EOF, MSG_CHANNEL_DATA, MSG_CHANNEL_CLOSE])
def test_nothing_follows_the_end_of_a_channel(
    transport: OrderedTransport, sent: list[tuple[int, int]], late: int
) -> None:
    transport._send_user_message(message(MSG_CHANNEL_DATA, 7))
    transport._send_user_message(message(MSG_CHANNEL_CLOSE, 7))
    transport._send_user_message(message(late, 7))
    assert sent == [(MSG_CHANNEL_DATA, 7), (MSG_CHANNEL_CLOSE, 7)]


def test_other_channels_and_requests_go_on(transport: OrderedTransport, sent: list[tuple[int, int]]) -> None:
    transport._send_user_message(message(MSG_CHANNEL_CLOSE, 7))
    transport._send_user_message(message(MSG_CHANNEL_EOF, 8))
    transport._send_user_message(message(MSG_GLOBAL_REQUEST, 7))
    assert sent[1:] == [(MSG_CHANNEL_EOF, 8), (MSG_GLOBAL_REQUEST, 7)]


def test_a_number_that_the_server_gives_again_is_a_new_channel(
    transport: OrderedTransport, sent: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    transport._send_user_message(message(MSG_CHANNEL_CLOSE, 7))
    opened = paramiko.Channel(1)
    opened.remote_chanid = 7
    monkeypatch.setattr(paramiko.Transport, "open_channel", lambda *_, **__: opened)
    transport.open_channel("session")
    transport._send_user_message(message(MSG_CHANNEL_DATA, 7))
    assert sent[-1] == (MSG_CHANNEL_DATA, 7)


def test_the_end_waits_for_what_is_being_sent(transport: OrderedTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[int] = []
    sending, go_on = threading.Event(), threading.Event()

    def send(_: paramiko.Transport, data: paramiko.Message) -> None:
        kind = data.asbytes()[0]
        if kind == MSG_CHANNEL_EOF:
            sending.set()
            assert go_on.wait(10)
        order.append(kind)

    monkeypatch.setattr(paramiko.Transport, "_send_user_message", send)
    writer = threading.Thread(target=transport._send_user_message, args=(message(MSG_CHANNEL_EOF, 7),))
    reader = threading.Thread(target=transport._send_user_message, args=(message(MSG_CHANNEL_CLOSE, 7),))
    writer.start()
    assert sending.wait(10)
    reader.start()
    go_on.set()
    for thread in (writer, reader):
        thread.join(10)
    assert order == [MSG_CHANNEL_EOF, MSG_CHANNEL_CLOSE]
