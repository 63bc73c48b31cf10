"""Cluster files: an error is one line that names file and key; a good file is read back as it was written."""

from __future__ import annotations

import io
from collections.abc import Callable
from copy import deepcopy
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from fixtures.cluster.topology import planned_pairs
from fixtures.containers.fleet import PER_NODE, slots
from lab.embedded import plan
from lab.embedded.kernel import has_ipv6, usable_families
from lab.embedded.lifecycle import join, refuse_from_outside
from lab.embedded.plan import LabSpec
from lab.errors import InventoryError, LabError, UsageError
from lab.inventory import Family, Inventory, dump, load
from lab.overlays import adapter
from lab.overlays.vxlan import Vxlan

GOOD: dict[str, Any] = {
    "name": "office",
    "ssh": {"key": "id", "known_hosts": "known"},
    "nodes": [{"name": "u1", "address": "192.168.56.3"}, {"name": "u2", "address": "192.168.56.4"}],
    "overlay": {
        "name": "vxlan",
        "range": "10.32.0.0/16",
        "subnets": {"a": "10.32.0.0/24", "b": "10.32.1.0/24"},
    },
    "consul": {"token_file": "token"},
    "nomad": {"token_file": "token"},
}


def written(data: object) -> str:
    """The data as YAML, in flow style where it is short."""
    text = io.StringIO()
    YAML().dump(data, text)
    return text.getvalue()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[object], Path]:
    """Writes a cluster file, from text or data, beside the files that it names."""
    for name in ("id", "known", "token"):
        (tmp_path / name).write_text("x")

    def file(content: object) -> Path:
        place = tmp_path / "cluster.yaml"
        place.write_text(content if isinstance(content, str) else written(content))
        return place

    return file


def spoiled(path: str, value: object = None) -> dict[str, Any]:
    """GOOD with another value at a place such as `nodes.0.address`; None leaves that key out."""
    data = deepcopy(GOOD)
    here: Any = data
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in way:
        here = here[part]
    if value is None:
        del here[last]
    else:
        here[last] = value
    return data


