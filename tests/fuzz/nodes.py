"""Surfaces: what a node's own programs print, what DNS servers answer, and streams of bytes from daemons."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from types import SimpleNamespace
from typing import Any

import requests
from ruamel.yaml import YAML

from fixtures.cluster.versions import read as read_versions
from fixtures.control_plane import filters
from fixtures.dns.messages import DnsTransport, EncodedQuestion, decode, encode, read_resolv_conf
from fixtures.evidence.counters import moved_counters
from fixtures.existing import translation
from fixtures.walkthrough.reach import destinations
from lab.access import http
from lab.access.nomad_exec import read_frame, read_marks
from lab.access.shell import CommandResult
from lab.answers import reading
from lab.checks import facts
from lab.discovery.cluster import interpret
from lab.discovery.questions import read_host, read_http
from lab.discovery.writing import write
from lab.errors import HarnessError
from lab.inventory import Inventory
from lab.overlays import legs
from lab.overlays.base import Link
from lab.overlays.vxlan import Vxlan
from reports.model import NotProved
from tests.unit.dns.test_messages import NAME, response
from tests.unit.lab import test_discovery as discoveries
from tests.unit.lab.test_api_clients import ACCESS

from .mutations import change_bytes, change_json, change_json_text, change_text
from .services import INVENTORY, SEEDS
from .surface import Surface

RULES = SEEDS.parents[1] / "unit" / "control_plane" / "recordings"
REFUSALS = (HarnessError, NotProved)
FDB = '[{"mac": "00:00:00:00:00:00", "dst": "192.168.56.4"}, {"mac": "02:42:0a:20:00:02", "ifname": "veth1"}]'
LINKS = '[{"ifname": "vx-a", "linkinfo": {"info_kind": "vxlan"}}, {"ifname": "veth1"}]'
ROUTES = '[{"dst": "default", "gateway": "192.168.56.1"}, {"dst": "10.32.0.0/16", "dev": "weave"}]'
DNAT = """\
*nat
:PREROUTING ACCEPT [0:0]
-A PREROUTING -d 192.168.56.3/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.32.0.2:8080
COMMIT
"""
HTTP_ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n["192.168.56.3"]'
FRAMES = (
    b'{"stdout": {"data": "aGVsbG8="}}',
    b'{"stderr": {"data": "d29ybGQ=", "close": true}}',
    b'{"exited": true, "result": {"exit_code": 3}}',
)


FOUND_KEYS = {"name", "underlay", "ssh", "become", "nodes", "overlay", "consul", "nomad"}
"""Keys of a cluster file that `discover` writes."""


class _Node(SimpleNamespace):
    """A node whose shell has canned answers."""

    def __str__(self) -> str:
        return str(self.name)


def _node(answers: Mapping[str, str]) -> Any:
    """`answers`: {part of a command: what it prints}; other commands print nothing."""

    def run(command: Any, **_: Any) -> CommandResult:
        line = command if isinstance(command, str) else " ".join(command)
        said = next((text for part, text in answers.items() if part in line), "")
        return CommandResult("u1", line, 0, said, "", 0.1)

    return _Node(name="u1", run=run, node=INVENTORY.nodes[0])


def _rules(answers: Mapping[str, str]) -> None:
    """A node's packet filters, as CP-4 reads and judges them."""
    common = {"ip_forward": "1\n", "bridge-nf": "none\n", "ip_tables_names": "filter\n"}
    node = _node({**answers, **common})
    node.access = node
    overlay = SimpleNamespace(
        links=lambda _: {"bridge a": Link("fn-a"), "tunnel a": Link("vx-a")}, bridge_filtering=None, hops=lambda: 0
    )
    cluster: Any = SimpleNamespace(
        each=lambda do: {"u1": do(node)}, nodes={"u1": node}, overlay=overlay, inventory=INVENTORY
    )
    evidence: Any = SimpleNamespace(data=lambda *_: None)
    "\n".join(filters.PacketFilters(cluster, evidence).find_obstacles()).encode()


def _translations(answers: Mapping[str, str]) -> None:
    with reading("u1: its packet filter rules"):
        found = translation.find("u1", answers)
    repr(found).encode()
    moved_counters(answers["legacy"], answers["legacy"])


def _ip_json(answers: Mapping[str, str]) -> None:
    node = _node(answers)
    overlay = Vxlan(Inventory.model_validate({**INVENTORY.model_dump(), "overlay": {
        "name": "vxlan", "range": "10.32.0.0/16", "subnets": {"a": "10.32.0.0/24"}}}))  # fmt: skip
    legs.addresses_within(node, INVENTORY.overlay.subnets["a"])
    legs.tunnels_in(node, "fn-a")
    overlay.peers(node)
    destinations(answers["route"])


def _dns(parts: tuple[EncodedQuestion, bytes]) -> None:
    """An answer, as the DNS requirements read it. Every answer can be read; one that is garbled says nothing."""
    question, payload = parts
    answer = decode("u1/a1", "10.0.0.1", question, payload, None)
    said = [str(answer), *sorted(answer.addresses), *map(str, answer.endpoints)]
    said += map(str, answer.targets) if answer.rrtype == "SRV" else []
    "\n".join(said).encode()
    assert answer.says or not answer.addresses, "an answer that says nothing has addresses"


def _change_dns(random: Random, parts: tuple[EncodedQuestion, bytes]) -> tuple[EncodedQuestion, bytes]:
    return parts[0], change_bytes(random, parts[1])


