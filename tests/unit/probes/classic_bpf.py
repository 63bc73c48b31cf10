"""Runs classic BPF programs of recorders, as far as they use it (linux/filter.h)."""

from __future__ import annotations

from collections.abc import Sequence

PROTOCOL, KIND = 0xFFFFF000, 0xFFFFF004
SIZES = {0x00: 4, 0x08: 2, 0x10: 1}


def accepts(
    program: Sequence[tuple[int, int, int, int]], data: bytes, *, protocol: int = 0x0800, kind: int = 0
) -> bool:
    """Whether a program accepts a packet, which begins with its network layer; `protocol`: its EtherType.

    `kind`: the packet's type, which says whether it leaves.
    """
    register = index = place = 0
    while True:
        code, true, false, value = program[place]
        place += 1
        if code == 0x06:  # return
            return value > 0
        if code & 0x07 == 0x05:  # jumps
            taken = {0x10: register == value, 0x20: register > value, 0x30: register >= value, 0x40: register & value}
            place += true if taken[code & 0xF0] else false
        elif code == 0xB1:  # the length of the IP header into the index
            index = (data[value] & 15) * 4
        elif code == 0x01:  # a number into the index
            index = value
        elif code == 0x28 and value == PROTOCOL:
            register = protocol
        elif code == 0x30 and value == KIND:
            register = kind
        else:
            size, start = SIZES[code & 0x18], value + (index if code & 0xE0 == 0x40 else 0)
            if start + size > len(data):
                return False  # the kernel rejects a packet that a load does not find in it
            register = int.from_bytes(data[start : start + size], "big")