BAD: dict[str, tuple[object, str]] = {
    "empty": ("", "is empty"),
    "only a comment": ("# nothing\n", "is empty"),
    "a list": ("- u1\n", "holds a list"),
    "not YAML": ("nodes: [\n", "line 2: not YAML: "),
    "a control character": ("name: \x00\n", "not YAML: "),
    "a day that no month has": ("name: 2026-02-31\n", "not YAML: "),
    "two documents": ("name: a\n---\nname: b\n", "line 2: not YAML: "),
    "a tab": ("name: x\n\tnodes: y\n", "line 2"),
    "a key twice": ("name: a\nname: b\n", "line 2: the key 'name' is there twice; remove one"),
    "a node's key twice": (
        "nodes: [{name: u1, name: u2}]\n",
        "line 1: the key 'name' is there twice; remove one",
    ),
    "unknown key": (spoiled("colour", "red"), "colour: unknown key"),
    "unknown key of a node": (
        spoiled("nodes.0.adress", "192.168.56.9"),
        "nodes.u1.adress: unknown key; did you mean 'address'?",
    ),
    "unknown key of the overlay": (spoiled("overlay.subnet", {}), "overlay.subnet: unknown key"),
    "no name": (spoiled("name"), "name: is missing"),
    "no nodes": (spoiled("nodes"), "nodes: is missing"),
    "an empty list of nodes": (spoiled("nodes", []), "nodes: is empty"),
    "nodes that are not a list": (spoiled("nodes", {"u1": {}}), "nodes: must be a list"),
    "a node without address": (spoiled("nodes.1.address"), "nodes.u2.address: is missing"),
    "a node without name": (spoiled("nodes.1.name"), "nodes.1.name: is missing"),
    "not an address": (
        spoiled("nodes.0.address", "u1.example"),
        "u1.address: 'u1.example' is not an IPv4",
    ),
    "not a name": (spoiled("nodes.0.name", "U 1"), "nodes.U 1.name: "),
    "a name twice": (spoiled("nodes.1.name", "u1"), "nodes[].name: 'u1' is used twice"),
    "an address twice": (spoiled("nodes.1.address", "192.168.56.3"), "nodes[].address: '192.168.56.3' is used twice"),
    "a node inside the overlay": (spoiled("nodes.0.address", "10.32.0.9"), "nodes.u1.address: 10.32.0.9 lies inside"),
    "no key": (spoiled("ssh.key"), "nodes.u1: ssh.key: is missing; write it, or ssh.config"),
    "ssh that is not a mapping": (spoiled("ssh", "root"), "ssh: 'root' is not a mapping"),
    "not a port": (spoiled("ssh.port", 70000), "nodes.u1.ssh.port: "),
    "no overlay": (spoiled("overlay"), "overlay: is missing"),
    "a range that is a number": (spoiled("overlay.range", 10), "overlay.range: write an address as text"),
    "a range that is a truth value": (spoiled("overlay.range", False), "overlay.range: write an address as text"),
    "a range with host bits": (
        spoiled("overlay.range", "10.32.0.1/16"),
        "overlay.range: '10.32.0.1/16' is not an IPv4 network",
    ),
    "no subnets": (spoiled("overlay.subnets", {}), "overlay.subnets: is empty"),
    "a subnet outside": (spoiled("overlay.subnets.b", "10.33.0.0/24"), "overlay.subnets.b: 10.33.0.0/24 is not within"),
    "overlapping subnets": (
        spoiled("overlay.subnets.b", "10.32.0.128/25"),
        "overlay.subnets.b: 10.32.0.128/25 overlaps",
    ),
    "an IPv6 network of no subnet": (
        spoiled("overlay.subnets6", {"a": "fd00:1::/64", "b": "fd00:2::/64", "c": "fd00:3::/64"}),
        "overlay.subnets6.c: is not a subnet; overlay.subnets has: a, b",
    ),
    "a subnet without an IPv6 network": (
        spoiled("overlay.subnets6", {"b": "fd00:2::/64"}),
        "overlay.subnets6.a: is missing; write the IPv6 network of every subnet, or leave subnets6 out",
    ),
    "overlapping IPv6 networks": (
        spoiled("overlay.subnets6", {"a": "fd00::/48", "b": "fd00:0:0:1::/64"}),
        "overlay.subnets6.b: fd00:0:0:1::/64 overlaps overlay.subnets6.a fd00::/48; keep them apart",
    ),
    "a link-local network": (
        spoiled("overlay.subnets6", {"a": "fd00:1::/64", "b": "fe80::/64"}),
        "overlay.subnets6.b: fe80::/64 is link-local or multicast; choose another",
    ),
    "not an IPv6 network": (
        spoiled("overlay.subnets6", {"a": "10.0.0.0/24", "b": "fd00:2::/64"}),
        "overlay.subnets6.a: '10.0.0.0/24' is not an IPv6 network; write one such as fd00:10:32::/64",
    ),
    "an IPv6 network that is a number": (
        spoiled("overlay.subnets6", {"a": 10, "b": "fd00:2::/64"}),
        "overlay.subnets6.a: write an address as text, such as fd00:10:32::/64",
    ),
    "an overlapping underlay": (
        spoiled("underlay", "10.32.128.0/17"),
        "underlay: 10.32.128.0/17 overlaps overlay.range",
    ),
    "a node inside a subnet, without range": (
        spoiled("overlay", {"name": "vxlan", "subnets": {"a": "192.168.56.0/29"}}),
        "nodes.u1.address: 192.168.56.3 lies inside overlay.subnets.a 192.168.56.0/29; give",
    ),
    "an underlay over a subnet, without range": (
        {**spoiled("overlay", {"name": "vxlan", "subnets": {"a": "10.1.0.0/24"}}), "underlay": "10.0.0.0/8"},
        "underlay: 10.0.0.0/8 overlaps overlay.subnets.a 10.1.0.0/24; keep them apart",
    ),
    "not a kind": (spoiled("kind", "cloud"), "kind: "),
    "a Docker over HTTP": (spoiled("nodes.0.docker", "http://0.0.0.0:2375"), "nodes.u1.docker: "),
    "a key file that is not there": (spoiled("ssh.key", "nowhere"), "nodes.u1.ssh.key: no file"),
    "a token that is not there": (spoiled("consul.token_file", "nowhere"), "consul.token_file: no file"),
    "a Nomad token that is not there": (spoiled("nomad.token_file", "nowhere"), "nomad.token_file: no file"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_one_line(write: Callable[[object], Path], case: str) -> None:
    content, words = BAD[case]
    place = write(content)
    with pytest.raises(InventoryError) as caught:
        load(place)
    text = str(caught.value)
    assert text.startswith(f"{place}:") and words in text and len(text.splitlines()) == 1
    assert isinstance(caught.value, UsageError)


def test_all_mistakes_are_reported_at_once(write: Callable[[object], Path]) -> None:
    data = spoiled("nodes.0.address", "here")
    data["colour"] = "red"
    with pytest.raises(InventoryError) as caught:
        load(write(data))
    assert "nodes.u1.address: " in str(caught.value) and "colour: " in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for place in (tmp_path / "nowhere.yaml", tmp_path):
        with pytest.raises(InventoryError, match=r"cannot be read: "):
            load(place)
    binary = tmp_path / "cluster.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InventoryError, match="is not UTF-8"):
        load(binary)


def test_a_good_file(write: Callable[[object], Path], tmp_path: Path) -> None:
    made = load(write(GOOD))
    assert [str(node.address) for node in made.nodes] == ["192.168.56.3", "192.168.56.4"]
    assert made.default_subnet == "a" and made.kind == "cluster"
    assert made.node("u2").ssh.key == tmp_path / "id" and made.node("u2").ssh.known_hosts == tmp_path / "known"
    assert made.consul is not None and made.consul.token_file == tmp_path / "token"
    assert made.nomad is not None and made.nomad.token_file == tmp_path / "token"
    with pytest.raises(KeyError, match="nodes: u1, u2"):
        made.node("u9")


def test_a_nodes_own_keys_take_precedence(write: Callable[[object], Path], tmp_path: Path) -> None:
    (tmp_path / "other").write_text("x")
    made = load(write(spoiled("nodes.1.ssh", {"key": "other", "port": 2222})))
    assert [(node.ssh.key, node.ssh.port) for node in made.nodes] == [
        (tmp_path / "id", None),
        (tmp_path / "other", 2222),
    ]


def test_scattered_subnets_need_no_range(write: Callable[[object], Path]) -> None:
    scattered = {"name": "docker", "subnets": {"web": "10.0.1.0/24", "db": "172.20.0.0/16"}}
    overlay = load(write(spoiled("overlay", scattered))).overlay
    assert overlay.ranges == (IPv4Network("10.0.1.0/24"), IPv4Network("172.20.0.0/16"))
    assert overlay.span == IPv4Network("0.0.0.0/0")
    close = {"name": "docker", "subnets": {"web": "10.0.1.0/24", "db": "10.0.3.0/24"}}
    assert load(write(spoiled("overlay", close))).overlay.span == IPv4Network("10.0.0.0/22")
    assert load(write(GOOD)).overlay.ranges == (load(write(GOOD)).overlay.span,) == (IPv4Network("10.32.0.0/16"),)


def test_a_dumped_inventory_is_read_back(write: Callable[[object], Path]) -> None:
    made = load(write(GOOD))
    assert load(write(dump(made))) == made


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from([*GOOD, "key", "u1", "range", "subnets", "address"]), inner, max_size=4)
        ),
        max_leaves=12,
    )
)
def test_whatever_a_file_holds_the_error_is_one_line(tmp_path_factory: pytest.TempPathFactory, data: object) -> None:
    place = tmp_path_factory.getbasetemp() / "cluster.yaml"
    place.write_text(written(data))
    with pytest.raises(InventoryError) as caught:
        load(place)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("nodes", [1, 2, 3, 20])