def _resolv(text: str) -> None:
    try:
        configuration = read_resolv_conf(text)
    except ValueError as error:
        raise HarnessError(f"u1: /etc/resolv.conf: {error}") from None
    assert configuration.servers and configuration.attempts >= 1


def _discover(answers: Mapping[str, Any]) -> None:
    """A survey of one node, and the cluster file that is written from it."""
    found = discoveries.survey("u1", discoveries.network("web", "overlay"))
    with reading("node u1"):
        found = replace(found, host=read_host(answers["host"]), http=read_http(answers["http"]))
    assert found.engine is not None
    engine = replace(found.engine, networks=answers["networks"], info=answers["info"])
    made = interpret([replace(found, engine=engine)], name="x", command="c", ssh={}, common={})
    text = write(made)
    text.encode()
    data = YAML(typ="safe", pure=True).load(text) or {}
    keys = {key for node in data.get("nodes") or () for key in node}
    assert set(data) <= FOUND_KEYS and "power" not in keys, "an answer of a node is a key of the cluster file"
    facts.read(answers["host"])
    read_versions({"u1": answers["host"]})


def _change_survey(random: Random, answers: Mapping[str, Any]) -> Mapping[str, Any]:
    name = random.choice(sorted(answers))
    changes: dict[str, Callable[[Random, Any], Any]] = {"host": change_text, "http": change_json_text}
    return {**answers, name: changes.get(name, change_json)(random, answers[name])}


def _frame(data: bytes) -> None:
    try:
        frame = read_frame(data)
    except ValueError as error:  # ExecChannel takes it for the reason why its connection is lost
        raise HarnessError(str(error)[:300]) from None
    read_marks(b"mark", frame.stderr)


def _http_get(data: bytes) -> None:
    """Whatever bytes answer a request: it ends in a response, or in an error of requests."""
    ours, theirs = socket.socketpair()
    theirs.sendall(data)
    theirs.shutdown(socket.SHUT_WR)
    assert INVENTORY.consul is not None
    session = http.ServiceSession(ACCESS, INVENTORY.consul, "consul", port=8500, rule=lambda *_: None)
    with ours, theirs, session:
        session.mount("http://", http.DialAdapter(lambda _: ours.dup(), host="u1", port=8500))
        try:
            session.get(f"{session.base_url}/v1/status/peers", timeout=2).json()
        except (requests.RequestException, ValueError) as error:
            raise HarnessError(http.describe_failure(error)) from None


def _change_one_text(random: Random, answers: Mapping[str, str]) -> Mapping[str, str]:
    name = random.choice(sorted(answers))
    change = change_json_text if answers[name].lstrip().startswith(("[", "{")) else change_text
    return {**answers, name: change(random, answers[name])}


def surfaces() -> list[Surface]:
    """All of them."""
    nft = (RULES / "nft-list.json").read_text()
    save, legacy = ((RULES / f"iptables-{kind}-save.txt").read_text() for kind in ("nft", "legacy"))
    shown = {"nft -j": nft, "iptables-nft-save": save, "iptables-legacy-save": legacy}
    routes = {"address": (SEEDS / "ip-address.json").read_text(), "link": LINKS, "fdb": FDB, "route": ROUTES}
    udp = {rrtype: encode(NAME, rrtype, DnsTransport.UDP) for rrtype in ("A", "SRV")}
    tcp = encode(NAME, "A", DnsTransport.TCP)
    answers = [
        (udp["A"], response(udp["A"], answer=[f"{NAME}. 5 A 10.0.0.9", f"{NAME}. 5 A 10.0.0.8"])),
        (udp["SRV"], response(udp["SRV"], answer=[f"{NAME}. 0 SRV 1 1 8080 a.node.consul."],
                              additional=["a.node.consul. 0 A 10.0.0.7"])),
        (tcp, response(tcp, rcode=3)),
    ]  # fmt: skip
    survey = {
        "host": discoveries.OUTPUT,
        "http": json.dumps({"http://192.168.56.3:8500/v1/agent/self":
                            [200, (SEEDS / "consul" / "agent-self.json").read_text()]}),
        "networks": [discoveries.network("flatnet-a", "overlay"), *discoveries.BUILT_IN],
        "info": {"Name": "u1", "OperatingSystem": "Debian", "Swarm": {"NodeAddr": "192.168.56.3"}},
    }  # fmt: skip
    resolv = "nameserver 10.0.0.1\nnameserver ::1\nsearch a.example\noptions timeout:2 attempts:3 ndots:1\n"
    return [
        Surface("packet filters", [shown], _change_one_text, _rules, REFUSALS),
        Surface("DNAT rules", [{"legacy": DNAT, "iptables-nft": save, "nft": nft}], _change_one_text, _translations,
                REFUSALS),
        Surface("ip -json", [routes], _change_one_text, _ip_json, REFUSALS),
        Surface("DNS answers", answers, _change_dns, _dns, ()),
        Surface("resolv.conf", [resolv], change_text, _resolv, REFUSALS),
        Surface("discovery", [survey], _change_survey, _discover, REFUSALS),
        Surface("Nomad's exec frames", FRAMES, change_bytes, _frame, REFUSALS),
        Surface("HTTP", [HTTP_ANSWER], change_bytes, _http_get, REFUSALS),
    ]  # fmt: skip
