"""What a narrow path does to packets is told with both MTUs, and with the masquerade where there is one."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet

from fixtures.path.narrow import Passage, Passed, describe_path_mtu, find_silence, find_too_long
from fixtures.path.router import Router, read_passage
from fixtures.path.transfers import Flow, Transfer
from fixtures.probes.delivery import Endpoint
from lab.inventory import Family

CLIENT = Endpoint("u1/client", "u1", "/proc/1/ns/net", "10.32.0.66")
FAR = Endpoint("u2/a2", "u2", "/proc/2/ns/net", "10.32.0.67")
OWN, AS_NODE = Passage("u1/client", "10.32.0.66", "10.32.0.66"), Passage("u1/client", "10.32.0.66", "10.32.0.1")


def transfer(error: str | None, size: int = 1253) -> Transfer:
    return Transfer(Flow(CLIENT, FAR, size, dont_fragment=True), error, 0.5, CLIENT.address, "sent", "", ())


def test_only_another_address_is_a_rewritten_one() -> None:
    assert OWN.rewritten == ""
    assert AS_NODE.rewritten.startswith("its packets reach the router as 10.32.0.1 instead of 10.32.0.66")


def test_a_sender_that_was_told_is_not_reported() -> None:
    assert find_silence([transfer("EMSGSIZE")], {"u1/client": AS_NODE}) == []


@pytest.mark.parametrize("error", ["ETIMEDOUT", None])
def test_a_sender_that_was_not_told_is_reported(error: str | None) -> None:
    silent = transfer(error)
    assert find_silence([transfer("EMSGSIZE"), silent], {"u1/client": OWN}) == [
        f"u1/client got no EMSGSIZE for a packet that is too large for the router: {silent}"
    ]


def test_a_masquerade_on_the_way_is_named() -> None:
    silent = transfer("ETIMEDOUT")
    assert find_silence([silent], {"u1/client": AS_NODE}) == [
        "u1/client got no EMSGSIZE for a packet that is too large for the router; its packets reach the router as "
        "10.32.0.1 instead of 10.32.0.66: something masquerades them, and the router's ICMP error goes to 10.32.0.1: "
        f"{silent}"
    ]


def test_only_packets_above_the_mtu_must_not_pass() -> None:
    passed = [Passed("10.32.0.66", 1280), Passed("10.32.0.66", 1281), Passed("10.32.0.1", 92)]
    assert find_too_long(passed, 1280) == [
        "a packet of 1281 bytes from 10.32.0.66 passed the router, whose MTU is 1280 bytes"
    ]


def test_a_packet_that_was_sent_whole_must_not_pass_in_fragments() -> None:
    assert find_too_long([Passed("fd00::66", 1280), Passed("fd00::66", 93, fragment=True)], 1280) == [
        "a fragment of 93 bytes from fd00::66 passed the router: something on the way fragmented a packet that was "
        "sent whole"
    ]


FAR_ADDRESS, FAR_ADDRESS_V6 = Router.FAR_ADDRESSES[Family.V4], Router.FAR_ADDRESSES[Family.V6]
OVER_IPV4 = Ether() / IP(src="10.32.0.66", dst=FAR_ADDRESS)
OVER_IPV6 = Ether() / IPv6(src="fd00::66", dst=FAR_ADDRESS_V6)


@pytest.mark.parametrize(
    ("frame", "far_address", "passed"),
    [
        (OVER_IPV4 / UDP() / b"four", FAR_ADDRESS, Passed("10.32.0.66", 32)),
        (OVER_IPV6 / UDP() / b"four", FAR_ADDRESS_V6, Passed("fd00::66", 52)),
        (OVER_IPV6 / IPv6ExtHdrFragment() / UDP() / b"four", FAR_ADDRESS_V6, Passed("fd00::66", 60, fragment=True)),
        (Ether() / IP(src="10.32.0.66", dst=FAR_ADDRESS, flags="MF") / (b"x" * 8), FAR_ADDRESS,
         Passed("10.32.0.66", 28, fragment=True)),
        (Ether() / IP(src="10.32.0.66", dst=FAR_ADDRESS, frag=1) / (b"x" * 8), FAR_ADDRESS,
         Passed("10.32.0.66", 28, fragment=True)),
        (OVER_IPV4 / UDP(), FAR_ADDRESS_V6, None),
        (OVER_IPV6 / UDP(), FAR_ADDRESS, None),
        (Ether() / IPv6(src="fd00::66", dst="ff02::16") / UDP(), FAR_ADDRESS_V6, None),
        (Ether() / ARP(), FAR_ADDRESS, None),
    ],
)  # fmt: skip
def test_what_passed_the_router_is_read_from_a_frame(frame: Packet, far_address: str, passed: Passed | None) -> None:
    assert read_passage(Ether(bytes(frame)), far_address) == passed


@pytest.mark.parametrize(
    ("carried", "told"),
    [(1300, "the path carries 1300 bytes"), (None, "the path carries no packet of that kind")],
)
def test_both_mtus_are_named(carried: int | None, told: str) -> None:
    lost = transfer("ETIMEDOUT", 1422)
    text = describe_path_mtu(lost, 28, carried)
    assert text == f"u1/client->u2/a2: the interface's MTU is 1450 bytes, {told}: {lost}"
