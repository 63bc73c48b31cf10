"""Gaps in traffic are found whole, however looks fall."""

from __future__ import annotations

from fixtures.resilience.traffic import BLIND_S, Gap, Round, blind, gaps, stops, unseen

EDGE, OTHER = "u1/a1->u2/a2-tcp", "u2/a2->u1/a1-udp"


def rounds(*broken: tuple[str, ...]) -> list[Round]:
    return [Round(index, dict.fromkeys(names, "lost"), {}) for index, names in enumerate(broken)]


def test_nothing_broken_is_no_gap() -> None:
    assert gaps(rounds((), (), ())) == ()


def test_looks_in_a_row_are_one_gap() -> None:
    assert gaps(rounds((), (EDGE,), (EDGE,), ())) == (Gap(EDGE, 1, 3, 2, "lost"),)


def test_a_look_that_goes_through_parts_two_gaps() -> None:
    assert [(gap.began, gap.ended) for gap in gaps(rounds((EDGE,), (), (EDGE,), ()))] == [(0, 1), (2, 3)]


def test_a_gap_that_does_not_end_is_one() -> None:
    (gap,) = gaps(rounds((), (EDGE,)))
    assert gap.ended is None and "to the end" in gap.told(0.0)


def test_edges_have_their_own_gaps() -> None:
    assert [(gap.edge, gap.began) for gap in gaps(rounds((OTHER,), (EDGE, OTHER), ()))] == [(OTHER, 0), (EDGE, 1)]


def test_a_lost_exchange_is_no_stop() -> None:
    assert stops(gaps(rounds((), (EDGE,), (), (EDGE, OTHER), ()))) == ()


def test_two_looks_in_a_row_no_return_or_coming_and_going_is_a_stop() -> None:
    twice, open_end = gaps(rounds((EDGE,), (EDGE,), (), (OTHER,)))
    assert stops((twice, open_end)) == (twice, open_end)
    often = gaps(rounds((EDGE,), (), (EDGE,), (), (EDGE, OTHER), ()))
    assert [gap.edge for gap in stops(often)] == [EDGE] * 3


def test_times_are_told_from_the_disturbance_on() -> None:
    (gap,) = gaps(rounds((), (), (EDGE,), (EDGE,), ()))
    assert gap.told(1.5) == f"{EDGE}: lost from 0.50 s to 2.50 s, 2 looks"


def test_what_was_not_looked_at_is_counted_from_probe_to_probe_of_an_edge() -> None:
    assert (
        blind([Round(0, {}, {EDGE: 10.0, OTHER: 90.0}), Round(1, {}, {OTHER: 91.0}), Round(2, {}, {EDGE: 14.0})]) == 4.0
    )
    assert blind([]) == 0.0


def test_what_was_not_seen_hides_nothing_that_was() -> None:
    assert unseen([], 12, BLIND_S) == ""
    assert "not looked at for 3.2 s" in unseen([], 12, 3.2)
    assert "no two containers" in unseen([], 0, 0.0)
    assert unseen(["10.32.0.9 is held twice"], 12, 99.0) == ""
