"""A checksum is judged wherever one has to be right, and nowhere else."""

from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw

from fixtures.path.checksums import NOT_READY, judge

LAYERS: dict[str, Packet] = {"ICMP": ICMP(), "UDP": UDP(sport=1, dport=2), "TCP": TCP(sport=1, dport=2)}


def frame(layer: Packet, payload: bytes = b"odd", padding: bytes = b"", **fields: Any) -> bytes:
    return bytes(Ether() / IP(src="10.0.0.1", dst="10.0.0.2", **fields) / layer / Raw(payload)) + padding


def fault(data: bytes, status: int = 0) -> str | None:
    judged = judge(data, status)
    assert judged is not None, "not judged at all"
    assert (judged.source, judged.destination) == ("10.0.0.1", "10.0.0.2")
    return judged.fault


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("payload", [b"", b"odd", b"even"], ids=["empty", "odd", "even"])
def test_right_checksums_are_right_whatever_pads_the_frame(layer: Packet, payload: bytes) -> None:
    assert fault(frame(layer, payload, padding=b"\xff" * 7)) is None


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("place", range(14, 45))
def test_no_byte_can_change_unnoticed(layer: Packet, place: int) -> None:
    data = bytearray(frame(layer, b"payload of some bytes"))
    data[place] ^= 0x10
    judged = judge(bytes(data))
    # Another version, length, protocol or fragment is another kind of packet, or one that is cut.
    assert judged is None or judged.fault is not None


def test_a_translated_address_with_an_old_checksum_is_found() -> None:
    moved = Ether(frame(UDP(sport=1, dport=2)))
    moved[IP].src = "10.0.0.9"
    del moved[IP].chksum  # a router mends the header's own, and forgets UDP's
    moved[UDP].chksum = Ether(frame(UDP(sport=1, dport=2)))[UDP].chksum
    judged = judge(bytes(moved))
    assert judged is not None
    assert judged.fault is not None and judged.fault.startswith("its UDP checksum")


def test_a_udp_checksum_taken_away_is_a_fault() -> None:
    assert fault(frame(UDP(sport=1, dport=2, chksum=0))) == "its UDP checksum was taken away"


def test_what_the_kernel_calls_not_ready_is_not_judged() -> None:
    unfinished = frame(TCP(sport=1, dport=2, chksum=0x1234))
    assert judge(unfinished, NOT_READY) is None
    assert fault(unfinished) == "its TCP checksum 1234 is wrong"


@pytest.mark.parametrize(
    "data",
    [
        bytes(Ether() / ARP()),
        bytes(Ether() / IPv6(src="::1", dst="::1") / UDP(sport=1, dport=2, chksum=7)),
        frame(UDP(sport=1, dport=2, chksum=7), flags="MF"),
        frame(Raw(b"x" * 30), frag=100, proto=17),
        b"",
    ],
    ids=["ARP", "IPv6", "first fragment", "later fragment", "nothing"],
)
def test_what_has_no_checksum_of_its_own_is_not_judged(data: bytes) -> None:
    assert judge(data) is None


def test_a_packet_that_was_cut_is_a_fault() -> None:
    assert fault(frame(UDP(sport=1, dport=2), b"x" * 100)[:-40]) == "cut to 88 of 128 bytes"
