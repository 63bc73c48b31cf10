"""What a narrow path does to packets is told with both MTUs, and with the masquerade where there is one."""

from __future__ import annotations

import pytest

from fixtures.path.narrow import Passage, describe_path_mtu, find_silence, find_too_long
from fixtures.path.transfers import Flow, Transfer
from fixtures.probes.delivery import Endpoint

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
    passed = [("10.32.0.66", 1280), ("10.32.0.66", 1281), ("10.32.0.1", 92)]
    assert find_too_long(passed, 1280) == [
        "a packet of 1281 bytes from 10.32.0.66 passed the router, whose MTU is 1280 bytes"
    ]


@pytest.mark.parametrize(
    ("carried", "told"),
    [(1300, "the path carries 1300 bytes"), (None, "the path carries no packet of that kind")],
)
def test_both_mtus_are_named(carried: int | None, told: str) -> None:
    lost = transfer("ETIMEDOUT", 1422)
    text = describe_path_mtu(lost, 28, carried)
    assert text == f"u1/client->u2/a2: the interface's MTU is 1450 bytes, {told}: {lost}"
