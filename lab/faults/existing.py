"""Faults of what already runs: leftovers of containers that are gone, addresses held twice, a broken contract."""

from __future__ import annotations

from lab.images import DEMO_IMAGE

from .model import ANY_OVERLAY, Action, Fault, Site, Where

GONE_MAC = "02:0d:ea:d0:00:01"
CLOSED_PORT, OPENED_PORT = 8080, 5432
"""Ports that the drill's contract (tests/drill/contract.yaml) says to be reachable, and unreachable."""


def _gone(site: Site) -> str:
    """An address of the default subnet that no engine has handed out."""
    subnet = next(iter(site.inventory.overlay.subnets.values()))
    return str(subnet[250])


def _fdb_entry(site: Site) -> list[Action]:
    entry = f"{GONE_MAC} dev {site.overlay.tunnel(site.subnets[0])} dst {site.others[0].address}"
    return site.on_node(f"bridge fdb add {entry}", f"bridge fdb del {entry} 2>/dev/null || true")


def _neighbour_entry(site: Site) -> list[Action]:
    """A permanent entry on the node for the first container of another node, with a MAC that it does not have."""
    other = list(site.cluster.nodes).index(site.others[0].name)
    address = site.overlay.slice_of(site.subnets[0], other)[0]
    entry = f"{address} dev {site.overlay.bridge(site.subnets[0])}"
    return site.on_node(
        f"ip neighbour replace {entry} lladdr {GONE_MAC} nud permanent", f"ip neighbour del {entry} 2>/dev/null || true"
    )


def _dnat(site: Site) -> list[Action]:
    rule = f"PREROUTING -d {site.node.address} -p tcp --dport 8088 -j DNAT --to-destination {_gone(site)}:80"
    return site.iptables(rule, table="nat")


def _second_holder(site: Site) -> list[Action]:
    """Start a container on another node with the address that the node's engine gives its first one."""
    network = site.overlay.network_of(site.subnets[0])
    address = site.overlay.slice_of(site.subnets[0], site.index)[0]
    return [
        Action(
            site.others[-1].name,
            f"docker run -d --name second-holder --network {network} --ip {address} {DEMO_IMAGE} >/dev/null",
            "docker rm -f second-holder >/dev/null 2>&1 || true",
        )
    ]


def _port_closed(site: Site) -> list[Action]:
    within = f"ip daddr {site.overlay.subnets[site.subnets[0]]}"
    chain = f"chain pass {{ type filter hook forward priority 0;\n{within} tcp dport {CLOSED_PORT} counter drop\n}}"
    return [site.table(chain, family="bridge", node=node) for node in site.cluster.nodes.values()]


def _port_opened(site: Site) -> list[Action]:
    one, other = (site.overlay.bridge(subnet) for subnet in site.subnets[:2])
    rule = f"DOCKER-USER -i {one} -o {other} -p tcp --dport {OPENED_PORT} -j ACCEPT"
    opened = f"iptables -w 5 -I {rule}", f"while iptables -w 5 -D {rule} 2>/dev/null; do :; done"
    return [Action(node.name, *opened) for node in site.cluster.nodes.values()]


FAULTS = (
    Fault(
        "fdb-entry-left-behind",
        "A node still has a static FDB entry of a container that is gone.",
        "https://github.com/moby/moby/issues/35401",
        _fdb_entry,
        must_fail=("EXT-3",),
        blames=("{node}", "FDB", "02:0d:ea:d0:00:01"),
    ),
    Fault(
        "neighbour-entry-wrong",
        "A node has a permanent neighbour entry with another MAC than the container's.",
        "https://github.com/moby/moby/issues/52661",
        _neighbour_entry,
        must_fail=("EXT-1", "HOST-2", "HOST-4"),
        blames=("{node}", "neighbour", "02:0d:ea:d0:00:01"),
        blames_in=dict.fromkeys(("HOST-2", "HOST-4"), ("{node}", "never saw it|never reached")),
    ),
    Fault(
        "dnat-left-behind",
        "A node still translates a published port to the address of a container that is gone.",
        "https://github.com/moby/moby/issues/32048",
        _dnat,
        must_fail=("EXT-3",),
        blames=("{node}", "DNAT|dnat"),
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "second-container-same-address",
        "A second engine gives an address that a container on another node has already.",
        "https://github.com/weaveworks/weave/issues/3003",
        _second_holder,
        must_fail=("EXT-2", "NET-4"),
        may_fail=("EXT-1", "ISO-2", "NET-1", "NET-5", "NET-7"),
        blames=("{container}", "held"),
    ),
    Fault(
        "contract-port-closed",
        "Firewall rules close a port that the contract says to be reachable.",
        "https://docs.docker.com/engine/network/packet-filtering-firewalls/",
        _port_closed,
        must_fail=("EXT-4",),
        blames=(r"drill-(web|api|db)", "8080"),
        may_fail=("NET-5",),
        where=Where.ALL,
    ),
    Fault(
        "contract-port-opened",
        "Firewall rules open a port between subnets that the contract says to be unreachable.",
        "https://github.com/moby/moby/issues/22054",
        _port_opened,
        must_fail=("EXT-4",),
        blames=(r"drill-(web|api|db)", "5432"),
        may_fail=("ISO-1",),
        where=Where.ALL,
    ),
)  # fmt: skip