def test_a_labs_inventory_is_one(nodes: int) -> None:
    spec = LabSpec(name="test", nodes=nodes)
    made = plan.inventory(spec)
    assert Inventory.model_validate(YAML(typ="safe", pure=True).load(dump(made))) == made
    assert made.nodes[0].address == IPv4Address("192.168.56.3") and len(made.nodes) == nodes
    assert sum(node.consul_server for node in made.nodes) == min(3, nodes)
    assert {name: str(subnet) for name, subnet in made.overlay.subnets.items()} == {
        "a": "10.32.0.0/24",
        "b": "10.32.1.0/24",
    }


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"name": "Lab 1"}, "lab name 'Lab 1'"),
        ({"name": "a" * 17}, "lab name"),
        ({"nodes": 0}, "--nodes 0"),
        ({"nodes": 21}, "--nodes 21"),
        ({"overlay": "carrier-pigeon"}, "--overlay carrier-pigeon: unknown; there are: "),
        ({"families": "6"}, "--families 6: choose 4 or 46"),
        (
            {"families": "46", "overlay": "swarm"},
            "--families 46: a lab with overlay swarm has IPv4 only; leave it out, or choose vxlan",
        ),
        ({"subnet_prefix": 30}, "--subnet-prefix 30"),
        ({"underlay": "10.32.0.0/24"}, "overlaps the overlay range"),
        ({"underlay": "192.168.56.0/29", "nodes": 9}, "has no room for 9 nodes"),
    ],
)
def test_options_that_do_not_fit_together(chosen: dict[str, Any], words: str) -> None:
    if "underlay" in chosen:
        chosen = chosen | {"underlay": IPv4Network(chosen["underlay"])}
    with pytest.raises(UsageError, match=words):
        LabSpec(**chosen)


