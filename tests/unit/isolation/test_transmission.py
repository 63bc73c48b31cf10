"""Frames whose recorders lost some are sent again."""

from __future__ import annotations

import pytest

from fixtures.isolation import transmission
from fixtures.probes.assessment import Void


def test_a_recorder_that_lost_frames_makes_the_measurement_void(monkeypatch: pytest.MonkeyPatch) -> None:
    windows: list[float] = []

    def once(sent: object, receivers: object, window_s: float) -> list[object]:
        windows.append(window_s)
        if len(windows) == 1:
            raise Void("node u1: a capture lost 7 packets")
        return []

    monkeypatch.setattr(transmission, "_transmit_once", once)
    lines: list[str] = []
    assert transmission.transmit([], [], lines.append) == []
    assert windows == [transmission.WINDOW_S, transmission.WINDOW_S * 2]
    assert len(lines) == 1 and "a capture lost 7 packets" in lines[0]


def test_one_that_loses_frames_each_time_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def once(sent: object, receivers: object, window_s: float) -> list[object]:
        raise Void("node u1: a capture lost many packets")

    monkeypatch.setattr(transmission, "_transmit_once", once)
    with pytest.raises(Void, match="lost many"):
        transmission.transmit([], [], lambda line: None)
