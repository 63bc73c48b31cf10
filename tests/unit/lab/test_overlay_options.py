"""`overlay.options` and `overlay.networks`: what an adapter takes from the cluster file, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from lab.embedded import plan
from lab.embedded.plan import LabSpec
from lab.errors import UsageError
from lab.inventory import Inventory
from lab.overlays import IN_LABS, OVERLAYS, adapter
from lab.overlays.options import Option, wrong_options
from lab.overlays.vxlan import Vxlan

SUBNETS = {"a": "10.32.0.0/24", "b": "10.32.1.0/24"}
KNOWN = (
    Option("mtu", int, least=68),
    Option("bridge", str, each_subnet=True),
    Option("expose", str, choices=("none", "always")),
    Option("restart", bool),
)


def inventory(name: str, *, options: dict[str, Any] | None = None, networks: dict[str, str] | None = None) -> Inventory:
    ssh = {"key": "id", "known_hosts": "known"}
    return Inventory.model_validate(
        {
            "name": "office",
            "nodes": [{"name": "u1", "address": "192.168.56.3", "ssh": ssh}],
            "overlay": {"name": name, "subnets": SUBNETS, "options": options or {}, "networks": networks or {}},
        }
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"mtu": 68, "bridge.a": "br-a", "expose": "none", "restart": False}, ""),
        ({"mtv": 1450}, "overlay.options.mtv: x has no such option; did you mean 'mtu'?"),
        ({"bridge": "br0"}, "overlay.options.bridge: x has no such option; did you mean 'bridge.b'?"),
        ({"bridge.c": "br0"}, "overlay.options.bridge.c: x has no such option; did you mean 'bridge.b'?"),
        ({"qqq": 1}, "overlay.options.qqq: x has no such option; there are: bridge.a, bridge.b, expose, mtu, restart"),
        ({"mtu": "1450"}, "overlay.options.mtu: '1450' is not a whole number; write it as such"),
        ({"mtu": True}, "overlay.options.mtu: True is not a whole number; write it as such"),
        ({"restart": 1}, "overlay.options.restart: 1 is not true or false; write it as such"),
        ({"mtu": 67}, "overlay.options.mtu: 67 is too small; choose 68 or more"),
        ({"expose": "no"}, "overlay.options.expose: 'no' is unknown; choose none or always"),
        (
            {"mtu": 0, "expose": "no"},
            "overlay.options.mtu: 0 is too small; choose 68 or more. "
            "overlay.options.expose: 'no' is unknown; choose none or always",
        ),
    ],
)
def test_wrong_options_are_named_with_what_to_do(given: dict[str, Any], said: str) -> None:
    assert wrong_options("x", KNOWN, given, SUBNETS) == said


def test_an_adapter_without_options_says_so() -> None:
    assert wrong_options("x", (), {"mtu": 1}, SUBNETS).endswith("x has no such option; it has none; leave it out")


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_adapter_refuses_what_it_does_not_know(name: str) -> None:
    with pytest.raises(UsageError, match=rf"^overlay\.options\.colour: {name} has no such option; there are: "):
        adapter(inventory(name, options={"colour": "red"}))


@pytest.mark.parametrize("name", IN_LABS)
def test_what_a_lab_sets_is_known(name: str) -> None:
    assert adapter(plan.inventory(LabSpec(overlay=name))).name == name


@pytest.mark.parametrize(
    ("name", "default"), [("vxlan", "flatnet-a"), ("swarm", "flatnet-a"), ("weave-plugin", "weave"), ("docker", "a")]
)
def test_a_subnet_is_the_network_that_the_file_names(name: str, default: str) -> None:
    named = adapter(inventory(name, networks={"a": "office_net"}))
    assert named.network_of("a") == "office_net" and named.attach("a")["network"] == "office_net"
    assert adapter(inventory(name)).network_of("a") == default
    assert named.network_of("b") == adapter(inventory(name)).network_of("b")


def test_the_proxy_has_no_networks_to_name() -> None:
    with pytest.raises(UsageError, match=r"^overlay\.networks: containers join weave-proxy without a Docker network;"):
        adapter(inventory("weave-proxy", networks={"a": "office"}))


def test_vxlan_has_the_names_and_numbers_of_the_file() -> None:
    options = {"bridge.a": "br-office", "tunnel.b": "vxlan7", "vni.b": 7, "mtu": 8950, "restart": False}
    made = adapter(inventory("vxlan", options=options))
    assert isinstance(made, Vxlan)
    assert [made.bridge(name) for name in "ab"] == ["br-office", "fn-b"]
    assert [made.tunnel(name) for name in "ab"] == ["vx-a", "vxlan7"]
    assert [made.vni(name) for name in "ab"] == [4200, 7]
    assert made.mtu("a") == 8950 and not made.capabilities.restart and made.capabilities.expose
    assert adapter(inventory("vxlan")).capabilities.restart


@pytest.mark.parametrize(
    ("options", "expose", "peers"),
    [
        ({}, False, False),
        ({"expose": "always"}, False, False),
        ({"expose": "bridge", "driver": "bridge"}, True, False),
        ({"driver": "overlay"}, False, True),
    ],
)
def test_docker_can_do_what_the_file_declares(options: dict[str, Any], expose: bool, peers: bool) -> None:
    made = adapter(inventory("docker", options=options)).capabilities
    assert (made.expose, made.peers, made.restart, made.proxy) == (expose, peers, False, False)


def test_docker_has_hops_and_mtu_of_the_file() -> None:
    plain, declared = (adapter(inventory("docker", options=given)) for given in ({}, {"hops": 2, "mtu": 1400}))
    assert (plain.hops(), plain.mtu("a")) == (0, None) and (declared.hops(), declared.mtu("a")) == (2, 1400)


def test_a_lab_cannot_have_docker() -> None:
    with pytest.raises(UsageError, match="overlay docker is for cluster files"):
        LabSpec(overlay="docker")
