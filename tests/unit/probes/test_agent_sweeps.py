"""How an agent sends a sweep: its packets, and its pace."""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.packet import Packet, Raw

from fixtures.probes.agent import sweeps
from fixtures.probes.agent.formats import OUTGOING, SWEEP_RAW, SWEEP_TAG, SWEPT
from fixtures.probes.agent.lanes import folded, read_orders
from tests.unit.probes.sweep_agents import BASE, HERE, ID, PORTS, THERE, WINDOW, lane, opened, prepared


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that the agent sees."""
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def right(packet: Packet) -> bool:
    """Whether scapy would give the packet the checksum that it has."""
    layer = packet[TCP] if TCP in packet else packet[UDP]
    given, layer.chksum = layer.chksum, None
    return bool((IP(bytes(packet))[TCP if TCP in packet else UDP]).chksum == given)


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("number", [0, 7, 30000])
def test_a_syn_names_its_lane_and_port(port: int, number: int) -> None:
    made, one = prepared(lane(number, 6))
    packet = IP(one.packet(made, port, b""))
    assert (packet.src, packet.dst, packet.ttl, packet.flags) == (HERE, THERE, 64, "DF")
    assert (packet.sport, packet.dport, packet[TCP].flags, packet.window) == (20005, port, "S", WINDOW)
    assert packet.seq == (BASE + number) << 16 | (port - 1) and right(packet)


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("number", [0, 7, 30000])
def test_a_datagram_names_its_lane_and_port(port: int, number: int) -> None:
    made, one = prepared(lane(number, 17, own=53))
    packet = IP(one.packet(made, port, b""))
    assert (packet.sport, packet.dport, packet[Raw].load) == (53, port, SWEEP_TAG.pack(SWEPT, ID, number, port))
    assert packet.len == len(packet) and packet[UDP].len == 20 and right(packet)


def test_a_checksum_of_zero_is_written_as_ones() -> None:
    """Zero in a datagram means that there is none (RFC 768)."""
    found = []
    for number in range(4):
        made, one = prepared(lane(number, 17))
        found += [struct.unpack_from("!H", one.packet(made, port, b""), 26)[0] for port in range(1, 65536)]
    assert 0xFFFF in found and 0 not in found


def test_another_protocol_is_what_the_runner_made() -> None:
    made, one = prepared(lane(0, 0))
    packet = IP(one.packet(made, 132, (132, 0, b"payload!")))
    assert (packet.proto, packet.len, bytes(packet)[20:]) == (132, 28, b"payload!")


def test_a_sum_is_folded() -> None:
    assert (folded(0), folded(0xFFFF), folded(0x1FFFE), folded(1)) == (0xFFFF, 0, 0, 0xFFFE)


def test_orders_are_ports_or_packets() -> None:
    assert read_orders(struct.pack("!HHH", 1, 443, 65535), 6) == (1, 443, 65535)
    body = SWEEP_RAW.pack(47, 47, 0, 3) + b"gre" + SWEEP_RAW.pack(300, 44, 14, 0)
    assert read_orders(body, 0) == [(47, (47, 0, b"gre")), (300, (44, 14, b""))]


# -- sending ---------------------------------------------------------------------------


class Sending:
    """A sweep that is under way; each packet is seen leaving at once, unless told otherwise."""

    def __init__(self, clock: list[float], monkeypatch: pytest.MonkeyPatch, count: int, rate: float = 1000.0) -> None:
        monkeypatch.setattr("socket.socket", _Asking)
        self.clock = clock
        self.replies: list[tuple[object, ...]] = []
        self.made = opened(lane(0, 17, destination=None))
        self.raw: Any = self.made.ends[0].raw[socket.AF_INET]
        self.body = struct.pack(f"!{count}H", *range(1, count + 1))
        self.rate = rate

    def start(self) -> None:
        orders = {"rate": self.rate, "window": 0.25, "orders": [[0, 0, len(self.body)]]}
        self.made.start(orders, self.body, lambda *words: self.replies.append(words))

    def leave(self) -> None:
        """The recorder sees what was sent up to now."""
        for data in self.raw.sent:
            self.made.note(0, data, ("eth0", 0x0800, OUTGOING))

    def turn(self, after_s: float) -> float | None:
        self.clock[0] += after_s
        wait: float | None = self.made.turn(self.clock[0])
        return wait


class _Asking:
    """The socket that asks the kernel's routes; `code`: an error that it has for it."""

    code = 0

    def __init__(self, *_: object) -> None: ...

    def __enter__(self) -> _Asking:
        return self

    def __exit__(self, *_: object) -> None: ...

    def connect(self, _: object) -> None:
        if self.code:
            raise OSError(self.code, os.strerror(self.code))

    def getsockname(self) -> tuple[str, int]:
        return HERE, 1


