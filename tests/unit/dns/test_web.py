"""Requests in captured packets, and the instance that a response names."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.packet import Packet, Raw

from fixtures.control_plane.observation import InstanceState
from fixtures.dns.services import all_pass
from fixtures.dns.web import Dial, Request, Response, read_request


def packet(payload: bytes) -> Packet:
    return IP(src="10.0.0.1", dst="10.0.0.2") / TCP(dport=8080) / Raw(payload)


@pytest.mark.parametrize(
    ("captured", "agent"),
    [
        (
            packet(b"GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: Consul Health Check\r\nAccept: */*\r\n\r\n"),
            "Consul Health Check",
        ),
        (packet(b"HEAD / HTTP/1.1\r\nuser-agent:curl\r\n\r\n"), "curl"),
        (packet(b"GET / HTTP/1.0\r\n\r\n"), ""),
    ],
)
def test_a_packet_that_begins_a_request_is_read(captured: Packet, agent: str) -> None:
    assert read_request(captured) == Request("10.0.0.1", ("10.0.0.2", 8080), agent)


@pytest.mark.parametrize(
    "captured",
    [
        packet(b"HTTP/1.1 200 OK\r\n\r\n"),
        packet(b"POST / HTTP/1.1\r\n\r\n"),
        IP() / TCP(),
        IP() / UDP() / Raw(b"GET / HTTP/1.1\r\n\r\n"),
    ],
)
def test_another_packet_is_not_a_request(captured: Packet) -> None:
    assert read_request(captured) is None


def test_a_response_names_its_instance_or_is_told() -> None:
    assert str(Response(b"HTTP/1.0 200 OK\r\n\r\ninstance=web-1 source=10.0.0.1\n")) == "web-1"
    assert str(Response(b"", "ECONNREFUSED")) == "ECONNREFUSED"
    assert str(Response(b"instance=web-1", "ETIMEDOUT")) == "ETIMEDOUT"
    assert str(Response(b"HTTP/1.1 400 Bad Request\r\n")).startswith("no demo service: b'HTTP/1.")
    assert str(Response(b"x" * 99)) == f"no demo service: {b'x' * 60!r}"


@pytest.mark.parametrize(
    ("response", "instance", "by_http_server"),
    [
        (Response(b"HTTP/1.0 200 OK\r\n\r\ninstance=web-1\n"), "web-1", True),
        (Response(b"HTTP/1.1 301 Moved Permanently\r\n\r\n"), None, True),
        (Response(b"SSH-2.0-OpenSSH_9.2\r\n"), None, False),
        (Response(b"no demo service: b'HTTP/1.1"), None, False),
        (Response(b""), None, False),
        (Response(b"", "ECONNREFUSED"), None, False),
        (Response(b"HTTP/1.0 200 OK\r\n\r\ninstance=web-1\n", "ETIMEDOUT"), None, False),
    ],
)
def test_an_http_server_is_told_by_its_response(response: Response, instance: str | None, by_http_server: bool) -> None:
    assert (response.instance, response.by_http_server) == (instance, by_http_server)


def test_all_instances_pass_only_when_every_view_says_so() -> None:
    passing, warning, critical = InstanceState(True), InstanceState(None), InstanceState(False)
    assert all_pass([{"a": passing, "b": critical}, {"a": passing}], ["a"])
    assert not all_pass([{"a": passing}, {"a": critical}], ["a"])
    assert not all_pass([{"a": passing}, {"a": warning}], ["a"])
    assert not all_pass([{"a": passing}, {}], ["a"])
    assert not all_pass([{"a": passing}], ["a", "b"])


def test_an_ipv6_address_stands_in_brackets_before_its_port() -> None:
    caller: Any = "u1/a1"
    assert str(Dial(caller, "10.32.0.4", 8081)) == "u1/a1 dials 10.32.0.4:8081"
    assert str(Dial(caller, "fd00::4", 8081)) == "u1/a1 dials [fd00::4]:8081"
