"""The nodes of a cluster as Nomad lists them: by its HTTP API alone, without a shell or an engine to ask."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from lab.access import nomad as nomad_api
from lab.access.ssh import Jumps, SshShell
from lab.errors import LabError
from lab.inventory import Node, Nomad, Ssh

from .cluster import short
from .questions import Engine, Survey
from .services import NOMAD_PORT

NO_ENGINE_ASKED = "Nomad lists nodes, and not Docker's networks"


@dataclass(frozen=True)
class Server:
    """Where the API is asked: an address, and no way to run commands there."""

    node: Node
    shell: SshShell


def ask(settings: Nomad) -> tuple[list[Survey], set[str]]:
    """The nodes, and the addresses of Nomad's servers. Raises LabError when the API does not answer."""
    # The address of the entry is not dialled: settings.http_host is.
    node = Node(name="nomad", address=IPv4Address("0.0.0.0"), ssh=Ssh(), via="nomad")
    try:
        client = nomad_api.connect(Server(node, SshShell(node, Jumps())), settings)
        told, members, nodes = client.agent.get_agent(), client.agent.get_members(), client.nodes.get_nodes()
    except nomad_api.ERRORS as error:
        where = f"{settings.http_host}:{settings.http_port}"
        raise LabError(f"discover: Nomad at {where} does not answer: {nomad_api.describe_error(error)}") from None
    return surveys_of(nodes, told), {str(member["Addr"]) for member in members["Members"] or ()}


def surveys_of(nodes: Iterable[Mapping[str, Any]], told: Mapping[str, Any]) -> list[Survey]:
    """A record for each client, from the answers of /v1/nodes and /v1/agent/self."""
    rows = sorted(nodes, key=lambda row: str(row["Name"]))
    config = {**(told.get("config") or {}), "Server": {"Enabled": False}}  # which agent answered is not known
    found = []
    for row in rows:
        address, name = str(row["Address"]), short(str(row["Name"]))
        if row.get("Status") != "ready":
            found.append(Survey(name, address, errors={"node": f"its Nomad client is {row.get('Status')}"}))
            continue
        version = ((row.get("Drivers") or {}).get("docker") or {}).get("Attributes") or {}
        engine = Engine({"Name": row["Name"]}, {"Version": version.get("driver.docker.version", "?")}, ())
        http = {
            f"http://{address}:{NOMAD_PORT}/v1/agent/self": (200, json.dumps({"config": config})),
            f"http://{address}:{NOMAD_PORT}/v1/nodes": (200, json.dumps(rows)),
        }
        found.append(Survey(name, address, engine=engine, http=http, errors={"docker": NO_ENGINE_ASKED}))
    return found
