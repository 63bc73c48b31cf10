"""Changes that must not fail any requirement."""

from __future__ import annotations

from lab.images import DEMO_IMAGE

from . import link
from .dns import registered
from .model import ANY_OVERLAY, Action, Fault, Plan, Site

HOST = "https://docs.docker.com/engine/network/"


def _container(site: Site) -> list[Action]:
    network = site.overlay.network_of(site.subnets[0])
    return site.on_node(
        f"docker run -d --name bystander --network {network} {DEMO_IMAGE} >/dev/null",
        "docker rm -f bystander >/dev/null 2>&1 || true",
    )


def _service(site: Site) -> list[Action]:
    """Register the HTTP port of the node's Consul under a second name, which leads to where it is served."""
    assert site.inventory.consul is not None
    return registered("bystander", "node", site.inventory.consul.http_port)(site)


def _tunnel(site: Site) -> list[Action]:
    return site.on_node(
        f"ip link add bystander0 type vxlan id 77 dstport 4790 local {site.node.address} dev {site.node.node.interface}"
        " && ip link set bystander0 up",
        "ip link del bystander0 2>/dev/null || true",
    )


def _mac(site: Site) -> list[Action]:
    """Change the bridge's MAC address: what containers and nodes have learned about it must not matter for long."""
    bridge = site.overlay.bridge(site.subnets[0])
    now = site.node.run(["cat", f"/sys/class/net/{bridge}/address"]).stdout.strip()
    return site.on_node(f"ip link set {bridge} address 02:0b:ad:c0:ff:ee", f"ip link set {bridge} address {now}")


def _foreign_rule(site: Site) -> list[Action]:
    chain = "chain forward { type filter hook forward priority 10;\nip saddr 203.0.113.0/24 tcp dport 4444 drop\n}"
    return [site.table(chain)]


def _benign(name: str, imitates: str, source: str, plan: Plan, *, overlays: tuple[str, ...] = ANY_OVERLAY) -> Fault:
    return Fault(name, imitates, source, plan, must_fail=(), overlays=overlays)


FAULTS = (
    _benign(
        "extra-container",
        "A container that is not part of the run is in the subnet.",
        HOST,
        _container,
        overlays=("vxlan",),
    ),
    _benign(
        "extra-service",
        "A service that is not part of the run is registered, and is served where its name leads.",
        "https://developer.hashicorp.com/consul/docs",
        _service,
    ),
    _benign("extra-vxlan", "The node is an end of another VXLAN.", "https://www.rfc-editor.org/rfc/rfc7348", _tunnel),
    _benign(
        "changed-mac",
        "The bridge has another MAC address.",
        "https://www.rfc-editor.org/rfc/rfc826",
        _mac,
        overlays=("vxlan",),
    ),
    *link.BENIGN,
    _benign(
        "foreign-filter-rule",
        "The node has a packet filter rule that matches nothing of the overlay.",
        "https://wiki.nftables.org/",
        _foreign_rule,
    ),
)
