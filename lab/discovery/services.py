"""What Consul, Nomad and Swarm say of the cluster: their settings for the file, and the nodes that they know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.inventory import Nomad

from .questions import Survey, parsed

CONSUL_PORT, CONSUL_TLS_PORT, NOMAD_PORT, WEAVE_PORT = 8500, 8501, 4646, 6784
SERVICE_PORTS = (CONSUL_PORT, CONSUL_TLS_PORT, NOMAD_PORT)
REFUSED = (401, 403)
PATHS = {CONSUL_PORT: ("/v1/agent/self", "/v1/agent/members"), NOMAD_PORT: ("/v1/agent/self", "/v1/nodes")}


def urls(address: str) -> list[str]:
    """What a process on a node asks: Consul and Nomad on its own address and on 127.0.0.1, and Weave's router."""
    plain = [
        f"http://{host}:{port}{path}"
        for port, paths in PATHS.items()
        for host in (address, "127.0.0.1")
        for path in paths
    ]
    secure = [f"https://{host}:{port}/v1/agent/self" for host in (address, "127.0.0.1") for port in SERVICE_PORTS]
    return [*plain, *secure, f"http://127.0.0.1:{WEAVE_PORT}/report"]


@dataclass(frozen=True)
class Member:
    """A node that Swarm, Consul or Nomad names."""

    name: str
    address: str
    known_to: str


@dataclass
class ServiceFacts:
    """A section `consul` or `nomad` of the file: its keys, what they were read from, and open questions."""

    keys: dict[str, object] = field(default_factory=dict)
    comments: list[str] = field(default_factory=list)
    servers: set[str] = field(default_factory=set)
    """Addresses of its servers."""
    version: str = ""

    def reached_by(self, settings: Nomad) -> None:
        """Take over how a person reached it."""
        self.keys |= {"http_host": str(settings.http_host), "http_port": settings.http_port}
        self.keys.pop("through", None)
        self.comments = [comment for comment in self.comments if not comment.startswith(("token_file", "through"))]
        if settings.token_file is not None:
            self.keys["token_file"] = str(settings.token_file)
        if settings.tls is not None:
            self.keys["tls"] = {key: str(path) for key, path in settings.tls.model_dump(exclude_none=True).items()}


def members_of(surveys: Iterable[Survey]) -> list[Member]:
    """Every node that one of them names, once for each address, in the order in which they were named."""
    found: dict[str, Member] = {}
    for survey in surveys:
        for member in [*_of_swarm(survey), *_of_consul(survey), *_of_nomad(survey)]:
            found.setdefault(member.address, member)
    return list(found.values())


def _of_swarm(survey: Survey) -> Iterable[Member]:
    if survey.engine is None:
        return
    for node in survey.engine.members:
        address = (node.get("Status") or {}).get("Addr", "")
        if address in ("", "0.0.0.0"):  # an old manager's view of itself
            address = str((node.get("ManagerStatus") or {}).get("Addr", "")).rpartition(":")[0]
        if address:
            yield Member(str(node["Description"]["Hostname"]), address, "the swarm")
    swarm = survey.engine.info.get("Swarm") or {}
    for manager in swarm.get("RemoteManagers") or ():
        yield Member("", str(manager.get("Addr", "")).rpartition(":")[0], "the swarm, as a manager")


def answers(survey: Survey, port: int, path: str) -> tuple[int, str] | None:
    """The best answer to a path on the node's own address or on 127.0.0.1: one with status 200 if there is any."""
    found = [survey.http.get(f"http://{host}:{port}{path}") for host in (survey.address, "127.0.0.1")]
    known = [answer for answer in found if answer is not None and answer[0]]
    return next((answer for answer in known if answer[0] == 200), known[0] if known else None)


def _of_consul(survey: Survey) -> Iterable[Member]:
    for member in parsed(answers(survey, CONSUL_PORT, "/v1/agent/members")) or ():
        if member.get("Status") == 1:  # serf's `alive`
            yield Member(str(member["Name"]), str(member["Addr"]), "Consul")


def _of_nomad(survey: Survey) -> Iterable[Member]:
    for node in parsed(answers(survey, NOMAD_PORT, "/v1/nodes")) or ():
        yield Member(str(node["Name"]), str(node["Address"]), "Nomad")


def nomad_names(surveys: Iterable[Survey]) -> dict[str, str]:
    """{address: the name that Nomad has for the client there}"""
    return {member.address: member.name for survey in surveys for member in _of_nomad(survey)}


def consul_of(surveys: Iterable[Survey]) -> ServiceFacts | None:
    """The section `consul`; None where nothing looks like Consul."""
    facts: ServiceFacts | None = None
    for survey in surveys:
        told = parsed(answers(survey, CONSUL_PORT, "/v1/agent/self"))
        if told is not None:
            facts = facts or _consul(survey, told)
            if told["Config"].get("Server"):
                facts.servers.add(str(told.get("Member", {}).get("Addr") or survey.address))
            facts.servers |= {
                str(member["Addr"])
                for member in parsed(answers(survey, CONSUL_PORT, "/v1/agent/members")) or ()
                if (member.get("Tags") or {}).get("role") == "consul"
            }
    return facts or _closed(surveys, "consul", "Consul", CONSUL_PORT)


