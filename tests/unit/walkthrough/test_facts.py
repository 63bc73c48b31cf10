"""What a step of the walk-through makes of routers, names, registrations and containers."""

from __future__ import annotations

from ipaddress import IPv4Interface, IPv4Network
from typing import Any

import pytest

from fixtures.dns.messages import Answer, DnsTransport
from fixtures.dns.registrations import Registration
from fixtures.walkthrough.facts import (
    DEFAULT_RANGE,
    NameDial,
    Task,
    describe_links,
    elsewhere,
    misled,
    obstacles,
    overlay_addresses,
    unlike_docker0,
    without_server,
)
from reports.model import NotProved

RANGE, FIRST, SECOND = (IPv4Network(text) for text in ("10.32.0.0/16", "10.32.0.0/24", "10.32.1.0/24"))
NAME = "web.service.dc1.consul"
TASKS = {"10.32.0.5": "t1", "10.32.0.6": "t2"}


def answer(asker: str, *records: str) -> Answer:
    return Answer(asker, "127.0.0.1", NAME, "A", DnsTransport.UDP, "NOERROR" if records else "NXDOMAIN", records)


def dial(source: str, address: str, answered: str) -> NameDial:
    return NameDial(source, NAME, address, answered)


def test_a_name_leads_to_the_tasks_when_each_address_is_answered_by_the_task_that_has_it() -> None:
    dials = [dial("u1", "10.32.0.5", "t1"), dial("u1", "10.32.0.6", "t2")]
    assert misled([answer("u1", *TASKS)], dials, TASKS) == []


def test_an_asker_with_other_addresses_or_another_one_who_answers_is_told() -> None:
    found = misled(
        [answer("u1", *TASKS), answer("u2", "10.32.0.5"), answer("u3")], [dial("u1", "10.32.0.6", "t1")], TASKS
    )
    assert [line.partition(":")[0] for line in found] == [
        "u2 gets other addresses than 10.32.0.5, 10.32.0.6",
        "u3 gets other addresses than 10.32.0.5, 10.32.0.6",
        f"u1 dialled {NAME} at 10.32.0.6",
    ]
    assert misled([answer("u1", "192.168.56.3")], [dial("u1", "192.168.56.3", "ECONNREFUSED")], TASKS)
    assert misled([answer("u1", *TASKS)], [dial("u1", "10.32.0.5", "ETIMEDOUT")], TASKS)


def test_a_name_that_nobody_asked_for_proves_nothing() -> None:
    with pytest.raises(NotProved, match="nobody asked"):
        misled([], [], TASKS)


def test_a_router_with_another_range_or_default_subnet_is_told() -> None:
    assert elsewhere({"u1": (RANGE, FIRST)}, {"u1": (RANGE, FIRST)}) == []
    wanted = f"; expected: addresses of {RANGE}, by default of {FIRST}"
    told = f"u1 gives addresses of {DEFAULT_RANGE}, by default of {DEFAULT_RANGE}"
    assert elsewhere({"u1": (DEFAULT_RANGE, DEFAULT_RANGE)}, {"u1": (RANGE, FIRST)}) == [told + wanted]
    assert elsewhere({"u1": (RANGE, SECOND)}, {"u1": (RANGE, FIRST)}) != []


LINKS: list[dict[str, Any]] = [
    {"ifname": "lo", "addr_info": [{"family": "inet", "local": "127.0.0.1", "prefixlen": 8}]},
    {"ifname": "eth0", "addr_info": [{"family": "inet6", "local": "fe80::1", "prefixlen": 64}]},
    {"ifname": "ethwe", "addr_info": [{"family": "inet", "local": "10.32.0.5", "prefixlen": 16}]},
]


def test_a_containers_addresses_in_the_overlays_range_are_read_of_its_own_interfaces() -> None:
    assert overlay_addresses(LINKS, RANGE) == ["10.32.0.5"]
    assert overlay_addresses(LINKS, SECOND) == []
    assert describe_links(LINKS) == "lo 127.0.0.1/8, ethwe 10.32.0.5/16"
    assert describe_links([]) == "none has an address"


def registered(node: str, address: str, port: int) -> Registration:
    return Registration("web", f"web-{node}", node, address, port)


def test_registrations_are_docker0s_addresses_or_the_difference_is_told() -> None:
    tasks = [Task("t1", "10.32.1.5", "172.17.0.2", "u1"), Task("t2", "10.32.1.6", "172.17.0.2", "u2")]
    both = [registered("u1", "172.17.0.2", 8081), registered("u2", "172.17.0.2", 8081)]
    assert unlike_docker0(both, tasks, 8081) == []
    assert unlike_docker0([both[0], registered("u2", "10.32.1.6", 8081)], tasks, 8081) == [
        "10.32.1.6:8081 is registered (by u2)",
        "nothing is registered at 172.17.0.2:8081 (by u2)",
    ]
    assert unlike_docker0([], tasks, 8081) != []
    assert unlike_docker0(both, tasks, 0) != []


def test_a_task_without_its_nodes_server_is_told() -> None:
    expected = {"u1/x": "192.168.56.3"}
    assert without_server({"u1/x": ["192.168.56.3"]}, expected) == []
    assert without_server({"u1/x": []}, expected) == ["u1/x has the DNS servers of its node, not 192.168.56.3"]
    assert without_server({"u1/x": ["192.168.56.3", "10.0.0.1"]}, expected) != []


def why_not(
    unreadable: dict[str, str] | None = None,
    strangers: dict[str, list[str]] | None = None,
    exposed: dict[str, list[IPv4Interface]] | None = None,
    dns_port: int = 53,
) -> list[str]:
    return obstacles(unreadable or {}, strangers or {}, exposed or {}, {"a": FIRST, "b": SECOND}, dns_port)


def test_a_router_that_can_be_launched_again_may_be_reset() -> None:
    own = [IPv4Interface("10.32.0.1/24"), IPv4Interface("10.32.1.1/24")]
    assert why_not(strangers={"u1": []}, exposed={"u1": own, "u2": []}) == []


def test_what_a_reset_would_take_from_its_owner_is_told_with_what_to_do() -> None:
    assert why_not(unreadable={"u1": "its proxy has TLS"}) == [
        "node u1: how Weave was launched is not known: its proxy has TLS; it is not reset, since it could not be "
        "launched as its owner did"
    ]
    assert why_not(strangers={"u1": [], "u2": ["web", "db"]}) == [
        "node u2: a reset would cut off the containers web, db; remove them first"
    ]
    (told,) = why_not(exposed={"u1": [IPv4Interface("10.32.0.1/24"), IPv4Interface("10.32.9.1/24")]})
    assert told.startswith("node u1: it is exposed as 10.32.9.1/24, in no subnet of the inventory")
    assert why_not(dns_port=8600) == ["Consul answers DNS on port 8600, and `dns_servers` of a job leads to port 53"]
