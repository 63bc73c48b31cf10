"""What engines and Consul say of what runs."""

from __future__ import annotations

from typing import Any

from fixtures.existing.containers import addresses_in_flux, nomad_variables, registered, running, swarms_own
from fixtures.existing.model import Attachment, Registered


def detail(name: str, status: str = "running", pid: int = 7, **more: Any) -> dict[str, Any]:
    return {
        "Name": f"/{name}",
        "Id": name * 4,
        "State": {"Status": status, "Pid": pid},
        "Config": {"Labels": more.get("labels"), "Env": more.get("env")},
        "HostConfig": {"NetworkMode": more.get("mode", "flatnet-a")},
        "NetworkSettings": {
            "Networks": more.get(
                "networks", {"flatnet-a": {"IPAddress": "10.32.0.2", "MacAddress": "02:AA:00:00:00:01"}}
            )
        },
    }


def test_running_containers() -> None:
    some = [
        detail("web", labels={"app": "x", "flatnet.run": "r1"}, env=["NOMAD_ALLOC_ID=a=1", "PASSWORD=secret"]),
        detail("agent", mode="host", networks={"host": {"IPAddress": "", "MacAddress": ""}}),
        detail("off", status="exited", pid=0),
        detail("again", status="restarting"),
        detail("half", pid=0),
    ]
    agent, web = running("u1", some)
    assert (agent.label, agent.host_network, agent.attachments, agent.run) == ("u1/agent", True, (), "")
    assert web.attachments == (Attachment("flatnet-a", "10.32.0.2", "02:aa:00:00:00:01"),)
    assert (web.run, web.environment, web.pid, web.host_network) == ("r1", {"NOMAD_ALLOC_ID": "a=1"}, 7, False)
    assert addresses_in_flux(some) == {"10.32.0.2"} and addresses_in_flux(some[:3]) == set()
    [bare] = running("u1", [detail("bare", networks=None)])
    assert bare.attachments == () and nomad_variables(["X=1"]) == {}


def test_swarms_own_addresses() -> None:
    network = {
        "Containers": {
            "lb-flatnet-a": {"IPv4Address": "10.32.0.9/24"},
            "0123": {"IPv4Address": "10.32.0.2/24"},
            "lb-x": {},
        }
    }
    assert swarms_own(network) == {"10.32.0.9"} and swarms_own({"Containers": None}) == set()


def test_registrations() -> None:
    def entry(address: str, *states: str) -> dict[str, Any]:
        return {
            "Service": {"Service": "shop", "ID": "shop-1", "Address": address, "Port": 80},
            "Node": {"Node": "u1", "Address": "192.168.56.3"},
            "Checks": [{"Status": state} for state in states],
        }

    found = registered(
        [entry("10.32.0.2", "passing"), entry("", "passing", "critical"), {**entry("x"), "Checks": None}]
    )
    assert found[0] == Registered("shop", "shop-1", "u1", "10.32.0.2", 80)
    assert (found[1].address, found[1].critical, found[2].critical) == ("192.168.56.3", True, False)
