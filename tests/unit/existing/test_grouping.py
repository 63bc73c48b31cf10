"""Contracts written from what was seen: short, and true."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fixtures.existing.contract import Contract, Rule
from fixtures.existing.grouping import groups, sections
from fixtures.existing.selection import Party, expand
from tests.unit.existing.test_selection import party

Reaches = Callable[[Party, Party, str, int], bool | None]


SHOP = "com.docker.compose.project=shop, com.docker.compose.service"


def shop(service: str) -> dict[str, str]:
    return {"com.docker.compose.project": "shop", "com.docker.compose.service": service}


WEBS = [party(f"shop-web-{number}", f"u{number}", labels=shop("web")) for number in (1, 2, 3)]
DB = party("shop-db-1", "u2", subnets="b", ports=(5432, 9000), labels=shop("db"))
BATCH = [party(f"batch{number}", "u1", subnets="b", ports=()) for number in (1, 2)]
GATE = party("gate", "u3", subnets="ab", ports=(443,), labels={"app": "gate"})
EVERYONE = [*WEBS, DB, *BATCH, GATE]


def seen(reaches: Reaches, everyone: list[Party] = EVERYONE) -> dict[Any, bool | None]:
    return {
        (source.place, target.place, address, port): reaches(source, target, subnet, port)
        for target in everyone
        for subnet, address in target.addresses
        for port in target.serves(address)
        for source in everyone
        if source is not target
    }


def within(source: Party, target: Party, subnet: str, port: int) -> bool | None:
    """Subnets are kept apart, and nothing else is."""
    return subnet in source.subnets


def written(reaches: Reaches, everyone: list[Party] = EVERYONE) -> list[Rule]:
    """The rules, after it was shown that they say what was seen and nothing else."""
    shown = seen(reaches, everyone)
    rules = tuple(rule for section in sections(everyone, shown) for rule in section.rules)
    if not rules:
        assert True not in shown.values() and False not in shown.values()
        return []
    found = expand(Contract(path=Path("c"), rules=rules), everyone)
    said = {(e.source.place, e.target.place, e.address, e.port): e.reachable for e in found.expected}
    assert said == {key: outcome for key, outcome in shown.items() if outcome is not None}
    assert found.unmatched == ()
    return list(rules)


def test_groups_have_the_names_that_owners_give() -> None:
    found = {group.title: [member.name for member in group.members] for group in groups(EVERYONE)}
    assert found == {
        "batch*": ["u1/batch1", "u1/batch2"],
        "gate": ["u3/gate"],
        "shop/db": ["u2/shop-db-1"],
        "shop/web": ["u1/shop-web-1", "u2/shop-web-2", "u3/shop-web-3"],
    }
    more = [
        party("x-1", environment={"NOMAD_JOB_NAME": "cron"}), party("y-1", services=["queue"]),
        party("z-1", labels={"com.docker.swarm.service.name": "zed"}), party("alone"), party("alone", "u2"),
        party("k-1", labels={"app.kubernetes.io/name": "kube"}),
    ]  # fmt: skip
    titles = [group.title for group in groups(more)]
    assert titles == ["alone", "job cron", "kube", "service queue", "zed"]


def test_a_pattern_that_means_somebody_else_too_is_not_taken() -> None:
    some = [party("web-1"), party("web-2"), party("web-x", labels={"app": "other"})]
    assert [group.title for group in groups(some)] == ["other", "web-1", "web-2"]


def test_isolated_subnets_are_a_few_rules() -> None:
    rules = [str(rule) + f" {rule.expect}" for rule in written(within)]
    assert rules == [
        "from subnet: a to label: app=gate, subnet: a, port 443 reachable",
        "from subnet: b to label: app=gate, subnet: b, port 443 reachable",
        f"from subnet: b to label: {SHOP}=db, port 5432, 9000 reachable",
        f"from subnet: a to label: {SHOP}=web, port 80 reachable",
        "from any to any unreachable",
    ]


def test_one_that_is_refused_is_left_out() -> None:
    def reaches(source: Party, target: Party, subnet: str, port: int) -> bool | None:
        return within(source, target, subnet, port) and not (source is WEBS[1] and target is WEBS[0])

    rules = written(reaches)
    assert len(rules) < 15 and rules[-1].expect == "unreachable"


def test_one_group_reaches_another_across_subnets() -> None:
    def reaches(source: Party, target: Party, subnet: str, port: int) -> bool | None:
        return within(source, target, subnet, port) or (source in WEBS and target is DB and port == 5432)

    assert f"from any to label: {SHOP}=db, port 5432" in map(str, written(reaches))


def test_everything_reaches_everything() -> None:
    rules = written(lambda source, target, subnet, port: True)
    assert {rule.expect for rule in rules} == {"reachable"} and len(rules) == 4


def test_what_was_not_shown_is_not_written() -> None:
    def reaches(source: Party, target: Party, subnet: str, port: int) -> bool | None:
        return None if target is DB and source is BATCH[0] else within(source, target, subnet, port)

    rules = written(reaches)
    assert {rule.expect for rule in rules} == {"reachable", "unreachable"}
    assert "from any to any" not in map(str, rules)
    assert written(lambda source, target, subnet, port: None) == []


def test_a_port_that_only_some_of_a_group_serve() -> None:
    odd = [*WEBS[:2], party("shop-web-9", "u9", ports=(80, 6060), labels=shop("web")), DB]
    rules = [str(rule) for rule in written(within, odd)]
    assert any("name: shop-web-9, node: u9, port 6060" in rule for rule in rules)


def test_all_of_a_large_cluster_fits_on_pages() -> None:
    services = [f"s{number}" for number in range(12)]
    crowd = [
        party(f"{name}-{number:03}", f"u{number}", subnets="ab"[index % 2], ports=(8000 + index,), labels=shop(name))
        for index, name in enumerate(services)
        for number in range(4)
    ]  # fmt: skip
    unique = list({member.place: member for member in crowd}.values())
    assert len(unique) > 40 and len(written(within, unique)) == 13
