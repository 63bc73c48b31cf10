"""The fault that keeps FDB entries: which of them it makes static."""

from __future__ import annotations

import pytest

from lab.faults.scripts.entries import Keeper


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands that were run; one for the MAC 02:ff:… fails."""
    commands: list[str] = []

    class Done:
        def __init__(self, command: list[str], **_: object) -> None:
            commands.append(" ".join(command))
            self.returncode = int("02:ff" in commands[-1])

    monkeypatch.setattr("subprocess.run", Done)
    return commands


@pytest.mark.parametrize(
    "line",
    [
        "Deleted 02:42:0a:20:00:46 dev vx-a dst 192.168.56.3 self",
        "02:42:0a:20:00:46 dev vx-b dst 192.168.56.3 self",
        "02:42:0a:20:00:46 dev vx-a master fn-a",
        "00:00:00:00:00:00 dev vx-a dst 192.168.56.3 self permanent",
        "",
    ],
    ids=["deleted", "another tunnel", "the bridge's", "the flood list", "empty"],
)
def test_what_is_not_a_learned_entry_of_the_tunnel_is_left_alone(ran: list[str], line: str) -> None:
    Keeper("vx-a").note(line)
    assert not ran


def test_a_learned_entry_is_kept_once_and_taken_back(ran: list[str]) -> None:
    keeper = Keeper("vx-a")
    for remote in ("192.168.56.3", "192.168.56.5"):
        keeper.note(f"02:42:0a:20:00:46 dev vx-a dst {remote} self")
    keeper.note("02:ff:0a:20:00:47 dev vx-a dst 192.168.56.3 self")
    keeper.release()
    assert ran == [
        "bridge fdb replace 02:42:0a:20:00:46 dev vx-a dst 192.168.56.3 self static",
        "bridge fdb replace 02:ff:0a:20:00:47 dev vx-a dst 192.168.56.3 self static",
        "bridge fdb del 02:42:0a:20:00:46 dev vx-a dst 192.168.56.3 self",
    ]
