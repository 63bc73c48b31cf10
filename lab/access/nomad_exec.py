"""A command in a task of Nomad's, as a channel: Nomad's exec API over a websocket.

The API (Nomad's documentation, "Allocations" of the HTTP API, and `api/allocations_exec.go` of its source) carries JSON
in text frames. To Nomad: `{"stdin": {"data": BASE64}}`, `{"stdin": {"close": true}}`, and `{}` as a sign of life. From
it: `stdout` and `stderr` likewise, and `{"exited": true, "result": {"exit_code": N}}`. An error is the reason of a
close frame.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import json
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import websocket

from lab.errors import HarnessError

from .http import Dial, describe_failure

T = TypeVar("T")
MOST_STDIN = 32768
"""Bytes of standard input in one frame."""
MOST_UNREAD = 4 << 20
"""Bytes of output that wait to be read before no more are taken from the connection."""
SIGN_OF_LIFE_S = 5.0
"""As often as Nomad's own client, an idle connection carries a sign of life, seconds: proxies cut what is silent."""
NO_MEANING = "an answer that is not in Nomad's documentation"


@dataclass(frozen=True)
class Frame:
    """What one frame from Nomad says."""

    stdout: bytes = b""
    stderr: bytes = b""
    stdout_ends: bool = False
    stderr_ends: bool = False
    exit_status: int | None = None


def read_frame(text: bytes) -> Frame:
    """What a frame from Nomad says. Raises ValueError when it is not one."""
    try:
        said = json.loads(text)
    except RecursionError:
        raise ValueError(NO_MEANING) from None
    if not isinstance(said, Mapping):
        raise ValueError(NO_MEANING)
    try:
        outputs = {name: said.get(name) or {} for name in ("stdout", "stderr")}
        return Frame(
            stdout=base64.b64decode(outputs["stdout"].get("data") or ""),
            stderr=base64.b64decode(outputs["stderr"].get("data") or ""),
            stdout_ends=bool(outputs["stdout"].get("close")),
            stderr_ends=bool(outputs["stderr"].get("close")),
            exit_status=_exit_status(said["result"]) if said.get("exited") else None,
        )
    except KeyError:
        raise ValueError(f"{NO_MEANING}: a command has ended, and its exit status is not told") from None
    except (AttributeError, TypeError, OverflowError) as error:
        raise ValueError(f"{NO_MEANING}: {error}") from None


def _exit_status(result: Mapping[str, Any]) -> int:
    """From the result of a command that has ended. Nomad leaves out an exit code of 0 (protobuf: omitempty)."""
    return int(result.get("exit_code", 0))


def stdin_frames(data: bytes) -> list[str]:
    """The frames that carry bytes to a command's standard input."""
    pieces = [data[start : start + MOST_STDIN] for start in range(0, len(data), MOST_STDIN)]
    return [json.dumps({"stdin": {"data": base64.b64encode(piece).decode()}}) for piece in pieces]


def read_marks(marker: bytes, data: bytes) -> tuple[bytes, bytes, bool]:
    """Take the marks of `marked` out of a command's standard error.

    Returns (its output, what may be the beginning of a mark, whether the command has ended).
    """
    output, ended = b"", False
    while True:
        before, found, after = data.partition(marker)
        if not found:
            break
        if not after:
            return output + before, marker, ended
        output, data, ended = output + before, after[1:], ended or after[:1] == b"e"
    for size in range(min(len(marker) - 1, len(data)), 0, -1):
        if marker.startswith(data[-size:]):
            return output + data[:-size], data[-size:], ended
    return output + data, b"", ended


def marked(line: str, marker: str) -> list[str]:
    """The words that run a command line in a shell, with marks on standard error: at its end, and as signs of life.

    Nomad 1.1 reports the end of a raw_exec command only when its standard input ends as well, so the end is told by a
    mark. When the connection is lost, Nomad notices only as it passes on output, upon which it kills the shell; the
    one beside it, which writes the signs of life, then kills the command.
    """
    beside = (
        f"(trap 'kill $p; exit' TERM; while :; do sleep {SIGN_OF_LIFE_S:g} <&- >&- 2>&- & p=$!; wait $p; "
        f"printf %s {marker}t >&2; kill -0 $$ || {{ kill -9 $c; exit; }}; done) </dev/null >&- 3<&- &"
    )
    script = (
        f'exec 3<&0; /bin/sh -c "$1" <&3 3<&- & c=$!; {beside} b=$!; exec 3<&- </dev/null; '
        f"wait $c; s=$?; kill $b; printf %s {marker}e >&2; exit $s"
    )
    return ["/bin/sh", "-c", script, "flatnet", line]


