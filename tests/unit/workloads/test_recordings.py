"""Readers of Weave's, Nomad's and Consul's answers, on recorded answers of the reference set-up."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fixtures.dns.registrations import Registration, from_catalog
from fixtures.workloads.placement import ATTACHMENTS, Job, Placement, describe_trouble, misplaced, running
from lab.access import nomad
from lab.embedded.nomad import nomad_configuration
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
    assert {peer.nickname: peer.established for peer in connections(report)} == {"u2": True, "u3": False}


def test_a_router_alone_has_no_connections() -> None:
    report = recording("weave/report.json")
    report["Router"]["Connections"] = None
    for peer in report["Router"]["Peers"]:
        peer["Connections"] = None
    assert connections(report) == ()


def test_a_peer_that_weave_retries_is_told_with_its_reason() -> None:
    report = recording("weave/report.json")
    report["Router"]["Connections"][0].update(Attrs=None, State="retrying", Info="connection refused")
    assert {peer.nickname: peer.medium for peer in connections(report)} == {
        "u2": "connection refused",
        "u3": "sleeve, MTU 1438",
    }


@pytest.mark.parametrize(("medium", "by_program"), [("sleeve", True), ("fastdp", False)])
def test_sleeve_is_a_program_that_forwards_packets(
    monkeypatch: pytest.MonkeyPatch, medium: str, by_program: bool
) -> None:
    report = recording("weave/report.json")
    for connection in report["Router"]["Connections"]:
        connection["Attrs"]["name"] = medium
    monkeypatch.setattr(WeavePlugin, "report", lambda *_: report)
    node: Any = None
    assert WeavePlugin.forwards_by_program(object.__new__(WeavePlugin), node) is by_program


def quorum(members: Any) -> nomad.Quorum:
    """The quorum from the recorded answers about peers and leader, and these members."""
    return nomad.read_quorum(members, recording("nomad/peers.json"), recording("nomad/leader.json"))


def test_nomads_quorum_has_three_voters_alive_and_one_leader() -> None:
    seen = quorum(recording("nomad/members.json"))
    assert seen == nomad.Quorum(frozenset(SERVERS), frozenset(SERVERS), frozenset({"192.168.56.5"}))


def test_a_server_that_is_gone_is_no_longer_alive_but_still_a_voter() -> None:
    members = recording("nomad/members.json")
    members["Members"][0]["Status"] = "failed"
    seen = quorum(members)
    assert seen.alive == SERVERS - {"192.168.56.3"}
    assert seen.voters == SERVERS


def test_nomads_clients_are_ready() -> None:
    assert nomad.client_states(recording("nomad/nodes.json")) == dict.fromkeys(SERVERS, "ready")


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({"Status": "down"}, "down"),
        ({"SchedulingEligibility": "ineligible"}, "ineligible"),
        ({"Drivers": {}}, "docker driver: not detected"),
        ({"Drivers": {"docker": {"Detected": False, "Healthy": True}}}, "docker driver: not detected"),
        (
            {"Drivers": {"docker": {"Detected": True, "Healthy": False, "HealthDescription": "no daemon"}}},
            "docker driver: no daemon",
        ),
    ],
)
def test_a_client_that_cannot_run_tasks_says_why(change: dict[str, Any], state: str) -> None:
    nodes = recording("nomad/nodes.json")
    nodes[0].update(change)
    assert nomad.client_states(nodes)[nodes[0]["Address"]] == state


@dataclass(frozen=True)
class Task:
    """A task's container, as far as it is judged."""

    label: str
    address: str
    port: int = 8081


def job(file: str) -> Job:
    (attachment,) = (attachment for attachment in ATTACHMENTS if attachment.file == file)
    return Job("httpbackend", attachment, "a", 3)


def tasks(*addresses: str) -> list[Task]:
    return [Task(f"u{index}/task", address) for index, address in enumerate(addresses, 1)]


def registered(address: str, port: int) -> Registration:
    return Registration("httpbackend", "id", "u1", address, port)


def test_the_drivers_address_is_where_the_tasks_are() -> None:
    found = from_catalog(recording("consul/catalog-service-plugin-driver.json"))
    assert {(entry.node, entry.address, entry.port) for entry in found} == {
        ("consul-1", "10.32.0.4", 8081),
        ("consul-2", "10.32.0.194", 8081),
        ("consul-3", "10.32.0.241", 8081),
    }
    assert {entry.service for entry in found} == {"httpbackend-plugin"}
    right = tasks("10.32.0.4", "10.32.0.194", "10.32.0.241")
    assert misplaced(job("weave-plugin-driver.nomad"), found, right, SERVERS) == []


