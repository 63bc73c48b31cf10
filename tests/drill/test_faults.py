"""Suite and fault, held against each other: what must fail fails, and nothing else is accused."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from lab.faults import FAULTS, Fault
from reports.catalogue import load

from .conftest import ROOT, DrillLab, Ended

CATALOGUE = load(ROOT / "suites" / "catalogue.yaml")
FOLDERS = ("no_nat", "path", "expose", "dns", "isolation", "control_plane")
BROKEN = ("fail", "known-issue")


def folders_of(fault: Fault) -> list[str]:
    """Folders of what must fail, and one more, to see who else is accused."""
    own = {CATALOGUE[name].suite for name in fault.must_fail}
    return [f"suites/{name}" for name in FOLDERS if name in own | {"no_nat"}]


@pytest.fixture
def healed(drill_lab: DrillLab) -> Iterator[DrillLab]:
    """The lab, and no fault in it afterwards."""
    yield drill_lab
    drill_lab.command("heal")


def hold(fault: Fault, ended: Ended) -> list[str]:
    """What the run got wrong about a fault, in words; empty when it was right."""
    broken = ended.with_status(*BROKEN)
    missed = set(fault.must_fail) - broken
    collateral = broken - set(fault.must_fail) - set(fault.may_fail)
    errors = ended.with_status("error")
    wrong = [
        f"{name} did not fail: {ended.requirements[name]['status']}, {ended.reason(name)}" for name in sorted(missed)
    ]
    wrong += [f"{name} is accused: {ended.reason(name)}" for name in sorted(collateral)]
    return wrong + [f"{name} is an error: {ended.reason(name)}" for name in sorted(errors)]


def names_it(fault: Fault, node: str, ended: Ended) -> bool:
    """Whether some failed requirement's reason names the node, one of its containers, or the service."""
    words = " ".join(ended.reason(name) for name in fault.must_fail)
    return any(word in words for word in (node, "u1", "u2", "u3", "httpbackend", "portless", "ghost"))


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if not fault.benign])
def test_a_fault_is_caught_and_nothing_else_is_accused(healed: DrillLab, name: str) -> None:
    """The requirements that must fail do, with a message that names the place; no other one is accused."""
    fault = FAULTS[name]
    healed.command("inject", name)
    ended = healed.suites(folders_of(fault), disruptive=fault.disruptive)
    wrong = hold(fault, ended)
    assert not wrong, "\n".join(wrong)
    assert names_it(fault, "u1", ended), [ended.reason(one) for one in fault.must_fail]


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.benign])
def test_what_is_only_different_is_not_accused(healed: DrillLab, name: str) -> None:
    """Nothing fails for an extra container, an extra tunnel, a foreign rule, another MAC."""
    healed.command("inject", name)
    ended = healed.suites([f"suites/{folder}" for folder in FOLDERS])
    assert not ended.with_status(*BROKEN, "error"), ended.output[-3000:]


def pairs(seed: int, count: int) -> list[tuple[str, str]]:
    """Random pairs of faults of different promises, whose commands do not meet."""
    choice = random.Random(seed)
    chosen = [fault for fault in FAULTS.values() if not fault.benign and not fault.disruptive]
    made: list[tuple[str, str]] = []
    while len(made) < count:
        one, other = choice.sample(chosen, 2)
        suites = [{CATALOGUE[name].suite for name in fault.must_fail} for fault in (one, other)]
        if suites[0].isdisjoint(suites[1]):
            made.append((one.name, other.name))
    return made


SEED = 20260


@pytest.mark.parametrize(("one", "other"), pairs(SEED, 10))
def test_two_faults_at_once_are_both_seen(healed: DrillLab, one: str, other: str) -> None:
    """Neither hides the other: of each, some requirement that must fail does."""
    first, second = FAULTS[one], FAULTS[other]
    healed.command("inject", first.name, f"{second.name}@u2")
    ended = healed.suites(sorted({*folders_of(first), *folders_of(second)}))
    broken = ended.with_status(*BROKEN, "not-proved")
    assert broken & set(first.must_fail), f"seed {SEED}: {one} is not seen: {ended.output[-2000:]}"
    assert broken & set(second.must_fail), f"seed {SEED}: {other} is not seen: {ended.output[-2000:]}"


def test_healing_is_enough(drill_lab: DrillLab) -> None:
    """After all of it, in the same lab and without a restart, every promise holds."""
    ended = drill_lab.suites([f"suites/{folder}" for folder in FOLDERS], disruptive=True)
    assert ended.exit_code == 0, ended.output[-3000:]
    assert not ended.with_status(*BROKEN, "error", "not-proved") - {"CP-3"}, ended.output[-3000:]
