"""What nodes answer, and the cluster file that it makes: nothing is made up, and what is not known is a question."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

import pytest

from lab.discovery.cluster import interpret
from lab.discovery.networks import propose, subnet_name
from lab.discovery.questions import Engine, Host, Survey, parsed, read_host, read_http
from lab.discovery.services import consul_of, members_of, nomad_of, urls
from lab.discovery.writing import write
from lab.inventory import Inventory, load
from lab.overlays import adapter

RECORDINGS = Path(__file__).parents[1] / "workloads" / "recordings"
ADDRESSES = {"u1": "192.168.56.3", "u2": "192.168.56.4", "u3": "192.168.56.5"}
OUTPUT = """\
hostname=u1
ssh=192.168.56.1 50000 192.168.56.3 22
uid=0
user=root
groups=root docker
python=3.11
addresses=[{"ifname":"eth1","addr_info":[{"family":"inet","local":"192.168.56.3","prefixlen":24}]},{}]
links=[{"ifname":"vx-a","master":"fn-a","mtu":1450,"linkinfo":{"info_kind":"vxlan","info_data":{"id":4200,"port":4789}}}]
fdb=[{"mac":"00:00:00:00:00:00","ifname":"vx-a","dst":"192.168.56.4"},{"mac":"02:00:00:00:00:01","ifname":"fn-a"}]
unit=docker LoadState=loaded
unit=nomad LoadState=not-found
runit=runsvdir -P /etc/service log: ......
socket=yes
listening=tcp LISTEN 0 4096 *:8500 *:* users:(("consul",pid=7,fd=9))
listening=tcp LISTEN 0 4096 127.0.0.1%lo:53 0.0.0.0:*
listening=garbage
end=yes
"""


def host(name: str, **more: Any) -> Host:
    own = {"eth1": (IPv4Interface(f"{ADDRESSES[name]}/24"),)}
    plain = Host(name, "", 0, "root", frozenset(), False, "3.11", own, (), {}, frozenset({"docker"}), True, None, False,
                 True, ())  # fmt: skip
    return replace(plain, **more)


def network(name: str, driver: str, subnet: str = "10.32.0.0/24", **more: Any) -> dict[str, Any]:
    pools = [{"Subnet": subnet}] if subnet else []
    scope = "swarm" if driver == "overlay" else "local"
    plain = {"Name": name, "Id": "0123456789abcdef", "Driver": driver, "Scope": scope, "Options": {}, "Ingress": False}
    return {**plain, "Attachable": True, "IPAM": {"Driver": "default", "Config": pools}, **more}


BUILT_IN = (network("bridge", "bridge", "172.17.0.0/16"), network("host", "host", ""), network("none", "null", ""))


def survey(name: str, *networks: dict[str, Any], members: tuple[Any, ...] = (), **more: Any) -> Survey:
    engine = Engine(
        {"Name": name, "OperatingSystem": "Debian"}, {"Version": "20.10.24"}, (*BUILT_IN, *networks), members
    )
    return replace(Survey(name, ADDRESSES[name], host=host(name), engine=engine), **more)


def test_what_the_script_prints_is_read() -> None:
    found = read_host(OUTPUT)
    assert (found.hostname, found.uid, found.user, found.python, found.sudo) == ("u1", 0, "root", "3.11", False)
    assert found.reached_at == "192.168.56.3" and found.groups == {"root", "docker"} and found.socket
    assert found.interface_of("192.168.56.3") == ("eth1", IPv4Interface("192.168.56.3/24"))
    assert found.interface_of("192.168.56.4") is None
    assert found.flooded == {"vx-a": {"192.168.56.4"}} and found.links[0]["master"] == "fn-a"
    assert found.systemd and found.units == {"docker"} and found.runit == "/etc/service"
    assert found.listening == (("consul", "*", 8500), ("", "127.0.0.1", 53)) and found.ports_of("consul") == [8500]


def test_a_node_that_says_nothing_has_nothing() -> None:
    found = read_host("addresses=Usage: ip\nlinks={}\nend=yes\n")
    assert found.uid is None and not found.systemd and not found.links and not found.addresses and not found.runit


def test_an_answer_that_was_cut_off_is_not_an_answer() -> None:
    with pytest.raises(ValueError, match="cut off"):
        read_host(OUTPUT.removesuffix("end=yes\n"))


def test_answers_over_http() -> None:
    found = read_http('{"http://a/x": [200, "[1]"], "http://a/y": [0, "timed out"], "http://a/z": [200, "<html>"]}')
    assert [parsed(found.get(f"http://a/{key}")) for key in "xyz"] == [[1], None, None]
    assert parsed(None) is None


def vxlan(name: str, bridge: str = "fn-a", vni: int = 4200, tunnel: str = "vx-a", to: tuple[str, ...] = ("x",)) -> Host:
    info = {"info_kind": "vxlan", "info_data": {"id": vni, "port": 4789}}
    link = {"ifname": tunnel, "master": bridge, "mtu": 1450, "linkinfo": info}
    return host(name, links=(link,), flooded={tunnel: frozenset(to)} if to else {})


def bridged(name: str, of: str = "flatnet-a", bridge: str = "fn-a", **more: Any) -> dict[str, Any]:
    return network(of, "bridge", Options={"com.docker.network.bridge.name": bridge}, **more)


def test_networks_with_a_tunnel_are_vxlan() -> None:
    made = propose([survey(name, bridged(name), host=vxlan(name)) for name in ("u1", "u2")])
    assert (made.adapter, made.subnets, made.networks, made.options) == (
        "vxlan", {"a": IPv4Network("10.32.0.0/24")}, {}, {},
    )  # fmt: skip


def test_vxlan_of_somebody_else_has_their_names() -> None:
    made = propose(
        [
            survey(name, bridged(name, "Office_Net", "br-office"), host=vxlan(name, "br-office", 7, "vxlan7"))
            for name in ("u1", "u2")
        ]
    )
    assert made.networks == {"office-net": "Office_Net"}
    assert made.options == {"bridge.office-net": "br-office", "tunnel.office-net": "vxlan7", "vni.office-net": 7}


def test_bridges_of_different_names_need_the_adapter_docker() -> None:
    made = propose(
        [survey(name, bridged(name, "x", f"br-{name}"), host=vxlan(name, f"br-{name}")) for name in ("u1", "u2")]
    )
    assert made.adapter == "docker" and made.options == {"driver": "bridge"}
    assert "a bridge with a VXLAN tunnel in it" in made.comments[0]


@pytest.mark.parametrize("to", [(), None])
def test_bridges_without_a_tunnel_are_a_question(to: tuple[str, ...] | None) -> None:
    of = {name: host(name) if to is None else vxlan(name, to=()) for name in ("u1", "u2")}
    made = propose([survey(name, bridged(name), host=of[name]) for name in of])
    assert made.adapter == "docker" and made.subnets == {"a": IPv4Network("10.32.0.0/24")}
    assert "are these bridges one network" in made.comments[0]


def test_overlay_networks_are_swarms_though_a_worker_does_not_list_them() -> None:
    ingress = network("ingress", "overlay", "10.0.0.0/24", Ingress=True)
    made = propose([survey("u1", ingress, network("flatnet-a", "overlay")), survey("u2")])
    assert (made.adapter, made.subnets) == ("swarm", {"a": IPv4Network("10.32.0.0/24")}) and not made.comments


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (network("web", "macvlan"), None, "network web (macvlan, 10.32.0.0/24) is not on u2"),
        (network("web", "macvlan"), network("web", "macvlan", "10.9.0.0/24"), "is not the same network on every node"),
        (network("web", "macvlan", ""), network("web", "macvlan", ""), "has no IPv4 subnet that Docker knows"),
        (network("web", "overlay", Attachable=False), None, "is not attachable: only services can join it"),
    ],
)
def test_what_is_no_overlay_is_a_comment(one: dict[str, Any], other: dict[str, Any] | None, said: str) -> None:
    made = propose([survey("u1", one), survey("u2", *([other] if other else []))])
    assert not made.adapter and said in made.comments[0]


def test_plain_networks_are_the_adapter_dockers() -> None:
    two = [network("web", "macvlan", "10.0.1.0/24"), network("db", "macvlan", "172.20.0.0/16")]
    made = propose([survey(name, *two) for name in ("u1", "u2")])
    assert made.adapter == "docker" and made.options == {"driver": "macvlan"} and made.range is None
    assert made.subnets == {"db": IPv4Network("172.20.0.0/16"), "web": IPv4Network("10.0.1.0/24")}
    assert "overlay.options.hops" in made.comments[0] and "overlay.options.expose" in made.comments[0]


def test_nodes_with_an_address_in_the_network_reach_it_always() -> None:
    own = {"mv0": (IPv4Interface("10.32.0.200/24"),)}
    one, other = (survey(name, network("web", "macvlan"), host=host(name, addresses=own)) for name in ("u1", "u2"))
    assert propose([one, other]).options["expose"] == "always"
    assert "expose" not in propose([one, replace(other, host=host("u2"))]).options


def test_overlapping_subnets_cannot_both_be_there() -> None:
    two = [network("a", "macvlan", "10.0.0.0/16"), network("b", "macvlan", "10.0.1.0/24")]
    made = propose([survey("u1", *two)])
    assert list(made.subnets) == ["a"] and any("overlaps a: left out" in comment for comment in made.comments)


def test_the_larger_family_is_proposed_and_the_other_named() -> None:
    made = propose(
        [
            survey(
                "u1",
                network("x", "macvlan"),
                network("y", "overlay", "10.1.0.0/24"),
                network("z", "overlay", "10.2.0.0/24"),
            )
        ]
    )
    assert made.adapter == "swarm" and list(made.subnets) == ["y", "z"]
    assert made.comments == ["network x (macvlan, 10.32.0.0/24) needs a file of its own, with adapter docker"]


def weave(name: str, *networks: dict[str, Any], proxy: bool = False) -> Survey:
    report = (RECORDINGS / "weave" / "report.json").read_text()
    http = {"http://127.0.0.1:6784/report": (200, report)}
    return survey(name, *networks, host=host(name, weave_proxy=proxy), http=http)


def test_weave_is_its_plugin_or_its_proxy() -> None:
    net = network("weave", "weavemesh", "")
    plugin = propose([weave("u1", net), weave("u2", net)])
    assert (plugin.adapter, plugin.range) == ("weave-plugin", IPv4Network("10.32.0.0/16")) and not plugin.networks
    assert plugin.subnets == {"default": IPv4Network("10.32.0.0/24")}
    assert propose([weave("u1", proxy=True), weave("u2", proxy=True)]).adapter == "weave-proxy"
    assert "neither Weave's plugin nor its proxy was found" in propose([weave("u1")]).comments[0]
    assert propose([weave("u1", net), survey("u2", net)]).adapter == "", "its router does not answer on every node"


@pytest.mark.parametrize(
    ("network", "name"),
    [
        ("flatnet-a", "a"),
        ("My_Net.1", "my-net-1"),
        ("9lives", "net-9lives"),
        ("x" * 40, "x" * 31),
        ("a", "a-2"),
        ("_", "net"),
    ],
)
def test_a_subnet_has_a_name_that_the_file_can_hold(network: str, name: str) -> None:
    assert subnet_name(network, ["a"] if name == "a-2" else []) == name


def recorded(path: str, address: str = ADDRESSES["u1"]) -> dict[str, tuple[int, str]]:
    """What a node whose Consul or Nomad answered as recorded says, on its own address."""
    port = 8500 if path.startswith("consul") else 4646
    name = {"agent-self.json": "agent/self", "nodes.json": "nodes"}[Path(path).name]
    return {f"http://{address}:{port}/v1/{name}": (200, (RECORDINGS / path).read_text())}


CONSUL = {"Config": {"Datacenter": "ham", "Server": True, "Version": "1.8.7"}, "Member": {"Addr": "192.168.56.3"}}


def consul(
    host: str = "192.168.56.3", debug: dict[str, Any] | None = None, **members: Any
) -> dict[str, tuple[int, str]]:
    told = {**CONSUL, "DebugConfig": {"DNSPort": 8600, "DNSDomain": "office.", **(debug or {})}}
    rows = [{"Name": name, "Addr": ADDRESSES[name], **more} for name, more in members.items()]
    return {
        f"http://{host}:8500/v1/agent/self": (200, json.dumps(told)),
        f"http://{host}:8500/v1/agent/members": (200, json.dumps(rows)),
    }


def test_consul_says_what_the_file_needs() -> None:
    alive = {"Status": 1, "Tags": {"role": "consul"}}
    http = consul(u1=alive, u2={"Status": 1, "Tags": {"role": "node"}}, u3={"Status": 4, "Tags": {}})
    found = consul_of([survey("u2"), survey("u1", http=http)])
    assert found is not None and found.version == "1.8.7" and not found.comments
    assert found.keys == {"http_port": 8500, "dns_port": 8600, "datacenter": "ham", "domain": "office"}
    assert found.servers == {"192.168.56.3"}
    known = members_of([survey("u1", http=http)])
    assert [(member.name, member.address, member.known_to) for member in known] == [
        ("u1", "192.168.56.3", "Consul"), ("u2", "192.168.56.4", "Consul"),
    ]  # fmt: skip


def test_consul_that_answers_on_the_node_only_is_asked_through_it() -> None:
    found = consul_of([survey("u1", http=consul("127.0.0.1", {"ACLsEnabled": True, "DNSPort": -1}))])
    assert found is not None and found.keys["through"] == "node" and "dns_port" not in found.keys
    assert [comment.partition(":")[0] for comment in found.comments] == ["dns_port", "token_file", "through"]


@pytest.mark.parametrize(
    ("http", "listening", "keys", "said"),
    [
        (
            {"http://192.168.56.3:8500/v1/agent/self": (403, "")},
            (),
            {"http_port": 8500},
            "token_file: Consul answers 403",
        ),
        (
            {"https://192.168.56.3:8501/v1/agent/self": (0, "TLS")},
            (),
            {"http_port": 8501},
            "tls.ca: Consul speaks TLS on",
        ),
        ({}, (("consul", "*", 8400),), {}, "http_port: Consul listens on 8400, not on 8500; where is its HTTP API?"),
    ],
)
def test_a_consul_that_tells_nothing_is_a_question(
    http: dict[str, tuple[int, str]], listening: tuple[Any, ...], keys: dict[str, int], said: str
) -> None:
    found = consul_of([survey("u1", http=http, host=host("u1", listening=listening))])
    assert found is not None and found.keys == keys and found.comments[0].startswith(said)


@pytest.mark.parametrize(("reached", "through"), [(None, None), ({8500}, None), ({8501, 4646}, "node")])
def test_who_dials_is_who_reaches_it(reached: set[int] | None, through: str | None) -> None:
    ports = None if reached is None else frozenset(reached)
    found = consul_of([survey("u1", http=consul(), from_runner=ports)])
    assert found is not None and found.keys.get("through") == through
    closed = {"http://192.168.56.3:8500/v1/agent/self": (403, "")}
    refused = consul_of([survey("u1", http=closed, from_runner=ports)])
    assert refused is not None and refused.keys.get("through") == through


def test_tls_that_only_the_node_reaches() -> None:
    own, loopback = ({f"https://{host}:8501/v1/agent/self": (0, "TLS")} for host in ("192.168.56.3", "127.0.0.1"))
    for http, ports, through in ((own, {8501}, None), (own, set(), "node"), (loopback, {8501}, "node")):
        found = consul_of([survey("u1", http=http, from_runner=frozenset(ports))])
        assert found is not None and found.keys == {"http_port": 8501, **({"through": through} if through else {})}


def test_where_nothing_answers_there_is_no_consul() -> None:
    refused = dict.fromkeys(urls(ADDRESSES["u1"]), (0, "[Errno 111] Connection refused"))
    assert consul_of([survey("u1", http=refused)]) is None and nomad_of([survey("u1", http=refused)]) is None


def test_nomad_as_recorded() -> None:
    http = recorded("nomad/agent-self.json") | recorded("nomad/nodes.json")
    found = nomad_of([survey("u1", http=http)])
    assert found is not None and found.keys == {"http_port": 4646, "datacenter": "dc1"}
    assert found.servers == {"192.168.56.3"} and found.version == "1.1.2" and not found.comments
    assert {member.address for member in members_of([survey("u1", http=http)])} == set(ADDRESSES.values())


def test_a_swarms_manager_names_its_nodes() -> None:
    rows = [
        {
            "Description": {"Hostname": "u1"},
            "Status": {"Addr": "0.0.0.0"},
            "ManagerStatus": {"Addr": "192.168.56.3:2377"},
        },
        {"Description": {"Hostname": "u2"}, "Status": {"Addr": "192.168.56.4"}},
    ]
    found = members_of([survey("u1", members=tuple(rows))])
    assert [(member.name, member.address) for member in found] == [("u1", "192.168.56.3"), ("u2", "192.168.56.4")]


def file_of(surveys: list[Survey], tmp_path: Path) -> tuple[str, Inventory]:
    for name in ("id", "known"):
        (tmp_path / name).touch()
    ssh: dict[str, str | int | bool] = {"key": str(tmp_path / "id"), "known_hosts": str(tmp_path / "known")}
    text = write(interpret(surveys, name="office", command="python -m lab discover u1", ssh=ssh, common={}))
    (tmp_path / "cluster.yaml").write_text(text)
    return text, load(tmp_path / "cluster.yaml")


def test_the_file_can_be_used_as_it_is(tmp_path: Path) -> None:
    http = consul(u1={"Status": 1, "Tags": {"role": "consul"}}) | recorded("nomad/agent-self.json")
    lost = Survey("u3", ADDRESSES["u3"], errors={"node": "ssh root@192.168.56.5:22: unreachable: no route to host"})
    on_u2 = replace(host("u2"), systemd=False, units=frozenset(), runit="/etc/service")
    surveys = [
        survey("u1", network("flatnet-a", "overlay"), http=http),
        survey("u2", network("flatnet-a", "overlay"), host=on_u2), lost,
    ]  # fmt: skip
    text, made = file_of(surveys, tmp_path)
    assert [(node.name, str(node.address), node.interface) for node in made.nodes] == [
        ("u1", "192.168.56.3", "eth1"), ("u2", "192.168.56.4", "eth1"),
    ]  # fmt: skip
    assert [(node.consul_server, node.nomad_server) for node in made.nodes] == [(True, True), (False, False)]
    assert made.node("u1").commands.stop_docker == "systemctl stop docker docker.socket"
    assert made.node("u2").commands.stop_docker == "sv -w 20 stop /etc/service/docker"
    assert str(made.underlay) == "192.168.56.0/24" and adapter(made).name == "swarm"
    assert made.consul is not None and (made.consul.dns_port, made.consul.datacenter) == (8600, "ham")
    assert made.nomad is not None and made.nomad.http_port == 4646
    assert "# u3 was not reached, so it is left out: ssh root@192.168.56.5:22: unreachable: no route to host" in text
    assert "name: u1  # Docker 20.10.24, Debian, Python 3.11" in text


def test_how_a_node_becomes_root_is_the_clusters_or_its_own(tmp_path: Path) -> None:
    net = network("flatnet-a", "overlay")
    ways = {"u1": "sudo", "u2": "sudo", "u3": "docker"}
    _, made = file_of([survey(name, net, become=way) for name, way in ways.items()], tmp_path)
    assert {node.name: node.become for node in made.nodes} == ways


def test_nothing_found_leaves_questions() -> None:
    alone = survey("u1", host=host("u1", addresses={}, systemd=False, units=frozenset(), python=""))
    text = write(interpret([alone], name="x", command="c", ssh={}, common={}))
    for question in (
        "# underlay: which network", "# agent_image: the node has no python3",
        "# address: no interface of the node has",
        "# commands: how are Docker", "# overlay:", "which are the containers' networks",
        "# consul:",
        "# nomad:", "# Nothing here knows other nodes",
    ):  # fmt: skip
        assert question in text


def test_names_are_unique_and_nomads_where_it_has_one(tmp_path: Path) -> None:
    http = recorded("nomad/nodes.json", ADDRESSES["u1"])
    net = network("flatnet-a", "overlay")
    clones = [survey(name, net, host=replace(host(name), hostname="debian")) for name in ("u1", "u2")]
    assert [node.name for node in file_of(clones, tmp_path)[1].nodes] == ["debian", "debian-2"]
    named = [replace(clones[0], http=http), clones[1]]
    assert [node.name for node in file_of(named, tmp_path)[1].nodes] == ["u1", "u2"]


def test_where_nothing_answered_the_services_are_left_out() -> None:
    refused = dict.fromkeys(urls(ADDRESSES["u1"]), (0, "[Errno 111] Connection refused"))
    text = write(interpret([survey("u1", http=refused)], name="x", command="c", ssh={}, common={}))
    assert "# consul: nothing like Consul answers" in text and "# nomad: nothing like Nomad answers" in text
