"""Sockets of the agent over either family: which one an address asks for, and what a server of IPv6 leaves alone."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment
from scapy.packet import Packet

from fixtures.probes.agent import flows, kernel, streams
from fixtures.probes.agent.families import bind_everywhere, family_of, server_of, tell_where_dialled
from fixtures.probes.agent.formats import OUTGOING, TO_HOST
from tests.unit.probes.classic_bpf import accepts

HERE, THERE, PORT = "fd00:10:32:0:1::1", "fd00:10:32:0:2::1", 20005
OTHER = "fd00:10:32:0:2::2"
IPV4, IPV6 = 0x0800, 0x86DD


class Socket:
    """A socket that keeps what it was told; binding it fails with `error` if there is one."""

    def __init__(self, family: int, kind: int = socket.SOCK_DGRAM, error: int = 0) -> None:
        self.family, self.kind, self.error = family, kind, error
        self.blocking, self.options, self.bound = True, list[tuple[int, int, int]](), ("", 0)

    def setblocking(self, on: bool) -> None:
        self.blocking = on

    def setsockopt(self, level: int, name: int, value: int) -> None:
        self.options.append((level, name, value))

    def bind(self, address: tuple[str, int]) -> None:
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        self.bound = address


def test_an_address_asks_for_its_own_family() -> None:
    assert family_of(HERE) == socket.AF_INET6 and family_of("10.32.0.1") == socket.AF_INET


@pytest.mark.parametrize(("version", "family"), [(4, socket.AF_INET), (6, socket.AF_INET6)])
def test_a_server_is_of_one_family_and_does_not_block(
    monkeypatch: pytest.MonkeyPatch, version: int, family: int
) -> None:
    monkeypatch.setattr("socket.socket", Socket)
    made: Any = server_of(version, socket.SOCK_STREAM)
    assert (made.family, made.kind, made.blocking) == (family, socket.SOCK_STREAM, False)


def test_a_server_of_ipv6_leaves_the_port_of_ipv4_to_another_one() -> None:
    """An agent serves the same port over both families by two sockets."""
    six, four = Socket(socket.AF_INET6), Socket(socket.AF_INET)
    bind_everywhere(six, PORT, None)
    bind_everywhere(four, PORT, None)
    assert six.bound == ("::", PORT) and (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1) in six.options
    assert four.bound == ("0.0.0.0", PORT) and not four.options


@pytest.mark.parametrize(("code", "taken"), [(errno.EADDRINUSE, PORT), (errno.EACCES, None)])
@pytest.mark.parametrize(("netns", "place"), [("/proc/1/ns/net", "/proc/1/ns/net"), (None, "the node")])
def test_a_port_that_cannot_be_served_is_refused(code: int, taken: int | None, netns: str | None, place: str) -> None:
    with pytest.raises(kernel.Refusal, match=f"port {PORT} in {place}: {os.strerror(code)}") as refused:
        bind_everywhere(Socket(socket.AF_INET6, error=code), PORT, netns)
    assert refused.value.taken_port == taken


def test_each_family_tells_where_a_datagram_was_sent() -> None:
    six, four = Socket(socket.AF_INET6), Socket(socket.AF_INET)
    tell_where_dialled(six)
    tell_where_dialled(four)
    assert six.options == [(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)]
    assert four.options == [(socket.IPPROTO_IP, kernel.IP_PKTINFO, 1)]


@pytest.mark.parametrize("whole", [True, False])
def test_a_packet_is_kept_whole_by_the_options_of_its_family(whole: bool) -> None:
    """Numbers of linux/in.h and linux/in6.h; over IPv6 a kernel fragments at the source unless IPV6_DONTFRAG is set."""
    for family, options in (
        (socket.AF_INET, [(socket.IPPROTO_IP, 10, 2 if whole else 0)]),
        (socket.AF_INET6, [(socket.IPPROTO_IPV6, 23, 2 if whole else 0), (socket.IPPROTO_IPV6, 62, int(whole))]),
    ):
        flow: Any = flows.Flow.__new__(flows.Flow)
        flow.sock = Socket(family)
        flow.keep_whole(whole)
        assert flow.sock.options == options


# -- what leaves, and what had no room ---------------------------------------------------------

SENT: dict[str, tuple[Packet, int, bool]] = {
    "a datagram of the stream": (IPv6(src=HERE, dst=THERE) / UDP(sport=9, dport=PORT), OUTGOING, True),
    "one that comes": (IPv6(src=HERE, dst=THERE) / UDP(sport=9, dport=PORT), TO_HOST, False),
    "to another port": (IPv6(src=HERE, dst=THERE) / UDP(sport=PORT, dport=9), OUTGOING, False),
    "to another address": (IPv6(src=HERE, dst=OTHER) / UDP(sport=9, dport=PORT), OUTGOING, False),
    "to an address with the same end": (IPv6(src=HERE, dst="fd00:10:33:0:2::1") / UDP(dport=PORT), OUTGOING, False),
    "TCP": (IPv6(src=HERE, dst=THERE) / TCP(sport=9, dport=PORT), OUTGOING, False),
    "a fragment": (IPv6(src=HERE, dst=THERE) / IPv6ExtHdrFragment() / UDP(dport=PORT), OUTGOING, False),
}


@pytest.mark.parametrize("name", SENT)
def test_a_sender_counts_what_leaves_over_ipv6(name: str) -> None:
    packet, kind, counted = SENT[name]
    assert accepts(streams.leaving(PORT, THERE), bytes(packet), protocol=IPV6, kind=kind) is counted


def test_a_sender_over_one_family_counts_nothing_of_the_other() -> None:
    over_ipv4 = IP(src="10.32.0.1", dst="10.32.0.2") / UDP(sport=9, dport=PORT)
    assert accepts(streams.leaving(PORT, "10.32.0.2"), bytes(over_ipv4), kind=OUTGOING)
    assert not accepts(streams.leaving(PORT, THERE), bytes(over_ipv4), protocol=IPV4, kind=OUTGOING)
    over_ipv6 = bytes(IPv6(src=HERE, dst=THERE) / UDP(sport=9, dport=PORT))
    assert not accepts(streams.leaving(PORT, THERE), over_ipv6, protocol=IPV4, kind=OUTGOING)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder whose files stand for /proc/self/net's."""
    opened = open
    monkeypatch.setattr("builtins.open", lambda path, *rest: opened(tmp_path / Path(str(path)).name, *rest))
    return tmp_path


