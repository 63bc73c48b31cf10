"""Suite and fault, held against each other: what must fail fails, and nothing else is accused."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from lab.faults import FAULTS, Fault
from reports.requirements import load

from .conftest import LOOKOUTS, PAIR, ROOT, SCORE, DrillLab, Ended, proofs_of

CATALOGUE = load(ROOT / "suites" / "catalogue.yaml")
FOLDERS = ("no_nat", "path", "expose", "dns", "isolation", "control_plane")
NODES = ("u1", "u2", "u3")
BROKEN = ("fail", "known-issue")


def places(fault: Fault, config: pytest.Config) -> list[str]:
    """What of the suites is run under a fault."""
    if config.getoption("wide", default=False):
        return [f"suites/{folder}" for folder in FOLDERS] + _tests(*fault.must_fail)
    if config.getoption("desk", default=False):
        return sorted({f"suites/{CATALOGUE[name].suite}" for name in fault.must_fail})
    return _tests(*fault.must_fail, *LOOKOUTS)


def _tests(*requirements: str) -> list[str]:
    return list(dict.fromkeys(test for name in requirements for test in proofs_of()[name]))


def node_of(fault: Fault) -> str:
    """The node it acts on when none is named."""
    return NODES[fault.default_node]


@dataclass(frozen=True)
class Judgement:
    """What a run made of a fault."""

    fault: Fault
    ended: Ended

    @property
    def broken(self) -> set[str]:
        return self.ended.with_status(*BROKEN)

    @property
    def missed(self) -> set[str]:
        """What had to fail and did not."""
        return set(self.fault.must_fail) - self.broken

    @property
    def collateral(self) -> set[str]:
        """What was accused, or broke the instrument, and has nothing to do with the fault."""
        return (self.broken | self.ended.with_status("error")) - {*self.fault.must_fail, *self.fault.may_fail}

    def nameless(self) -> list[str]:
        """What failed rightly, with a reason that names neither the place nor the kind of the fault."""
        words = (node_of(self.fault), *self.fault.kind)
        rightly = set(self.fault.must_fail) & self.broken
        return sorted(
            name for name in rightly if not any(one.lower() in self.ended.reason(name).lower() for one in words)
        )

    def wrong(self) -> list[str]:
        """In words; empty when the suites were right."""
        told = {name: f"{self.ended.requirements[name]['status']}: {self.ended.reason(name)}" for name in self.relevant}
        return [
            *(f"{name} did not fail: {told[name]}" for name in sorted(self.missed)),
            *(f"{name} is accused: {told[name]}" for name in sorted(self.collateral)),
            *(f"{name} names neither place nor kind: {told[name]}" for name in self.nameless()),
        ]

    @property
    def relevant(self) -> set[str]:
        return set(self.ended.requirements)

    def score(self) -> tuple[str, dict[str, object]]:
        """For the mutation score."""
        caught = bool(set(self.fault.must_fail) & self.broken)
        right = not self.missed and not self.nameless()
        told = {"fault": self.fault.name, "caught": caught, "right": right, "collateral": sorted(self.collateral)}
        return SCORE, told


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if not fault.benign])
def test_a_fault_is_caught_and_nothing_else_is_accused(
    healed: DrillLab, name: str, request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> None:
    """The requirements that must fail do, with a reason that names place or kind; no other one is accused."""
    fault = FAULTS[name]
    judged = Judgement(fault, healed.suites(places(fault, request.config), faults=[name]))
    record_property(*judged.score())
    assert not judged.wrong(), "\n".join(judged.wrong())


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.benign])
def test_what_is_only_different_is_not_accused(healed: DrillLab, name: str) -> None:
    """Nothing fails for an extra container, an extra tunnel, a foreign rule, another MAC."""
    ended = healed.suites([f"suites/{folder}" for folder in FOLDERS], faults=[name], disruptive=False)
    wrong = {one: ended.reason(one) for one in ended.with_status(*BROKEN, "error")}
    assert not wrong, wrong


def pairs(seed: int, count: int) -> list[tuple[str, str]]:
    """Random pairs of faults of different promises, each told by something of its own; the second one is elsewhere."""
    choice = random.Random(seed)
    chosen = [
        fault for fault in FAULTS.values() if fault.must_fail and CATALOGUE[fault.must_fail[0]].suite != "resilience"
    ]
    made: list[tuple[str, str]] = []
    while len(made) < count:
        one, other = choice.sample(chosen, 2)
        suites = [{CATALOGUE[name].suite for name in fault.must_fail} for fault in (one, other)]
        if suites[0].isdisjoint(suites[1]) and own(one, other) and own(other, one):
            made.append((one.name, other.name))
    return made


def own(fault: Fault, beside: Fault) -> set[str]:
    """What only this one of two faults brings down: by the others of its requirements it cannot be told."""
    return set(fault.must_fail) - {*beside.must_fail, *beside.may_fail}


@pytest.mark.parametrize("place", range(10))
def test_two_faults_at_once_are_both_seen(
    healed: DrillLab, place: int, record_property: Callable[[str, object], None]
) -> None:
    """Neither hides the other: of each, some requirement that it alone brings down fails."""
    one, other = pairs(healed.seed, 10)[place]
    first, second = FAULTS[one], FAULTS[other]
    record_property(PAIR, f"seed {healed.seed}: {one} and {other}@u3")
    ended = healed.suites(_tests(*first.must_fail, *second.must_fail), faults=[one, f"{other}@u3"])
    broken = ended.with_status(*BROKEN)
    assert broken & own(first, second), f"seed {healed.seed}: {one} is not seen: {ended.output[-2000:]}"
    assert broken & own(second, first), f"seed {healed.seed}: {other} is not seen: {ended.output[-2000:]}"


def test_a_lab_is_at_work_when_it_is_healed(healed: DrillLab) -> None:
    """Consul's server that was cut off has a leader again when `lab heal` returns."""
    ask = "curl -s -o /dev/null -w %{http_code} -m 20 http://192.168.56.4:8500/v1/catalog/nodes"
    healed.command("inject", "partition@u2")
    assert (
        healed.command("exec", "u2", "--", "sh", "-c", f"until c=$({ask}); [ $c = 500 ]; do :; done; echo $c")
        == "500\n"
    )
    healed.command("heal")
    assert healed.command("exec", "u2", "--", "sh", "-c", ask) == "200"


def test_healing_is_enough(drill_lab: DrillLab) -> None:
    """After all of it, in the same lab and without a restart, every promise holds."""
    ended = drill_lab.suites([f"suites/{folder}" for folder in FOLDERS])
    assert ended.verdict == "conformant", ended.output[-3000:]
