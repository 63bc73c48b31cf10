"""A stream of bytes that one thread fills and another one reads."""

from __future__ import annotations

import threading

import pytest

from lab.access import streams
from lab.access.streams import Output


def test_what_was_fed_is_read_in_order_and_in_pieces() -> None:
    output = Output()
    output.feed(b"one")
    output.feed(b"two")
    assert [output.read(4, 1), output.read(4, 1)] == [b"onet", b"wo"]


def test_data_that_came_before_the_end_is_read_before_the_end() -> None:
    output = Output()
    output.feed(b"last")
    output.end()
    assert [output.read(10, 1), output.read(10, 1)] == [b"last", b""]


def test_nothing_in_time_is_an_error_and_not_the_end() -> None:
    with pytest.raises(TimeoutError):
        Output().read(1, 0.01)


def test_whether_a_read_returns_at_once() -> None:
    output = Output()
    assert not output.ready
    output.feed(b"x")
    assert output.ready


def test_the_end_is_waited_for() -> None:
    output = Output()
    assert not output.wait_for_end(0.01)
    threading.Timer(0.05, output.end).start()
    assert output.wait_for_end(10)


def test_a_slow_reader_stops_the_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MOST_BYTES", 4)
    output = Output()
    output.feed(b"full")
    writer = threading.Thread(target=output.feed, args=(b"more",), daemon=True)
    writer.start()
    writer.join(0.1)
    assert writer.is_alive()
    assert output.read(10, 1) == b"full"
    writer.join(10)
    assert output.read(10, 1) == b"more"


def test_a_writer_that_waits_goes_on_when_nobody_will_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MOST_BYTES", 4)
    output = Output()
    output.feed(b"full")
    writer = threading.Thread(target=output.feed, args=(b"more",), daemon=True)
    writer.start()
    output.end()
    writer.join(10)
    assert not writer.is_alive()
    assert output.read(10, 1) == b"full"
