"""Surfaces: odd answers of Consul, Nomad, Docker and Weave, over their own clients."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from fixtures.control_plane.registry import Registry
from fixtures.dns.registrations import from_catalog
from fixtures.existing import reading
from fixtures.workloads.jobs import Scheduler
from fixtures.workloads.placement import describe_trouble, running
from lab.access import consul, nomad
from lab.checks.judging import judge_consul, judge_nomad
from lab.errors import HarnessError
from lab.inventory import Inventory
from lab.overlays.weave import WeavePlugin
from reports.model import NotProved
from tests.unit.lab.test_api_clients import ACCESS

from .mutations import change_json, change_json_text
from .surface import Surface

SEEDS = Path(__file__).with_name("seeds")
RECORDINGS = Path(__file__).parents[1] / "unit" / "workloads" / "recordings"
INVENTORY = Inventory.model_validate(
    {
        "name": "office",
        "nodes": [
            {"name": name, "address": address, "ssh": {"agent": True, "known_hosts": "k"}, "nomad_server": True}
            for name, address in (("u1", "192.168.56.3"), ("u2", "192.168.56.4"))
        ],
        "overlay": {"name": "weave-plugin", "range": "10.32.0.0/16", "subnets": {"a": "10.32.0.0/24"}},
        "consul": {},
        "nomad": {},
    }
)
REFUSALS = (HarnessError, NotProved)
Answers = Mapping[str, str]
"""{end of a path: the body of its answer}"""


class Canned(BaseAdapter):
    """Answers every request with a body that was put down for its path; no packet is sent."""

    def __init__(self, answers: Answers) -> None:
        super().__init__()
        self._answers = answers

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        path = (request.path_url or "").partition("?")[0]
        body = next((text for end, text in self._answers.items() if path.endswith(end)), "null")
        response = requests.Response()
        response.status_code, response.url, response.request = 200, request.url or "", request
        response.headers["X-Consul-Index"] = "7"
        data = io.BytesIO(body.encode("utf-8", "surrogatepass"))
        response.raw = HTTPResponse(data, preload_content=False, status=200)
        return response

    def close(self) -> None:
        """Nothing is open."""


def _read(place: Path) -> str:
    return place.read_text(encoding="utf-8")


def _change_one(random: Random, answers: Answers) -> Answers:
    """One of the answers changed."""
    name = random.choice(sorted(answers))
    return {**answers, name: change_json_text(random, answers[name])}


class _Registry(Registry):
    """The registry over canned answers."""

    canned: Answers

    def client(self, *_: Any, **__: Any) -> consul.ConsulClient:
        client = consul.connect(ACCESS, self.settings)
        client.http.session.mount("http://", Canned(self.canned))
        return client


def _fake_cluster() -> Any:
    nodes = {
        node.name: SimpleNamespace(name=node.name, address=str(node.address), access=ACCESS) for node in INVENTORY.nodes
    }

    def each(do: Callable[[Any], Any]) -> dict[str, Any]:
        return {name: do(node) for name, node in nodes.items()}

    return SimpleNamespace(inventory=INVENTORY, nodes=nodes, each=each, generation=0, subnets=("a",))


def _each(*questions: Callable[[], object]) -> None:
    """Ask everything; raises the first refusal after all were asked, so that one does not hide the others."""
    refusal: Exception | None = None
    for question in questions:
        try:
            question()
        except REFUSALS as error:
            refusal = refusal or error
    if refusal is not None:
        raise refusal


def _ask_consul(answers: Answers) -> None:
    cluster = _fake_cluster()
    registry = _Registry(cluster, "run")
    registry.canned = answers
    node = cluster.nodes["u1"]
    _each(
        lambda: registry.observe("web"),
        lambda: registry.consensus(node),
        lambda: registry.ttls("web"),
        lambda: registry.leader_error(node),
        lambda: reading.read_registry(cluster, registry),
        lambda: registry.call(node, lambda client: from_catalog(client.catalog.service("web")[1])),
        lambda: registry.call(
            node,
            lambda client: judge_consul(ACCESS.node, "dc1", client.agent.self()["Config"], client.status.leader()),
        ),
    )


class _Scheduler(Scheduler):
    canned: Answers

    def _client(self, node: Any) -> nomad.NomadClient:
        client = nomad.connect(ACCESS, self.settings)
        client._session.mount("http://", Canned(self.canned))
        return client


def _ask_nomad(answers: Answers) -> None:
    cluster = _fake_cluster()
    scheduler = _Scheduler(cluster, None)
    scheduler.canned = answers
    node = cluster.nodes["u1"]

    def tell_trouble() -> None:
        scheduler.call(
            lambda client: describe_trouble(client.job.get_allocations("x"), client.job.get_evaluations("x")), node
        )

    _each(
        lambda: scheduler.quorum(node),
        lambda: scheduler.clients(node),
        lambda: scheduler.docker_endpoint(node),
        lambda: scheduler.unready(node),
        lambda: scheduler.call(lambda client: running(client.job.get_allocations("x")), node),
        tell_trouble,
        lambda: scheduler.call(lambda client: judge_nomad(INVENTORY.nodes, "dc1", client.nodes.get_nodes()), node),
    )


def _list_containers(details: list[Any]) -> None:
    api = SimpleNamespace(
        containers=lambda **_: [{"Id": str(place), "State": "running"} for place in range(len(details))],
        inspect_container=lambda name: details[int(name)],
        inspect_network=lambda _: {"Containers": {"lb-x": {"IPv4Address": "10.32.0.9/24"}}},
    )

    class _Node(SimpleNamespace):
        def __str__(self) -> str:
            return "u1"

    node = _Node(name="u1", docker=SimpleNamespace(api=api))
    overlay = SimpleNamespace(network_of=lambda _: "weave")
    listed = reading._list(SimpleNamespace(overlay=overlay, subnets=("a",)), node)  # type: ignore[arg-type]
    assert len(listed.containers) <= len(details)


def _ask_weave(answers: Answers) -> None:
    overlay = WeavePlugin(INVENTORY)
    kept = SimpleNamespace(id="b2c351e9528a", name="p1", attrs=json.loads(_read(SEEDS / "docker-inspect.json"))[0])
    lists = SimpleNamespace(list=lambda **_: [kept])

    def run(command: Any, **_: Any) -> Any:
        text = command if isinstance(command, str) else " ".join(command)
        return SimpleNamespace(stdout=next((said for end, said in answers.items() if end in text), "null"))

    docker = SimpleNamespace(containers=lists, networks=SimpleNamespace(list=lambda **_: []))
    node: Any = SimpleNamespace(name="u1", node=INVENTORY.nodes[0], run=run, docker=docker)
    _each(
        lambda: overlay.peers(node),
        lambda: overlay.allocation(node),
        lambda: overlay.attached(node),
        lambda: overlay.holders(node),
        lambda: overlay.exposed(node, "a"),
    )


def surfaces() -> list[Surface]:
    """All of them."""
    consuls = {
        "/agent/self": _read(SEEDS / "consul" / "agent-self.json"),
        "/health/service/web": _read(SEEDS / "consul" / "health-service-proxy-mode.json"),
        "/catalog/services": '{"consul": [], "web": ["a"]}',
        "/catalog/service/web": _read(RECORDINGS / "consul" / "catalog-service-proxy-mode.json"),
        "/catalog/nodes": "[]",
        "/raft/configuration": _read(SEEDS / "consul" / "raft.json"),
        "/status/peers": _read(SEEDS / "consul" / "status-peers.json"),
        "/status/leader": '"192.168.56.3:8300"',
    }
    nomads = {
        "/agent/self": _read(RECORDINGS / "nomad" / "agent-self.json"),
        "/agent/members": _read(RECORDINGS / "nomad" / "members.json"),
        "/status/peers": _read(RECORDINGS / "nomad" / "peers.json"),
        "/status/leader": _read(RECORDINGS / "nomad" / "leader.json"),
        "/allocations": _read(RECORDINGS / "nomad" / "allocations.json"),
        "/evaluations": '[{"FailedTGAllocs": {"web": {"ConstraintFiltered": {"no docker": 2}}}}]',
        "/nodes": _read(RECORDINGS / "nomad" / "nodes.json"),
    }
    weaves = {
        "/report": _read(RECORDINGS / "weave" / "report.json"),
        "/ip": '{"owned": [{"containerid": "b2c351e9528a", "addrs": ["10.32.0.1/16"]}]}',
        "ip -json": _read(SEEDS / "ip-address.json"),
    }
    inspected = json.loads(_read(SEEDS / "docker-inspect.json"))
    return [
        Surface("Consul", [consuls], _change_one, _ask_consul, REFUSALS),
        Surface("Nomad", [nomads], _change_one, _ask_nomad, REFUSALS),
        Surface("Docker", [inspected], change_json, _list_containers, REFUSALS),
        Surface("Weave", [weaves], _change_one, _ask_weave, REFUSALS),
    ]