def test_datagrams_without_room_are_counted_for_each_family(shown: Path) -> None:
    (shown / "snmp").write_text("Udp: InDatagrams RcvbufErrors MemErrors\nUdp: 9 3 1\n")
    (shown / "snmp6").write_text("Ip6InReceives 7\nUdp6InDatagrams 9\nUdp6RcvbufErrors 5\nUdp6MemErrors 2\n")
    assert kernel.udp_overflows() == 4 and kernel.udp_overflows(6) == 7
    (shown / "snmp6").write_text("Udp6RcvbufErrors\n")
    assert kernel.udp_overflows(6) is None
    (shown / "snmp6").unlink()
    assert kernel.udp_overflows(6) is None


def test_icmp_that_was_not_sent_is_counted_for_each_family(shown: Path) -> None:
    (shown / "snmp").write_text("Icmp: InMsgs OutMsgs OutErrors\nIcmp: 9 3 1\nIcmpMsg: InType3\nIcmpMsg: 5\n")
    (shown / "snmp6").write_text("Icmp6OutMsgs                    \t7\nIcmp6OutErrors                  \t4\n")
    assert [kernel.unsent_icmp(4), kernel.unsent_icmp(6)] == [1, 4]
    (shown / "snmp6").unlink()
    assert [kernel.unsent_icmp(4), kernel.unsent_icmp(6)] == [1, None]
    (shown / "snmp").write_text("Icmp: InMsgs\nIcmp: 9\n")
    assert [kernel.unsent_icmp(4), kernel.unsent_icmp(6)] == [None, None]
