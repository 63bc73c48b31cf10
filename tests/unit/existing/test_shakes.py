"""Handshakes: when each is sent, and what became of it according to both ends' records."""

from __future__ import annotations

import errno
import struct
from socket import inet_aton

import pytest

from fixtures.existing import shakes
from fixtures.existing.model import Place
from fixtures.existing.shakes import MASK, Ended, Probe, Record, Shake, judge, plan, records, results
from fixtures.probes.agent.formats import OUTGOING, RECORD, SYN, SYN_RESULT

WEB, DB, NODE = ("u1", 11), ("u2", 12), ("u2", 2)
SOURCE, TARGET = "10.32.0.2", "10.32.0.130"
PROBE = Probe(WEB, DB, TARGET, 5432)
BASE = 0xABCC0000 & MASK
PLAN = shakes.Plan((PROBE,), BASE, {"u1": (WEB,), "u2": (DB,)}, ((0,),), {0: 0})


def packet(source: str, destination: str, *, number: int = 0, answered: int = 0, flags: int = 0x02) -> bytes:
    tcp = struct.pack("!HHIIBBHHH", 1, 2, number, answered, 0x60, flags, 1, 0, 0)
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 0, 0, 64, 6, 0, inet_aton(source), inet_aton(destination)) + tcp


def syn(place: Place, *, out: bool, index: int = 0, to: str = TARGET) -> Record:
    return Record(place, "eth0", out, packet(SOURCE, to, number=BASE + index))


def answer(flags: int, index: int = 0, *, out: bool = False, place: Place = WEB) -> Record:
    return Record(place, "eth0", out, packet(TARGET, SOURCE, number=9, answered=BASE + index + 1, flags=flags))


SENT = {0: (0, SOURCE)}
LEFT, ARRIVED, ACCEPTED, REFUSED = syn(WEB, out=True), syn(DB, out=False), answer(0x12), answer(0x14)


def ended(*seen: Record, sent: dict[int, tuple[int, str]] | None = None) -> Shake:
    [found] = judge(PLAN, seen, SENT if sent is None else sent)
    return found


def test_a_handshake_that_is_accepted() -> None:
    found = ended(LEFT, ARRIVED, ACCEPTED)
    assert (found.ended, found.arrived, found.left, found.source, found.blocked) == (
        Ended.ACCEPTED,
        "eth0",
        True,
        SOURCE,
        False,
    )
    assert str(found) == "accepted, its SYN was seen on eth0"


@pytest.mark.parametrize(
    ("seen", "how", "blocked", "words"),
    [
        ((LEFT, ARRIVED, REFUSED), Ended.REFUSED, False, "refused with RST"),
        ((LEFT, ACCEPTED), Ended.STRAY, False, "somebody else answered: its SYN was not seen at the destination"),
        ((LEFT, REFUSED), Ended.LOST, True, "no answer: its SYN was seen leaving, and not at the destination (refused"),
        ((LEFT,), Ended.LOST, True, "no answer: its SYN was seen leaving, and not at the destination"),
        ((LEFT, ARRIVED), Ended.LOST, False, "no answer, although its SYN was seen on eth0"),
        ((), Ended.LOST, False, "its SYN was not seen leaving"),
        ((LEFT, ARRIVED, answer(0x12, out=True)), Ended.LOST, False, "no answer, although"),
        ((LEFT, ARRIVED, answer(0x12, place=DB)), Ended.LOST, False, "no answer, although"),
        ((LEFT, ARRIVED, answer(0x10)), Ended.LOST, False, "no answer, although"),
        ((LEFT, syn(DB, out=False, to="10.32.0.7")), Ended.LOST, True, "no answer"),
        ((LEFT, syn(NODE, out=False)), Ended.LOST, True, "no answer"),
        ((syn(NODE, out=True), syn(DB, out=True)), Ended.LOST, False, "its SYN was not seen leaving"),
        ((LEFT, syn(DB, out=False, index=5), answer(0x12, 5)), Ended.LOST, True, "no answer"),
    ],
)
def test_how_a_handshake_ends(seen: tuple[Record, ...], how: Ended, blocked: bool, words: str) -> None:
    found = ended(*seen)
    assert (found.ended, found.blocked) == (how, blocked) and str(found).startswith(words), found


@pytest.mark.parametrize(
    ("code", "how", "blocked"),
    [(errno.ENETUNREACH, Ended.NO_WAY, True), (errno.EPERM, Ended.NO_WAY, True), (errno.ENOBUFS, Ended.FAILED, False)],
)
def test_what_the_senders_kernel_refuses(code: int, how: Ended, blocked: bool) -> None:
    found = ended(sent={0: (code, "0.0.0.0")})
    assert (found.ended, found.blocked) == (how, blocked)
    assert ended(sent={}).ended is Ended.FAILED


