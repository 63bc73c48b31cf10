"""Causes of recorded runs under the faults of the drill: the right one first, few of them, none for benign changes.

`python -m tests.drill.recorded FOLDER` records them; `python -m tests.drill.scoring` prints what is judged here.
"""

from __future__ import annotations

from statistics import mean

import pytest

from lab.faults import FAULTS
from tests.drill.scoring import Score, recorded, score, table

SCORES = [one for run, findings in recorded() for one in score(run, findings)]
SINGLE = [one for one in SCORES if one.run == one.fault and not FAULTS[one.fault].benign]
PAIRS = [one for one in SCORES if one.run != one.fault]
BENIGN = [one for one in SCORES if one.run in FAULTS and FAULTS[one.run].benign]


def test_the_right_cause_is_the_first_of_few() -> None:
    """Aims of the design: first in 95 of 100 faults, two causes on average."""
    assert SINGLE, "nothing is recorded"
    first = sum(one.rank == 1 for one in SINGLE)
    assert first >= 0.95 * len(SINGLE), table(SCORES)
    assert mean(one.causes for one in SINGLE) <= 2, table(SCORES)


def test_of_two_faults_both_are_among_the_first_three() -> None:
    seen = sum(0 < one.rank <= 3 for one in PAIRS)
    assert seen >= 0.9 * len(PAIRS), table(PAIRS)


@pytest.mark.parametrize("one", BENIGN, ids=lambda one: one.run)
def test_a_benign_change_has_no_cause(one: Score) -> None:
    assert (one.causes, one.unexplained) == (0, 0)
