"""Changes that break no promise: nobody may be accused for them."""

from __future__ import annotations

from lab.embedded.images import DEMO_IMAGE

from .dns import registered
from .model import Action, Fault, Plan, Site

HOST = "https://docs.docker.com/engine/network/"


def _container(site: Site) -> list[Action]:
    network = site.overlay.network_of(site.subnets[0])
    return site.on_node(
        f"docker run -d --name bystander --network {network} {DEMO_IMAGE} >/dev/null",
        "docker rm -f bystander >/dev/null 2>&1 || true",
    )


def _service(site: Site) -> list[Action]:
    """Consul's own HTTP port of the node, under a second name: it is served where the name leads."""
    assert site.inventory.consul is not None
    return registered("bystander", "node", site.inventory.consul.http_port)(site)


def _tunnel(site: Site) -> list[Action]:
    return site.on_node(
        f"ip link add bystander0 type vxlan id 77 dstport 4790 local {site.node.address} dev {site.node.node.interface}"
        " && ip link set bystander0 up",
        "ip link del bystander0 2>/dev/null || true",
    )


def _mac(site: Site) -> list[Action]:
    """Of the bridge: what containers and nodes have learned of it must not matter for long."""
    bridge = site.overlay.bridge(site.subnets[0])
    now = site.node.run(["cat", f"/sys/class/net/{bridge}/address"]).stdout.strip()
    return site.on_node(f"ip link set {bridge} address 02:0b:ad:c0:ff:ee", f"ip link set {bridge} address {now}")


def _latency(site: Site) -> list[Action]:
    nic = site.node.node.interface
    return site.on_node(
        f"tc qdisc add dev {nic} root netem delay 20ms", f"tc qdisc del dev {nic} root 2>/dev/null || true"
    )


def _foreign_rule(site: Site) -> list[Action]:
    chain = "chain forward { type filter hook forward priority 10;\nip saddr 203.0.113.0/24 tcp dport 4444 drop\n}"
    return [site.table(chain)]


def _benign(name: str, imitates: str, source: str, plan: Plan, needs: str = "") -> Fault:
    return Fault(name, imitates, source, plan, must_fail=(), needs=needs)


FAULTS = (
    _benign("extra-container", "Somebody else's container runs in the subnet.", HOST, _container),
    _benign(
        "extra-service",
        "Somebody else's service is registered, and serves where its name leads.",
        "https://developer.hashicorp.com/consul/docs",
        _service,
    ),
    _benign("extra-vxlan", "Another VXLAN ends on the node.", "https://www.rfc-editor.org/rfc/rfc7348", _tunnel),
    _benign("changed-mac", "The bridge has another MAC address.", "https://www.rfc-editor.org/rfc/rfc826", _mac),
    _benign(
        "higher-latency",
        "The underlay takes 20 ms longer.",
        "https://man7.org/linux/man-pages/man8/tc-netem.8.html",
        _latency,
        needs="tc qdisc add dev lo root netem delay 1ms && tc qdisc del dev lo root",
    ),
    _benign(
        "foreign-filter-rule",
        "A packet filter rule of somebody else's, which matches nothing of the overlay.",
        "https://wiki.nftables.org/",
        _foreign_rule,
    ),
)
