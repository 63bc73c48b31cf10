"""What became of a tunnel's packets that were sent in clear."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from fixtures.path.clear_tunnels import Clear, judge_clear
from lab.overlays.base import VxlanTunnel


class Fake(SimpleNamespace):
    """A container, as far as a packet needs it."""

    def __str__(self) -> str:
        return str(self.label)


def container(node: str, name: str) -> Any:
    return Fake(node=SimpleNamespace(name=node, __str__=lambda: node), label=f"{node}/{name}")


ONE, TWO = container("u1", "a1"), container("u2", "a2")
TUNNEL = VxlanTunnel(4789, 4097)
THERE, BACK = Clear(ONE, TWO, TUNNEL, b"nonce-there-0001"), Clear(TWO, ONE, TUNNEL, b"nonce-back-00001")
BOTH = {"u1": {BACK.nonce}, "u2": {THERE.nonce}}


def test_what_came_to_the_node_and_not_to_the_container_was_refused() -> None:
    taken = judge_clear([THERE, BACK], BOTH, {"u1/a1": b"other", "u2/a2": b""})
    assert taken.let_in == () and taken.unproved == ()


def test_what_came_to_the_container_was_let_in() -> None:
    taken = judge_clear([THERE, BACK], BOTH, {"u1/a1": b"", "u2/a2": b"head" + THERE.nonce})
    assert len(taken.let_in) == 1 and taken.let_in[0].startswith("u2/a2 got it: VXLAN 4097 in clear from ")
    assert taken.unproved == ()


def test_what_another_container_recorded_is_not_let_in_there() -> None:
    assert judge_clear([THERE], BOTH, {"u2/a2": BACK.nonce}).let_in == ()


def test_what_never_came_to_the_node_proves_nothing() -> None:
    taken = judge_clear([THERE, BACK], {"u1": {BACK.nonce}, "u2": set()}, {"u1/a1": b"", "u2/a2": b""})
    assert taken.let_in == () and len(taken.unproved) == 1 and "u2/a2" in taken.unproved[0]


def test_a_frame_that_one_recorder_missed_and_the_container_has_was_let_in() -> None:
    taken = judge_clear([THERE], {"u1": set(), "u2": set()}, {"u2/a2": THERE.nonce})
    assert taken.let_in and not taken.unproved
