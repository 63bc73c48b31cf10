"""A container address that its maker chooses: what adapters hand to Docker or Weave, and who declares it cannot."""

from __future__ import annotations

from typing import Any

import pytest

from lab.errors import HarnessError
from lab.inventory import Inventory
from lab.overlays import Overlay, adapter

SUBNETS = {"a": "10.32.0.0/24", "b": "10.32.1.0/26"}


def overlay(name: str, **options: Any) -> Overlay:
    ssh = {"key": "id", "known_hosts": "known"}
    nodes = [{"name": "u1", "address": "192.168.56.3", "ssh": ssh}]
    section = {"name": name, "subnets": SUBNETS, "options": options}
    return adapter(Inventory.model_validate({"name": "office", "nodes": nodes, "overlay": section}))


@pytest.mark.parametrize(
    ("made", "network"),
    [
        (overlay("vxlan"), "flatnet-b"),
        (overlay("swarm"), "flatnet-b"),
        (overlay("docker"), "b"),
        (overlay("docker", driver="macvlan"), "b"),
    ],
    ids=["vxlan", "swarm", "docker", "macvlan"],
)
def test_docker_is_given_the_address(made: Overlay, network: str) -> None:
    assert made.capabilities.addresses
    arguments = made.attach_at("b", "10.32.1.9")
    assert arguments["network"] == network
    assert arguments["networking_config"] == {network: {"IPAMConfig": {"IPv4Address": "10.32.1.9"}}}
    both = made.attach_at("b", "10.32.1.9", "fd00:10:32:1::9")
    chosen = {"IPv4Address": "10.32.1.9", "IPv6Address": "fd00:10:32:1::9"}
    assert both["networking_config"] == {network: {"IPAMConfig": chosen}}


def test_weaves_proxy_is_given_the_address_with_its_subnet() -> None:
    made = overlay("weave-proxy")
    assert made.capabilities.addresses
    assert made.attach_at("b", "10.32.1.9") == {"environment": {"WEAVE_CIDR": "10.32.1.9/26"}}


@pytest.mark.parametrize(
    "made", [overlay("weave-plugin"), overlay("docker", driver="weavemesh")], ids=["weave", "plugin"]
)
def test_a_plugin_that_hands_out_addresses_itself_declares_so(made: Overlay) -> None:
    assert not made.capabilities.addresses
    with pytest.raises(HarnessError, match="no address can be chosen; it declares so"):
        made.attach_at("b", "10.32.1.9")
