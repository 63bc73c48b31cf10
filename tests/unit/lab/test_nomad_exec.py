"""Frames of Nomad's exec API, as Nomad 1.1.2 sends them."""

from __future__ import annotations

import base64
import json
import subprocess

import pytest

from lab.access.nomad_exec import MOST_STDIN, Frame, close_reason, marked, read_frame, read_marks, stdin_frames


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
    [
        b"",
        b"[]",
        b'"x"',
        b"no JSON",
        b'{"stdout":7}',
        b'{"stdout":{"data":7}}',
        b'{"exited":true,"result":[1]}',
        b'{"exited":true}',
        b'{"exited":true,"result":null}',
    ],
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


@pytest.mark.parametrize(
    ("data", "output", "held", "ended"),
    [
        (b"error\n", b"error\n", b"", False),
        (b"error\nMARKe", b"error\n", b"", True),
        (b"MARKtone MARKttwoMARKt", b"one two", b"", False),
        (b"oneMARKtMARKelate", b"onelate", b"", True),
        (b"oneMA", b"one", b"MA", False),
        (b"oneMARK", b"one", b"MARK", False),
        (b"oneMARKtMAR", b"one", b"MAR", False),
        (b"MAMA", b"MA", b"MA", False),
        (b"", b"", b"", False),
    ],
)
def test_marks_are_taken_out_of_standard_error(data: bytes, output: bytes, held: bytes, ended: bool) -> None:
    assert read_marks(b"MARK", data) == (output, held, ended)


def test_marks_in_pieces_are_found() -> None:
    output, held, ended = b"", b"", False
    for byte in b"oneMARKttwoMARKe":
        piece, held, end = read_marks(b"MARK", held + bytes([byte]))
        output, ended = output + piece, ended or end
    assert (output, held, ended) == (b"onetwo", b"", True)


def test_a_marked_command_keeps_its_input_outputs_and_status() -> None:
    words = marked("cat; echo error >&2; exit 3", "MARK")
    done = subprocess.run(words, input=b"data", capture_output=True, timeout=10, check=False)
    assert (done.returncode, done.stdout) == (3, b"data")
    assert read_marks(b"MARK", done.stderr) == (b"error\n", b"", True)
