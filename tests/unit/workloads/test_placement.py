"""A job's file becomes a job of this run in the subnet that it was submitted for."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

import pytest

from fixtures.workloads.placement import (
    ATTACHMENTS,
    Attachment,
    Job,
    Subnet,
    addresses_of,
    attachments,
    describe_stray,
    elsewhere,
    prepare,
)
from lab.inventory import Inventory

SUBNETS = {"a": IPv4Network("10.32.0.0/24"), "b": IPv4Network("10.32.1.0/24")}
DEFAULT = Subnet("flatnet-a", "10.32.0.0/24", default=True)
SECOND = Subnet("flatnet-b", "10.32.1.0/24", default=False)


def parsed(environment: dict[str, str]) -> dict[str, Any]:
    task = {
        "Name": "web",
        "Config": {"image": "demo", "network_mode": "flatnet-a"},
        "Env": environment,
        "Services": [{"Name": "httpbackend", "PortLabel": "8081"}, {"Name": "httpbackend"}],
    }
    return {
        "ID": "httpbackend",
        "Name": "httpbackend",
        "Datacenters": ["dc9"],
        "TaskGroups": [{"Count": 1, "Tasks": [task]}],
    }


def prepared(setting: str, subnet: Subnet, **environment: str) -> tuple[dict[str, Any], dict[str, Any]]:
    source = parsed(environment)
    before = copy.deepcopy(source)
    job = Job("httpbackend-0f", Attachment("x.nomad", ("vxlan",), setting), "a", 3)
    made = prepare(source, job, "dc1", subnet)
    assert source == before, "the parsed file is left as it is"
    return made, made["TaskGroups"][0]["Tasks"][0]


def test_a_job_has_its_own_name_and_a_task_for_each_node() -> None:
    made, task = prepared("network_mode", DEFAULT)
    assert (made["ID"], made["Name"], made["Datacenters"]) == ("httpbackend-0f", "httpbackend-0f", ["dc1"])
    assert made["TaskGroups"][0]["Count"] == 3
    assert [service["Name"] for service in task["Services"]] == ["httpbackend-0f"] * 2
    assert task["Services"][0]["PortLabel"] == "8081"


def test_a_docker_network_names_the_subnet() -> None:
    for subnet in (DEFAULT, SECOND):
        _, task = prepared("network_mode", subnet, INSTANCE="x")
        assert task["Config"] == {"image": "demo", "network_mode": subnet.network}
        assert task["Env"] == {"INSTANCE": "x"}


@pytest.mark.parametrize(
    ("subnet", "environment", "expected"),
    [
        (DEFAULT, {}, {}),
        (SECOND, {}, {"WEAVE_CIDR": "net:10.32.1.0/24"}),
        (DEFAULT, {"WEAVE_CIDR": "net:10.32.9.0/24"}, {"WEAVE_CIDR": "net:10.32.0.0/24"}),
        (SECOND, {"WEAVE_CIDR": "net:10.32.9.0/24"}, {"WEAVE_CIDR": "net:10.32.1.0/24"}),
    ],
)
def test_a_variable_names_the_subnet_where_the_job_needs_it(
    subnet: Subnet, environment: dict[str, str], expected: dict[str, str]
) -> None:
    _, task = prepared("WEAVE_CIDR", subnet, **environment)
    assert task["Env"] == expected
    assert task["Config"]["network_mode"] == "flatnet-a"


@pytest.mark.parametrize(
    ("overlay", "files"),
    [
        ("vxlan", ["network"]),
        ("swarm", ["network"]),
        ("weave-plugin", ["weave-plugin-auto", "weave-plugin-driver"]),
        ("weave-proxy", ["weave-proxy"]),
    ],
)
def test_an_overlay_has_its_attachments(overlay: str, files: list[str]) -> None:
    made = Inventory.model_validate(
        {
            "name": "test",
            "nodes": [{"name": "u1", "address": "192.168.56.3", "ssh": {"key": "k", "known_hosts": "h"}}],
            "overlay": {"name": overlay, "range": "10.32.0.0/16", "subnets": {"a": "10.32.0.0/24"}},
        }
    )
    assert [str(attachment) for attachment in attachments(made)] == files


def test_only_weaves_plugin_with_automatic_addresses_registers_no_port() -> None:
    assert [str(attachment) for attachment in ATTACHMENTS if not attachment.port] == ["weave-plugin-auto"]


def test_a_job_is_known_to_consul_by_its_own_name() -> None:
    job = Job("httpbackend-0f", ATTACHMENTS[0], "a", 3)
    assert (str(job), job.service) == ("httpbackend-0f", "httpbackend-0f")


@dataclass(frozen=True)
class Task:
    label: str
    address: str
    port: int = 8081


def test_a_task_in_another_subnet_than_it_asked_for_is_told() -> None:
    tasks = [Task("u1/x", "10.32.0.4"), Task("u2/x", "10.32.1.4")]
    assert elsewhere(tasks, "a", SUBNETS) == ["u2/x asked for subnet a (10.32.0.0/24) and got 10.32.1.4 of subnet b"]


def test_what_a_container_got_instead_of_its_subnet_is_told_plainly() -> None:
    asked = "u1/b1 asked for subnet b (10.32.1.0/24) and got"
    assert describe_stray("u1/b1", "b", SUBNETS, ["10.32.0.70"]) == f"{asked} 10.32.0.70 of subnet a"
    assert describe_stray("u1/b1", "b", SUBNETS, ["172.17.0.2"]) == f"{asked} 172.17.0.2 of no subnet"
    assert describe_stray("u1/b1", "b", SUBNETS, []) == f"{asked} no address"


def test_a_containers_addresses_are_those_that_docker_knows() -> None:
    networks = {"flatnet-a": {"IPAddress": "10.32.0.4"}, "bridge": {"IPAddress": "172.17.0.2"}, "none": {}}
    assert addresses_of({"NetworkSettings": {"Networks": networks}}) == ["172.17.0.2", "10.32.0.4"]
