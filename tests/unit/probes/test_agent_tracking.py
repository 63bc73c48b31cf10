"""How an agent looks at tables of connections, and deletes its own entries from them."""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path
from typing import Any

import pytest

from fixtures.probes.agent import tracking
from fixtures.probes.agent.formats import NETLINK_HEAD

FLOW = (bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]), 6, 20005, 443)


def test_a_deletion_names_the_flow() -> None:
    data = tracking.deletion(*FLOW)
    length, kind, flags, _, _ = NETLINK_HEAD.unpack_from(data)
    assert (length, kind, flags) == (len(data), 0x0102, 1) and data[16:20] == bytes([2, 0, 0, 0])
    (whole,) = attributes(data[20:])
    assert whole[0] == 0x8001
    addresses, numbers = attributes(whole[1])
    assert (addresses[0], numbers[0]) == (0x8001, 0x8002)
    assert attributes(addresses[1]) == [(1, FLOW[0]), (2, FLOW[1])]
    assert attributes(numbers[1]) == [(1, b"\6"), (2, struct.pack("!H", 20005)), (3, struct.pack("!H", 443))]


def attributes(data: bytes) -> list[tuple[int, bytes]]:
    found, place = [], 0
    while place < len(data):
        length, kind = struct.unpack_from("=HH", data, place)
        found.append((kind, data[place + 4 : place + length]))
        place += (length + 3) & ~3
    return found


def test_the_room_of_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "PLACE", f"{tmp_path}/nf_conntrack_")
    assert tracking.room() is None
    (tmp_path / "nf_conntrack_count").write_text("17\n")
    (tmp_path / "nf_conntrack_max").write_text("262144\n")
    assert tracking.room() == [17, 262144]


class Kernel:
    """A netlink socket whose kernel answers with these errors, or raises."""

    def __init__(self, *answers: int | OSError) -> None:
        self.answers = list(answers)
        self.sent: list[bytes] = []
        self.closed = False

    def bind(self, _: object) -> None: ...

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def recv(self, *_: object) -> bytes:
        if not self.answers:
            raise BlockingIOError
        answer = self.answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return NETLINK_HEAD.pack(36, 2, 0, 1, 0) + struct.pack("=i", -answer) + bytes(16)

    def close(self) -> None:
        self.closed = True


def forget(monkeypatch: pytest.MonkeyPatch, kernel: Kernel, flows: list[Any], entries: int = 5) -> None:
    monkeypatch.setattr(tracking, "room", lambda: [entries, 100])
    monkeypatch.setattr("socket.socket", lambda *_: kernel)
    tracking.forget(flows)


def test_every_flow_is_deleted_many_in_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel()
    forget(monkeypatch, kernel, [FLOW] * 300)
    assert [len(data) for data in kernel.sent] == [
        256 * len(tracking.deletion(*FLOW)),
        44 * len(tracking.deletion(*FLOW)),
    ]
    assert kernel.closed


def test_an_entry_that_is_not_there_is_none_to_be_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(errno.ENOENT, 0, errno.ENOENT)
    forget(monkeypatch, kernel, [FLOW])
    assert kernel.answers == []
    forget(monkeypatch, Kernel(OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))), [FLOW])


@pytest.mark.parametrize("answer", [errno.EPERM, OSError(errno.EPERM, "no")])
def test_a_deletion_that_is_refused_is_an_error(monkeypatch: pytest.MonkeyPatch, answer: int | OSError) -> None:
    kernel = Kernel(errno.ENOENT, answer)
    with pytest.raises(OSError) as error:  # the number is what matters
        forget(monkeypatch, kernel, [FLOW])
    assert error.value.errno == errno.EPERM and kernel.closed


@pytest.mark.parametrize(("flows", "entries"), [([], 5), ([FLOW], 0)])
def test_where_there_is_nothing_to_delete_the_kernel_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, flows: list[Any], entries: int
) -> None:
    kernel = Kernel()
    forget(monkeypatch, kernel, flows, entries)
    assert kernel.sent == []
