"""The bits that an agent keeps of what the recorders of a sweep see, and what it tells the runner."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.packet import Raw

from fixtures.probes import bpf
from fixtures.probes.agent import sweeps
from fixtures.probes.agent.formats import ANSWERED, ARRIVED, BITMAP, LEFT, OUTGOING, REJECTED, SWEEP_TAG, SWEPT
from fixtures.probes.agent.kernel import Refusal
from tests.unit.probes.classic_bpf import accepts
from tests.unit.probes.sweep_agents import BASE, HERE, ID, OTHER, PORTS, THERE, TO_US, WINDOW, lane, opened, sent_by


def marks(made: sweeps.Sweep, number: int) -> dict[int, list[int]]:
    found = made.lanes[number].seen
    return {kind: [port for port in range(65536) if bits[port >> 3] >> (port & 7) & 1] for kind, bits in found.items()}


TAGGED = (132, 0, b"head" + SWEEP_TAG.pack(SWEPT, ID, 2, 132))
PACKETS = {
    6: (0, sent_by(0, 6, 443), 443),
    17: (1, sent_by(1, 17, 53), 53),
    0: (2, sent_by(2, 0, 132, TAGGED), 132),
}
LANES = (lane(0, 6), lane(1, 17), lane(2, 0, own=0))


@pytest.mark.parametrize("protocol", PACKETS)
def test_a_packet_leaves_and_arrives(protocol: int) -> None:
    made = opened(*LANES)
    number, data, port = PACKETS[protocol]
    made.note(0, data, ("eth0", 0x0800, OUTGOING))
    assert marks(made, number) == {LEFT: [port]}
    made.note(1, data, ("eth1", 0x0800, TO_US))
    assert marks(made, number) == {LEFT: [port], ARRIVED: [port]} and made.lanes[number].interface == "eth1"
    assert not made.elsewhere and not made.odd


@pytest.mark.parametrize("protocol", PACKETS)
def test_what_leaves_elsewhere_or_on_the_loopback_did_not_leave(protocol: int) -> None:
    made = opened(*LANES)
    number, data, _ = PACKETS[protocol]
    made.note(1, data, ("eth0", 0x0800, OUTGOING))
    made.note(0, data, ("lo", 0x0800, OUTGOING))
    assert marks(made, number) == {}


@pytest.mark.parametrize(("kind", "ours"), [(TO_US, True), (OTHER, False)])
def test_a_packet_at_a_third_end_is_kept_apart(kind: int, ours: bool) -> None:
    made = opened(*LANES, ends=3)
    for _ in range(2):
        made.note(2, PACKETS[17][1], ("eth3", 0x0800, kind))
    assert marks(made, 1) == {} and made.elsewhere == {(1, 2, ours): [2, 53, "eth3"]}


def test_a_packet_that_comes_back_to_its_sender_is_nothing() -> None:
    made = opened(*LANES)
    made.note(0, PACKETS[17][1], ("eth0", 0x0800, OTHER))
    assert marks(made, 1) == {} and not made.elsewhere


def test_any_packet_type_counts_as_an_arrival() -> None:
    made = opened(*LANES)
    made.note(1, PACKETS[6][1], ("eth0", 0x0800, OTHER))
    assert marks(made, 0) == {ARRIVED: [443]}


def test_a_changed_port_is_kept() -> None:
    made = opened(*LANES)
    data = bytearray(PACKETS[17][1])
    data[22:24] = struct.pack("!H", 5353)
    made.note(1, bytes(data), ("eth0", 0x0800, TO_US))
    assert marks(made, 1) == {ARRIVED: [53]} and made.odd == [[1, 53, 5353]]


def answer(flags: str, acknowledged: int) -> bytes:
    return bytes(IP(src=THERE, dst=HERE) / TCP(sport=443, dport=20005, flags=flags, seq=9, ack=acknowledged))


@pytest.mark.parametrize("flags", ["RA", "SA"])
@pytest.mark.parametrize("port", PORTS)
def test_an_answer_names_its_port(flags: str, port: int) -> None:
    made = opened(*LANES)
    data = answer(flags, ((BASE << 16) | (port - 1)) + 1)
    made.note(1, data, ("eth0", 0x0800, OUTGOING))
    assert marks(made, 0) == {}
    made.note(0, data, ("eth0", 0x0800, TO_US))
    assert marks(made, 0) == {ANSWERED: [port]}


def error(inner: bytes, kind: int = 3, code: int = 13) -> bytes:
    return bytes(IP(src="10.0.0.9", dst=HERE) / ICMP(type=kind, code=code) / Raw(inner))


@pytest.mark.parametrize("protocol", PACKETS)
def test_an_icmp_error_is_about_a_port(protocol: int) -> None:
    made = opened(*LANES)
    number, data, port = PACKETS[protocol]
    made.note(0, error(data), ("eth0", 0x0800, TO_US))
    assert marks(made, number) == {REJECTED: [port]}
    assert made.lanes[number].errors == {bytes([10, 0, 0, 9]): [3, 13, port]}


@pytest.mark.parametrize("protocol", PACKETS)
def test_an_icmp_error_with_eight_bytes_is_enough(protocol: int) -> None:
    """RFC 792 asks for no more than the header and 8 bytes."""
    made = opened(*LANES)
    number, data, port = PACKETS[protocol]
    made.note(0, error(data[:28]), ("eth0", 0x0800, TO_US))
    assert marks(made, number) == {REJECTED: [port]}


@pytest.mark.parametrize(
    "data",
    [
        sent_by(9, 17, 53),
        sent_by(9, 6, 53),
        bytes(IP() / UDP(dport=53) / Raw(b"FLNw")),
        bytes(IP() / TCP(flags="S", seq=7)),
        bytes(IP() / TCP())[:30],
        bytes(IP() / UDP() / Raw(bytes(12))),
        bytes(IP(proto=132) / Raw(b"nothing of ours")),
        bytes(IP(proto=132) / Raw(SWEPT + ID)),
        error(b"short"),
        error(bytes(IP(dst="10.9.9.9") / UDP(sport=7, dport=8))[:28]),
        answer("RA", 7),
        bytes(IP() / ICMP()),
    ],
)
def test_foreign_packets_mark_nothing(data: bytes) -> None:
    made = opened(*LANES)
    for kind in (OUTGOING, TO_US):
        for place in (0, 1):
            made.note(place, data, ("eth0", 0x0800, kind))
    assert all(not one.seen for one in made.lanes.values()) and not made.elsewhere and not made.odd


# -- what the runner gets -----------------------------------------------------------------


def test_bitmaps_go_to_the_runner_in_the_order_of_the_answer() -> None:
    made = opened(*LANES, lane(3, 17, source=None, destination=None))
    made.ends[0].recorder.packets = [(PACKETS[6][1], ("eth0", 0x0800, OUTGOING))]
    made.ends[1].recorder.packets = [(PACKETS[6][1], ("eth1", 0x0800, TO_US))]
    answered, body = made.read_out()
    [first, *others] = answered["lanes"]
    assert (first["number"], first["seen"], first["interface"]) == (0, [LEFT, ARRIVED], "eth1")
    assert [(one["number"], one["seen"]) for one in others] == [(1, []), (2, [])], "lane 3 has no end here"
    data = zlib.decompress(body)
    assert len(data) == 2 * BITMAP and int.from_bytes(data[:BITMAP], "little") == 1 << 443


@pytest.fixture
def forgotten(monkeypatch: pytest.MonkeyPatch) -> list[list[Any]]:
    """The flows that are to be deleted from tables of connections, table by table."""
    found: list[list[Any]] = []
    monkeypatch.setattr(sweeps, "forget", lambda flows: found.append(list(flows)))
    return found


def test_connections_are_forgotten_in_both_ends_and_on_the_node(forgotten: list[list[Any]]) -> None:
    made = opened(*LANES)
    for one in made.lanes.values():
        one.from_address = bytes([10, 0, 0, 1])
    made.lanes[0].flows, made.lanes[2].flows = [22, 443], [(132, 1, 2), (58, 0, 0)]
    made.forget_connections()
    here, there = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
    flows = [(here, there, 6, 20005, 22), (here, there, 6, 20005, 443), (here, there, 132, 1, 2)]
    assert forgotten == [flows, flows, flows] and set(made.agent.entered[-4:]) == {"/0", "/1", None}
    assert all(not one.flows for one in made.lanes.values())


def test_what_arrives_from_another_node_is_forgotten_by_its_own_source() -> None:
    made = opened(lane(1, 17, source=None, destination=0))
    made.note(0, PACKETS[17][1], ("eth0", 0x0800, TO_US))
    made.note(0, PACKETS[17][1], ("eth0", 0x0800, TO_US))
    assert list(made.lanes[1].tracked()) == [(bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]), 17, 20005, 53)]
    raw = opened(lane(2, 0, own=0, source=None, destination=0))
    raw.note(0, PACKETS[0][1], ("eth0", 0x0800, TO_US))
    first, second = struct.unpack("!HH", b"head")
    assert list(raw.lanes[2].tracked()) == [(bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]), 132, first, second)]


def test_lost_packets_of_recorders_are_told() -> None:
    made = opened(*LANES)
    made.agent.lost = 3
    assert made.finish() == ({"lost": 6}, b"")


def test_too_many_lanes_or_ends_are_refused() -> None:
    with pytest.raises(Refusal, match="lanes in one sweep"):
        opened(*[lane(number, 6) for number in range(sweeps.MOST_LANES + 1)])
    with pytest.raises(Refusal, match="more than 200 namespaces"):
        opened(ends=201)


# -- the recorder's filter -----------------------------------------------------------------


FILTER = bpf.sweep(SWEPT + ID, BASE, 3, WINDOW)
SYN = BASE << 16 | 442


@pytest.mark.parametrize(
    ("data", "passes"),
    [
        (PACKETS[6][1], True),
        (PACKETS[17][1], True),
        (PACKETS[0][1], True),
        (sent_by(2, 6, 65535), True),
        (sent_by(3, 6, 1), False),
        (answer("RA", SYN + 1), True),
        (answer("SA", SYN + 1), True),
        (answer("A", SYN + 1), False),
        (answer("RA", (BASE + 3) << 16), False),
        (answer("RA", (BASE << 16) - 1), False),
        (bytes(IP() / TCP(flags="S", seq=SYN, window=WINDOW + 1)), False),
        (bytes(IP() / TCP(flags="S", seq=7, window=WINDOW)), False),
        (bytes(IP() / UDP() / Raw(SWEPT + b"\1\2\3\5" + bytes(4))), False),
        (bytes(IP() / UDP() / Raw(b"FLNq" + ID + bytes(4))), False),
        (bytes(IP() / ICMP(type=8)), False),
        (error(PACKETS[6][1]), True),
        (error(PACKETS[6][1], 11, 0), True),
        (error(PACKETS[6][1], 12, 0), True),
        (error(PACKETS[6][1], 5, 0), False),
        (bytes(IP(proto=47) / Raw(b"x")), True),
    ],
)
def test_recorders_see_the_sweep_and_little_else(data: bytes, passes: bool) -> None:
    assert accepts(FILTER, data) is passes
    assert not accepts(FILTER, data, protocol=0x0806)
