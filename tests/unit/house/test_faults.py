"""The faults cover what is required, and each says exactly what it does."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from lab.faults import FAULTS
from reports.requirements import load

ROOT = Path(__file__).resolve().parents[3]

CATALOGUE = load(ROOT / "suites" / "catalogue.yaml")
REAL = [fault for fault in FAULTS.values() if not fault.benign]
MOST_CONSEQUENCES = 4.0
"""Requirements that may fail beside those that must, on average over the faults."""
WITHOUT: dict[str, date] = {}
"""Requirements that no fault must fail yet, and since when that is known. Take out what has got one."""


def test_every_requirement_has_a_fault_that_must_fail_it() -> None:
    """A check that no fault ever failed has only been seen to pass."""
    failing = {name for fault in REAL for name in fault.must_fail}
    missing = set(CATALOGUE) - failing - set(WITHOUT)
    assert not missing, f"no fault of lab/faults must fail {', '.join(sorted(missing))}; see CONTRIBUTING.md"
    assert not failing & set(WITHOUT), "these have a fault now; take them out of WITHOUT"


def test_few_requirements_fail_as_a_consequence() -> None:
    """A fault that fails everything tells nobody where to look: what it does not break ends as not proved."""
    average = sum(len(fault.may_fail) for fault in REAL) / len(REAL)
    assert average <= MOST_CONSEQUENCES, f"{average:.1f} requirements may fail on average beside those that must"
