"""An SSH transport that sends nothing on a channel after its end.

paramiko's threads build a message under the channel's lock and send it after that. So the end of a channel, which
its reading thread sends when the server has closed its side, may overtake data or an end of file of another thread.
OpenSSH's server has forgotten the channel then, and ends the whole connection ("referred to nonexistent channel"),
with every other command on it (RFC 4254 §5.3: a channel is gone when both sides have closed it).
"""

from __future__ import annotations

import threading
from typing import Any

import paramiko
from paramiko.common import (
    MSG_CHANNEL_CLOSE,
    MSG_CHANNEL_DATA,
    MSG_CHANNEL_EOF,
    MSG_CHANNEL_EXTENDED_DATA,
    MSG_CHANNEL_REQUEST,
    MSG_CHANNEL_WINDOW_ADJUST,
)

_OF_CHANNELS = {
    MSG_CHANNEL_CLOSE,
    MSG_CHANNEL_DATA,
    MSG_CHANNEL_EOF,
    MSG_CHANNEL_EXTENDED_DATA,
    MSG_CHANNEL_REQUEST,
    MSG_CHANNEL_WINDOW_ADJUST,
}


class OrderedTransport(paramiko.Transport):
    """Messages of a channel are sent one at a time, and dropped once its end was sent."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._order = threading.Lock()
        self._channel_locks: dict[int, threading.Lock] = {}
        self._ended: set[int] = set()

    def open_channel(self, *arguments: Any, **options: Any) -> paramiko.Channel:
        channel = super().open_channel(*arguments, **options)
        with self._order:
            self._ended.discard(channel.remote_chanid)  # the server gives a number again
        return channel

    def _send_user_message(self, data: paramiko.Message) -> None:
        content = data.asbytes()
        if content[0] not in _OF_CHANNELS:
            super()._send_user_message(data)  # type: ignore[misc]  # paramiko's types leave it out
            return
        number = int.from_bytes(content[1:5], "big")  # the recipient's channel (RFC 4254 §5)
        with self._order:
            lock = self._channel_locks.setdefault(number, threading.Lock())
        with lock:
            if number in self._ended:
                return
            if content[0] == MSG_CHANNEL_CLOSE:
                self._ended.add(number)
            super()._send_user_message(data)  # type: ignore[misc]
