"""What is not told is an error: neither an exit status of 0 nor a request that was fulfilled."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fixtures.cluster.nodes import ClusterNode
from fixtures.containers.fleet import Container
from lab.embedded import lifecycle
from lab.errors import HarnessError, LabError


def container(exit_code: int | None) -> Container:
    done = SimpleNamespace(exit_code=exit_code, output=b"sent\n")
    handle = SimpleNamespace(exec_run=lambda command: done)
    engine = SimpleNamespace(containers=SimpleNamespace(get=lambda name: handle))
    node = cast(ClusterNode, SimpleNamespace(name="u1", docker=engine))
    return Container("a1", "a", node, "0f", 7, "10.32.0.4", {})


@pytest.mark.parametrize("status", [0, 1, 137])
def test_a_command_in_a_container_has_the_status_that_docker_tells(status: int) -> None:
    assert container(status).run("ping", "-c1", "10.32.0.5") == (status, "sent\n")


def test_a_command_in_a_container_whose_status_docker_does_not_tell_is_an_error() -> None:
    with pytest.raises(HarnessError, match=r"^container u1/a1: ping -c1: Docker does not tell its exit status$"):
        container(None).run("ping", "-c1")


@pytest.fixture
def supervised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], None]]:
    """A lab `x` that is up, whose supervisor answers one request with these bytes."""
    monkeypatch.setattr(lifecycle, "run_root", lambda: tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "state.json").write_text("{}")
    with open(tmp_path / "x" / "lock", "w") as lock, socket.socket(socket.AF_UNIX) as control:
        fcntl.flock(lock, fcntl.LOCK_EX)
        control.bind(str(tmp_path / "x" / "control"))
        control.listen(1)

        def answer(line: bytes) -> None:
            client, _ = control.accept()
            with client:
                client.makefile().readline()
                client.sendall(line)

        threads: list[threading.Thread] = []

        def play(line: bytes) -> None:
            threads.append(threading.Thread(target=answer, args=(line,)))
            threads[-1].start()

        yield play
        for thread in threads:
            thread.join()


def test_a_supervisor_that_ends_instead_of_answering_did_nothing(supervised: Callable[[bytes], None]) -> None:
    supervised(b"")
    with pytest.raises(LabError, match=r"^lab 'x': its supervisor ended without an answer; look at"):
        lifecycle.request("x", op="power-off", node="u1")


def test_a_supervisors_answer_is_passed_on(supervised: Callable[[bytes], None]) -> None:
    fulfilled: dict[str, Any] = {"ok": True, "pid": 7}
    supervised(json.dumps(fulfilled).encode() + b"\n")
    assert lifecycle.request("x", op="power-on", node="u1") == fulfilled
    supervised(b'{"error": "ip link delete: no"}\n')
    with pytest.raises(LabError, match=r"^lab 'x': ip link delete: no$"):
        lifecycle.request("x", op="power-off", node="u1")
