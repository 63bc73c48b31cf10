"""Nomad's HTTP API on a node, and what its answers say of servers and clients."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import nomad
import nomad.api
import nomad.api.exceptions
import requests

from lab.answers import ODD, describe, text
from lab.errors import HarnessError
from lab.inventory import Inventory
from lab.inventory import Nomad as NomadSettings

from . import http

HTTP_TIMEOUT_S = 5
READY = "ready"
MOST_OF_ERROR = 120
"""Characters of an error that a progress line has room for."""
ERRORS = (nomad.api.exceptions.BaseNomadException, requests.RequestException, *ODD)
"""What a call may raise when Nomad does not answer, or answers something else than its documentation says."""
NODE_READ = 'node { policy = "read" }'
AGENT_READ = 'agent { policy = "read" }'
RULES = (
    ("GET", r"/v1/agent/self", "read its configuration", AGENT_READ),
    ("GET", r"/v1/agent/members", "list its servers", NODE_READ),
    ("GET", r"/v1/nodes", "list its clients", NODE_READ),
    ("GET", r"/v1/jobs", "list jobs", "list-jobs"),
    ("POST", r"/v1/jobs/parse", "parse a job", "parse-job"),
    ("GET", r"/v1/job/[^/]+(/allocations|/evaluations)?", "tell about a job", "read-job"),
    ("POST", r"/v1/job/[^/]+/plan", "plan a job", "submit-job"),
    ("POST", r"/v1/job/[^/]+", "register a job", "submit-job"),
    ("GET", r"/v1/client/allocation/[^/]+/gc", "remove what is left of an allocation", "submit-job"),
    ("DELETE", r"/v1/job/[^/]+", "deregister a job", "submit-job"),
)
"""(method, the path as a regular expression, what the request does, the rule or the namespace's capability of an ACL
policy that allows it). Each was tried on Nomad 1.1.2; "HTTP API", section "ACL Required", in Nomad's documentation has
the same. `parse-job` came with 1.2.6. Who leads, and which servers vote, /v1/status tells everybody; the raft
configuration would need a management token."""


@dataclass(frozen=True)
class Quorum:
    """Nomad's servers as one agent sees them: alive by gossip, voters and leaders by raft. Addresses."""

    alive: frozenset[str]
    voters: frozenset[str]
    leaders: frozenset[str]

    def __str__(self) -> str:
        servers = {"alive": self.alive, "voters": self.voters, "leader": self.leaders}
        return "; ".join(f"{role}: {', '.join(sorted(addresses)) or 'none'}" for role, addresses in servers.items())


def read_quorum(members: Mapping[str, Any], peers: Iterable[str] | None, leader: str) -> Quorum:
    """The servers from the answers of /v1/agent/members, /v1/status/peers and /v1/status/leader ("" for none)."""
    return Quorum(
        alive=frozenset(text(member["Addr"]) for member in members["Members"] or () if member["Status"] == "alive"),
        voters=frozenset(_host(peer) for peer in peers or ()),  # null until a server has peers
        leaders=frozenset(_host(each) for each in [leader] if each),
    )


def read_endpoint(agent: Mapping[str, Any]) -> str | None:
    """The Docker endpoint of an agent, from the answer of /v1/agent/self; None where its configuration has none."""
    for plugin in agent["config"].get("Plugins") or ():
        if plugin["Name"] == "docker" and (plugin.get("Config") or {}).get("endpoint"):
            return str(plugin["Config"]["endpoint"])
    return None