def test_a_lab_has_ipv6_only_where_it_is_asked_for() -> None:
    assert plan.inventory(LabSpec()).overlay.families == (Family.V4,)
    made = plan.inventory(LabSpec(families="46"))
    assert made.overlay.families == (Family.V4, Family.V6)
    assert {name: str(network) for name, network in made.overlay.networks_in(Family.V6).items()} == {
        "a": "fd00:10:32::/64",
        "b": "fd00:10:32:1::/64",
    }
    assert made.overlay.networks_in(Family.V4) == made.overlay.subnets


def test_nodes_take_their_ipv6_addresses_from_parts_of_their_own() -> None:
    overlay = Vxlan(plan.inventory(LabSpec(nodes=20, families="46")))
    slices = [overlay.slice6_of("b", index) for index in range(20)]
    assert str(slices[0]) == "fd00:10:32:1:1::/80" and str(slices[19]) == "fd00:10:32:1:14::/80"
    assert str(overlay.gateway6("b", 2)) == "fd00:10:32:1::3/64"
    assert not any(overlay.gateway6("b", index).ip in part for index in range(20) for part in slices)


def test_too_small_an_ipv6_network_is_told(write: Callable[[object], Path]) -> None:
    made = Vxlan(load(write(spoiled("overlay.subnets6", {"a": "fd00:1::/64", "b": "fd00:2::/112"}))))
    assert str(made.slice6_of("a", 0)) == "fd00:1:0:0:1::/80"
    with pytest.raises(LabError, match=r"overlay\.subnets6\.b: fd00:2::/112 is too small; choose /64"):
        made.slice6_of("b", 0)


def test_an_adapter_of_ipv4_alone_refuses_ipv6_networks(write: Callable[[object], Path]) -> None:
    data = spoiled("overlay.subnets6", {"a": "fd00:1::/64", "b": "fd00:2::/64"})
    data["overlay"]["name"] = "weave-plugin"
    inventory = load(write(data))
    with pytest.raises(UsageError, match=r"overlay\.subnets6: Flatnet knows overlay weave-plugin with IPv4 only"):
        adapter(inventory)


@pytest.mark.parametrize(("asked", "ipv6", "families"), [("4", True, "4"), ("46", True, "46"), ("4", False, "4")])
def test_families_are_as_they_are_asked_for(asked: str, ipv6: bool, families: str) -> None:
    assert usable_families(asked, ipv6) == (families, "")


def test_a_machine_without_ipv6_says_so_in_one_line(tmp_path: Path) -> None:
    families, line = usable_families("46", has_ipv6(tmp_path / "if_inet6"))
    assert families == "4" and line == "families: this machine has no IPv6, so the lab has IPv4 only"


@pytest.mark.parametrize("nodes", [1, 2, 3])
def test_pairs_cover_every_node_both_ways_and_one_pair_on_each(nodes: int) -> None:
    inventory = plan.inventory(LabSpec(nodes=nodes))
    made = planned_pairs(inventory, "a")
    ways = [(one.node, other.node) for one, other in made]
    names = [node.name for node in inventory.nodes]
    assert sorted(ways) == sorted((one, other) for one in names for other in names for _ in range(1 + (one == other)))
    assert len(set(made)) == len(made) and all(one != other for one, other in made)
    assert made == planned_pairs(inventory, "a")
    assert len(slots(inventory, "b")) == PER_NODE * nodes
    assert len({slot.label for slot in slots(inventory, "a") + slots(inventory, "b")}) == 2 * PER_NODE * nodes


def test_a_labs_inventory_is_not_dialled_from_outside(
    write: Callable[[object], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From anywhere but the lab's own namespace, 192.168.56.3 is somebody else's machine."""
    lost = load(write({**GOOD, "kind": "embedded"}))
    with pytest.raises(UsageError, match="a lab is reached from its own network namespace only; use --lab NAME"):
        refuse_from_outside(lost)
    refuse_from_outside(load(write(GOOD)))
    monkeypatch.setattr("lab.embedded.lifecycle.OWN_NAMESPACE", "/proc/self/ns/net")
    ended = load(write({**GOOD, "kind": "embedded", "runner": {"namespace": "/proc/self/ns/net"}}))
    with pytest.raises(LabError, match="is this machine's own network namespace, so the lab has ended"):
        join(ended)
