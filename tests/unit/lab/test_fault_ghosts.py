"""The fault that keeps removed containers' interfaces: which address they keep."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import pytest

from lab.faults.scripts import ghosts

MAC = "02:42:0a:20:00:82"
ENTRY = {
    "IPAddress": "10.32.0.130", "IPPrefixLen": 24, "MacAddress": MAC,
    "GlobalIPv6Address": "fd00:10:32:0:2::2", "GlobalIPv6PrefixLen": 64,
}  # fmt: skip
ONLY_IPV4 = {**ENTRY, "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0}


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands that were run; none of them is."""
    commands: list[str] = []

    def run(*words: str) -> str:
        commands.append(" ".join(words))
        return ""

    monkeypatch.setattr(ghosts, "run", run)
    return commands


@pytest.mark.parametrize(
    ("entry", "ipv6", "expected"),
    [
        (ENTRY, False, {"c1": ("10.32.0.130/24", MAC)}),
        (ENTRY, True, {"c1": ("fd00:10:32:0:2::2/64", MAC)}),
        (ONLY_IPV4, True, {}),
    ],
)
def test_the_address_of_the_family_is_remembered(
    monkeypatch: pytest.MonkeyPatch, entry: dict[str, object], ipv6: bool, expected: ghosts.Seen
) -> None:
    shown = [{"Id": "c1", "NetworkSettings": {"Networks": {"fn-a": entry}}}]
    monkeypatch.setattr(ghosts, "run", lambda *_: json.dumps(shown))
    seen: ghosts.Seen = {}
    ghosts.note("c1", "fn-a", seen, ipv6=ipv6)
    assert seen == expected
    ghosts.note("c1", "another", seen, ipv6=ipv6)
    assert seen == expected


@pytest.mark.parametrize(
    ("address", "given"),
    [
        ("10.32.0.130/24", "address add 10.32.0.130/24 dev eth0"),
        ("fd00:10:32:0:2::2/64", "address add fd00:10:32:0:2::2/64 dev eth0 nodad"),
    ],
)
def test_a_ghost_of_ipv6_has_its_address_at_once(
    monkeypatch: pytest.MonkeyPatch, ran: list[str], address: str, given: str
) -> None:
    """While its kernel looks for another holder of the address, it would answer nobody."""
    monkeypatch.setattr(ghosts, "GHOSTS", {})
    monkeypatch.setattr("subprocess.Popen", lambda _: SimpleNamespace(pid=7, poll=lambda: None))
    monkeypatch.setattr(ghosts, "namespace", lambda pid: f"net of {pid}")
    assert os.getpid() != 7
    ghosts.keep(address, MAC, "fn-a")
    assert f"nsenter -t 7 -n ip {given}" in ran and ran[-1] == "ip link set ghost0 master fn-a up"
