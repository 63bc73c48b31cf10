"""Whom rules select, and what each pair is expected to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fixtures.existing.contract import Contract, Selector
from fixtures.existing.model import Registered
from fixtures.existing.selection import Party, expand, parties, selects
from tests.unit.existing.canned import DB, DB_ADDRESS, SUBNETS, WEB, changed, container, healthy, renamed


def party(name: str, node: str = "u1", *, subnets: str = "a", ports: tuple[int, ...] = (80,), **more: Any) -> Party:
    number = sum(map(ord, name + node))
    services = frozenset(more.pop("services", ()))
    addresses = tuple((subnet, f"10.32.{'ab'.index(subnet)}.{number % 250}") for subnet in subnets)
    listening = frozenset(("0.0.0.0", port) for port in ports)
    return Party((node, number), f"{node}/{name}", (container(name, node, **more),), addresses, services, listening)


def contract(*rules: dict[str, Any]) -> Contract:
    numbered = [{"expect": "reachable", "line": number + 2, **rule} for number, rule in enumerate(rules)]
    return Contract.model_validate({"path": Path("contract.yaml"), "rules": numbered})


WEB1, WEB2 = party("web-1", labels={"app": "web"}), party("web-2", "u2", labels={"app": "web"})
DATA = party(
    "data", "u2", ports=(5432, 9000), environment={"NOMAD_JOB_NAME": "pg"}, services=["pg"], labels={"tier": ""}
)
GATE = party("gate", subnets="ab")
EVERYONE = [WEB1, WEB2, DATA, GATE]


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ({}, EVERYONE),
        ({"name": "web-*"}, [WEB1, WEB2]),
        ({"name": "WEB-*"}, []),
        ({"label": "app"}, [WEB1, WEB2]),
        ({"label": ["app=web"], "node": "u2"}, [WEB2]),
        ({"label": ["app=web", "tier"]}, []),
        ({"label": "tier"}, [DATA]),
        ({"label": "tier=x"}, []),
        ({"job": "pg"}, [DATA]),
        ({"job": "p"}, []),
        ({"service": "pg"}, [DATA]),
        ({"service": "web"}, []),
        ({"subnet": "b"}, [GATE]),
        ({"node": "u1"}, [WEB1, GATE]),
    ],
)
def test_selectors(selector: dict[str, Any], chosen: list[Party]) -> None:
    assert [found for found in EVERYONE if selects(Selector.model_validate(selector), found)] == chosen


def test_one_container_of_a_namespace_has_to_match_all() -> None:
    both = replace(WEB1, containers=(*WEB1.containers, container("log", "u1", labels={"role": "log"})))
    assert selects(Selector(name="log", label=("role=log",)), both)
    assert not selects(Selector(name="log", label=("app=web",)), both)


def told(found: Any) -> list[str]:
    return [f"{entry.rule.line} {entry.source}>{entry.target}:{entry.port} {entry.rule.expect[0]}" for entry in found]


def test_the_first_rule_that_matches_decides() -> None:
    rules = contract(
        {"from": {"name": "web-1"}, "to": {"name": "data"}, "port": 5432},
        {"from": "any", "to": {"name": "data"}, "expect": "unreachable"},
        {"from": {"name": "web-1"}, "to": {"name": "data"}},
    )
    found = expand(rules, [WEB1, WEB2, DATA])
    assert told(found.expected) == [
        "2 u1/web-1>u2/data:5432 r",
        "3 u1/web-1>u2/data:9000 u",
        "3 u2/web-2>u2/data:5432 u",
        "3 u2/web-2>u2/data:9000 u",
    ]
    assert found.unmatched == found.idle == ()
    assert [entry.reachable for entry in found.expected[:2]] == [True, False]


def test_ports_that_are_named_are_tried_and_those_of_a_range_if_they_are_served() -> None:
    one = contract({"from": {"name": "web-1"}, "to": {"name": "data"}, "port": [7, "8000-9500"]})
    found = expand(one, EVERYONE)
    assert [(entry.port, entry.served) for entry in found.expected] == [(7, False), (9000, True)]
    assert str(found.expected[0]) == f"u1/web-1 -> u2/data port 7 at {DATA.addresses[0][1]}"


def test_a_selector_that_matches_nobody_is_named() -> None:
    found = expand(contract({"from": {"name": "nobody"}, "to": {"subnet": "z"}}), EVERYONE)
    assert found.unmatched == (
        "contract.yaml:2: from: name: nobody: no running container matches",
        "contract.yaml:2: to: subnet: z: no running container matches",
    )
    assert not found.expected and not found.idle


def test_a_rule_without_a_served_port_is_named() -> None:
    found = expand(contract({"from": {"name": "web-1"}, "to": {"name": "data"}, "port": "1-9"}), EVERYONE)
    assert found.idle == (
        "contract.yaml:2: from name: web-1 to name: data, port 1-9: "
        "no target serves a port of it, so nothing was tried",
    )


def addresses(source: Party, target: Party, **rule: Any) -> list[str]:
    found = expand(
        contract({"from": {"name": source.containers[0].name}, "to": {"name": target.containers[0].name}, **rule}),
        EVERYONE,
    )
    return [entry.address for entry in found.expected]


def test_which_address_is_dialled() -> None:
    """Reachable is the address in a shared subnet; unreachable has to be every one."""
    a, b = (address for _, address in GATE.addresses)
    assert addresses(WEB1, GATE) == [a] and addresses(WEB1, GATE, expect="unreachable") == [a, b]
    assert addresses(WEB1, GATE, to={"name": "gate", "subnet": "b"}) == [b]
    assert addresses(GATE, WEB1) == [WEB1.addresses[0][1]]


def test_neighbours_share_the_subnet_of_the_address() -> None:
    found = expand(contract({"from": {"name": "web-1"}, "to": {"name": "gate"}, "expect": "unreachable"}), EVERYONE)
    assert [entry.neighbours for entry in found.expected] == [True, False]


def test_parties_are_everybody_elses() -> None:
    view = replace(
        changed(healthy(), DB, listening=frozenset({("0.0.0.0", 5432), ("127.0.0.1", 9), (DB_ADDRESS, 7)})),
        registered=(Registered("pg", "pg-1", "u2", DB_ADDRESS, 5432),),
    )
    everyone = {party.name: party for party in parties(view, SUBNETS)}
    assert list(everyone) == ["u1/web", "u2/db"]
    found = everyone["u2/db"]
    assert (
        found.serves(DB_ADDRESS) == (7, 5432) and found.services == {"pg"} and found.addresses == (("a", DB_ADDRESS),)
    )
    ours = renamed(view, {**view.inhabitants, WEB: (replace(view.inhabitants[WEB][0], run="r1"),)})
    assert [party.name for party in parties(ours, SUBNETS)] == ["u2/db"]
    assert parties(view, {"b": SUBNETS["b"]}) == []
