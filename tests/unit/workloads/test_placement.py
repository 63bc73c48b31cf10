"""A job's file becomes a job of this run in the subnet that it was submitted for."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

import pytest

from fixtures.workloads.placement import ATTACHMENTS, Attachment, Job, Subnet, attachments, elsewhere, outside, prepare
from lab.inventory import Inventory

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
    subnets = {"a": IPv4Network("10.32.0.0/24"), "b": IPv4Network("10.32.1.0/24")}
    tasks = [Task("u1/x", "10.32.1.7"), Task("u1/b1", "10.32.0.70"), Task("u2/y", "172.17.0.2")]
    assert elsewhere(tasks, "b", subnets) == [
        "u1/b1 asked for subnet b (10.32.1.0/24) and got 10.32.0.70 of subnet a",
        "u2/y asked for subnet b (10.32.1.0/24) and got 172.17.0.2 of no subnet",
    ]


def test_tasks_outside_their_subnet_are_told() -> None:
    tasks = [Task("u1/x", "10.32.0.4"), Task("u2/x", "10.32.1.4")]
    assert outside(tasks, IPv4Network("10.32.0.0/24")) == ["u2/x has 10.32.1.4, which is not in 10.32.0.0/24"]
