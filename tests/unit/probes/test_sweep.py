"""A sweep's plan, what it asks of agents, and how their answers are read."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from typing import Any

import pytest

from fixtures.probes.agent.formats import ANSWERED, ARRIVED, BITMAP, LEFT, REJECTED, SWEEP_RAW, SWEEP_TAG, SWEPT
from fixtures.probes.delivery import Endpoint
from fixtures.probes.ports import bits
from fixtures.probes.sweep import (
    Body,
    Carrier,
    Lane,
    Mark,
    Plan,
    Rooms,
    Seen,
    Swept,
    common_nodes,
    fullest,
    piece_size,
    plan,
    read_out,
    used,
)
from lab.inventory import Family

A, B, C, D = (
    Endpoint(name, name[:2], f"/{name[3:]}", f"10.0.0.{number}")
    for number, name in enumerate(["u1/a1", "u2/a2", "u1/a4", "u3/a3"], 1)
)
TO_B, TO_C, RAW = (
    Lane(A, B, Carrier.TCP, (22, 443)),
    Lane(A, C, Carrier.UDP, (22, 443), 53),
    Lane(B, A, Carrier.IP, (47, 132)),
)
RANDOM = b"\1\2\3\4" + struct.pack("!HH", 500, 77)


def sctp(mark: Mark) -> Body:
    assert (mark.sequence, mark.window) == ((501 + 2) << 16 | 131, 77)
    return Body(132, b"sctp" + mark.tag, 3)


def made(*lanes: Lane) -> Plan:
    return plan(lanes or (TO_B, TO_C, RAW), RANDOM, 20005, {(Carrier.IP, Family.V4): {132: sctp}})


def test_a_plan_knows_who_is_where() -> None:
    assert {node: [end.name for end in ends] for node, ends in made().ends.items()} == {
        "u1": ["u1/a1", "u1/a4"],
        "u2": ["u2/a2"],
    }
    assert (made().id, made().tag, made().base, made().window) == (b"\1\2\3\4", SWEPT + b"\1\2\3\4", 501, 77)


@pytest.mark.parametrize("random", [bytes(8), b"\xff" * 8, b"\0\0\0\0\x7f\xfd\0\0", b"\0\0\0\0\x7f\xff\0\0"])
def test_sequence_numbers_of_all_lanes_are_whole_whatever_is_drawn(random: bytes) -> None:
    found = plan([TO_B], random, 20005)
    assert found.base >= 1 and found.base + 0x7FFF <= 0xFFFF and found.window >= 1


def test_too_many_lanes_are_refused() -> None:
    with pytest.raises(ValueError, match="32768 lanes in one sweep"):
        plan([TO_B] * 0x8000, RANDOM, 20005)


def test_an_agent_is_told_of_every_lane_and_of_its_own_ends() -> None:
    opening = made().opening("u1")
    assert opening["ends"] == ["/a1", "/a4"] and opening["id"] == "01020304" and opening["window_field"] == 77
    assert opening["lanes"] == [
        {"number": 0, "protocol": 6, "own": 20005, "address": "10.0.0.2", "source": 0, "destination": None},
        {"number": 1, "protocol": 17, "own": 53, "address": "10.0.0.3", "source": 0, "destination": 1},
        {"number": 2, "protocol": 0, "own": 0, "address": "10.0.0.1", "source": None, "destination": 0},
    ]
    assert [lane["destination"] for lane in made().opening("u2")["lanes"]] == [0, None, None]


def test_lanes_with_the_same_ports_share_their_orders() -> None:
    orders, body = made().orders("u1", {0: (22, 443), 1: (22, 443), 2: (132,)})
    assert orders == [(0, 0, 4), (1, 0, 4)] and body == struct.pack("!HH", 22, 443)
    orders, body = made().orders("u1", {0: (22,), 1: (443,)})
    assert orders == [(0, 0, 2), (1, 2, 2)] and body == struct.pack("!HH", 22, 443)
    assert made().orders("u1", {0: (), 2: (47,)}) == ([], b"")


def test_other_protocols_are_sent_as_the_runner_makes_them() -> None:
    orders, body = made().orders("u2", {2: (47, 132)})
    tags = {protocol: SWEEP_TAG.pack(SWEPT, b"\1\2\3\4", 2, protocol) for protocol in (47, 132)}
    gre = SWEEP_RAW.pack(47, 47, 0, 12) + tags[47]
    assert body == gre + SWEEP_RAW.pack(132, 132, 3, 16) + b"sctp" + tags[132] and orders == [(2, 0, len(body))]


def test_packets_are_those_of_the_lanes_kind() -> None:
    six = [replace(end, address=f"fd00::{number}") for number, end in enumerate((A, B), 1)]
    planned = made(TO_B, TO_C, Lane(six[1], six[0], Carrier.IP, (132,)), Lane(six[1], six[0], Carrier.HEADERS, (132,)))
    _, body = planned.orders("u2", {2: (132,), 3: (132,)})
    assert b"sctp" not in body and planned.opening("u2")["lanes"][3]["own"] == 0


def answer(*lanes: dict[str, Any], odd: list[Any] | None = None, elsewhere: list[Any] | None = None) -> Any:
    whole = b"".join(bitmap.to_bytes(BITMAP, "little") for lane in lanes for bitmap in lane.pop("bitmaps"))
    return {"lanes": list(lanes), "odd": odd or [], "elsewhere": elsewhere or []}, zlib.compress(whole)


def seen_of(number: int, bitmaps: dict[int, int], **more: Any) -> dict[str, Any]:
    known = {"number": number, "seen": sorted(bitmaps), "errno": 0, "interface": "", "errors": []} | more
    return known | {"bitmaps": [bitmaps[kind] for kind in sorted(bitmaps)]}


def test_what_both_ends_saw_is_put_together() -> None:
    sent, came = bits([22, 443]), bits([22])
    answers = {
        "u1": answer(
            seen_of(0, {LEFT: sent, ANSWERED: came, REJECTED: bits([443])}, errno=1,
                    errors=[["10.0.0.9", 3, 13, 443], ["10.0.0.8", 5, 0, 443]]),
            seen_of(1, {LEFT: sent, ARRIVED: sent}, interface="eth0"),
            elsewhere=[[0, 1, True, 2, 443, "eth1"]],
        ),
        "u2": answer(seen_of(0, {ARRIVED: came}, interface="eth7", errno=9), odd=[[0, 22, 2222]]),
    }  # fmt: skip
    first, second, third = read_out(made(), answers)
    assert first == Seen(
        left=sent,
        arrived=came,
        answered=came,
        rejected=bits([443]),
        errno=1,
        interface="eth7",
        origins=("10.0.0.9: communication prohibited (for 443)", "10.0.0.8: ICMP type 5 (for 443)"),
        changed=((22, 2222),),
        elsewhere=(("u1/a4", True, 2, 443, "eth1"),),
    )
    assert second == Seen(left=sent, arrived=sent, interface="eth0") and third == Seen()


def test_what_is_lost_and_what_proves_nothing() -> None:
    one = Swept(TO_B, Seen(left=bits([22]), arrived=0))
    assert (one.tried, one.lost, one.unsent, one.unanswered) == (bits([22, 443]), bits([22]), bits([443]), 0)
    both = Seen(left=bits([22, 443]), arrived=bits([22, 443]), answered=bits([443]))
    assert (Swept(TO_B, both).unanswered, Swept(TO_C, both).unanswered) == (bits([22]), 0)


def test_a_lane_may_fill_four_tables() -> None:
    assert TO_B.namespaces == {("u1", "/a1"), ("u1", None), ("u2", "/a2"), ("u2", None)}
    assert TO_C.namespaces == {("u1", "/a1"), ("u1", None), ("u1", "/a4")}


@pytest.mark.parametrize(
    ("rooms", "size"),
    [
        ({}, None),
        ({("u1", None): None}, None),
        ({("u1", None): [0, 800]}, 100),  # a quarter, on two lanes
        ({("u1", None): [400, 800]}, 50),
        ({("u1", None): [0, 8000], ("u2", "/a2"): [10, 50]}, 10),
        ({("u1", None): [0, 8000], ("u3", None): [0, 8]}, 1000),  # no lane goes through u3
        ({("u1", None): [795, 800]}, 0),
        ({("u1", None): [900, 800]}, 0),
    ],
)
def test_a_sweep_takes_at_most_a_quarter_of_what_is_free(rooms: Rooms, size: int | None) -> None:
    assert piece_size([TO_B, TO_C], rooms) == size


def test_the_fullest_table_is_named() -> None:
    rooms: Rooms = {("u1", None): [1, 900], ("u2", "/a2"): [790, 800], ("u3", None): None}
    assert fullest(rooms) == "/a2 on u2: 790 of 800 entries are used"
    assert fullest({("u1", None): [7, 8]}) == "the node on u1: 7 of 8 entries are used"
    assert fullest({("u1", None): None}) == "no namespace tracks connections"


def test_how_much_tables_grew() -> None:
    before: Rooms = {("u1", None): [5, 900], ("u2", None): [9, 900], ("u3", None): None}
    after: Rooms = {("u1", None): [25, 900], ("u2", None): [3, 900], ("u3", None): None}
    assert used(before, after) == 20 and used(after, after) == 0 and used({}, after) == 0


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ([(A, B)], "from u1 to u2"),
        ([(A, B), (B, A)], "between u1 and u2"),
        ([(A, C)], "on u1"),
        ([(A, B), (A, C), (A, D)], "from u1"),
        ([(B, A), (D, A)], "to u1"),
        ([(A, B), (D, A)], "with u1"),
        ([(A, B), (B, D), (D, A)], "several pairs of nodes"),
        ([], "all pairs"),
    ],
)
def test_what_pairs_have_in_common(chosen: list[tuple[Endpoint, Endpoint]], words: str) -> None:
    every = [Lane(one, other, Carrier.TCP, (1,)) for one in (A, B, C, D) for other in (A, B, C, D) if one != other]
    lanes = [Lane(source, destination, Carrier.TCP, (1,)) for source, destination in chosen]
    assert common_nodes(lanes, every) == words
    assert common_nodes(every, every) == "all pairs"
