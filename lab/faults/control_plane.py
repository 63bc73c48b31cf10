"""Faults below the datapath: peers, identities, kernel settings, contradicting filters."""

from __future__ import annotations

import shlex

from ..overlays.evpn import AS
from ..overlays.vxlan import UDP_PORT
from .model import ANY_OVERLAY, BY_BGP, Action, Fault, Site

ROUTE_MAP = "flatnet-fault"
"""Name of the route map that a fault adds to FRR."""


def _peer_missing(site: Site) -> list[Action]:
    peer = site.others[0].address
    do, undo = [], []
    for subnet in site.subnets:
        tunnel = site.overlay.tunnel(subnet)
        entry = f"00:00:00:00:00:00 dev {tunnel} dst {peer}"
        do.append(f"bridge fdb del {entry}")
        undo.append(
            f"bridge fdb show dev {tunnel} | grep -q '^00:00:00:00:00:00 dst {peer} ' || bridge fdb append {entry}"
        )
    return site.on_node("\n".join(do), "\n".join(undo))


def _twin(site: Site) -> list[Action]:
    other = site.others[-1].run("cat /etc/machine-id").stdout.strip()
    mine = site.node.run("cat /etc/machine-id").stdout.strip()
    return site.on_node(f"echo {other} >/etc/machine-id", f"echo {mine} >/etc/machine-id")


def _no_forward(site: Site) -> list[Action]:
    return site.sysctls({"net.ipv4.ip_forward": "0"})


def _strict(site: Site) -> list[Action]:
    names = ["all", site.node.node.interface, *(site.overlay.bridge(subnet) for subnet in site.subnets)]
    return site.sysctls({f"net.ipv4.conf.{name}.rp_filter": "1" for name in names})


def _contradiction(site: Site) -> list[Action]:
    version = site.node.run("iptables -V").stdout
    other = "iptables-legacy" if "nf_tables" in version else "iptables-nft"
    bridge = site.overlay.bridge(site.subnets[0])
    return site.iptables(f"FORWARD -i {bridge} ! -o {bridge} -j DROP", program=other)


def _bridge_closed6(site: Site) -> list[Action]:
    bridge = site.overlay.bridge(site.subnets[0])
    return site.iptables(f"FORWARD -i {bridge} -o {bridge} -j DROP", program="ip6tables")


def _discovery_filtered(site: Site) -> list[Action]:
    """What Docker wrote for a network of its own until 24.0: what is not for its addresses, as the groups are not."""
    subnet = site.subnets[0]
    bridge, network = site.overlay.bridge(subnet), site.overlay.subnets6.get(subnet, "::/0")
    return site.iptables(f"FORWARD -i {bridge} ! -d {network} -j DROP", program="ip6tables")


def _ineligible(site: Site) -> list[Action]:
    """Tell Nomad to give the node's client no tasks, as `nomad node eligibility -disable` does."""
    assert site.inventory.nomad is not None
    base = f"http://{site.node.address}:{site.inventory.nomad.http_port}/v1"

    def say(eligibility: str) -> str:
        return f"""python3 - <<'PROGRAM'
import json, urllib.request as u
node = json.load(u.urlopen("{base}/agent/self", timeout=5))["stats"]["client"]["node_id"]
body = json.dumps({{"NodeID": node, "Eligibility": "{eligibility}"}}).encode()
u.urlopen(u.Request("{base}/node/" + node + "/eligibility", data=body, method="PUT"), timeout=5)
PROGRAM"""

    return site.on_node(say("ineligible"), say("eligible"))


def _table_full(site: Site) -> list[Action]:
    """Make the default subnet's tunnel again with a limit of its FDB that its flood list alone reaches."""
    subnet = site.subnets[0]
    name, peers = site.overlay.tunnel(subnet), [node.address for node in site.others]

    def make(limit: str) -> str:
        return "\n".join(
            [
                f"ip link del {name} 2>/dev/null",
                "set -e",
                f"ip link add {name} type vxlan id {site.overlay.vni(subnet)} dstport {UDP_PORT} {limit}"
                f" local {site.node.address} dev {site.node.node.interface}",
                f"ip link set {name} mtu {site.overlay.mtu(subnet)} master {site.overlay.bridge(subnet)} up",
                *(f"bridge fdb append 00:00:00:00:00:00 dev {name} dst {peer}" for peer in peers),
            ]
        )

    return site.on_node(make("maxaddress 1"), make(""))


def _vtysh(*commands: str) -> str:
    """A line of shell that configures FRR."""
    return shlex.join(["vtysh", *(word for command in ("configure terminal", *commands) for word in ("-c", command))])


def _session_down(site: Site) -> list[Action]:
    peer = site.others[0].address if site.by_bgp else ""
    return site.on_node(
        _vtysh(f"router bgp {AS}", f"neighbor {peer} shutdown"),
        _vtysh(f"router bgp {AS}", f"no neighbor {peer} shutdown"),
    )


def _flood_route_withdrawn(site: Site) -> list[Action]:
    """The node tells nobody any more that it takes part in the subnets (routes of type 3), only its MACs."""
    neighbours = [f"neighbor {other.address} route-map {ROUTE_MAP} out" for other in site.others if site.by_bgp]
    within = (f"router bgp {AS}", "address-family l2vpn evpn")
    return site.on_node(
        _vtysh(
            f"route-map {ROUTE_MAP} deny 10",
            "match evpn route-type multicast",
            "exit",
            f"route-map {ROUTE_MAP} permit 20",
            "exit",
            *within,
            *neighbours,
        ),
        _vtysh(*within, *(f"no {line}" for line in neighbours), "exit", "exit", f"no route-map {ROUTE_MAP}"),
    )


