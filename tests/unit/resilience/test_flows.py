"""What becomes of flows between nodes that nobody disturbs: a stop, a loss, or nothing that could be seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fixtures.change.outage import PairOutage, Stop
from fixtures.resilience.flows import STOPPED_S, continuity

SOUND = PairOutage("u1", "u2", sent=500, lost=0, unwatched_ms=40.0)
SILENT = Stop("u1/a1 → u2/a2", 1.5, STOPPED_S, 25, over=True)


def test_flows_without_a_loss() -> None:
    found = continuity([SOUND, replace(SOUND, source="u2", destination="u1", unwatched_ms=90.0)])
    assert (found.stops, found.undecided, found.sent, found.lost, found.unwatched_s) == ((), (), 1000, 0, 0.09)


@pytest.mark.parametrize(
    ("stop", "stops"),
    [
        (SILENT, True),
        (replace(SILENT, seconds=STOPPED_S - 0.01), False),
        (replace(SILENT, seconds=0.1, over=False), True),
        (replace(SILENT, seconds=9.0, lost=0), False),
    ],
    ids=["half a second", "a shorter loss", "to the end", "late, and nothing lost"],
)
def test_a_silence_in_which_datagrams_were_lost_is_a_stop(stop: Stop, stops: bool) -> None:
    found = continuity([SOUND, replace(SOUND, lost=stop.lost, stops=(stop,))])
    assert found.stops == ((f"from u1 to u2: {stop}",) if stops else ())
    assert found.lost == stop.lost


def test_a_connection_that_ended_is_a_stop_and_one_that_waits_is_undecided() -> None:
    found = continuity([replace(SOUND, broken=("it ended",), undecided=("it waits",))])
    assert found.stops == ("from u1 to u2: it ended",) and found.undecided == ("it waits",)


def test_no_pair_is_nothing_sent() -> None:
    assert continuity([]).sent == 0