def test_by_the_proxy_the_name_leads_to_the_node_and_port_0() -> None:
    found = from_catalog(recording("consul/catalog-service-proxy-mode.json"))
    wrong = misplaced(job("weave-proxy.nomad"), found, tasks("10.32.1.1", "10.32.1.64", "10.32.1.128"), SERVERS)
    assert sum("the node's address and port 0" in line and "leads nowhere" in line for line in wrong) == 3
    assert len(wrong) == 6
    assert "u1/task runs at 10.32.1.1 and is not registered there" in wrong


def test_a_registration_that_outlived_its_task_is_told() -> None:
    found = from_catalog(recording("consul/catalog-service-plugin-driver.json"))
    (line,) = misplaced(job("weave-plugin-driver.nomad"), found, tasks("10.32.0.4", "10.32.0.194"), SERVERS)
    assert "10.32.0.241:8081 (by consul-3)" in line
    assert line.endswith(": no task of the job has that address and port")


def test_a_nodes_address_with_a_port_is_told_as_such() -> None:
    nowhere = registered("203.0.113.7", 0)
    assert misplaced(job("network.nomad"), [nowhere], [], SERVERS) == [
        f"{nowhere}: no task of the job has that address and port"
    ]
    entry = registered("192.168.56.3", 8081)
    assert misplaced(job("network.nomad"), [entry], [], SERVERS) == [
        f"{entry}: the node's address, where nothing of the job listens"
    ]


def test_without_a_port_of_its_own_a_service_has_port_0() -> None:
    right = tasks("10.32.0.4")
    assert misplaced(job("weave-plugin-auto.nomad"), [registered("10.32.0.4", 0)], right, SERVERS) == []
    assert misplaced(job("weave-plugin-driver.nomad"), [registered("10.32.0.4", 0)], right, SERVERS) != []


def test_running_tasks_name_their_node_and_container() -> None:
    allocations = recording("nomad/allocations.json")
    allocations[1]["ClientStatus"] = "complete"
    allocations[2]["TaskStates"] = None
    assert running(allocations) == [
        Placement("4bdccd94-3014-ba7c-0589-4db182a4dff3", "u1", "httpbackend-4bdccd94-3014-ba7c-0589-4db182a4dff3")
    ]


def test_trouble_is_each_task_that_does_not_run_and_each_group_without_a_node() -> None:
    allocations = recording("nomad/allocations.json")
    assert describe_trouble(allocations, []) == "Nomad reports no trouble"
    allocations[0]["TaskStates"]["httpbackend"]["State"] = "pending"
    allocations[1]["TaskStates"]["httpbackend"].update(State="dead", Events=None)
    allocations[2]["TaskStates"] = None
    evaluations: list[dict[str, Any]] = [
        {"FailedTGAllocs": {"web": {"ConstraintFiltered": {"${attr.driver.docker} is true": 3}}}},
        {"FailedTGAllocs": {"db": {"ConstraintFiltered": None, "NodesExhausted": 2}}},
        {"FailedTGAllocs": None},
        {},
    ]
    nodes = [allocation["NodeName"] for allocation in allocations]
    assert describe_trouble(allocations, evaluations).split("; ") == [
        f"{nodes[0]}/httpbackend is pending: Task started by client",
        f"{nodes[1]}/httpbackend is dead: no event",
        "no node for group web: {'${attr.driver.docker} is true': 3}",
        "no node for group db: {'ConstraintFiltered': None, 'NodesExhausted': 2}",
    ]


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
    endpoint = "unix:///var/run/weave/weave.sock"
    server, client = (nomad_configuration(made, node, endpoint) for node in made.nodes)
    for configuration in (server, client):
        assert configuration["disable_update_check"] is True
        assert configuration["disable_anonymous_signature"] is True
        assert configuration["leave_on_interrupt"] is False and configuration["leave_on_terminate"] is False
        assert configuration["client"]["enabled"] is True
        driver = {
            "endpoint": endpoint,
            "disable_log_collection": True,
            "gc": {"image": False},
            "volumes": {"enabled": True},
        }
        assert configuration["plugin"] == {"docker": {"config": driver}}
        assert configuration["client"]["server_join"]["retry_join"] == ["192.168.56.3"]
        assert configuration["consul"] == {"address": "127.0.0.1:8500"}
        assert "telemetry" not in configuration
        assert json.loads(json.dumps(configuration)) == configuration
    assert server["server"]["enabled"] is True
    assert server["server"]["bootstrap_expect"] == 1
    assert server["server"]["server_join"]["retry_join"] == ["192.168.56.3"]
    assert "server" not in client
    without_consul = made.model_copy(update={"consul": None})
    assert "consul" not in nomad_configuration(without_consul, made.nodes[0], endpoint)


def test_each_overlay_that_runs_jobs_has_its_job_files() -> None:
    jobs = Path(__file__).parents[3] / "suites" / "workloads" / "jobs"
    assert {attachment.file for attachment in ATTACHMENTS} == {path.name for path in jobs.iterdir()}
