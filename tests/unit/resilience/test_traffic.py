"""Traffic whose sampling died is told, and does not count as traffic that went on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fixtures.cluster.nodes import Cluster
from fixtures.probes.assessment import StoodStill
from fixtures.probes.mesh import Mesh
from fixtures.resilience import traffic
from fixtures.resilience.traffic import Traffic
from lab.errors import HarnessError

Rounds = Callable[[Callable[[int], Mesh]], Traffic]


@pytest.fixture
def sampled(monkeypatch: pytest.MonkeyPatch) -> Rounds:
    """Traffic on one node whose rounds are those of a function of their number, from 1."""
    access = SimpleNamespace(each=lambda do, nodes: {})
    cluster = SimpleNamespace(access=access, nodes={"u1": SimpleNamespace(access=None)}, patience=1.0)
    monkeypatch.setattr(traffic, "PAUSE_S", 0.0)

    def make(play: Callable[[int], Mesh]) -> Traffic:
        count = 0

        def run_mesh(*_: Any) -> Mesh:
            nonlocal count
            count += 1
            return play(count)

        monkeypatch.setattr(traffic, "run_mesh", run_mesh)
        return Traffic(cast(Cluster, cluster), ["u1"], [])

    return make


def fails_after_first(error: Exception, entered: threading.Event, died: threading.Event) -> Callable[[int], Mesh]:
    def play(count: int) -> Mesh:
        if count == 1:
            return Mesh(())
        entered.wait(30)
        died.set()
        raise error

    return play


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (HarnessError("node u1: the probe agent is gone"), "^node u1: the probe agent is gone$"),
        (KeyError("replies"), "^traffic on u1: its sampling ended: KeyError: 'replies'$"),
        (RuntimeError("can't start new thread"), "^traffic on u1: its sampling ended: RuntimeError: can't start"),
    ],
)
def test_sampling_that_died_is_an_error(sampled: Rounds, error: Exception, told: str) -> None:
    entered, died = threading.Event(), threading.Event()
    with sampled(fails_after_first(error, entered, died)) as running:
        entered.set()
        assert died.wait(30)
    with pytest.raises(HarnessError, match=told):
        running.insist_on_samples()


def test_sampling_that_dies_at_once_does_not_begin(sampled: Rounds) -> None:
    def play(count: int) -> Mesh:
        raise KeyError("replies")

    with pytest.raises(HarnessError, match="its sampling ended: KeyError"):
        sampled(play).__enter__()


def test_sampling_that_does_not_end_is_an_error(sampled: Rounds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic, "LAST_ROUND_S", 0.05)
    stuck = threading.Event()

    def play(count: int) -> Mesh:
        if count > 1:
            stuck.wait(30)
        return Mesh(())

    with sampled(play) as running:
        assert running.rounds
    stuck.set()
    with pytest.raises(HarnessError, match=r"the last round did not end within 0\.05 s"):
        running.insist_on_samples()


def test_rounds_are_kept(sampled: Rounds) -> None:
    with sampled(lambda count: Mesh(())) as running:
        pass
    running.insist_on_samples()
    assert running.rounds


def test_a_round_of_which_nothing_is_known_is_no_round_and_ends_nothing(sampled: Rounds) -> None:
    third = threading.Event()

    def play(count: int) -> Mesh:
        if count == 2:
            raise StoodStill("node u1: its probe agent stood still for 1.7 s")
        if count == 3:
            third.set()
        return Mesh(())

    with sampled(play) as running:
        assert third.wait(30)
    running.insist_on_samples()
    assert len(running.rounds) >= 2
