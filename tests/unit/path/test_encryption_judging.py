"""A probe that can be read on the underlay is found in whatever it is wrapped; a capture of nothing proves nothing."""

import struct

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw

from fixtures.path.encryption_judging import LEAST_MARK, Passage, Secrecy, described, judge_captures, outer

REQUEST, ANSWER = b"flatnet-request", b"flatnet-answer!"
PASSAGE = Passage(
    "u1/a1->u2/a2-udp", ("u1", "u2"), ("192.168.56.3", "192.168.56.4"), ("10.32.0.66", "10.32.0.130"), (REQUEST, ANSWER)
)
OUTER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src="192.168.56.3", dst="192.168.56.4")
BACK = Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01") / IP(src="192.168.56.4", dst="192.168.56.3")
SEALED = bytes(OUTER / UDP(sport=51820, dport=51820) / Raw(bytes(range(128))))


def judged(*frames: Packet | bytes, passage: Passage = PASSAGE, node: str = "u1") -> Secrecy:
    """What the frames of one node's NIC show, beside one that is encrypted."""
    return judge_captures([passage], {node: (f"{node}'s NIC eth0", [SEALED, *map(bytes, frames)])})


def found_in(secrecy: Secrecy) -> set[str]:
    return {reading.what for reading in secrecy.readings}


def inner(payload: bytes = REQUEST) -> Packet:
    return IP(src="10.32.0.66", dst="10.32.0.130") / UDP(sport=1, dport=2) / Raw(payload)


def test_what_is_encrypted_cannot_be_read() -> None:
    secrecy = judged()
    assert (secrecy.readings, secrecy.unproved) == ((), ())
    assert secrecy.counts == {("u1's NIC eth0", "u1 → u2"): 1}


@pytest.mark.parametrize(
    "frame",
    [
        Ether() / inner(),
        OUTER / UDP(sport=4000, dport=4789) / VXLAN(vni=4200) / Ether() / inner(),
        OUTER / inner(),  # IPIP
        OUTER / UDP(sport=1, dport=6784) / Raw(b"xyz") / inner(),
    ],
    ids=["bare", "VXLAN", "IPIP", "an unknown tunnel"],
)
def test_a_probe_in_clear_is_read_in_whatever_it_is_wrapped(frame: Packet) -> None:
    assert found_in(judged(frame)) == {"its payload", "its addresses"}


def test_the_answer_is_as_secret_as_the_request() -> None:
    assert found_in(judged(OUTER / Raw(b"x" + ANSWER))) == {"its payload"}


def test_addresses_alone_give_it_away_in_either_direction() -> None:
    there, back = (bytes([10, 32, 0, 66, 10, 32, 0, 130]), bytes([10, 32, 0, 130, 10, 32, 0, 66]))
    for addresses in (there, back):
        assert found_in(judged(OUTER / Raw(b"y" + addresses))) == {"its addresses"}


def test_a_handshake_of_tcp_has_no_payload_and_is_read_by_its_addresses() -> None:
    bare = Passage(PASSAGE.name, PASSAGE.nodes, PASSAGE.underlay, PASSAGE.ends, (b"",))
    syn = Ether() / IP(src="10.32.0.66", dst="10.32.0.130") / TCP(sport=1, dport=2, flags="S")
    assert found_in(judged(syn, passage=bare)) == {"its addresses"}
    assert found_in(judged(OUTER / ICMP() / Raw(b"other"), passage=bare)) == set()


@pytest.mark.parametrize(("size", "found"), [(LEAST_MARK - 1, 0), (LEAST_MARK, 1)])
def test_a_payload_that_is_too_short_to_be_told_from_chance_is_not_looked_for(size: int, found: int) -> None:
    short = Passage(PASSAGE.name, PASSAGE.nodes, PASSAGE.underlay, PASSAGE.ends, (REQUEST[:size],))
    assert len(judged(OUTER / Raw(REQUEST[:size]), passage=short).readings) == found


def test_a_probe_is_told_once_for_each_place_however_often_it_was_seen() -> None:
    secrecy = judged(Ether() / inner(), Ether() / inner())
    assert len(secrecy.readings) == 2
    assert str(secrecy).count("\n") == 1


def test_the_reason_names_the_nodes_the_place_and_the_frame() -> None:
    (reading,) = judged(OUTER / Raw(b"x" + ANSWER)).readings
    assert str(reading) == (
        "u1 → u2: its payload of u1/a1->u2/a2-udp can be read at u1's NIC eth0, in a packet of protocol 0 from "
        "192.168.56.3 to 192.168.56.4, 50 bytes"
    )


def test_a_capture_without_a_frame_between_the_nodes_proves_nothing() -> None:
    for frames in ([], [bytes(BACK / Raw(b"z"))], [bytes(Ether() / ARP())]):
        secrecy = judge_captures([PASSAGE], {"u2": ("u2's NIC eth1", frames)})
        assert secrecy.unproved == (
            "u2's NIC eth1 saw no frame from the one to the other of u1 → u2, although probes of theirs arrived",
        )


def test_a_node_that_a_probe_did_not_cross_says_nothing_of_it() -> None:
    secrecy = judge_captures([PASSAGE], {"u3": ("u3's NIC eth0", [bytes(Ether() / inner())])})
    assert (secrecy.readings, secrecy.counts) == ((), {})


def test_without_a_probe_nothing_is_proved() -> None:
    assert judge_captures([], {"u1": ("u1's NIC eth0", [SEALED])}).unproved == (
        "no probe went from one node to another",
    )


def test_the_outer_header_is_read_of_whole_ipv4_frames_only() -> None:
    assert outer(SEALED) == ("192.168.56.3", "192.168.56.4")
    assert outer(SEALED[:33]) is None and outer(SEALED[:34]) == ("192.168.56.3", "192.168.56.4")
    assert outer(bytes(Ether() / ARP())) is None
    assert outer(struct.pack("!12sH", bytes(12), 0x86DD) + bytes(60)) is None


def test_a_frame_is_described_by_what_can_be_seen_of_it() -> None:
    assert described(SEALED) == f"a packet of protocol 17 from 192.168.56.3 to 192.168.56.4, {len(SEALED)} bytes"
    assert described(b"\x00" * 20) == "a frame of 20 bytes"
