"""Requests in captured packets, and the instance that a response names."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.packet import Packet, Raw

from fixtures.control_plane.observation import InstanceState
from fixtures.dns.services import all_pass
from fixtures.dns.web import Request, read_instance, read_request


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
    assert read_instance(b"HTTP/1.0 200 OK\r\n\r\ninstance=web-1 source=10.0.0.1\n", None) == "web-1"
    assert read_instance(b"", "ECONNREFUSED") == "ECONNREFUSED"
    assert read_instance(b"instance=web-1", "ETIMEDOUT") == "ETIMEDOUT"
    assert read_instance(b"HTTP/1.1 400 Bad Request\r\n", None).startswith("no demo service: b'HTTP/1.")
    assert read_instance(b"x" * 99, None) == f"no demo service: {b'x' * 60!r}"


def test_all_instances_pass_only_when_every_view_says_so() -> None:
    passing, warning, critical = InstanceState(True), InstanceState(None), InstanceState(False)
    assert all_pass([{"a": passing, "b": critical}, {"a": passing}], ["a"])
    assert not all_pass([{"a": passing}, {"a": critical}], ["a"])
    assert not all_pass([{"a": passing}, {"a": warning}], ["a"])
    assert not all_pass([{"a": passing}, {}], ["a"])
    assert not all_pass([{"a": passing}], ["a", "b"])
