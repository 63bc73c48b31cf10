"""Networks of Docker against the IPv6 networks of a cluster file."""

from __future__ import annotations

import pytest

from lab.checks.judging import Engine, judge_networks
from lab.inventory import Inventory
from tests.unit.lab.test_checks import inventory, network, texts

SIX = {"Subnet": "fd00::/64", "Gateway": "fd00::1"}


def dual(*pools: dict[str, str], enabled: bool = True) -> dict[str, Engine]:
    made = network(EnableIPv6=enabled)
    made["IPAM"]["Config"] += pools
    return {"u1": Engine({"office": made}, {})}


@pytest.mark.parametrize(
    ("declared", "engines", "said"),
    [
        ("fd00::/64", dual(SIX), []),
        (
            "fd00:1::/64",
            dual(SIX),
            ["node u1: network office: its IPv6 subnet is fd00::/64, and the file"],
        ),
        (
            "fd00::/64",
            dual(),
            ["node u1: network office: it has no IPv6, and the file has overlay.subnets6.web"],
        ),
        ("fd00::/64", dual(SIX, enabled=False), ["node u1: network office: it has no IPv6, and the file has overlay."]),
        (
            None,
            dual(SIX),
            ["note: node u1: network office: it has IPv6 (fd00::/64), which the file does not declare, so nothing is"],
        ),
        (None, dual(SIX, enabled=False), []),
    ],
)
def test_a_networks_ipv6_is_as_the_file_says(declared: str | None, engines: dict[str, Engine], said: list[str]) -> None:
    made = inventory()
    if declared is not None:
        overlay = {**made.overlay.model_dump(), "subnets6": {"web": declared}}
        made = Inventory.model_validate({**made.model_dump(), "overlay": overlay})
    found = texts(judge_networks(made, {"web": "office"}, engines))
    assert len(found) == len(said) and all(map(str.startswith, found, said))


def test_an_adapter_of_ipv4_alone_says_nothing_of_ipv6() -> None:
    made = inventory()
    swarm = made.model_copy(update={"overlay": made.overlay.model_copy(update={"name": "swarm"})})
    assert judge_networks(swarm, {"web": "office"}, dual(SIX)) == []