END_OF_STDIN = json.dumps({"stdin": {"close": True}})
SIGN_OF_LIFE = "{}"


def close_reason(payload: bytes) -> str:
    """Why Nomad closed a connection, from the payload of a close frame (RFC 6455 §5.5.1)."""
    return payload[2:].decode(errors="replace").strip() or "Nomad closed the connection"


class _Duplex:
    """A socket that one thread reads and another one writes at the same time, TLS included.

    An SSLSocket must not be used by two threads at once, so each call holds a lock, and waits without it.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Lock()
        self.on_idle: Callable[[], None] | None = None
        self.write_timeout_s: float | None = None
        self._timeout_s = sock.gettimeout()
        sock.setblocking(False)

    def recv(self, size: int) -> bytes:
        """Wait for data as long as `settimeout` says; while nothing comes, `on_idle` is called now and then."""
        return self._when_ready(lambda: self._sock.recv(size), select.POLLIN, self._timeout_s, self.on_idle)

    def send(self, data: bytes) -> int:
        """Write what there is room for, and wait for room for `write_timeout_s` at most."""
        return self._when_ready(lambda: self._sock.send(data), select.POLLOUT, self.write_timeout_s, None)

    def _when_ready(
        self, call: Callable[[], T], event: int, timeout_s: float | None, on_idle: Callable[[], None] | None
    ) -> T:
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            wanted = event
            with self._lock:
                try:
                    return call()
                except (ssl.SSLWantReadError, BlockingIOError) as error:
                    wanted = select.POLLIN if isinstance(error, ssl.SSLWantReadError) else event
                except ssl.SSLWantWriteError:
                    wanted = select.POLLOUT
            left = SIGN_OF_LIFE_S if until is None else until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            ready = select.poll()
            ready.register(self._sock, wanted)
            if not ready.poll(min(left, SIGN_OF_LIFE_S) * 1000) and on_idle is not None:
                on_idle()

    def settimeout(self, seconds: float | None) -> None:
        self._timeout_s = seconds

    def gettimeout(self) -> float | None:
        """websocket-client asks whether the socket blocks; to its callers it does."""
        return self._timeout_s

    def fileno(self) -> int:
        return self._sock.fileno()

    def shutdown(self, how: int = socket.SHUT_RDWR) -> None:
        """End the connection below TLS; whoever waits on it wakes up."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._sock, how)

    def close(self) -> None:
        self._sock.close()


