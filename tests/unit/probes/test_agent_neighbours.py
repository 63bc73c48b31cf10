"""A kernel that does not show its table of neighbours has not shown an empty one."""

from __future__ import annotations

import errno
import struct
from typing import Any, cast

import pytest

from fixtures.probes.agent import kernel


class Netlink:
    """A netlink socket that answers with these bytes, one piece a call."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)

    def bind(self, address: tuple[int, int]) -> None: ...

    def send(self, data: bytes) -> None: ...

    def recv(self, size: int) -> bytes:
        return self.pieces.pop(0)


def message(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 2, 1, 0) + body + bytes(-len(body) % 4)


def neighbours(*pieces: bytes) -> list[bytes]:
    return cast(list[bytes], cast(Any, kernel)._neighbours(Netlink(*pieces)))


DONE = message(kernel.NLMSG_DONE, struct.pack("=i", 0))
ENTRY = message(28, b"an entry")


def test_entries_of_all_pieces_are_read() -> None:
    assert neighbours(ENTRY + ENTRY, ENTRY + DONE) == [b"an entry"] * 3
    assert neighbours(DONE) == []


def test_an_error_is_not_an_empty_table() -> None:
    with pytest.raises(OSError, match="the table of neighbours cannot be read") as caught:
        neighbours(ENTRY, message(kernel.NLMSG_ERROR, struct.pack("=i", -errno.EPERM)))
    assert caught.value.errno == errno.EPERM


@pytest.mark.parametrize("cut", [struct.pack("=IHHII", 3, 28, 2, 1, 0), ENTRY[:-4]])
def test_an_answer_that_is_cut_off_is_an_error(cut: bytes) -> None:
    with pytest.raises(OSError, match="cut off"):
        neighbours(cut)
