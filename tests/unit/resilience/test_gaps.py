"""Gaps in traffic are found whole, told from lost packets, and what was not watched is counted."""

from __future__ import annotations

from itertools import permutations

import pytest

from fixtures.resilience.flows import Continuity
from fixtures.resilience.gaps import (
    OFTEN,
    SHOWN,
    UNWATCHED_S,
    Gap,
    Round,
    describe_stops,
    find_gaps,
    find_stops,
    longest_unwatched_s,
    needs_another_round,
    reason_not_proved,
    split_at_cut,
    watched_edges,
)

from .edges import PLACES, edge

EDGE, OTHER = "u1/a1->u2/a2-tcp", "u2/a2->u1/a1-udp"
EDGES = [edge(source, destination) for source, destination in permutations(PLACES, 2)]


def rounds(*broken: tuple[str, ...]) -> list[Round]:
    """Round number n begins at n seconds; these edges lose their exchange in it."""
    return [Round(number, dict.fromkeys(edges, "lost"), {}) for number, edges in enumerate(broken)]


# -- gaps ----------------------------------------------------------------------


def test_rounds_in_which_all_works_have_no_gap() -> None:
    assert find_gaps(rounds((), (), ())) == ()


def test_failed_rounds_in_a_row_are_one_gap() -> None:
    assert find_gaps(rounds((), (EDGE,), (EDGE,), ())) == (Gap(EDGE, 1, 3, 2, "lost"),)


def test_a_gap_keeps_the_outcome_that_it_began_with() -> None:
    found = find_gaps([Round(0, {EDGE: "lost"}, {}), Round(1, {EDGE: "refused"}, {}), Round(2, {}, {})])
    assert found == (Gap(EDGE, 0, 2, 2, "lost"),)


def test_a_round_that_works_separates_two_gaps() -> None:
    gaps = find_gaps(rounds((EDGE,), (), (EDGE,), ()))
    assert [(gap.began, gap.ended, gap.rounds) for gap in gaps] == [(0, 1, 1), (2, 3, 1)]


def test_a_gap_that_does_not_end_has_no_end() -> None:
    assert find_gaps(rounds((), (EDGE,))) == (Gap(EDGE, 1, None, 1, "lost"),)


def test_each_edge_has_its_own_gaps_and_they_are_sorted_by_time_and_edge() -> None:
    gaps = find_gaps(rounds((OTHER,), (EDGE, OTHER), ()))
    assert [(gap.edge, gap.began, gap.ended) for gap in gaps] == [(OTHER, 0, 2), (EDGE, 1, 2)]
    assert [gap.edge for gap in find_gaps(rounds((OTHER, EDGE), ()))] == [EDGE, OTHER]


def test_a_gap_is_described_by_its_times_after_the_disturbance() -> None:
    (gap,) = find_gaps(rounds((), (), (EDGE,), (EDGE,), ()))
    assert gap.describe(1.5) == f"{EDGE}: lost from 0.50 s to 2.50 s, 2 rounds"
    (endless,) = find_gaps(rounds((), (), (EDGE,)))
    assert endless.describe(1.5) == f"{EDGE}: lost from 0.50 s to the end, 1 rounds"


# -- stops ---------------------------------------------------------------------


def test_a_lost_exchange_is_not_a_stop() -> None:
    assert find_stops(find_gaps(rounds((), (EDGE,), (), (EDGE, OTHER), ()))) == ()


def test_two_rounds_in_a_row_are_a_stop_and_so_is_a_gap_without_end() -> None:
    gaps = find_gaps(rounds((EDGE,), (EDGE,), (), (OTHER,)))
    assert len(gaps) == 2 and find_stops(gaps) == gaps


def test_an_edge_that_fails_often_stopped_though_it_worked_in_between() -> None:
    broken = [(EDGE,), ()] * OFTEN
    assert [gap.edge for gap in find_stops(find_gaps(rounds(*broken, (OTHER,), ())))] == [EDGE] * OFTEN
    assert find_stops(find_gaps(rounds(*broken[2:]))) == ()


def test_three_failed_rounds_of_an_edge_are_often() -> None:
    assert len(find_stops(find_gaps(rounds((EDGE,), (), (EDGE,), (), (EDGE,), ())))) == 3


def test_a_long_gap_does_not_make_stops_of_another_edges_losses() -> None:
    stops = find_stops(find_gaps(rounds((EDGE,), (EDGE,), (EDGE, OTHER), ())))
    assert [gap.edge for gap in stops] == [EDGE]


