"""ARP answers that an agent has kept are read when the window is over, however slow the way to the agent is."""

from __future__ import annotations

from typing import Any, cast

import pytest
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet

from fixtures.no_nat import addresses
from fixtures.probes.socket import ContainerSocket


class SlowSocket:
    """A socket from which the agent's frames are fetched only after the window."""

    def __init__(self, *frames: bytes) -> None:
        self._kept, self._fetched = list(frames), list[bytes]()

    def fetch(self) -> None:
        self._fetched, self._kept = self._fetched + self._kept, []

    def waiting(self) -> list[bytes]:
        frames, self._fetched = self._fetched, []
        return frames


def test_a_frame_that_was_not_read_within_the_window_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []

    def sniff(**options: Any) -> list[Packet]:
        seen.append(options)
        return []

    monkeypatch.setattr(addresses, "sniff", sniff)
    reply = Ether() / ARP(op="is-at", psrc="10.32.0.9", hwsrc="02:00:00:00:00:09")
    sockets = {"u1/a1": SlowSocket(bytes(reply)), "u2/a2": SlowSocket()}
    heard = list(addresses._listen(cast("dict[str, ContainerSocket]", sockets)))
    assert [(label, packet[ARP].psrc) for label, packet in heard] == [("u1/a1", "10.32.0.9")]
    assert seen == [{"opened_socket": {socket: label for label, socket in sockets.items()}, "timeout": 0.6}]
