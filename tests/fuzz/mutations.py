"""Makes bad input from good: text, bytes and JSON with some changes. Pure: all chance comes from the given `Random`."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

MOST_CHANGES = 4
DEEP = 3000
"""Levels of nesting, three times what Python's parsers follow by default."""
LONG = "x" * 5000
"""Longer than the name of a file (255 bytes) or a path (4096 bytes) may be."""
WORDS = (
    "", " ", "\t", "\n", "\r\n", "\0", "\x1b[31m", "\u202e", "\ufeff", "é", "0", "-1", "1e999", ".nan", ".inf", "~",
    "null", "true", "off", "4294967296", "9" * 5000, "0x", "{", "}", "[", "]", ":", ": ", "- ", "? ", "#", "'", '"',
    "&a *a", "*a", "<<: *a", "!!python/object:os.system", "!!binary ///", "!!set", "2026-02-30",
    "../../../../etc/passwd", "/dev/null", "/", "~nobody/x", "%s", "$(id)", "`id`", ";", "\\", "10.0.0.0/33",
    "256.1.1.1", "::1", LONG,
    "[" * DEEP, "{a: " * DEEP, "- " * DEEP,
)  # fmt: skip
SCALARS: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 65536, 2**70, 1e308, -0.5, float("nan"), float("inf"), "", " ", "x", "é\n\x1b[31m",
    "\ud800", "\0", LONG, "10.32.0.1", "10.32.0.1/24", "::1", "256.0.0.1", [], {}, [[]], [None], {"": None}, {"x": 1},
)  # fmt: skip
BYTES = (b"\0", b"\xff", b"\x7f", b"\x80", b"\xff\xff\xff\xff", b"\0\0\0\0", bytes(64), b"FLNq", b"FLNa", b"FLNw")

TextChange = Callable[[Random, str], str]


def _place(random: Random, content: Sequence[Any]) -> int:
    return random.randrange(len(content) + 1)


def _cut_out(random: Random, text: str) -> str:
    first = _place(random, text)
    return text[:first] + text[first + random.randrange(1, 40) :]


def _cut_off(random: Random, text: str) -> str:
    return text[: _place(random, text)]


def _insert(random: Random, text: str) -> str:
    place = _place(random, text)
    return text[:place] + random.choice(WORDS) + text[place:]


def _replace_word(random: Random, text: str) -> str:
    words = text.split(" ")
    words[random.randrange(len(words))] = random.choice([*WORDS, *words])
    return " ".join(words)


def _replace_value(random: Random, text: str) -> str:
    """Replace what follows a colon or an equals sign on one line."""
    lines = text.split("\n")
    place = random.randrange(len(lines))
    for sign in random.sample([":", "=", "-", ","], 4):
        before, found, _ = lines[place].partition(sign)
        if found:
            lines[place] = f"{before}{sign} {random.choice(WORDS)}"
            break
    return "\n".join(lines)


def _move_line(random: Random, text: str) -> str:
    lines = text.split("\n")
    line = lines.pop(random.randrange(len(lines)))
    lines.insert(_place(random, lines), line)
    return "\n".join(lines)


def _double_line(random: Random, text: str) -> str:
    lines = text.split("\n")
    lines.insert(_place(random, lines), random.choice(lines))
    return "\n".join(lines)


def _indent(random: Random, text: str) -> str:
    lines = text.split("\n")
    place = random.randrange(len(lines))
    lines[place] = lines[place][2:] if random.random() < 0.5 else f"  {lines[place]}"
    return "\n".join(lines)


TEXT_CHANGES: tuple[TextChange, ...] = (
    _cut_out, _cut_off, _insert, _insert, _replace_word, _replace_value, _replace_value, _move_line, _double_line,
    _indent,
)  # fmt: skip


def change_text(random: Random, text: str) -> str:
    """The text with one to MOST_CHANGES changes."""
    for _ in range(random.randint(1, MOST_CHANGES)):
        text = random.choice(TEXT_CHANGES)(random, text)
    return text


def change_bytes(random: Random, data: bytes) -> bytes:
    """The bytes with one to MOST_CHANGES changes: turned bits, other bytes, cut off, cut out, doubled, appended."""
    for _ in range(random.randint(1, MOST_CHANGES)):
        first = _place(random, data)
        last = min(len(data), first + random.randrange(1, 9))
        match random.randrange(7):
            case 0 if first < len(data):
                turned = data[first] ^ (1 << random.randrange(8))
                data = data[:first] + bytes([turned]) + data[first + 1 :]
            case 1:
                data = data[:first] + random.randbytes(last - first) + data[last:]
            case 2:
                word = random.choice(BYTES)
                data = data[:first] + word + data[first + len(word) :]
            case 3:
                data = data[:first]
            case 4:
                data = data[:first] + data[last:]
            case 5:
                data = data[:first] + data[first:last] * random.randrange(1, 20) + data[first:]
            case _:
                data += random.randbytes(random.randrange(1, 40))
    return data


def change_json(random: Random, value: Any) -> Any:
    """A copy of decoded JSON with one to MOST_CHANGES changes, each of a value somewhere in it."""
    holder = [copy.deepcopy(value)]
    for _ in range(random.randint(1, MOST_CHANGES)):
        _change_somewhere(random, holder)
    return holder[0] if holder else None


def change_within(random: Random, value: Any) -> Any:
    """A copy of a dict or list with a change within one of its values; its own keys and length stay."""
    made = copy.deepcopy(value)
    place = random.choice(list(made)) if isinstance(made, dict) else random.randrange(len(made))
    made[place] = change_json(random, made[place])
    return made


def _change_somewhere(random: Random, container: Any) -> None:
    while True:
        keys = list(container) if isinstance(container, dict) else list(range(len(container)))
        if not keys:
            return
        key = random.choice(keys)
        below = container[key]
        if isinstance(below, dict | list) and below and random.random() < 0.85:
            container = below
            continue
        _change_one(random, container, key)
        return


def _change_one(random: Random, container: Any, key: Any) -> None:
    value = container[key]
    match random.randrange(7):
        case 0:
            del container[key]
        case 1 if isinstance(container, dict):
            container[random.choice(["", "x", LONG, "\n", "name"])] = container.pop(key)
        case 2:
            container[key] = [value] if random.random() < 0.5 else {"x": value}
        case 3 if isinstance(value, str):
            container[key] = change_text(random, value)[:20_000]
        case 4 if isinstance(container, list):
            container.append(copy.deepcopy(random.choice(container)))
        case 5:
            container[key] = value + random.choice([-1, 1, 2**31]) if isinstance(value, int) else str(value)
        case _:
            container[key] = copy.deepcopy(random.choice(SCALARS))


def change_json_text(random: Random, text: str) -> str:
    """The text of a JSON document with changes of its values, or of its characters."""
    if random.random() < 0.25:
        return change_text(random, text)
    return json.dumps(change_json(random, json.loads(text)))
