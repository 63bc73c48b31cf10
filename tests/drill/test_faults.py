"""Suites against faults: what must fail does, and nothing else does."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from lab.faults import FAULTS, Fault
from lab.faults.blame import lacking
from lab.inventory import Inventory
from reports.requirements import load

from .conftest import LOOKOUTS, NOT_APPLICABLE, PAIR, ROOT, SCORE, DrillLab, Ended, proofs_of

CATALOGUE = load(ROOT / "suites" / "catalogue.yaml")
FOLDERS = ("no_nat", "path", "expose", "dns", "isolation", "control_plane", "existing")
NODES = ("u1", "u2", "u3")
BROKEN = ("fail", "known-issue")
Record = Callable[[str, object], None]
"""pytest's `record_property`."""


BOUND_MS = 1000
"""The outage that a change of the drill may cause, milliseconds."""


def of_a_change(fault: Fault) -> bool:
    """Whether it is injected as the command of --change, and not before the suites are run."""
    return any(CATALOGUE[name].suite == "change" for name in fault.must_fail)


def run_under(lab: DrillLab, fault: Fault, config: pytest.Config) -> Ended:
    """Run what has to notice the fault, with the fault in the lab or as the change that is rehearsed."""
    if of_a_change(fault):
        command = f"python -m lab inject --lab {lab.name} {fault.name}"
        return lab.suites(["suites/change"], change=command, bound_ms=BOUND_MS)
    return lab.suites(places(fault, config), faults=[fault.name])


def places(fault: Fault, config: pytest.Config) -> list[str]:
    """The parts of the suites that are run under a fault."""
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


def skip_unless_applicable(fault: Fault, lab: DrillLab, record_property: Record) -> None:
    """Skip a fault that this lab cannot have; the summary lists it, and it counts neither as caught nor as missed."""
    obstacle = fault.obstacle(lab.inventory)
    if obstacle:
        record_property(NOT_APPLICABLE, f"{fault.name}: {obstacle}")
        pytest.skip(f"not applicable: fault {fault.name}: {obstacle} (see --with-nomad, --overlay)")


@dataclass(frozen=True)
class Judgement:
    """What a run found of a fault."""

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
        """What failed, or ended in an error, and is not a consequence of the fault."""
        return (self.broken | self.ended.with_status("error")) - {*self.fault.must_fail, *self.fault.may_fail}

    def vague(self) -> dict[str, list[str]]:
        """{requirement that had to fail and did: what its reason lacks to blame the fault}."""
        node = node_of(self.fault)
        peer = next(name for name in NODES if name != node)
        found = {
            name: lacking(self.fault.blames_in.get(name, self.fault.blames), self.ended.reason(name), node, peer)
            for name in sorted(set(self.fault.must_fail) & self.broken)
        }
        return {name: patterns for name, patterns in found.items() if patterns}

    def wrong(self) -> list[str]:
        """What the suites got wrong, in words; empty when they were right."""
        told = {
            name: f"{status['status']}: {self.ended.reason(name)}" for name, status in self.ended.requirements.items()
        }
        return [
            *(f"{name} did not fail: {told[name]}" for name in sorted(self.missed)),
            *(f"{name} failed too: {told[name]}" for name in sorted(self.collateral)),
            *(f"{name} lacks {' and '.join(patterns)}: {told[name]}" for name, patterns in self.vague().items()),
        ]

    def score(self) -> tuple[str, dict[str, object]]:
        """The property that the mutation score counts."""
        caught = bool(set(self.fault.must_fail) & self.broken)
        right = not self.missed and not self.vague()
        told = {"fault": self.fault.name, "caught": caught, "right": right, "collateral": sorted(self.collateral)}
        return SCORE, told


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if not fault.benign])
def test_a_fault_is_caught_and_nothing_else_fails(
    healed: DrillLab, name: str, request: pytest.FixtureRequest, record_property: Record
) -> None:
    """The requirements that must fail do, with a reason that blames the fault; no other one fails."""
    fault = FAULTS[name]
    skip_unless_applicable(fault, healed, record_property)
    judged = Judgement(fault, run_under(healed, fault, request.config))
    record_property(*judged.score())
    assert not judged.wrong(), "\n".join(judged.wrong())


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.benign])
def test_a_benign_change_fails_nothing(healed: DrillLab, name: str, record_property: Record) -> None:
    """No requirement fails for an extra container, an extra tunnel, a foreign rule, another MAC address."""
    skip_unless_applicable(FAULTS[name], healed, record_property)
    ended = healed.suites([f"suites/{folder}" for folder in FOLDERS], faults=[name], disruptive=False)
    wrong = {failed: ended.reason(failed) for failed in ended.with_status(*BROKEN, "error")}
    assert not wrong, wrong


def pairs(seed: int, count: int, inventory: Inventory) -> list[tuple[str, str]]:
    """Random pairs of faults that apply to a lab, of different promises; each fails a requirement of its own."""
    choice = random.Random(seed)
    chosen = [
        fault
        for fault in FAULTS.values()
        if fault.must_fail
        and CATALOGUE[fault.must_fail[0]].suite not in ("resilience", "change")
        and not fault.obstacle(inventory)
    ]
    made: list[tuple[str, str]] = []
    while len(made) < count:
        one, other = choice.sample(chosen, 2)
        suites = [{CATALOGUE[name].suite for name in fault.must_fail} for fault in (one, other)]
        if suites[0].isdisjoint(suites[1]) and own(one, other) and own(other, one):
            made.append((one.name, other.name))
    return made


def own(fault: Fault, beside: Fault) -> set[str]:
    """The requirements that only this one of two faults fails: the others do not tell the two apart."""
    return set(fault.must_fail) - {*beside.must_fail, *beside.may_fail}


@pytest.mark.parametrize("place", range(10))
def test_two_faults_at_once_are_both_seen(healed: DrillLab, place: int, record_property: Record) -> None:
    """Neither hides the other: for each, a requirement fails that it alone makes fail."""
    one, other = pairs(healed.seed, 10, healed.inventory)[place]
    first, second = FAULTS[one], FAULTS[other]
    record_property(PAIR, f"seed {healed.seed}: {one} and {other}@u3")
    ended = healed.suites(_tests(*first.must_fail, *second.must_fail), faults=[one, f"{other}@u3"])
    broken = ended.with_status(*BROKEN)
    assert broken & own(first, second), f"seed {healed.seed}: {one} was not seen: {ended.output[-2000:]}"
    assert broken & own(second, first), f"seed {healed.seed}: {other} was not seen: {ended.output[-2000:]}"


def test_a_healed_lab_is_ready(healed: DrillLab) -> None:
    """A Consul server that was cut off has a leader again when `lab heal` returns."""
    ask = "curl -s -o /dev/null -w %{http_code} -m 20 http://192.168.56.4:8500/v1/catalog/nodes"
    healed.command("inject", "partition@u2")
    assert (
        healed.command("exec", "u2", "--", "sh", "-c", f"until c=$({ask}); [ $c = 500 ]; do :; done; echo $c")
        == "500\n"
    )
    healed.command("heal")
    assert healed.command("exec", "u2", "--", "sh", "-c", ask) == "200"


def test_healing_is_enough(drill_lab: DrillLab) -> None:
    """After all faults, in the same lab and without a restart, every promise holds."""
    ended = drill_lab.suites([f"suites/{folder}" for folder in FOLDERS])
    assert ended.verdict == "conformant", ended.output[-3000:]
