"""Unit tests send nothing on the machine that they run on."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from fixtures.probes.frames import BROADCAST


@pytest.mark.parametrize("packet", [IP(src="10.0.0.1", dst="10.0.0.2"), IPv6(src="fd00::1", dst="fd00::2")])
def test_a_frame_is_built_without_asking_for_its_destination(monkeypatch: pytest.MonkeyPatch, packet: Packet) -> None:
    """Scapy looks a MAC up that is not named, by a packet of its own (tests/unit/conftest.py)."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr("socket.socket", refuse)
    assert Ether(bytes(Ether() / packet)).dst == BROADCAST
