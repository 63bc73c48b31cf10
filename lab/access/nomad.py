"""Nomad's HTTP API on a node, and what its answers say of servers and clients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import nomad
import nomad.api
import nomad.api.exceptions
import requests

from lab.errors import HarnessError
from lab.inventory import Inventory, Node, Tls
from lab.inventory import Nomad as NomadSettings

HTTP_TIMEOUT_S = 5
READY = "ready"
MOST_OF_ERROR = 120
"""Characters of an error that a progress line has room for."""
ERRORS = (nomad.api.exceptions.BaseNomadException, requests.RequestException, ValueError, KeyError)
"""What a call may raise when Nomad does not answer, or answers something else than its documentation says."""


@dataclass(frozen=True)
class Quorum:
    """Nomad's servers as one agent sees them: alive by gossip, voters and leaders by raft. Addresses."""

    alive: frozenset[str]
    voters: frozenset[str]
    leaders: frozenset[str]

    def __str__(self) -> str:
        servers = {"alive": self.alive, "voters": self.voters, "leader": self.leaders}
        return "; ".join(f"{role}: {', '.join(sorted(addresses)) or 'none'}" for role, addresses in servers.items())


def read_quorum(members: Mapping[str, Any], raft: Mapping[str, Any]) -> Quorum:
    """The servers from the answers of /v1/agent/members and /v1/operator/raft/configuration."""
    servers = raft["Servers"] or ()  # null until a server has peers
    return Quorum(
        alive=frozenset(member["Addr"] for member in members["Members"] or () if member["Status"] == "alive"),
        voters=frozenset(_host(server["Address"]) for server in servers if server["Voter"]),
        leaders=frozenset(_host(server["Address"]) for server in servers if server["Leader"]),
    )


def client_states(nodes: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """{client's address: `ready`, or what keeps it from running Docker tasks}, from the answer of /v1/nodes."""
    return {node["Address"]: _client_state(node) for node in nodes}


def _client_state(node: Mapping[str, Any]) -> str:
    if node["Status"] != READY:
        return str(node["Status"])
    if node["SchedulingEligibility"] != "eligible":
        return str(node["SchedulingEligibility"])
    driver = node.get("Drivers", {}).get("docker") or {}
    if not (driver.get("Detected") and driver.get("Healthy")):
        return f"docker driver: {driver.get('HealthDescription') or 'not detected'}"
    return READY


def _host(address: str) -> str:
    return address.rsplit(":", 1)[0]


def describe_missing(inventory: Inventory, quorum: Quorum, states: Mapping[str, str]) -> str | None:
    """What the inventory's Nomad still lacks; None when it lacks nothing.

    Complete means: every declared server is alive and votes, exactly one server leads, and every node's client
    is ready. `states`: {client's address: state}, as `client_states` gives them.
    """
    servers = {str(node.address) for node in inventory.nodes if node.nomad_server}
    if not servers <= quorum.alive & quorum.voters or len(quorum.leaders) != 1:
        return str(quorum)
    missing = [
        f"client {node.name}: {states.get(str(node.address), 'not there')}"
        for node in inventory.nodes
        if states.get(str(node.address)) != READY
    ]
    return ", ".join(missing) or None


class NomadClient:
    """One agent's API: the endpoints of python-nomad that Flatnet uses, with their own documentation.

    `nomad.Nomad` takes what its arguments leave open from NOMAD_* variables; the endpoints themselves read no
    variable. Calls raise one of `ERRORS`.
    """

    def __init__(self, address: str, *, token: str | None, timeout_s: int, tls: Tls | None = None) -> None:
        session = requests.Session()
        session.trust_env = False  # a proxy of the environment must not answer for the cluster
        requester: dict[str, Any] = {"address": address, "token": token, "timeout": timeout_s, "session": session}
        if tls is not None:
            requester |= {"verify": str(tls.ca), "cert": (str(tls.certificate), str(tls.key))}
        self.agent = nomad.api.Agent(**requester)
        self.job = nomad.api.Job(**requester)
        self.jobs = nomad.api.Jobs(**requester)
        self.nodes = nomad.api.Nodes(**requester)
        self.operator = nomad.api.Operator(**requester)


def connect(node: Node, settings: NomadSettings, *, timeout_s: int = HTTP_TIMEOUT_S) -> NomadClient:
    """A client of the Nomad agent on `node`; nothing is sent yet. No variable of the environment is read."""
    token = settings.token_file.read_text().strip() if settings.token_file is not None else None
    scheme = "http" if settings.tls is None else "https"
    address = f"{scheme}://{node.address}:{settings.http_port}"
    return NomadClient(address, token=token, timeout_s=timeout_s, tls=settings.tls)


def unready(inventory: Inventory, client: NomadClient) -> str | None:
    """What Nomad still lacks according to the agent that `client` asks, or its error; None when it lacks nothing.

    Raises HarnessError when the inventory has no section `nomad`.
    """
    if inventory.nomad is None:
        raise HarnessError(f"{inventory.name}: Nomad is asked for; give the cluster file a section `nomad`")
    try:
        quorum = read_quorum(client.agent.get_members(), client.operator.get_configuration())
        states = client_states(client.nodes.get_nodes())
    except ERRORS as error:
        return " ".join(str(error).split())[:MOST_OF_ERROR]
    return describe_missing(inventory, quorum, states)