@pytest.mark.parametrize(
    ("broken", "another"),
    [
        ([(), (EDGE,)], True),
        ([(EDGE,), ()], False),
        ([(EDGE,), (EDGE,)], False),
        ([(EDGE,), (EDGE, OTHER)], True),
        ([()], False),
    ],
)
def test_another_round_is_needed_to_tell_a_last_lost_exchange_from_a_stop(
    broken: list[tuple[str, ...]], another: bool
) -> None:
    assert needs_another_round(find_gaps(rounds(*broken))) is another


def test_stops_are_counted_in_the_first_line_and_listed_up_to_a_number() -> None:
    stops = [Gap(EDGE, number, None, 2, "lost") for number in range(SHOWN + 2)]
    first, *listed = describe_stops([gap.describe(0.0) for gap in stops[:SHOWN]]).splitlines()
    told = f"traffic between nodes that were not disturbed stopped 9 times, first: {stops[0].describe(0.0)}"
    assert first == f"{told} (0 s is the disturbance)"
    assert listed == [gap.describe(0.0) for gap in stops[1:SHOWN]]
    assert "stopped once: x (" in describe_stops(["x"])
    lines = describe_stops([gap.describe(5.0) for gap in stops]).splitlines()
    assert lines[1] == stops[1].describe(5.0)
    assert lines[SHOWN] == "… and 2 more; the attachment lists all of them" and len(lines) == SHOWN + 1


# -- what is watched -----------------------------------------------------------


def test_edges_between_other_nodes_are_watched() -> None:
    watched = watched_edges(EDGES, ["u3"], both_sides=False)
    assert {str(watched_edge) for watched_edge in watched} == {
        f"{PLACES[source]}/{source}->{PLACES[destination]}/{destination}-udp"
        for source, destination in permutations(("a1", "a2", "a3"), 2)
    }


def test_at_a_partition_edges_on_either_side_are_watched_and_none_across() -> None:
    watched = {str(watched_edge) for watched_edge in watched_edges(EDGES, ["u1"], both_sides=True)}
    assert watched == {
        "u1/a1->u1/a2-udp", "u1/a2->u1/a1-udp", "u2/a3->u3/a4-udp", "u3/a4->u2/a3-udp",
    }  # fmt: skip
    assert {str(watched_edge) for watched_edge in watched_edges(EDGES, ["u1"], both_sides=False)} == {
        "u2/a3->u3/a4-udp", "u3/a4->u2/a3-udp",
    }  # fmt: skip


def test_a_cut_separates_edges_that_cross_it_from_those_beside_it() -> None:
    across, beside = split_at_cut(EDGES, "u1")
    assert all((crossing.source.node == "u1") != (crossing.destination.node == "u1") for crossing in across)
    assert {str(edge) for edge in beside} == {str(edge) for edge in watched_edges(EDGES, ["u1"], both_sides=True)}
    assert len(across) + len(beside) == len(EDGES)


def test_the_longest_time_between_two_probes_on_one_edge_counts() -> None:
    probes = [Round(0, {}, {EDGE: 10.0, OTHER: 90.0}), Round(1, {}, {OTHER: 91.0}), Round(2, {}, {EDGE: 14.0})]
    assert longest_unwatched_s(probes) == 4.0
    assert longest_unwatched_s([*probes, Round(3, {}, {EDGE: 15.0, OTHER: 91.5})]) == 4.0
    assert longest_unwatched_s([]) == 0.0


def test_traffic_that_was_watched_is_proved() -> None:
    assert reason_not_proved([], 12, Continuity(sent=9, unwatched_s=UNWATCHED_S), 99.0) == ""


def test_traffic_that_was_not_watched_is_not_proved() -> None:
    assert reason_not_proved([], 12, Continuity(sent=9, unwatched_s=3.2), 0.1) == (
        "traffic between nodes that were not disturbed was not watched for 3.2 s (at most 3 s)"
    )
    assert "no datagram was sent" in reason_not_proved([], 12, Continuity(), 0.1)
    assert "no two containers" in reason_not_proved([], 0, None, 0.0)
    waited = Continuity(sent=9, undecided=("the connection u1/a1 → u2/a2 carried nothing for 2.0 s",))
    assert "carried nothing for 2.0 s; that is too short" in reason_not_proved([], 12, waited, 0.1)


def test_traffic_on_one_node_is_watched_by_exchanges() -> None:
    assert reason_not_proved([], 12, None, UNWATCHED_S) == ""
    assert "was not watched for 3.2 s" in reason_not_proved([], 12, None, 3.2)


def test_a_broken_promise_is_one_whatever_was_not_watched() -> None:
    assert reason_not_proved(["10.32.0.9 is held twice"], 0, Continuity(), 99.0) == ""
