"""Nomad: the agents' configuration in the lab, their HTTP API on a node, and what the API says of the whole.

Three servers, and a client on every node, whose Docker driver speaks to the endpoint by
which containers get into the overlay.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import nomad
import nomad.api.exceptions
import requests

from lab.errors import HarnessError
from lab.inventory import Inventory, Node
from lab.inventory import Nomad as NomadSettings

HTTP_TIMEOUT_S = 5
ERRORS = (nomad.api.exceptions.BaseNomadException, requests.RequestException, ValueError, KeyError)
"""What a call of the client may raise when Nomad does not answer, or not as it should."""


@dataclass(frozen=True)
class Quorum:
    """Nomad's servers as one of them sees them: by gossip (alive) and by raft (voters, leader). Addresses."""

    alive: frozenset[str]
    voters: frozenset[str]
    leaders: frozenset[str]

    def __str__(self) -> str:
        words = {"alive": self.alive, "voters": self.voters, "leader": self.leaders}
        return "; ".join(f"{what}: {', '.join(sorted(who)) or 'none'}" for what, who in words.items())


def quorum(members: Mapping[str, Any], raft: Mapping[str, Any]) -> Quorum:
    """From the answers of /v1/agent/members and /v1/operator/raft/configuration."""
    servers = raft["Servers"] or ()  # null until a server has peers
    return Quorum(
        alive=frozenset(one["Addr"] for one in members["Members"] or () if one["Status"] == "alive"),
        voters=frozenset(_host(one["Address"]) for one in servers if one["Voter"]),
        leaders=frozenset(_host(one["Address"]) for one in servers if one["Leader"]),
    )


def clients(nodes: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """{client's address: what keeps it from running Docker tasks, or `ready`}, from /v1/nodes."""
    return {one["Address"]: _readiness(one) for one in nodes}


def _readiness(node: Mapping[str, Any]) -> str:
    if node["Status"] != "ready":
        return str(node["Status"])
    if node["SchedulingEligibility"] != "eligible":
        return str(node["SchedulingEligibility"])
    driver = node.get("Drivers", {}).get("docker") or {}
    if not (driver.get("Detected") and driver.get("Healthy")):
        return f"docker driver: {driver.get('HealthDescription') or 'not detected'}"
    return "ready"


def _host(address: str) -> str:
    return address.rsplit(":", 1)[0]


def connect(node: Node, settings: NomadSettings, *, timeout_s: int = HTTP_TIMEOUT_S) -> nomad.Nomad:
    """A client of the Nomad agent on `node`; nothing is sent yet."""
    token = settings.token_file.read_text().strip() if settings.token_file is not None else None
    session = requests.Session()
    session.trust_env = False  # a proxy of the environment must not answer for the cluster
    plain = {name: value for name, value in os.environ.items() if not name.startswith("NOMAD_")}
    with patch.dict(os.environ, plain, clear=True):
        return nomad.Nomad(
            host=str(node.address), port=settings.http_port, token=token, timeout=timeout_s, session=session
        )


def unready(inventory: Inventory, client: nomad.Nomad) -> str | None:
    """What is still wanting, by the word of the agent that `client` talks to; None when all is there.

    Raises HarnessError when the inventory names no nomad.
    """
    if inventory.nomad is None:
        raise HarnessError("the inventory names no nomad")
    try:
        seen = quorum(client.agent.get_members(), client.operator.get_configuration())
        states = clients(client.nodes.get_nodes())
    except ERRORS as error:
        return " ".join(str(error).split())[:120]
    servers = {str(node.address) for node in inventory.nodes if node.nomad_server}
    if not servers <= seen.alive & seen.voters or len(seen.leaders) != 1:
        return str(seen)
    wanting = [
        f"client {node.name}: {states.get(str(node.address), 'not there')}"
        for node in inventory.nodes
        if states.get(str(node.address)) != "ready"
    ]
    return ", ".join(wanting) or None


def configuration(inventory: Inventory, node: Node, endpoint: str) -> str:
    """The agent's configuration (HCL) on `node`; `endpoint` is the Docker endpoint of its driver.

    It asks nobody outside for updates and reports to nobody; images stay when a job ends,
    since there is no registry to pull them from again.
    """
    settings = inventory.nomad
    assert settings is not None
    servers = [each for each in inventory.nodes if each.nomad_server]
    joined = ", ".join(f'"{each.address}"' for each in servers)
    consul = f'consul {{\n  address = "127.0.0.1:{inventory.consul.http_port}"\n}}' if inventory.consul else ""
    server = (
        f"""server {{
  enabled          = true
  bootstrap_expect = {len(servers)}
  server_join {{
    retry_join     = [{joined}]
    retry_interval = "1s"
  }}
}}"""
        if node.nomad_server
        else ""
    )
    return f"""\
name       = "{node.name}"
datacenter = "{settings.datacenter}"
data_dir   = "/var/lib/nomad"
bind_addr  = "{node.address}"
disable_update_check        = true
disable_anonymous_signature = true
leave_on_interrupt          = false
leave_on_terminate          = false
ports {{
  http = {settings.http_port}
}}
{server}
client {{
  enabled           = true
  network_interface = "{node.interface}"
  cpu_total_compute = 4000 # MHz; nodes share one machine, whose clock is not theirs to sell
  server_join {{
    retry_join     = [{joined}]
    retry_interval = "1s"
  }}
  options = {{
    "fingerprint.denylist" = "env_aws,env_azure,env_gce"
    "driver.allowlist"     = "docker"
  }}
}}
plugin "docker" {{
  config {{
    endpoint = "{endpoint}"
    disable_log_collection = true
    gc {{
      image = false
    }}
  }}
}}
{consul}
"""
