"""The seed of a run: given or drawn, and printed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from fixtures.cluster.covering import Covering
from fixtures.session import life
from fixtures.session.run import RUN, named
from lab.embedded import plan
from lab.errors import UsageError


def run_of(*, less: str, without: tuple[str, ...] = ()) -> Any:
    planned = SimpleNamespace(without=without)
    return SimpleNamespace(seed=7, less=less, covering=Covering(7, complete=True), planned=planned)


def test_a_given_seed_is_taken_and_another_one_is_drawn() -> None:
    assert life._seed("4711") == 4711 and life._seed("0") == 0
    assert 0 <= life._seed(None) < 1_000_000
    assert len({life._seed(None) for _ in range(20)}) > 1


def test_a_seed_that_is_no_number_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="--seed x: not a number; write one such as 3"):
        life._seed("x")


@pytest.mark.parametrize(
    ("suites", "told"),
    [
        (True, "seed: 7 (--seed 7 draws the same ports and pairs again); every pair of containers is tried"),
        (False, None),
    ],
)
def test_the_head_of_a_run_of_the_suites_shows_the_seed(
    suites: bool, told: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "runs_suites", lambda config: suites)
    config: Any = SimpleNamespace(stash={RUN: run_of(less="")})
    assert life.pytest_report_header(cast(pytest.Config, config)) == told


def test_the_head_says_when_the_lab_has_less_than_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(life, "runs_suites", lambda config: True)
    config: Any = SimpleNamespace(stash={RUN: run_of(less="families: IPv4 only")})
    told = life.pytest_report_header(cast(pytest.Config, config))
    assert told is not None and told.splitlines()[0] == "families: IPv4 only" and told.count("\n") == 1


def test_the_head_names_the_nodes_that_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(life, "runs_suites", lambda config: True)
    config: Any = SimpleNamespace(stash={RUN: run_of(less="", without=("u3", "u5"))})
    told = life.pytest_report_header(cast(pytest.Config, config))
    assert told is not None and told.splitlines()[0] == "left out: u3, u5; nothing is said of them"


def test_nodes_are_left_out_of_an_inventory() -> None:
    inventory = plan.inventory(plan.LabSpec(nodes=3))
    assert life._less(inventory, None) is inventory
    less = life._less(inventory, ["u3", "u3", "u1"])
    assert less.without == ("u3", "u1") and [node.name for node in less.tested] == ["u2"]
    assert [node.name for node in less.nodes] == ["u1", "u2", "u3"], "an overlay still has them"
    assert named(less)["nodes"].keys() == {"u2"} and named(less)["left_out"] == ["u3", "u1"]
    assert "left_out" not in named(inventory)


@pytest.mark.parametrize(
    ("without", "said"),
    [
        (["u9"], "--without u9: there is no node u9; nodes: u1, u2, u3"),
        (["u1", "u2", "u3"], "--without u1 u2 u3: names every node, so that none is left to be tested"),
    ],
)
def test_nodes_that_cannot_be_left_out_are_a_usage_error(without: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        life._less(plan.inventory(plan.LabSpec(nodes=3)), without)


def option(**chosen: object) -> Any:
    return SimpleNamespace(**{"peers": None, "thorough": False, **chosen})


def test_peers_are_a_number() -> None:
    assert life._peers(option()) is None and life._peers(option(thorough=True)) is None
    assert life._peers(option(peers="14")) == 14


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"peers": "x"}, "--peers x: not a number"),
        ({"peers": "1"}, "--peers 1: each node needs 2 others at least"),
        ({"peers": "4", "thorough": True}, "--peers and --thorough exclude each other"),
    ],
)
def test_peers_that_make_no_sense_are_a_usage_error(chosen: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        life._peers(option(**chosen))
