"""Frames of Nomad's exec API, as Nomad 1.1.2 sends them."""

from __future__ import annotations

import base64
import json

import pytest

from lab.access.nomad_exec import MOST_STDIN, Frame, close_reason, read_frame, stdin_frames


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        (b'{"stdout":{"data":"aGVsbG8K"}}', Frame(stdout=b"hello\n")),
        (b'{"stderr":{"data":"ZXJyCg=="}}', Frame(stderr=b"err\n")),
        (b'{"stderr":{"close":true}}', Frame(stderr_ends=True)),
        (b'{"stdout":{"close":true}}', Frame(stdout_ends=True)),
        (b'{"exited":true,"result":{"exit_code":137}}', Frame(exit_status=137)),
        (b'{"exited":true,"result":{}}', Frame(exit_status=0)),
        (b"{}", Frame()),
    ],
)
def test_frames_are_read(text: bytes, frame: Frame) -> None:
    assert read_frame(text) == frame


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b'"x"', b"no JSON", b'{"stdout":7}', b'{"stdout":{"data":7}}', b'{"exited":true,"result":[1]}'],
)
def test_what_is_not_a_frame_is_an_error(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_frame(text)


@pytest.mark.parametrize("size", [0, 1, MOST_STDIN, MOST_STDIN + 1, 3 * MOST_STDIN])
def test_standard_input_arrives_whole_in_pieces(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    pieces = [base64.b64decode(json.loads(frame)["stdin"]["data"]) for frame in stdin_frames(data[:size])]
    assert b"".join(pieces) == data[:size]
    assert all(0 < len(piece) <= MOST_STDIN for piece in pieces)


def test_a_close_frame_says_why() -> None:
    assert close_reason(b"\x11\x94Unknown allocation\n") == "Unknown allocation"
    assert close_reason(b"\x03\xe8") == close_reason(b"") == "Nomad closed the connection"