def _consul(survey: Survey, told: Mapping[str, Any]) -> ServiceFacts:
    config, debug = told["Config"], told.get("DebugConfig") or {}
    facts = ServiceFacts(version=str(config.get("Version", "")))
    facts.keys["http_port"] = int(debug.get("HTTPPort") or CONSUL_PORT)
    if isinstance(debug.get("DNSPort"), int) and debug["DNSPort"] > 0:
        facts.keys["dns_port"] = debug["DNSPort"]
    else:
        facts.comments.append("dns_port: Consul does not say where its DNS answers; which port is it? (default: 53)")
    facts.keys["datacenter"] = str(config["Datacenter"])
    domain = str(debug.get("DNSDomain", "consul.")).strip(".")
    facts.keys["domain"] = domain or "consul"
    if debug.get("ACLsEnabled"):
        facts.comments.append("token_file: ACLs are on; which token may register services named flatnet-…?")
    _note_dialler(facts, survey, CONSUL_PORT)
    return facts


def _note_dialler(facts: ServiceFacts, survey: Survey, port: int, scheme: str = "http") -> None:
    """Say who has to dial, where the runner does not reach the API, or it answers on 127.0.0.1 only."""
    own = survey.http.get(f"{scheme}://{survey.address}:{port}/v1/agent/self", (0, ""))
    if not own[0] and own[1] != "TLS":
        facts.comments.append(f"through: its API answers on 127.0.0.1 of the nodes, and not on {survey.address}")
    elif survey.from_runner is not None and port not in survey.from_runner:
        facts.comments.append(f"through: this machine does not reach {survey.address}:{port}, the node does")
    else:
        return
    facts.keys["through"] = "node"


def nomad_of(surveys: Iterable[Survey]) -> ServiceFacts | None:
    """The section `nomad`; None where nothing looks like Nomad."""
    facts: ServiceFacts | None = None
    for survey in surveys:
        told = parsed(answers(survey, NOMAD_PORT, "/v1/agent/self"))
        if told is None:
            continue
        config = told.get("config") or {}
        if facts is None:
            facts = ServiceFacts(version=str((config.get("Version") or {}).get("Version", "")))
            facts.keys["http_port"] = int((config.get("Ports") or {}).get("HTTP") or NOMAD_PORT)
            facts.keys["datacenter"] = str(config.get("Datacenter", "dc1"))
            if (config.get("ACL") or {}).get("Enabled"):
                facts.comments.append("token_file: ACLs are on; which token may submit jobs?")
            _note_dialler(facts, survey, NOMAD_PORT)
        if (config.get("Server") or {}).get("Enabled"):
            facts.servers.add(survey.address)
    return facts or _closed(surveys, "nomad", "Nomad", NOMAD_PORT)


def not_asked(name: str) -> ServiceFacts:
    """What is known of a service when no process on any node could ask for it."""
    return ServiceFacts(comments=[f"no process on a node could ask for it; is there a {name}, and on which port?"])


def _closed(surveys: Iterable[Survey], program: str, name: str, port: int) -> ServiceFacts | None:
    """What is known of a service that told nothing: it refuses, speaks TLS, or listens elsewhere."""
    for survey in surveys:
        answer = answers(survey, port, "/v1/agent/self")
        facts = ServiceFacts()
        ports = [port, CONSUL_TLS_PORT] if program == "consul" else [port]
        speaking = [
            secure
            for host in (survey.address, "127.0.0.1")
            for secure in ports
            if survey.http.get(f"https://{host}:{secure}/v1/agent/self", (0, ""))[1] == "TLS"
        ]
        if answer is not None and answer[0] in REFUSED:
            facts.keys["http_port"] = port
            facts.comments.append(f"token_file: {name} answers {answer[0]} without a token; which token may be used?")
        elif speaking:
            facts.keys["http_port"] = speaking[0]
            facts.comments += [
                f"tls.ca: {name} speaks TLS on port {speaking[0]}; where is its authority's certificate?",
                "tls.server_name: which name is in the servers' certificates, if not the address?",
                "token_file: are there ACLs? Then which token may be used?",
            ]
        if facts.keys:
            facts.comments.append("datacenter: it was not told; which one is it? (default: dc1)")
            if program == "consul":
                facts.comments.append("dns_port, domain: they were not told; which are they? (default: 53, consul)")
            _note_dialler(facts, survey, int(str(facts.keys["http_port"])), "https" if speaking else "http")
            return facts
        listens = survey.host.ports_of(program) if survey.host is not None else []
        if listens:
            elsewhere = ", ".join(map(str, listens))
            facts.comments.append(f"http_port: {name} listens on {elsewhere}, not on {port}; where is its HTTP API?")
            return facts
    return None
