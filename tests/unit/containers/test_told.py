"""A service's addresses in what Swarm's manager answers."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.containers.told import read_published, read_told

SERVICE = {
    "ID": "zwly8kn5159t8jag14rz66r9i",
    "Endpoint": {
        "Spec": {"Mode": "vip"},
        "VirtualIPs": [
            {"NetworkID": "ingress", "Addr": "10.0.0.4/24"},
            {"NetworkID": "nozcvdvhre9i", "Addr": "10.32.0.8/24"},
        ],
    },
}
"""As Docker 20.10 answered, shortened."""


def task(address: str, *, state: str = "running", desired: str = "running", network: str = "nozcvdvhre9i") -> Any:
    attached = [{"Network": {"ID": network}, "Addresses": [f"{address}/24"]}]
    return {"Status": {"State": state}, "DesiredState": desired, "NetworksAttachments": attached}


TASKS = [
    task("10.32.0.9"),
    task("10.32.0.10"),
    task("10.32.0.11", state="starting"),
    task("10.32.0.12", desired="shutdown"),
    task("10.0.0.5", network="ingress"),
    {"Status": {"State": "running"}, "DesiredState": "running"},
]


def test_a_name_leads_to_the_virtual_address_of_its_network() -> None:
    told = read_told(SERVICE, TASKS, "nozcvdvhre9i")
    assert told.virtual == told.addresses == {"10.32.0.8"}
    assert told.tasks == {"10.32.0.9", "10.32.0.10"}


def test_without_one_it_leads_to_the_tasks_that_run() -> None:
    for service in ({"Endpoint": {"Spec": {"Mode": "dnsrr"}}}, {}):
        told = read_told(service, TASKS, "nozcvdvhre9i")
        assert not told.virtual and told.addresses == told.tasks == {"10.32.0.9", "10.32.0.10"}


def test_the_port_by_which_nodes_publish_a_service() -> None:
    ports = [
        {"TargetPort": 8081, "PublishMode": "host", "PublishedPort": 8081},
        {"TargetPort": 8081, "PublishMode": "ingress", "PublishedPort": 30001},
    ]
    assert read_published({"Endpoint": {"Ports": ports}}, 8081) == 30001
    with pytest.raises(ValueError, match="no node publishes its port 80"):
        read_published({"Endpoint": {"Ports": ports}}, 80)
    with pytest.raises(ValueError, match="no node publishes its port 8081"):
        read_published({"Endpoint": {"Spec": {}}}, 8081)
