"""Where a fault applies is declared, and the declaration is what its plan does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.access.cluster import ClusterAccess, NodeAccess
from lab.access.shell import CommandResult
from lab.embedded import plan
from lab.embedded.plan import LabSpec
from lab.errors import UsageError
from lab.faults import FAULTS, Fault, Site, choose
from lab.faults.model import ROUTED
from lab.inventory import Inventory, Nomad

VXLAN = plan.inventory(LabSpec(name="x", nomad=False))


def on(overlay: str, *, nomad: bool = False, ipv6: bool = False) -> Inventory:
    """The inventory of a lab with this overlay."""
    changed = VXLAN.overlay.model_copy(update={"name": overlay, "options": {}})
    if ipv6:
        changed = changed.model_copy(update={"subnets6": LabSpec(families="46").subnets6()})
    return VXLAN.model_copy(update={"overlay": changed, "nomad": Nomad() if nomad else None, "dns": None})


def site(inventory: Inventory) -> Site:
    """A site whose nodes answer every command with an empty list in JSON."""

    def run(command: object, **options: Any) -> CommandResult:
        return CommandResult("u2", str(command), 0, "[]", "", 0.0)

    nodes = {
        node.name: cast(NodeAccess, SimpleNamespace(name=node.name, address=str(node.address), node=node, run=run))
        for node in inventory.nodes
    }
    return Site(inventory, cast(ClusterAccess, SimpleNamespace(nodes=nodes)), nodes["u2"])


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_a_fault_is_planned_on_every_overlay_that_it_declares_and_on_no_other(fault: Fault) -> None:
    """ANY_OVERLAY is what plans without an adapter; every other fault needs its own overlay's devices."""
    for overlay in ("vxlan", "swarm", "weave-plugin", "weave-proxy", "routed", "wireguard", "evpn"):
        here = site(on(overlay, nomad=True, ipv6=fault.needs_ipv6 and overlay == "vxlan"))
        if not fault.overlays or overlay in fault.overlays:
            assert fault.actions(here), f"{fault.name} does nothing on {overlay}"
        else:
            with pytest.raises(UsageError, match=f"fault {fault.name}: it acts on .*, and this lab has {overlay}; "):
                fault.actions(here)
            if fault.overlays == ("vxlan",) and not fault.needs_nomad and overlay not in (*ROUTED, "evpn"):
                with pytest.raises(UsageError, match=f"overlay {overlay}: this fault acts on"):
                    fault.plan(here)


def test_a_fault_of_ipv6_is_refused_where_there_is_none() -> None:
    with pytest.raises(
        UsageError, match=r"^fault nat66: it acts on IPv6, and this lab has IPv4 only \(--families 46\)"
    ):
        choose(FAULTS, "nat66", on("vxlan"))
    assert FAULTS["nat66"].applies_to == "vxlan with IPv6" and FAULTS["nat66"].obstacle(on("vxlan", ipv6=True)) == ""


def test_a_fault_of_vxlan_says_so_itself_where_it_is_not_declared() -> None:
    with pytest.raises(UsageError, match="overlay swarm: this fault acts on the bridges and tunnels of vxlan"):
        _ = site(on("swarm")).overlay


def test_a_fault_of_nomad_is_refused_without_nomad() -> None:
    fault = FAULTS["job-registered-at-node"]
    assert fault.obstacle(on("vxlan", nomad=True)) == ""
    assert fault.obstacle(on("vxlan")) == "it acts on Nomad, and this lab has none"
    with pytest.raises(UsageError, match=r"^fault job-registered-at-node: it acts on Nomad, and this lab has none; "):
        choose(FAULTS, "job-registered-at-node@u1", on("vxlan"))
    assert FAULTS["partition"].obstacle(on("swarm")) == ""


def test_a_fault_that_is_chosen_acts_on_its_default_node_or_the_one_named() -> None:
    assert [node.name for text in ("partition", "partition@u1", "expose-not-restored")
            for _, node in [choose(FAULTS, text, VXLAN)]] == ["u2", "u1", "u3"]  # fmt: skip
    with pytest.raises(UsageError, match="fault 'x' is unknown"):
        choose(FAULTS, "x", VXLAN)
    with pytest.raises(UsageError, match="fault partition: there is no node 'u9'; nodes: u1, u2, u3"):
        choose(FAULTS, "partition@u9", VXLAN)


@pytest.mark.parametrize(
    ("overlays", "needs_nomad", "expected"),
    [
        (("vxlan",), False, "vxlan"),
        ((), False, "any overlay"),
        (("weave-plugin", "weave-proxy"), True, "weave-plugin, weave-proxy with Nomad"),
    ],
)
def test_where_a_fault_applies_is_said_in_words(overlays: tuple[str, ...], needs_nomad: bool, expected: str) -> None:
    fault = Fault("x", "", "", lambda _: [], (), overlays=overlays, needs_nomad=needs_nomad)
    assert fault.applies_to == expected


def test_a_partition_drops_at_the_switch_what_passes_between_a_node_and_the_others() -> None:
    (action,) = FAULTS["partition"].actions(site(VXLAN))
    assert action.place == "switch"
    for rule in (
        'iifname { "port-u2" } oifname { "port-u1", "port-u3" } counter drop',
        'iifname { "port-u1", "port-u3" } oifname { "port-u2" } counter drop',
    ):
        assert rule in action.do
    assert action.undo.count("table bridge flatnet_fault") == 2


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (
            "bridged",
            "acts on Docker's bridges, one for each subnet and node; use a lab with vxlan",
        ),
        ("routed", "acts on routes between nodes; use a lab with routed or wireguard"),
        ("by_bgp", "acts on BGP EVPN; use a lab with evpn"),
        ("encrypted", "acts on WireGuard's interface; use a lab with wireguard"),
    ],
)
def test_a_fault_of_routed_networks_says_so_itself_where_it_is_not_declared(part: str, said: str) -> None:
    with pytest.raises(UsageError, match=f"overlay swarm: this fault {said}"):
        getattr(site(on("swarm")), part)
