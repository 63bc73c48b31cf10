"""A command that `docker exec` runs: its outputs come in Docker's frames, its exit status from the engine."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from lab.access.engine_shell import ExecChannel

ENDED = {"Running": False, "ExitCode": 3}


def frame(number: int, data: bytes) -> bytes:
    return struct.pack(">BxxxI", number, len(data)) + data


class Exec:
    """The engine's end of a channel, and what it answers about the command."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.far, ours = socket.socketpair()
        self.answers = list(answers) or [ENDED]
        self.channel = ExecChannel(ours, self._inspect, timeout_s=5)

    def _inspect(self) -> dict[str, Any]:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def made() -> Iterator[Exec]:
    exec_ = Exec()
    yield exec_
    exec_.channel.close()
    exec_.far.close()


def test_both_outputs_are_told_apart_however_they_arrive(made: Exec) -> None:
    data = frame(1, b"out") + frame(2, b"err") + frame(1, b"put")
    for index in range(0, len(data), 3):
        made.far.sendall(data[index : index + 3])
    made.far.shutdown(socket.SHUT_WR)
    assert made.channel.recv_exit_status() == 3
    assert (made.channel.recv(100), made.channel.recv_stderr(100)) == (b"output", b"err")
    assert (made.channel.recv(100), made.channel.recv_stderr(100)) == (b"", b"")


def test_input_reaches_the_command_and_ends(made: Exec) -> None:
    made.channel.sendall(b"hello")
    made.channel.shutdown_write()
    assert made.far.recv(100) == b"hello"
    assert made.far.recv(100) == b""
    made.far.sendall(frame(1, b"still here"))
    assert made.channel.recv(100) == b"still here"


def test_silence_is_an_error_in_time_and_not_the_end(made: Exec) -> None:
    made.channel.settimeout(0.05)
    with pytest.raises(TimeoutError):
        made.channel.recv(1)
    assert made.channel.recv_exit_status() == -1


def test_the_status_is_asked_for_until_the_engine_has_it() -> None:
    exec_ = Exec({"Running": True, "ExitCode": None}, {"Running": False, "ExitCode": 0})
    exec_.far.close()
    assert exec_.channel.recv_exit_status() == 0
    exec_.channel.close()


@pytest.mark.parametrize("answer", [{"Running": False, "ExitCode": None}, {"Running": True, "ExitCode": 0}])
def test_a_status_that_is_not_known_is_not_zero(answer: dict[str, Any]) -> None:
    exec_ = Exec(answer)
    exec_.far.close()
    exec_.channel.settimeout(0.2)
    assert exec_.channel.recv_exit_status() == -1
    exec_.channel.close()


def test_an_engine_that_does_not_say_the_status_has_none() -> None:
    exec_ = Exec()

    def fail() -> dict[str, Any]:
        raise OSError("gone")

    exec_.channel._inspect = fail
    exec_.far.close()
    assert exec_.channel.recv_exit_status() == -1
    exec_.channel.close()


def test_closing_ends_every_wait(made: Exec) -> None:
    made.channel.close()
    assert made.channel.recv(1) == b""
    assert made.far.recv(1) == b""
