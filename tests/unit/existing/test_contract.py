"""Contracts as people write them, and the errors that tell them what to correct."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.existing.contract import PER_TARGET, TOTAL, Contract, Selector, load_contract
from lab.errors import UsageError

RULE = "rules:\n  - {from: any, to: {name: db}, port: 5432, expect: reachable}\n"


def read(folder: Path, text: str) -> Contract:
    place = folder / "contract.yaml"
    place.write_text(text)
    return load_contract(place)


def test_a_contract(tmp_path: Path) -> None:
    text = """\
rate: {per_target: 5}
rules:
  # the shop
  - from: {label: {app: web}, subnet: a}
    to: {label: [tier, app=db], node: u2}
    port: [5432, 8000-8010]
    expect: reachable
    reason: pages
  - from: any
    to: {job: batch, service: queue, name: 'x-*'}
    expect: unreachable
"""
    contract = read(tmp_path, text)
    first, second = contract.rules
    assert [contract.where(rule) for rule in contract.rules] == ["contract.yaml:4", "contract.yaml:9"]
    assert (first.source.label, first.to.label, first.reason) == (("app=web",), ("tier", "app=db"), "pages")
    assert [first.asks_for(port) for port in (5432, 5433, 8000, 8010, 8011)] == [True, False, True, True, False]
    assert second.source == Selector() and second.asks_for(1) and second.port is None
    assert str(first) == "from label: app=web, subnet: a to label: tier, app=db, node: u2, port 5432, 8000-8010"
    assert str(second) == "from any to name: x-*, job: batch, service: queue"
    assert (contract.rate.per_target, contract.rate.total) == (5, TOTAL)
    assert read(tmp_path, RULE).rate.per_target == PER_TARGET


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "{path}: has no list `rules`; docs/contract.md shows a contract"),
        ("rules: 7", "{path}: has no list `rules`"),
        ("rules: []", "{path}: rules: is empty; write at least one rule"),
        ("rules:\n  - {from: any, to: any}", "{path}:2: rule 1.expect: is missing; write it"),
        (
            "rules:\n  - {from: any, to: any, expect: open}",
            "{path}:2: rule 1.expect: 'open' is not 'reachable' or 'unreachable'",
        ),
        (
            "rules:\n  - {from: any, to: {tag: x}, expect: reachable}",
            "{path}:2: rule 1.to.tag: is not a known key; docs/",
        ),
        (
            "rules:\n  - {from: {}, to: any, expect: reachable}",
            "{path}:2: rule 1.from: {} selects nothing; write `any`, or",
        ),
        ("rules:\n  - {from: web, to: any, expect: reachable}", "{path}:2: rule 1.from: 'web' selects nothing"),
        (
            "rules:\n\n  - {from: any, to: any, port: 70000, expect: reachable}",
            "{path}:3: rule 1.port: 70000: ports are from",
        ),
        (
            "rules:\n  - {from: any, to: any, port: 9-7, expect: reachable}",
            "{path}:2: rule 1.port: '9-7': ports are from 1",
        ),
        (
            "rules:\n  - {from: any, to: any, port: x, expect: reachable}",
            "{path}:2: rule 1.port: 'x' is not a port; write",
        ),
        (
            "rules:\n  - {from: any, to: any, port: true, expect: reachable}",
            "{path}:2: rule 1.port: True is not a port",
        ),
        ("rules:\n  - {from: any, to: any, port: [], expect: reachable}", "{path}:2: rule 1.port: is an empty list"),
        (
            "rules:\n  - {from: any, to: any, port: 53/udp, expect: reachable}",
            "{path}:2: rule 1.port: only TCP can be in a",
        ),
        (
            "rules:\n  - {from: any, to: any, protocol: udp, expect: reachable}",
            "{path}:2: rule 1: only TCP can be in a contract",
        ),
        (RULE + "rate: {total: 0}", "{path}: rate.total: "),
        (RULE + "rules: []", "{path}: line 3: the key 'rules' is there twice; remove one"),
        ("rules: [", "{path}: line "),
    ],
)
def test_an_error_names_file_line_and_rule(tmp_path: Path, text: str, wrong: str) -> None:
    with pytest.raises(UsageError) as error:
        read(tmp_path, text)
    told = str(error.value)
    assert told.startswith(wrong.replace("{path}", str(tmp_path / "contract.yaml"))) and "\n" not in told, told


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing\.yaml: cannot be read: No such file"):
        load_contract(tmp_path / "nothing.yaml")