class ExecChannel:
    """A command in a task: see lab.access.shell.Channel."""

    def __init__(
        self, connection: websocket.WebSocket, sock: _Duplex, on_lost: Callable[[], None], marker: bytes
    ) -> None:
        self._connection, self._sock, self._on_lost, self._marker = connection, sock, on_lost, marker
        self._held = b""
        """The end of what was read of standard error, which may be the beginning of the marker."""
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._stdout, self._stderr = bytearray(), bytearray()
        self._stdout_ended = self._stderr_ended = self._closed = self._stdin_ended = False
        self._status: int | None = None
        self._lost: str | None = None
        self._timeout_s: float | None = None
        sock.settimeout(None)
        sock.on_idle = self._give_sign_of_life
        threading.Thread(target=self._receive, name="output from Nomad", daemon=True).start()

    @property
    def lost(self) -> str | None:
        """Why the connection ended before the command did; None when it did not."""
        return self._lost

    def settimeout(self, seconds: float | None) -> None:
        self._timeout_s = seconds
        self._sock.write_timeout_s = seconds

    def sendall(self, data: bytes) -> None:
        for frame in stdin_frames(data):
            self._send(frame)

    def shutdown_write(self) -> None:
        with self._changed:
            again, self._stdin_ended = self._stdin_ended, True
        if not again:  # at the second one Nomad would give up the command
            self._send(END_OF_STDIN)

    def _send(self, frame: str) -> None:
        with self._changed:
            if self._status is not None:
                return  # it has ended, and its output can still be read
            if self._closed or self._lost is not None:
                raise self._error()
        try:
            with self._writing:
                self._connection.send(frame)
        except (OSError, websocket.WebSocketException) as error:
            if isinstance(error, TimeoutError):
                raise
            with self._changed:  # the reason is what Nomad said last
                self._changed.wait_for(lambda: self._lost is not None or self._status is not None, 1)
                if self._status is None:
                    self._lost = self._lost or describe_failure(error)
                    raise self._error() from None

    def _error(self) -> OSError:
        return OSError(errno.ECONNRESET, self._lost or "the connection was closed")

    def _give_sign_of_life(self) -> None:
        # Reading goes on whatever becomes of it; who writes holds the lock, and gives one by that.
        if self._writing.acquire(blocking=False):
            try:
                with contextlib.suppress(OSError, websocket.WebSocketException):
                    self._connection.send(SIGN_OF_LIFE)
            finally:
                self._writing.release()

    def recv(self, size: int) -> bytes:
        return self._take(self._stdout, lambda: self._stdout_ended, size)

    def recv_stderr(self, size: int) -> bytes:
        return self._take(self._stderr, lambda: self._stderr_ended, size)

    def recv_stderr_ready(self) -> bool:
        with self._changed:
            return bool(self._stderr)

    def _take(self, buffer: bytearray, ended: Callable[[], bool], size: int) -> bytes:
        def over() -> bool:
            return ended() or self._closed or self._status is not None

        with self._changed:
            if not self._changed.wait_for(lambda: buffer or over() or self._lost is not None, self._timeout_s):
                raise TimeoutError
            if not buffer and not over():
                raise self._error()
            piece = bytes(buffer[:size])
            del buffer[:size]
            self._changed.notify_all()
            return piece

    def recv_exit_status(self) -> int:
        with self._changed:
            self._changed.wait_for(lambda: self._status is not None or self._lost is not None or self._closed)
            if self._status is None and self._lost is not None and not self._closed:
                raise self._error()
            return -1 if self._status is None else self._status

    def close(self) -> None:
        with self._changed:
            again, self._closed = self._closed, True
            over = again or self._status is not None or self._lost is not None or self._stdin_ended
            self._changed.notify_all()
        # Nomad does not end a command's standard input with the connection.
        if not over and self._writing.acquire(timeout=1):
            try:
                self._sock.write_timeout_s = 1
                with contextlib.suppress(OSError, websocket.WebSocketException):
                    self._connection.send(END_OF_STDIN)
            finally:
                self._writing.release()
        self._sock.shutdown()

    def _receive(self) -> None:
        """Take frames until the command has ended or the connection is lost."""
        why = "the connection was lost"
        try:
            while self._status is None:
                opcode, data = self._connection.recv_data()
                if opcode == websocket.ABNF.OPCODE_CLOSE:
                    why = close_reason(data)
                    return
                if self._keep(read_frame(data)):
                    self.shutdown_write()
        except (OSError, ValueError, websocket.WebSocketException) as error:
            why = describe_failure(error)
        finally:
            with self._changed:
                if self._status is None:
                    self._lost = self._lost or why
                self._changed.notify_all()
                lost = self._status is None and not self._closed
            if lost:
                self._on_lost()
            self._sock.shutdown()
            with self._writing:
                self._sock.close()

    def _keep(self, frame: Frame) -> bool:
        """Keep what a frame brings; whether the command has ended, and waits for the end of its standard input."""
        with self._changed:
            self._stdout += frame.stdout
            errors, self._held, ended = read_marks(self._marker, self._held + frame.stderr)
            self._stderr += errors
            if frame.stderr_ends or frame.exit_status is not None:
                self._stderr += self._held
                self._held = b""
            self._stdout_ended |= frame.stdout_ends
            self._stderr_ended |= frame.stderr_ends
            if frame.exit_status is not None:
                self._status = frame.exit_status
            self._changed.notify_all()
            self._changed.wait_for(lambda: len(self._stdout) + len(self._stderr) < MOST_UNREAD or self._closed)
        return ended


def open_exec(
    url: str, dial: Dial, on_lost: Callable[[], None], *, marker: str, token: str | None, timeout_s: float
) -> ExecChannel:
    """Start a command: `url` is that of the exec API, with the command in its query.

    `on_lost` is called when the connection ends before the command does; `marker` is what the command writes to
    standard error when it has ended (`marked`).

    Raises OSError when the server does not answer, HarnessError when it is not Nomad's exec API that answers.
    """
    sock = _Duplex(dial(timeout_s))
    sock.settimeout(timeout_s)
    sock.write_timeout_s = timeout_s
    connection: Any = websocket.WebSocket(enable_multithread=True)
    headers = [] if token is None else [f"X-Nomad-Token: {token}"]
    try:
        connection.connect(url, socket=sock, header=headers, suppress_origin=True)
    except websocket.WebSocketException as error:
        sock.close()
        raise HarnessError(f"Nomad does not open its exec API: {' '.join(str(error).split())[:120]}") from None
    except BaseException:
        sock.close()
        raise
    return ExecChannel(connection, sock, on_lost, marker.encode())
