"""A checksum is judged wherever it has to be right, and nowhere else."""

from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw

from fixtures.path.checksum_judge import NOT_READY, Arrivals, Direction, JudgedPacket, judge, sort_arrivals

LAYERS: dict[str, Packet] = {"ICMP": ICMP(), "UDP": UDP(sport=1, dport=2), "TCP": TCP(sport=1, dport=2)}
HEADER_BYTES = {"ICMP": 8, "UDP": 8, "TCP": 20}


def frame(layer: Packet, payload: bytes = b"odd", padding: bytes = b"", **fields: Any) -> bytes:
    return bytes(Ether() / IP(src="10.0.0.1", dst="10.0.0.2", **fields) / layer / Raw(payload)) + padding


def judged(data: bytes, status: int = 0) -> JudgedPacket:
    packet = judge(data, status)
    assert packet is not None, "not judged at all"
    return packet


def fault(data: bytes, status: int = 0) -> str | None:
    return judged(data, status).fault


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("payload", [b"", b"odd", b"even"], ids=["empty", "odd", "even"])
def test_valid_checksums_are_valid_whatever_pads_the_frame(name: str, payload: bytes) -> None:
    data = frame(LAYERS[name], payload, padding=b"\xff" * 7)
    assert judge(data) == JudgedPacket(Direction("10.0.0.1", "10.0.0.2", name), None)


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_a_header_with_options_is_judged_whole(layer: Packet) -> None:
    data = bytearray(frame(layer, options=[IPOption_NOP()] * 4))
    assert fault(bytes(data)) is None
    data[14 + 20] ^= 1  # the first option
    assert fault(bytes(data)) == "its IPv4 header checksum is wrong"


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("offset", range(14, 45))
def test_every_changed_byte_is_noticed(layer: Packet, offset: int) -> None:
    data = bytearray(frame(layer, b"payload of some bytes"))
    data[offset] ^= 0x10
    packet = judge(bytes(data))
    # Another version, length, protocol or fragment is another kind of packet, or one that is cut.
    assert packet is None or packet.fault is not None


@pytest.mark.parametrize("offset", [26, 29, 30, 33], ids=["source", "its end", "destination", "its end again"])
def test_a_changed_address_breaks_the_header_checksum(offset: int) -> None:
    data = bytearray(frame(LAYERS["UDP"]))
    data[offset] ^= 1
    assert fault(bytes(data)) == "its IPv4 header checksum is wrong"


@pytest.mark.parametrize("name", ["UDP", "TCP"])
def test_a_rewritten_address_with_the_old_transport_checksum_is_a_fault(name: str) -> None:
    rewritten = Ether(frame(LAYERS[name]))
    rewritten[IP].src = "10.0.0.9"
    del rewritten[IP].chksum  # a router mends the header's own, and forgets the transport's
    packet = judged(bytes(rewritten))
    assert packet.direction == Direction("10.0.0.9", "10.0.0.2", name)
    assert packet.fault is not None and packet.fault.startswith(f"its {name} checksum 0x")


def test_icmp_does_not_cover_the_addresses() -> None:
    rewritten = Ether(frame(LAYERS["ICMP"]))
    rewritten[IP].src = "10.0.0.9"
    del rewritten[IP].chksum
    assert fault(bytes(rewritten)) is None


def test_a_removed_udp_checksum_is_a_fault() -> None:
    assert fault(frame(UDP(sport=1, dport=2, chksum=0))) == "its UDP checksum was removed"
    assert fault(frame(TCP(sport=1, dport=2, chksum=0))) == "its TCP checksum 0x0000 is wrong"


def test_a_packet_that_the_kernel_marks_not_ready_is_not_judged() -> None:
    unfinished = frame(TCP(sport=1, dport=2, chksum=0x1234))
    assert NOT_READY == 8
    assert judge(unfinished, NOT_READY) is None
    assert judge(unfinished, NOT_READY | 1) is None
    assert fault(unfinished) == fault(unfinished, ~NOT_READY) == "its TCP checksum 0x1234 is wrong"


