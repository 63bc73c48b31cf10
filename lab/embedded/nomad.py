"""The configuration of a lab's Nomad agents."""

from __future__ import annotations

from typing import Any

from lab.inventory import Inventory, Node

CPU_MHZ = 4000
"""What each node offers to the scheduler. Fixed: the lab's nodes share the machine's processors."""


def nomad_configuration(inventory: Inventory, node: Node, endpoint: str, *, raw_exec: bool = False) -> dict[str, Any]:
    """The agent's configuration on `node`, for Nomad's JSON reader; `endpoint` is its driver's Docker endpoint.

    Every node has a client; the inventory says which ones have a server too. The agents look for no updates and
    send no reports. Images stay when a job ends, since the lab has no registry to pull them from again. Jobs may mount
    folders of their node, and with `raw_exec` run commands there as root.
    """
    settings = inventory.nomad
    assert settings is not None
    servers = [str(server.address) for server in inventory.nodes if server.nomad_server]
    join = {"retry_join": servers, "retry_interval": "1s"}
    configuration: dict[str, Any] = {
        "name": node.name,
        "datacenter": settings.datacenter,
        "data_dir": "/var/lib/nomad",
        "bind_addr": str(node.address),
        "disable_update_check": True,
        "disable_anonymous_signature": True,
        "leave_on_interrupt": False,
        "leave_on_terminate": False,
        "ports": {"http": settings.http_port},
        "client": {
            "enabled": True,
            "network_interface": node.interface,
            "cpu_total_compute": CPU_MHZ,
            "server_join": join,
            "options": {"fingerprint.denylist": "env_aws,env_azure,env_gce", "driver.allowlist": "docker"},
        },
        "plugin": {
            "docker": {
                "config": {
                    "endpoint": endpoint,
                    "disable_log_collection": True,
                    "gc": {"image": False},
                    "volumes": {"enabled": True},
                }
            }
        },
    }
    if raw_exec:
        configuration["client"]["options"]["driver.allowlist"] = "docker,raw_exec"
        configuration["plugin"]["raw_exec"] = {"config": {"enabled": True}}
    if node.nomad_server:
        configuration["server"] = {"enabled": True, "bootstrap_expect": len(servers), "server_join": join}
    if inventory.consul is not None:
        configuration["consul"] = {"address": f"127.0.0.1:{inventory.consul.http_port}"}
    return configuration