def test_an_icmp_error_is_told() -> None:
    inner = packet(SOURCE, TARGET, number=BASE)[:28]
    outer = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 56, 0, 0, 64, 1, 0, inet_aton("10.32.0.1"), inet_aton(SOURCE))
    found = ended(LEFT, Record(WEB, "eth0", False, outer + b"\3\1" + bytes(6) + inner))
    assert found.blocked and str(found).endswith("(ICMP unreachable from 10.32.0.1)")
    other = Record(WEB, "eth0", False, outer + b"\3\1" + bytes(6) + packet(SOURCE, TARGET, number=7)[:28])
    assert ended(LEFT, other, Record(WEB, "eth0", False, outer + bytes(8))).detail == ""


def test_an_address_that_nobody_answers_arp_for_is_no_way() -> None:
    inner = packet(SOURCE, TARGET, number=BASE)[:28]
    outer = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 56, 0, 0, 64, 1, 0, inet_aton(SOURCE), inet_aton(SOURCE))
    own = Record(WEB, "lo", False, outer + b"\3\1" + bytes(6) + inner)
    found = ended(own)
    assert (found.ended, found.blocked) == (Ended.NO_WAY, True) and "ARP" in str(found)
    assert ended(LEFT, own).ended is Ended.LOST and ended(own, ARRIVED, ACCEPTED).ended is Ended.ACCEPTED


def test_what_is_no_part_of_a_handshake_is_passed_over() -> None:
    for data in (b"", b"\x60" + bytes(39), packet(SOURCE, TARGET, number=1), packet(SOURCE, TARGET, number=BASE)[:30]):
        assert not ended(Record(WEB, "eth0", True, data)).left


def test_what_agents_send_is_read() -> None:
    data = RECORD.pack(1.0, 1, OUTGOING, 3) + b"abc" + RECORD.pack(1.0, 0, 0, 2) + b"de"
    assert list(records(WEB, data, ["lo", "eth0"])) == [
        Record(WEB, "eth0", True, b"abc"),
        Record(WEB, "lo", False, b"de"),
    ]
    assert results(SYN_RESULT.pack(3, 101, inet_aton(SOURCE), 7)) == {3: (101, SOURCE)}


def crowd(count: int, *, neighbours: bool = True) -> list[Probe]:
    return [Probe(("u1", 1000 + number), DB, TARGET, 80, neighbours) for number in range(count)]


def test_targets_take_turns_and_keep_their_rate() -> None:
    other = Probe(WEB, NODE, "10.32.0.9", 80)
    planned = plan([[*crowd(3), other]], per_target=10, total=1000)
    assert planned.times == {3: 0, 0: 1, 1: 100, 2: 200} and planned.waves == ((0, 1, 2, 3),)
    assert planned.base & ~MASK == 0 and planned.ends["u1"] == tuple(sorted({p.source for p in planned.probes}))


def test_the_rate_over_all_is_kept() -> None:
    assert plan([crowd(3)], per_target=1000, total=100).times == {0: 0, 1: 10, 2: 20}
    many = plan(
        [[*crowd(2), *(Probe(("u3", number), NODE, "x", 1) for number in range(120))]], per_target=1e6, total=1e6
    )
    assert max(many.times.values()) == int(1000 * 121 / (shakes.HEARD / 124))


def test_pairs_of_neighbours_go_in_waves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shakes, "PAIRS", 2)
    back = [Probe(DB, probe.source, "10.32.0.2", 80) for probe in crowd(3)]
    free = Probe(WEB, NODE, "10.32.1.9", 80, neighbours=False)
    own = Probe(DB, DB, TARGET, 80)
    planned = plan([[*crowd(3), *back, free, own], crowd(1)], per_target=50, total=1000)
    assert planned.waves == ((0, 1, 3, 4, 6, 7), (2, 5), (8,))
    assert plan([crowd(3, neighbours=False), []], per_target=1, total=1).waves == ((0, 1, 2),)
    assert len(plan([crowd(5)], per_target=1, total=1).waves) == 3


def test_orders_are_those_of_one_node() -> None:
    planned = plan([[PROBE, Probe(DB, WEB, SOURCE, 80)]], per_target=50, total=1000)
    assert planned.orders("u1", (0, 1)) == SYN.pack(planned.times[0], 0, 0, inet_aton(TARGET), 5432)
    assert planned.orders("u2", (0,)) == b"" and planned.orders("u9", (0, 1)) == b""


def test_too_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shakes, "MOST_PROBES", 2)
    assert plan([crowd(2)], per_target=1, total=1).waves
    with pytest.raises(ValueError, match="3 handshakes in one run; 2 at most"):
        plan([crowd(3)], per_target=1, total=1)
