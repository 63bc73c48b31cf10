"""What keeps a cluster from being tested: all of it at once, and each problem on one line."""

from __future__ import annotations

import json

import consul
import docker
import pytest
import requests

from fixtures.cluster.preflight import ERRORS, LONGEST, Check, problems
from lab.errors import HarnessError


def fails(what: str, error: BaseException) -> Check:
    def check() -> None:
        raise error

    return what, check


NOT_JSON = json.JSONDecodeError("no JSON", "<html>", 0)
HOLDS: Check = ("holds", lambda: None)
REFUSED = HarnessError("node n1 (root@192.0.2.1:22): unreachable: connection refused")


def connected() -> None:
    """The node is reached."""


def refused() -> None:
    raise REFUSED


def test_nothing_is_wrong() -> None:
    assert problems("n1", connected, [HOLDS, HOLDS]) == []


def test_without_a_connection_nothing_else_is_tried() -> None:
    never = fails("Docker", RuntimeError("was tried"))
    assert problems("n1", refused, [never]) == [str(REFUSED)]


def test_every_problem_is_listed() -> None:
    checks = [
        fails("its user is not root", HarnessError("node n1: `test`: exit status 1\nmore")),
        HOLDS,
        fails("Docker", docker.errors.DockerException("no engine")),
        fails("Consul", requests.ConnectionError()),
    ]
    assert problems("n1", connected, checks) == [
        "node n1: its user is not root: `test`: exit status 1",
        "node n1: Docker: no engine",
        "node n1: Consul: ConnectionError",
    ]


def test_a_long_error_is_cut() -> None:
    (line,) = problems("n1", connected, [fails("Docker", OSError("x" * 1000))])
    assert len(line) == LONGEST and line.startswith("node n1: Docker: xxx")


@pytest.mark.parametrize("error", [consul.ConsulException("500"), TimeoutError("late"), NOT_JSON])
def test_what_clients_raise_is_a_problem(error: Exception) -> None:
    assert isinstance(error, ERRORS) and problems("n1", connected, [fails("Consul", error)])


def test_a_defect_of_flatnet_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        problems("n1", connected, [fails("Docker", ZeroDivisionError())])
