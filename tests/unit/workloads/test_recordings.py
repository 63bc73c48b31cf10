"""Readers of Weave's, Nomad's and Consul's answers, on what real ones of the reference set-up said."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from fixtures.containers.fleet import Container
from fixtures.workloads.jobs import ATTACHMENTS, Job, Registered, astray, registrations
from lab.access import nomad
from lab.inventory import Inventory
from lab.overlays.weave import Connection, WeavePlugin, WeaveProxy, connections

RECORDINGS = Path(__file__).parent / "recordings"
SERVERS = {"192.168.56.3", "192.168.56.4", "192.168.56.5"}


def recording(name: str) -> Any:
    return json.loads((RECORDINGS / name).read_text())


def test_weaves_connections_are_the_other_peers_with_their_medium() -> None:
    assert set(connections(recording("weave/report.json"))) == {
        Connection("u2", "00:00:00:00:00:02", True, "sleeve, MTU 1438"),
        Connection("u3", "00:00:00:00:00:03", True, "sleeve, MTU 1438"),
    }


def test_a_connection_that_is_not_established_is_told() -> None:
    report = recording("weave/report.json")
    for peer in report["Router"]["Peers"]:
        for connection in peer["Connections"]:
            connection["Established"] = connection["NickName"] != "u3"
    assert {one.nickname: one.established for one in connections(report)} == {"u2": True, "u3": False}


def test_a_router_alone_has_no_connections() -> None:
    report = recording("weave/report.json")
    report["Router"]["Connections"] = None
    for peer in report["Router"]["Peers"]:
        peer["Connections"] = None
    assert connections(report) == ()


def test_a_peer_that_weave_retries_is_told_with_its_reason() -> None:
    report = recording("weave/report.json")
    report["Router"]["Connections"][0].update(Attrs=None, State="retrying", Info="connection refused")
    assert {one.nickname: one.medium for one in connections(report)} == {
        "u2": "connection refused",
        "u3": "sleeve, MTU 1438",
    }


def test_nomads_quorum_has_three_voters_alive_and_one_leader() -> None:
    seen = nomad.quorum(recording("nomad/members.json"), recording("nomad/raft.json"))
    assert seen == nomad.Quorum(frozenset(SERVERS), frozenset(SERVERS), frozenset({"192.168.56.5"}))


def test_a_server_that_is_gone_is_no_longer_alive_but_still_a_voter() -> None:
    members = recording("nomad/members.json")
    members["Members"][0]["Status"] = "failed"
    seen = nomad.quorum(members, recording("nomad/raft.json"))
    assert seen.alive == SERVERS - {"192.168.56.3"}
    assert seen.voters == SERVERS


def test_nomads_clients_are_ready() -> None:
    assert nomad.clients(recording("nomad/nodes.json")) == dict.fromkeys(SERVERS, "ready")


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({"Status": "down"}, "down"),
        ({"SchedulingEligibility": "ineligible"}, "ineligible"),
        ({"Drivers": {}}, "docker driver: not detected"),
        (
            {"Drivers": {"docker": {"Detected": True, "Healthy": False, "HealthDescription": "no daemon"}}},
            "docker driver: no daemon",
        ),
    ],
)
def test_a_client_that_cannot_run_tasks_says_why(change: dict[str, Any], state: str) -> None:
    nodes = recording("nomad/nodes.json")
    nodes[0].update(change)
    assert nomad.clients(nodes)[nodes[0]["Address"]] == state


@dataclass(frozen=True)
class Task:
    """What `astray` looks at."""

    label: str
    address: str
    port: int = 8081


def job(file: str) -> Job:
    return Job("httpbackend", next(one for one in ATTACHMENTS if one.file == file), "a", 3)


def tasks(*addresses: str) -> list[Container]:
    return [cast(Container, Task(f"u{index}/task", address)) for index, address in enumerate(addresses, 1)]


def test_the_drivers_address_is_where_the_tasks_are() -> None:
    found = registrations(recording("consul/catalog-service-plugin-driver.json"))
    right = tasks("10.32.0.4", "10.32.0.194", "10.32.0.241")
    assert Registered("consul-1", "10.32.0.4", 8081) in found
    assert astray(job("weave-plugin-driver.nomad"), found, right, SERVERS) == []


def test_by_the_proxy_the_name_leads_to_the_node_and_port_0() -> None:
    found = registrations(recording("consul/catalog-service-proxy-mode.json"))
    said = astray(job("weave-proxy.nomad"), found, tasks("10.32.1.1", "10.32.1.64", "10.32.1.128"), SERVERS)
    trapped = [line for line in said if "the node's address and port 0" in line and "leads nowhere" in line]
    assert len(trapped) == 3
    assert len(said) == 6
    assert "u1/task runs at 10.32.1.1 and is not registered there" in said


def test_a_registration_that_outlived_its_task_is_told() -> None:
    found = registrations(recording("consul/catalog-service-plugin-driver.json"))
    said = astray(job("weave-plugin-driver.nomad"), found, tasks("10.32.0.4", "10.32.0.194"), SERVERS)
    assert said == ["10.32.0.241:8081 (by consul-3): no task of the job has that address and port"]


def test_without_a_port_of_its_own_a_service_has_port_0() -> None:
    right = tasks("10.32.0.4")
    assert astray(job("weave-plugin-auto.nomad"), [Registered("u1", "10.32.0.4", 0)], right, SERVERS) == []
    assert astray(job("weave-plugin-driver.nomad"), [Registered("u1", "10.32.0.4", 0)], right, SERVERS) != []


def inventory(overlay: str) -> Inventory:
    node = {
        "name": "u1",
        "address": "192.168.56.3",
        "ssh": {"key": "key", "known_hosts": "known_hosts"},
        "nomad_server": True,
    }
    other = {**node, "name": "u2", "address": "192.168.56.4", "nomad_server": False}
    subnets = {"a": "10.32.0.0/24", "b": "10.32.1.0/24"}
    return Inventory.model_validate(
        {
            "name": "test",
            "nodes": [node, other],
            "overlay": {"name": overlay, "range": "10.32.0.0/16", "subnets": subnets},
            "nomad": {},
            "consul": {},
        }
    )


def test_by_the_plugin_a_container_joins_weaves_network_and_by_the_proxy_none() -> None:
    plugin, proxy = WeavePlugin(inventory("weave-plugin")), WeaveProxy(inventory("weave-proxy"))
    assert plugin.attach("a") == {"network": "weave", "environment": {}}
    assert plugin.attach("b")["environment"] == {"WEAVE_CIDR": "net:10.32.1.0/24"}
    assert proxy.attach("b") == {"environment": {"WEAVE_CIDR": "net:10.32.1.0/24"}}
    node = proxy.inventory.nodes[0]
    assert (plugin.endpoint(node), proxy.endpoint(node)) == (
        "unix:///var/run/docker.sock",
        "unix:///var/run/weave/weave.sock",
    )


def test_nomads_configuration_calls_nobody_and_differs_by_role() -> None:
    made = inventory("weave-proxy")
    server, client = (nomad.configuration(made, node, "unix:///var/run/weave/weave.sock") for node in made.nodes)
    for text in (server, client):
        assert "disable_update_check        = true" in text
        assert "disable_anonymous_signature = true" in text
        assert 'endpoint = "unix:///var/run/weave/weave.sock"' in text
        assert "telemetry" not in text
    assert "bootstrap_expect = 1" in server
    assert "bootstrap_expect" not in client


def test_each_overlay_that_runs_jobs_has_its_job_files() -> None:
    jobs = Path(__file__).parents[3] / "suites" / "workloads" / "jobs"
    assert {one.file for one in ATTACHMENTS} == {path.name for path in jobs.iterdir()}
