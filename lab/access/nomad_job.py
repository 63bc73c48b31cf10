"""The system job of `via: nomad`: what is registered, and what Nomad's answers say of its tasks. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lab.inventory import Node
from lab.inventory import Nomad as NomadSettings

from .nomad import READY

TASK = "agent"
MEMORY_MB = {"raw_exec": 16, "docker": 512}
"""What the task reserves. Commands in a container count as its own memory; those of raw_exec do not."""
TERMINAL = {"complete", "failed", "lost"}
"""Client statuses of an allocation that has ended (Nomad's documentation, "Allocations")."""


def job(
    job_id: str, settings: NomadSettings, clients: Iterable[str], *, image: str | None, ends_at: int
) -> dict[str, Any]:
    """The system job: one task on each of the clients (ids), which sleeps until `ends_at` (seconds since 1970).

    Its priority is the lowest, so that it never takes the place of another job's task (preemption). `image` is for the
    driver docker.
    """
    sleep = f"exec sleep $(({ends_at} - $(date +%s)))"
    config: dict[str, Any] = {"command": "/bin/sh", "args": ["-c", sleep]}
    if settings.agent_driver == "docker":
        config |= {"image": image, "privileged": True, "pid_mode": "host", "network_mode": "host"}
    task = {
        "Name": TASK,
        "Driver": settings.agent_driver,
        "Config": config,
        "Resources": {"CPU": 20, "MemoryMB": MEMORY_MB[settings.agent_driver]},
        "LogConfig": {"MaxFiles": 1, "MaxFileSizeMB": 1},
        "KillTimeout": 1_000_000_000,
    }
    wanted = {"LTarget": "${node.unique.id}", "RTarget": ",".join(sorted(clients)), "Operand": "set_contains_any"}
    return {
        "ID": job_id,
        "Name": job_id,
        "Type": "system",
        "Priority": 1,
        "Datacenters": [settings.datacenter],
        "Meta": {"flatnet": "the way of `via: nomad`; it ends by itself", "runner": os.uname().nodename},
        "Constraints": [wanted],
        # A node that was restarted gets its task back; one whose time is over does not.
        "TaskGroups": [
            {
                "Name": TASK,
                "Tasks": [task],
                "RestartPolicy": {"Attempts": 2, "Interval": 24 * 3600 * 10**9, "Delay": 10**9, "Mode": "fail"},
            }
        ],
    }


def find_clients(nodes: Iterable[Node], clients: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """{node's name: its client in the answer of /v1/nodes}: the client of the same address, else of the same name.

    Nodes without a client are left out. A client that is down and another one of the same address that is not: the
    latter, as a node that was made again has both.
    """
    found = {}
    for node in nodes:
        same = [client for client in clients if client["Address"] == str(node.address)]
        same = same or [client for client in clients if client["Name"].split(".")[0] == node.name]
        same.sort(key=lambda client: client["Status"] != READY)
        if same:
            found[node.name] = same[0]
    return found


def unusable(client: Mapping[str, Any] | None, driver: str) -> str | None:
    """Why no task can run on a node, by its client in the answer of /v1/nodes; None when one can."""
    if client is None:
        return "Nomad has no client with its address or name; correct nodes[].address, or start one there"
    if client["Status"] != READY:
        return f"its Nomad client is {client['Status']}"
    if client["SchedulingEligibility"] != "eligible":
        return f"its Nomad client is {client['SchedulingEligibility']}; make it eligible (nomad node eligibility)"
    state = (client.get("Drivers") or {}).get(driver) or {}
    if not state.get("Detected"):
        way_out = 'enable it (plugin "raw_exec" { config { enabled = true } })' if driver == "raw_exec" else "start it"
        return f"its Nomad client has no driver {driver}; {way_out}, or choose another nomad.agent_driver"
    if not state.get("Healthy"):
        return f"its driver {driver} is not healthy: {state.get('HealthDescription') or 'no reason given'}"
    return None


def running_allocation(client_id: str, allocations: Iterable[Mapping[str, Any]]) -> str | None:
    """The allocation of a client whose task runs, from the answer of /v1/job/ID/allocations; None when none does."""
    for allocation in allocations:
        task = (allocation.get("TaskStates") or {}).get(TASK) or {}
        if (
            allocation["NodeID"] == client_id
            and allocation["ClientStatus"] == "running"
            and allocation["DesiredStatus"] == "run"
            and task.get("State") == "running"
        ):
            return str(allocation["ID"])
    return None


def describe_placement(
    client_id: str, allocations: Iterable[Mapping[str, Any]], evaluations: Iterable[Mapping[str, Any]]
) -> str:
    """How far a client's task is, in words, from the answers about the job's allocations and evaluations."""
    for allocation in sorted(allocations, key=lambda each: -int(each["CreateIndex"])):
        if allocation["NodeID"] == client_id:
            task = (allocation.get("TaskStates") or {}).get(TASK) or {}
            events = [event["DisplayMessage"] for event in task.get("Events") or ()]
            return f"its task is {allocation['ClientStatus']}: {events[-1] if events else 'nothing said yet'}"
    for evaluation in evaluations:
        for failed in (evaluation.get("FailedTGAllocs") or {}).values():
            reasons = {**(failed.get("ConstraintFiltered") or {}), **(failed.get("DimensionExhausted") or {})}
            if reasons:
                return f"Nomad found no room for its task: {', '.join(reasons)}"
    return "Nomad has not placed its task yet"
