"""Which rules of a contract hold, by the handshakes that were made for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fixtures.existing.promises import Kept, attempts, control_probes, controls, judge_contract
from fixtures.existing.selection import Expected, expand
from fixtures.existing.shakes import Ended, Probe, Shake
from tests.unit.existing.test_selection import DATA, EVERYONE, WEB1, WEB2, contract

OPEN = contract({"from": {"label": "app=web"}, "to": {"name": "data"}, "port": 5432, "reason": "pages"})
SHUT = contract({"from": {"name": "web-1"}, "to": {"name": "data"}, "port": 5432, "expect": "unreachable"})
KEY = (DATA.place, DATA.addresses[0][1], 5432)


def shake(how: Ended, **more: Any) -> Shake:
    return Shake(Probe(WEB1.place, DATA.place, KEY[1], 5432), how, **{"left": True, **more})


ACCEPTED = shake(Ended.ACCEPTED, arrived="eth0")
LOST = shake(Ended.LOST)
CONTROL = {KEY: ACCEPTED}


def expected(rules: Any) -> tuple[Expected, ...]:
    return expand(rules, EVERYONE).expected


def judged(rules: Any, *tried: Shake, before: Any = CONTROL, after: Any = CONTROL) -> Kept:
    return judge_contract(rules, expected(rules), tried, before, after)


def test_what_is_tried() -> None:
    [entry] = expected(SHUT)
    assert attempts([entry]) == [Probe(WEB1.place, DATA.place, KEY[1], 5432, neighbours=True)]
    assert controls([entry, entry]) == [KEY] and controls(expected(OPEN)) == []
    assert controls([replace(entry, port=7)]) == []
    assert control_probes([KEY]) == [Probe(DATA.place, DATA.place, KEY[1], 5432, neighbours=False)]


def test_a_contract_that_holds() -> None:
    kept = judged(OPEN, ACCEPTED, ACCEPTED)
    assert kept.violated == kept.unproved == () and all(line.startswith("ok ") for line in kept.every_pair)
    assert judged(SHUT, LOST).violated == judged(SHUT, LOST).unproved == ()
    assert judged(SHUT, shake(Ended.NO_WAY, left=False)).unproved == ()


def test_one_line_for_a_rule_that_does_not_hold() -> None:
    kept = judged(OPEN, LOST, LOST)
    assert kept.violated == (
        f"contract.yaml:2: expected reachable: {WEB1} -> {DATA} port 5432 at {KEY[1]}: "
        "no answer: its SYN was seen leaving, and not at the destination "
        "(and 1 more pairs of this rule); reason of the rule: pages",
    )
    assert (
        len(kept.every_pair) == 2
        and f"{WEB2} -> {DATA}" in kept.every_pair[1]
        and kept.every_pair[0].startswith("VIOLATED")
    )


@pytest.mark.parametrize("how", [Ended.STRAY, Ended.LOST, Ended.REFUSED, Ended.NO_WAY, Ended.FAILED])
def test_reachable_is_only_what_the_target_accepted(how: Ended) -> None:
    assert len(judged(OPEN, ACCEPTED, shake(how)).violated) == 1


def test_a_port_that_nothing_serves_is_told() -> None:
    rules = contract({"from": {"name": "web-1"}, "to": {"name": "data"}, "port": 7})
    [line] = judge_contract(rules, expected(rules), [shake(Ended.REFUSED)], {}, {}).violated
    assert line.endswith("refused with RST; nothing listens there")


@pytest.mark.parametrize(
    ("tried", "words"),
    [
        (ACCEPTED, "reachable: its SYN was seen on eth0, accepted"),
        (shake(Ended.LOST, arrived="eth1"), "reachable: its SYN was seen on eth1"),
        (shake(Ended.STRAY), "somebody answered"),
    ],
)
def test_a_leak(tried: Shake, words: str) -> None:
    [line] = judged(SHUT, tried, before={}, after={}).violated
    assert line == f"contract.yaml:2: expected unreachable: {WEB1} -> {DATA} port 5432 at {KEY[1]}: {words}"


@pytest.mark.parametrize(
    ("before", "after", "when"), [({}, CONTROL, "before"), (CONTROL, {}, "after"), ({KEY: LOST}, CONTROL, "before")]
)
def test_without_controls_nothing_is_proved(before: Any, after: Any, when: str) -> None:
    kept = judged(SHUT, LOST, before=before, after=after)
    assert kept.violated == () and f"control failed {when}: u2/data does not reach its own port: " in kept.unproved[0]


def test_what_did_not_leave_proves_nothing() -> None:
    kept = judged(SHUT, shake(Ended.LOST, left=False))
    assert kept.unproved[0].endswith("its SYN was not seen leaving") and kept.every_pair[0].startswith("not proved")


def test_a_closed_port_proves_nothing() -> None:
    rules = contract({"from": {"name": "web-1"}, "to": {"name": "data"}, "port": 7, "expect": "unreachable"})
    kept = judge_contract(rules, expected(rules), [LOST], CONTROL, CONTROL)
    assert kept.unproved[0].endswith("nothing listens on port 7, so that nobody reaches it says nothing")