@pytest.mark.parametrize(
    "data",
    [
        bytes(Ether() / ARP()),
        bytes(Ether(type=0x0800) / IPv6(src="::1", dst="::1", nh=0x0B) / Raw(b"\x11" * 40)),
        bytes(Ether(type=0x86DD) / Raw(frame(UDP(sport=1, dport=2, chksum=7))[14:])),
        frame(UDP(sport=1, dport=2, chksum=7)).replace(b"\x45", b"\x65", 1),
        frame(UDP(sport=1, dport=2, chksum=7), flags="MF"),
        frame(Raw(b"x" * 30), frag=100, proto=17),
        frame(Raw(b"x" * 30), frag=1, proto=17),
        frame(Raw(b"x" * 30), frag=0x1FFF, proto=17),
        frame(Raw(b"x" * 30), proto=47),
        frame(UDP(sport=1, dport=2))[: 14 + 19],
        b"",
    ],
    ids=[
        "ARP", "IPv6 that calls itself IPv4", "IPv4 that calls itself IPv6",
        "another version", "first fragment", "later fragment",
        "second fragment", "last fragment", "another transport", "less than a header", "nothing",
    ],
)  # fmt: skip
def test_a_frame_without_a_checksum_of_its_own_is_not_judged(data: bytes) -> None:
    assert judge(data) is None


def test_a_packet_that_must_not_be_fragmented_is_judged() -> None:
    assert fault(frame(UDP(sport=1, dport=2), flags="DF")) is None


def test_the_whole_length_is_read_and_nothing_beside_it() -> None:
    assert fault(frame(UDP(sport=1, dport=2), b"x" * 300, padding=b"\xff" * 7, tos=4)) is None


def test_a_cut_packet_is_a_fault() -> None:
    whole = frame(UDP(sport=1, dport=2), b"x" * 100)
    assert fault(whole[:-40]) == "cut to 88 of 128 bytes"
    assert fault(whole[:-1]) == "cut to 127 of 128 bytes"
    assert fault(whole[: 14 + 20]) == "cut to 20 of 128 bytes"


@pytest.mark.parametrize(("name", "least"), [("ICMP", 4), ("UDP", 8), ("TCP", 18)])
def test_a_packet_that_ends_before_its_checksum_is_a_fault(name: str, least: int) -> None:
    header = bytes(LAYERS[name])[:least]
    protocol = {"ICMP": 1, "UDP": 17, "TCP": 6}[name]
    shorter = frame(Raw(header[:-1]), b"", proto=protocol)
    assert fault(shorter) == f"cut to {20 + least - 1} of {20 + least - 1} bytes"
    assert fault(frame(Raw(header), b"", proto=protocol)) != f"cut to {20 + least} of {20 + least} bytes"


UDP_THERE = Direction("10.0.0.1", "10.0.0.2", "UDP")
UDP_BACK = Direction("10.0.0.2", "10.0.0.1", "UDP")
ASKED = {UDP_THERE: "u1/a1->u2/a2 UDP", UDP_BACK: "u2/a2->u1/a1 UDP"}


def test_packets_are_counted_by_the_directions_that_were_asked_for() -> None:
    other = JudgedPacket(Direction("10.0.0.1", "10.0.0.2", "TCP"), "its TCP checksum 0x0000 is wrong")
    arrivals = sort_arrivals(ASKED, [JudgedPacket(UDP_THERE, None)] * 2 + [other])
    assert arrivals == Arrivals({"u1/a1->u2/a2 UDP": 2, "u2/a2->u1/a1 UDP": 0}, ())
    assert arrivals.unjudged == ("u2/a2->u1/a1 UDP",)


def test_each_fault_of_a_direction_is_listed_once() -> None:
    packets = [JudgedPacket(direction, words) for direction in ASKED for words in ("late", "bad", "bad", None)]
    arrivals = sort_arrivals(ASKED, packets)
    assert arrivals.wrong == (
        "u1/a1->u2/a2 UDP: bad", "u1/a1->u2/a2 UDP: late", "u2/a2->u1/a1 UDP: bad", "u2/a2->u1/a1 UDP: late",
    )  # fmt: skip
    assert arrivals.unjudged == ()


def test_wrong_directions_are_told_with_their_number_and_the_place_that_they_share() -> None:
    wrong = ("u1/a1->u2/a2 UDP: bad", "u1/a1->u2/a2 UDP: late")
    arrivals = Arrivals({"u1/a1->u2/a2 UDP": 2, "u2/a2->u1/a1 UDP": 1}, wrong, ", all with an end on u2")
    assert str(arrivals).splitlines() == [
        "1 of 2 directions, all with an end on u2, such as u1/a1->u2/a2 UDP: bad",
        *wrong,
    ]