@pytest.fixture
def sending(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> Sending:
    return Sending(clock, monkeypatch, 200)


def test_nothing_follows_the_first_packet_until_it_is_seen_leaving(sending: Sending) -> None:
    sending.start()
    assert len(sending.raw.sent) == 1
    assert sending.turn(0.5) == 0.002 and len(sending.raw.sent) == 1
    sending.leave()
    sending.turn(0.001)
    assert len(sending.raw.sent) > 1


def test_a_lane_without_a_neighbour_is_given_up(sending: Sending) -> None:
    sending.start()
    sending.turn(sweeps.NEIGHBOUR_S - 0.01)
    assert not sending.replies and sending.made.held
    sending.turn(0.02)
    assert not sending.made.held
    sending.turn(0.3)
    assert sending.replies == [({"sent": 1}, b"")]


def test_packets_are_paced(sending: Sending) -> None:
    sending.start()
    sending.leave()
    sending.turn(0)
    before = len(sending.raw.sent)
    assert before <= 1 + sweeps.BURST
    sending.turn(0.010)
    assert len(sending.raw.sent) == before + 10
    sending.turn(0.5)
    assert len(sending.raw.sent) == before + 10 + sweeps.BURST, "no more than a burst, however late"


def test_the_answer_comes_when_the_window_after_the_last_packet_is_over(sending: Sending) -> None:
    sending.start()
    sending.leave()
    while len(sending.raw.sent) < 200:
        wait = sending.turn(0.02)
        assert wait == (0.0 if len(sending.raw.sent) < 200 else 0.25)
    ports = [struct.unpack_from("!H", data, 22)[0] for data in sending.raw.sent]
    assert sorted(ports) == list(range(1, 201))
    assert sending.turn(0.0) == pytest.approx(0.25)
    assert sending.turn(0.24) == pytest.approx(0.01) and not sending.replies
    assert sending.turn(0.02) is None and sending.replies == [({"sent": 200}, b"")]
    assert sending.turn(1) is None and len(sending.replies) == 1


def test_a_full_socket_is_waited_for(sending: Sending) -> None:
    sending.start()
    sending.leave()
    sending.raw.refuses = [BlockingIOError()]
    sending.turn(0.01)
    sent = len(sending.raw.sent)
    while len(sending.raw.sent) < 200:
        sending.turn(0.02)
    assert sent == 1 and sending.made.lanes[0].errno == 0


def test_a_port_that_the_kernel_refuses_is_left_out(sending: Sending) -> None:
    sending.start()
    sending.leave()
    sending.raw.refuses = [OSError(errno.EPERM, "no")]
    while len(sending.raw.sent) < 199:
        sending.turn(0.02)
    ports = {struct.unpack_from("!H", data, 22)[0] for data in sending.raw.sent}
    assert set(range(1, 201)) - ports == {2} and sending.made.lanes[0].errno == errno.EPERM


def test_a_lane_without_a_route_sends_nothing(sending: Sending, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Asking, "code", errno.ENETUNREACH)
    sending.start()
    sending.turn(0.001)
    sending.turn(0.3)
    assert sending.raw.sent == [] and sending.made.lanes[0].errno == errno.ENETUNREACH and len(sending.replies) == 1


def test_lanes_take_turns(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.socket", _Asking)
    made = opened(lane(0, 17, destination=None), lane(1, 6, destination=None))
    body = struct.pack("!20H", *range(1, 21))
    made.start({"rate": 1e4, "window": 0.1, "orders": [[0, 0, 40], [1, 0, 40]]}, body, lambda *_: None)
    raw: Any = made.ends[0].raw[socket.AF_INET]
    for data in list(raw.sent):
        made.note(0, data, ("eth0", 0x0800, OUTGOING))
    clock[0] += 0.01
    made.turn(clock[0])
    protocols = [data[9] for data in raw.sent[2:]]
    assert protocols[:6] in ([17, 6] * 3, [6, 17] * 3)