def client_states(nodes: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """{client's address: `ready`, or what keeps it from running Docker tasks}, from the answer of /v1/nodes."""
    return {text(node["Address"]): _client_state(node) for node in nodes}


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
    servers = {str(node.address) for node in inventory.tested if node.nomad_server}
    if not servers <= quorum.alive & quorum.voters or len(quorum.leaders) != 1:
        return str(quorum)
    missing = [
        f"client {node.name}: {states.get(str(node.address), 'not there')}"
        for node in inventory.tested
        if states.get(str(node.address)) != READY
    ]
    return ", ".join(missing) or None


class NomadClient:
    """One agent's API: the endpoints of python-nomad that Flatnet uses, with their own documentation.

    `nomad.Nomad` takes what its arguments leave open from NOMAD_* variables; the endpoints themselves read no
    variable. Calls raise one of `ERRORS`.
    """

    def __init__(
        self, session: http.ServiceSession, *, token: str | None, namespace: str | None, timeout_s: float
    ) -> None:
        requester: dict[str, Any] = {
            "address": session.base_url,
            "token": token,
            "namespace": namespace,
            "timeout": timeout_s,
            "session": session,
        }
        self._session, self._token, self._timeout_s = session, token, timeout_s
        self.agent = nomad.api.Agent(**requester)
        self.job = nomad.api.Job(**requester)
        self.jobs = nomad.api.Jobs(**requester)
        self.nodes = nomad.api.Nodes(**requester)
        self.status = nomad.api.Status(**requester)

    def quorum(self) -> Quorum:
        """Nomad's servers, as this agent sees them."""
        return read_quorum(self.agent.get_members(), self.status.peers.get_peers(), self.status.leader.get_leader())

    def docker_endpoint(self) -> str | None:
        """The Docker endpoint of this agent's client, from its configuration; None: the driver's default."""
        return read_endpoint(self.agent.get_agent())

    def collect(self, allocation: str) -> None:
        """Have its client remove what it keeps of an allocation that has ended (its folder and logs)."""
        response = self._session.get(
            f"{self._session.base_url}/v1/client/allocation/{allocation}/gc",
            headers={} if self._token is None else {"X-Nomad-Token": self._token},
            timeout=self._timeout_s,
        )
        if response.status_code != requests.codes.not_found:  # else the client has forgotten it already
            response.raise_for_status()


def connect(access: http.Access, settings: NomadSettings, *, timeout_s: float = HTTP_TIMEOUT_S) -> NomadClient:
    """A client of the Nomad agent on the node of `access`; nothing is sent yet.

    Of the environment, the variable alone is read that `settings.token_env` names. Raises HarnessError when a file of
    `settings` cannot be used, or the token is not there.
    """
    token = http.read_token(settings, "nomad")
    session = http.ServiceSession(
        access, settings, "nomad", port=settings.http_port, rule=lambda method, path: rule_for(settings, method, path)
    )
    return NomadClient(session, token=token, namespace=settings.namespace, timeout_s=timeout_s)


def rule_for(settings: NomadSettings, method: str, path: str) -> tuple[str, str] | None:
    """What a request does, and the rule of an ACL policy that allows it; None when it is none of RULES."""
    for rule_method, pattern, does, needs in RULES:
        if method in {rule_method, "PUT" if rule_method == "POST" else rule_method} and re.fullmatch(pattern, path):
            return does, needs if "{" in needs else namespace_rule(settings, needs)
    return None


def namespace_rule(settings: NomadSettings, *capabilities: str) -> str:
    """The rule of an ACL policy that gives capabilities in the namespace of Flatnet's jobs."""
    quoted = ", ".join(f'"{capability}"' for capability in capabilities)
    return f'namespace "{settings.namespace or "default"}" {{ capabilities = [{quoted}] }}'


def describe_error(error: BaseException) -> str:
    """What went wrong in a call that raised one of ERRORS, in one line."""
    response = getattr(error, "nomad_resp", None)
    if isinstance(response, requests.Response):
        return f"{response.status_code}: {' '.join(response.text.split())[:MOST_OF_ERROR]}"
    if isinstance(error, ODD) and not isinstance(error, requests.RequestException):
        return describe(error)
    return http.describe_failure(response if isinstance(response, BaseException) else error)


def unready(inventory: Inventory, client: NomadClient) -> str | None:
    """What Nomad still lacks according to the agent that `client` asks, or its error; None when it lacks nothing.

    Raises HarnessError when the inventory has no section `nomad`.
    """
    if inventory.nomad is None:
        raise HarnessError(f"{inventory.name}: Nomad is asked for; give the cluster file a section `nomad`")
    try:
        quorum = client.quorum()
        states = client_states(client.nodes.get_nodes())
    except ERRORS as error:
        return describe_error(error)[:MOST_OF_ERROR]
    return describe_missing(inventory, quorum, states)
