"""The fault between Nomad and Consul: what it changes of a request, and what it leaves alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab.faults.scripts.registrations import CHECK, DEREGISTER, SERVICE, again, at_the_node, swallowed

TASK = "_nomad-task-1f0c-group-httpbackend-httpbackend-8081"
NODE = "192.168.56.4"


def body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def test_a_tasks_service_gets_the_nodes_address_and_keeps_the_rest() -> None:
    sent = body(ID=TASK, Name="httpbackend", Address="10.32.0.65", Port=8081)
    assert json.loads(at_the_node(SERVICE, sent, NODE)) == {
        "ID": TASK, "Name": "httpbackend", "Address": NODE, "Port": 8081,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        (SERVICE, body(ID="web-1", Address="10.32.0.65")),
        (SERVICE, body(ID="_nomad-server-x", Address=NODE)),
        (SERVICE, body(Name="web", Address="10.32.0.65")),
        (CHECK, body(ID=TASK, Address="10.32.0.65")),
        ("/v1/kv/x", b"not JSON"),
    ],
)
def test_any_other_request_is_passed_on_as_it_is(path: str, sent: bytes) -> None:
    assert at_the_node(path, sent, NODE) == sent


@pytest.mark.parametrize(
    ("path", "sent", "expected"),
    [
        (DEREGISTER + TASK, b"", True),
        (DEREGISTER + "web-1", b"", False),
        (DEREGISTER + "_nomad-server-x", b"", False),
        (CHECK, body(ID="c", ServiceID=TASK), True),
        (CHECK, body(ID="c", ServiceID="web-1"), False),
        (CHECK, body(ID=TASK), False),
        (SERVICE, body(ID=TASK), False),
        ("/v1/agent/services", b"", False),
    ],
)
def test_deregistrations_and_checks_of_tasks_are_swallowed(path: str, sent: bytes, expected: bool) -> None:
    assert swallowed(path, sent) is expected


def test_only_a_tasks_second_registration_is_swallowed() -> None:
    known: set[str] = set()
    other = body(ID=f"{TASK}-2")
    assert not again(SERVICE, body(ID=TASK), known)
    assert again(SERVICE, body(ID=TASK, Address="10.32.0.9"), known)
    assert not again(SERVICE, other, known)
    for path, sent in ((SERVICE, body(ID="web-1")), (CHECK, body(ID=TASK)), (DEREGISTER + TASK, b"")):
        assert not again(path, sent, known)
        assert not again(path, sent, known)