def _duplicate_endpoint(site: Site) -> list[Action]:
    """The node's tunnel of the default subnet has the address of the first other node's."""
    overlay, subnet = site.by_bgp, site.subnets[0]
    gone = f"ip link delete {overlay.tunnel(subnet)} 2>/dev/null"
    theirs, own = (overlay.make_tunnel(site.node, subnet, node.address) for node in (site.others[0], site.node))
    # What the node refused meanwhile as told by itself is asked for again.
    return site.on_node("\n".join(["set -e", gone, *theirs]), "\n".join([gone, *own, "vtysh -c 'clear bgp *'"]))


FAULTS = (
    Fault(
        "bgp-session-down",
        "The BGP session between two nodes ended, and with it all that each told the other.",
        "https://github.com/FRRouting/frr/issues/12938",
        _session_down,
        must_fail=("CP-1", "NET-1", "NET-7", "ISO-2"),
        may_fail=("NET-4", "NET-5", "NET-8", "HOST-2"),
        blames=("{node}", "BGP session|lost|not_sent"),
        overlays=BY_BGP,
    ),
    Fault(
        "flood-route-withdrawn",
        "A node withdrew its routes of type 3, so that broadcasts of the others do not reach it.",
        "https://github.com/FRRouting/frr/pull/5780",
        _flood_route_withdrawn,
        must_fail=("CP-1",),
        may_fail=("NET-1", "NET-4", "NET-5", "ISO-2", "HOST-2"),
        blames=("{peer} sees {node}", "no tunnel endpoint"),
        overlays=BY_BGP,
    ),
    Fault(
        "duplicate-tunnel-endpoint",
        "Two nodes have one tunnel endpoint address.",
        "https://github.com/alibaba/hybridnet/pull/28",
        _duplicate_endpoint,
        must_fail=("CP-1", "NET-1", "NET-7", "ISO-2"),
        may_fail=("NET-4", "NET-5", "NET-8", "HOST-2"),
        blames=("{node}", "no tunnel endpoint|lost|not_sent|tunnel"),
        overlays=BY_BGP,
    ),
    Fault(
        "overlay-peer-missing",
        "A node's flood list lacks one peer, so that broadcasts do not reach it.",
        "https://github.com/moby/moby/issues/52661",
        _peer_missing,
        must_fail=("CP-1",),
        may_fail=("NET-1", "ISO-2", "NET-5", "HOST-2"),
        blames=("{node} sees {peer}", "flood list"),
    ),
    Fault(
        "two-peers-one-identity",
        "A node was cloned from another one, with its identity.",
        "https://github.com/weaveworks/weave/issues/2427",
        _twin,
        must_fail=("CP-4",),
        blames=("{node}", "share", "machine-id"),
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "ip-forward-off",
        "A reload of kernel settings switched forwarding off.",
        "https://github.com/NixOS/nixpkgs/issues/118656",
        _no_forward,
        must_fail=("CP-5", "HOST-4"),
        blames=("{node}", "ip_forward"),
        blames_in={"HOST-4": ("last seen on {node}'s bridge", "lost")},
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "ipv6-bridge-closed",
        "Bridged packets have to pass ip6tables as well, where nobody has opened FORWARD; IPv4 is let through.",
        "https://github.com/moby/moby/issues/48365",
        _bridge_closed6,
        must_fail=("NET-1", "ISO-2", "CP-5"),
        may_fail=("NET-5", "NET-7"),
        blames=("{node}", "over IPv6"),
        blames_in={"CP-5": ("{node}: nft ip6 filter FORWARD", "drops what is bridged")},
        needs_ipv6=True,
    ),
    Fault(
        "neighbour-discovery-filtered",
        "A rule drops what is not for the addresses of a subnet, and with it the search for neighbours over IPv6.",
        "https://github.com/moby/moby/issues/45460",
        _discovery_filtered,
        must_fail=("NET-1", "ISO-2", "CP-5"),
        may_fail=("NET-5", "NET-7"),
        blames=("{node}", "over IPv6", "neighbour solicitation"),
        blames_in={"CP-5": ("{node}: nft ip6 filter FORWARD", "drops a neighbour solicitation that is bridged")},
        needs_ipv6=True,
    ),
    Fault(
        "rp-filter-strict",
        "Strict reverse path filtering drops packets whose replies would take another interface.",
        "https://github.com/containers/netavark/pull/962",
        _strict,
        must_fail=("HOST-4",),
        blames=("{node}", "received it and did not answer"),
    ),
    Fault(
        "nft-legacy-contradiction",
        "One packet filter back end accepts the overlay's packets, the other one drops them.",
        "https://github.com/kubernetes/kubernetes/issues/71305",
        _contradiction,
        must_fail=("CP-5", "HOST-4"),
        blames=("{node}", "drops"),
        blames_in={"HOST-4": ("{node}", "dropped packets by")},
    ),
    Fault(
        "nomad-client-ineligible",
        "A node's client was taken out for maintenance and never made eligible again, so that it gets no tasks.",
        "https://developer.hashicorp.com/nomad/docs/commands/node/eligibility",
        _ineligible,
        must_fail=("CP-3",),
        may_fail=("JOB-1", "JOB-3", "JOB-6"),
        needs_nomad=True,
        blames=("{node}", "ineligible"),
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "tunnel-table-full",
        "The tunnel's forwarding table holds as many entries as it may, so that it learns no address any more.",
        "https://man7.org/linux/man-pages/man8/ip-link.8.html",
        _table_full,
        must_fail=("CP-6",),
        blames=("{node}", "FDB of vx-"),
    ),
)
