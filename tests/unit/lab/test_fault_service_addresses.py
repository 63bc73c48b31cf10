"""The program that spoils services' addresses in IPVS: its messages, and what it takes back."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from lab.faults.scripts import service_addresses as fault
from lab.faults.scripts.service_addresses import (
    A_DEST,
    A_FIN,
    A_TCP,
    A_UDP,
    D_ADDR,
    D_WEIGHT,
    DEL_DEST,
    NEW_DEST,
    SET_CONFIG,
    SET_DEST,
    Ipvs,
    attribute,
    attributes,
    packed,
)

SERVICE = b"service"
ONE, TWO, THREE = (
    {D_ADDR: address, 2: b"\0\0", D_WEIGHT: b"\1\0\0\0", 9: b"told"} for address in (b"\x0a\1", b"\x0a\2", b"\x0a\3")
)


class Canned(Ipvs):
    """IPVS of a namespace, whose answers are given and whose commands are kept."""

    def __init__(self, *there: dict[int, bytes]) -> None:
        self.before, self.taken, self.timeouts = {}, {}, None
        self.family = 26
        self.there = {SERVICE: {entry[D_ADDR]: entry for entry in there}}
        self.done: list[tuple[int, bytes]] = []

    def services(self) -> dict[bytes, dict[bytes, dict[int, bytes]]]:
        return {name: dict(found) for name, found in self.there.items()}

    def do(self, command: int, body: bytes) -> None:
        self.done.append((command, body))

    def ask(self, family: int, command: int, body: bytes, flags: int = 0) -> Any:
        return iter([{kind: struct.pack("=I", value) for kind, value in ((A_TCP, 900), (A_FIN, 120), (A_UDP, 300))}])


def named(entry: dict[int, bytes]) -> bytes:
    return SERVICE + attribute(A_DEST, packed(entry, fault.KEPT_OF_DEST))


def test_attributes_are_read_as_they_were_written() -> None:
    data = attribute(1, b"abc") + attribute(2, b"") + attribute(3 | 0x8000, b"\1\0\0\0")
    assert len(data) % 4 == 0 and attributes(data) == {1: b"abc", 2: b"", 3: b"\1\0\0\0"}
    assert attributes(struct.pack("=HH", 0, 1) + b"rest") == {}


def test_what_ipvs_only_tells_is_not_sent_back() -> None:
    assert attributes(packed(ONE, fault.KEPT_OF_DEST)) == {key: ONE[key] for key in (D_ADDR, 2, D_WEIGHT)}


def test_one_task_of_several_is_left_out_and_comes_back() -> None:
    spoilt = Canned(ONE, TWO)
    spoilt.leave_out()
    assert spoilt.done == [(DEL_DEST, named(ONE))]
    spoilt.there = {SERVICE: {TWO[D_ADDR]: TWO}}
    spoilt.leave_out()
    spoilt.undo()
    assert spoilt.done[1:] == [(NEW_DEST, named(ONE))]


def test_of_three_tasks_one_is_left_out_however_often_it_is_looked() -> None:
    spoilt = Canned(ONE, TWO, THREE)
    spoilt.leave_out()
    spoilt.there = {SERVICE: {entry[D_ADDR]: entry for entry in (TWO, THREE)}}
    spoilt.leave_out()
    assert spoilt.done == [(DEL_DEST, named(ONE))]
    spoilt.there = {SERVICE: {entry[D_ADDR]: entry for entry in (ONE, TWO, THREE)}}
    spoilt.leave_out()
    assert spoilt.done == [(DEL_DEST, named(ONE))] * 2


def test_what_docker_brought_back_itself_is_not_added_twice() -> None:
    spoilt = Canned(ONE, TWO)
    spoilt.leave_out()
    spoilt.undo()
    assert [command for command, _ in spoilt.done] == [DEL_DEST]


@pytest.mark.parametrize(
    ("now", "command"), [((TWO,), NEW_DEST), (({**ONE, D_WEIGHT: b"\0\0\0\0"}, TWO), SET_DEST), ((ONE, TWO), None)]
)
def test_a_task_that_has_gone_is_kept(now: tuple[dict[int, bytes], ...], command: int | None) -> None:
    spoilt = Canned(ONE, TWO)
    spoilt.keep()
    assert spoilt.done == []
    spoilt.there = {SERVICE: {entry[D_ADDR]: entry for entry in now}}
    spoilt.keep()
    assert spoilt.done == ([] if command is None else [(command, named(ONE))])


def test_timeouts_are_set_once_and_set_back() -> None:
    spoilt = Canned()
    spoilt.hurry()
    spoilt.hurry()
    spoilt.undo()
    told = [(command, {key: struct.unpack("=I", value)[0] for key, value in attributes(body).items()})
            for command, body in spoilt.done]  # fmt: skip
    assert told == [
        (SET_CONFIG, {A_TCP: fault.SHORT_S, A_FIN: 120, A_UDP: 300}),
        (SET_CONFIG, {A_TCP: 900, A_FIN: 120, A_UDP: 300}),
    ]
