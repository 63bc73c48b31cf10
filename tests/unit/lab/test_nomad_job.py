"""The system job of `via: nomad`, and what Nomad's answers say of its tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.access import consul, nomad_shell
from lab.access.nomad import RULES, namespace_rule, rule_for
from lab.access.nomad_job import describe_placement, find_clients, job, running_allocation, unusable
from lab.access.nomad_shell import Lock, dead_jobs, open_nomad_shells
from lab.errors import HarnessError, LabError
from lab.inventory import Inventory, Node, Nomad

HERE = "10.0.0.1:4646"


def node(name: str, address: str, **more: Any) -> Node:
    return Node.model_validate({"name": name, "address": address, "via": "nomad", **more})


U1, U2 = node("u1", "192.168.56.3"), node("u2", "192.168.56.4")


def client(identity: str, **more: Any) -> dict[str, Any]:
    drivers = {"raw_exec": {"Detected": True, "Healthy": True}, "docker": {"Detected": True, "Healthy": True}}
    return {
        "ID": identity, "Name": "elsewhere", "Address": "192.0.2.9", "Status": "ready",
        "SchedulingEligibility": "eligible", "Drivers": drivers, **more,
    }  # fmt: skip


def test_a_node_is_the_client_with_its_address_else_with_its_name() -> None:
    by_name = client("c", Name="u1.example")
    by_address = client("a", Address="192.168.56.3")
    assert find_clients([U1, U2], [by_name, by_address]) == {"u1": by_address}
    assert find_clients([U1, U2], [by_name]) == {"u1": by_name}
    assert find_clients([U2], [client("x", Name="u20"), client("y", Name="example.u2")]) == {}


def test_a_client_that_is_ready_is_preferred_to_the_one_before_it() -> None:
    gone = client("old", Address="192.168.56.3", Status="down")
    here = client("new", Address="192.168.56.3")
    assert find_clients([U1], [gone, here]) == {"u1": here}
    assert find_clients([U1], [gone]) == {"u1": gone}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (client("a"), None),
        (None, "Nomad has no client with its address or name; correct nodes[].address, or start one there"),
        (client("a", Status="down"), "its Nomad client is down"),
        (
            client("a", SchedulingEligibility="ineligible"),
            "its Nomad client is ineligible; make it eligible (nomad node eligibility)",
        ),
        (
            client("a", Drivers=None),
            'its Nomad client has no driver raw_exec; enable it (plugin "raw_exec" { config { enabled = true } }), '
            "or choose another nomad.agent_driver",
        ),
        (
            client("a", Drivers={"raw_exec": {"Detected": True, "Healthy": False, "HealthDescription": "no cgroup"}}),
            "its driver raw_exec is not healthy: no cgroup",
        ),
    ],
)
def test_why_no_task_can_run_on_a_node(found: dict[str, Any] | None, said: str | None) -> None:
    assert unusable(found, "raw_exec") == said


def allocation(identity: str, **more: Any) -> dict[str, Any]:
    task = {"State": "running", "Events": [{"DisplayMessage": "Task started by client"}]}
    return {
        "ID": identity, "NodeID": "c1", "ClientStatus": "running", "DesiredStatus": "run", "CreateIndex": 1,
        "TaskStates": {"agent": task}, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    "more",
    [
        {"NodeID": "c2"},
        {"ClientStatus": "pending"},
        {"DesiredStatus": "stop"},
        {"TaskStates": None},
        {"TaskStates": {"agent": {"State": "dead"}}},
        {"TaskStates": {"other": {"State": "running"}}},
    ],
    ids=str,
)
def test_only_a_running_task_of_the_client_runs_commands(more: dict[str, Any]) -> None:
    assert running_allocation("c1", [allocation("good")]) == "good"
    assert running_allocation("c1", [allocation("bad", **more)]) is None
    assert running_allocation("c1", [allocation("bad", **more), allocation("good")]) == "good"


def test_what_keeps_a_task_from_running_is_told() -> None:
    dead = {"State": "dead", "Events": [{"DisplayMessage": "Sent interrupt"}, {"DisplayMessage": "driver failed"}]}
    failed = allocation("new", CreateIndex=9, ClientStatus="failed", TaskStates={"agent": dead})
    filtered = {"FailedTGAllocs": {"agent": {"ConstraintFiltered": {"missing drivers": 1}}}}
    exhausted = {"FailedTGAllocs": {"agent": {"DimensionExhausted": {"memory": 1}}}}
    assert describe_placement("c1", [allocation("old"), failed], [filtered]) == "its task is failed: driver failed"
    pending = allocation("a", ClientStatus="pending", TaskStates=None)
    assert describe_placement("c1", [pending], []) == "its task is pending: nothing said yet"
    others = [allocation("b", NodeID="c2")]
    assert describe_placement("c1", others, [filtered]) == "Nomad found no room for its task: missing drivers"
    assert describe_placement("c1", [], [exhausted]) == "Nomad found no room for its task: memory"
    assert describe_placement("c1", [], [{}]) == "Nomad has not placed its task yet"


def test_the_job_disturbs_nobody_and_ends_by_itself() -> None:
    made = job("flatnet-agent-0f", Nomad(datacenter="east"), ["b", "a"], image=None, ends_at=4000)
    assert (made["ID"], made["Type"], made["Datacenters"], made["Priority"]) == (
        "flatnet-agent-0f", "system", ["east"], 1,
    )  # fmt: skip
    assert made["Constraints"] == [{"LTarget": "${node.unique.id}", "RTarget": "a,b", "Operand": "set_contains_any"}]
    (task,) = made["TaskGroups"][0]["Tasks"]
    assert task["Config"] == {"command": "/bin/sh", "args": ["-c", "exec sleep $((4000 - $(date +%s)))"]}
    assert task["Driver"] == "raw_exec"


def test_the_container_is_privileged_and_has_the_hosts_processes() -> None:
    made = job("flatnet-agent-0f", Nomad(agent_driver="docker"), ["a"], image="busybox:1", ends_at=4000)
    config = made["TaskGroups"][0]["Tasks"][0]["Config"]
    assert {
        "image": "busybox:1",
        "privileged": True,
        "pid_mode": "host",
        "network_mode": "host",
    }.items() <= config.items()


def test_the_rule_that_a_request_needs_is_found() -> None:
    settings = Nomad(namespace="web")
    assert rule_for(settings, "PUT", "/v1/job/x") == (
        "register a job", 'namespace "web" { capabilities = ["submit-job"] }'
    )  # fmt: skip
    assert rule_for(settings, "GET", "/v1/nodes") == ("list its clients", 'node { policy = "read" }')
    assert rule_for(settings, "GET", "/v1/unknown") is None
    assert namespace_rule(Nomad(), "a", "b") == 'namespace "default" { capabilities = ["a", "b"] }'


def test_a_job_is_dead_when_its_runs_lock_is_released(tmp_path: Path) -> None:
    folder = tmp_path / "flatnet" / "agents"
    lives = Lock(folder, "flatnet-agent-1", HERE)
    killed = Lock(folder, "flatnet-agent-2", HERE)
    elsewhere = Lock(folder, "flatnet-agent-3", "10.0.0.2:4646")
    for lock in (killed, elsewhere):
        lock.release(remove=False)
    assert [file.name for file in dead_jobs(folder, HERE)] == ["flatnet-agent-2"]
    lives.release(remove=True)
    assert [file.name for file in dead_jobs(folder, HERE)] == ["flatnet-agent-2"]
    assert sorted(file.name for file in folder.iterdir()) == ["flatnet-agent-2", "flatnet-agent-3"]


def test_the_last_lock_leaves_no_folder(tmp_path: Path) -> None:
    folder = tmp_path / "flatnet" / "agents"
    Lock(folder, "flatnet-agent-1", HERE).release(remove=True)
    assert list(tmp_path.iterdir()) == []
    assert dead_jobs(folder, HERE) == []


def inventory(**nomad: Any) -> Inventory:
    return Inventory.model_validate(
        {
            "name": "test",
            "nodes": [{"name": "u1", "address": "192.168.56.3", "via": "nomad"}],
            "overlay": {"name": "vxlan", "range": "10.32.0.0/16", "subnets": {"a": "10.32.0.0/24"}},
            "nomad": nomad,
        }
    )


def test_the_way_to_nomad_does_not_lead_through_itself() -> None:
    agents = open_nomad_shells(inventory(through="node"))
    with pytest.raises(LabError, match=r"^nomad\.through: node needs another way .*; write through: runner$"):
        agents.shell(U1).connect()


def test_a_section_that_is_missing_is_one_line() -> None:
    without = inventory().model_copy(update={"nomad": None})
    with pytest.raises(HarnessError, match="needs a section `nomad`"):
        open_nomad_shells(without)


def test_shells_that_nobody_used_register_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    agents = open_nomad_shells(inventory())
    agents.shell(U1).close()
    agents.close()
    assert nomad_shell.locks() == tmp_path / "flatnet" / "nomad-agents"
    assert list(tmp_path.iterdir()) == []


def test_the_documentation_lists_every_rule() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "security.md").read_text()
    rows = {row.split("`")[1] for row in page.splitlines() if row.startswith("| `")}
    exec_capabilities = {name for names in nomad_shell.EXEC_CAPABILITIES.values() for name in names}
    assert {rule for _, _, rule in consul.RIGHTS} | {rule for *_, rule in RULES} | exec_capabilities == rows
