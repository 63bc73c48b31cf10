"""Faults of promises 1 and 3: addresses that are rewritten, held twice, or other than Docker says."""

from __future__ import annotations

from ..overlays.vxlan import UDP_PORT
from .model import ANY_OVERLAY, BY_BGP, ENCRYPTED, ROUTED, Action, Fault, Plan, Site

STALE_MAC = "02:42:00:de:ad:01"
"""Of a container that is gone."""
MET_BY_CHANCE = ("NET-1", "NET-5", "NET-7", "ISO-2", "HOST-2", "HOST-4", "PATH-1", "PATH-4")
"""Requirements whose probes are single packets between nodes, so that a loss of some of them may meet one."""


def _masquerade(site: Site) -> list[Action]:
    actions = []
    for subnet in site.subnets:
        actions += site.exposed(subnet)
    rules = []
    for subnet in site.subnets:
        whole, own = site.overlay.subnets[subnet], site.overlay.gateway(subnet, site.index).ip
        rules.append(f"ip saddr {whole} ip daddr {whole} ip saddr != {own} counter snat to {own}")
    chain = "chain after { type nat hook postrouting priority srcnat - 10;\n" + "\n".join(rules) + "\n}"
    return [*actions, site.table(chain)]


def _masquerade6(site: Site) -> list[Action]:
    actions = [action for subnet in site.subnets for action in site.exposed6(subnet)]
    rules = []
    for subnet in site.subnets:
        whole, own = site.overlay.subnets6[subnet], site.overlay.gateway6(subnet, site.index).ip
        rules.append(f"ip6 saddr {whole} ip6 daddr {whole} ip6 saddr != {own} counter snat to {own}")
    chain = "chain after { type nat hook postrouting priority srcnat - 10;\n" + "\n".join(rules) + "\n}"
    return [*actions, site.table(chain, family="ip6")]


def _solicitations(site: Site) -> list[Action]:
    """Drop multicast neighbour solicitations on the way into and out of each tunnel, as a snooping bridge would."""
    tunnels = ", ".join(f'"{site.overlay.tunnel(subnet)}"' for subnet in site.subnets)
    group = "ether daddr & ff:ff:00:00:00:00 == 33:33:00:00:00:00 icmpv6 type nd-neighbor-solicit counter drop"
    rules = "\n".join(f"{way} {{ {tunnels} }} {group}" for way in ("iifname", "oifname"))
    return [site.table(f"chain forward {{ type filter hook forward priority 0;\n{rules}\n}}", family="bridge")]


def _advertisements(site: Site) -> list[Action]:
    subnet = site.subnets[0]
    bridge, tunnel = site.overlay.bridge(subnet), site.overlay.tunnel(subnet)
    prefix = site.overlay.subnets6[subnet].network_address if site.overlay.subnets6 else "::"
    return site.daemon("advertise", "advertise.py", bridge, tunnel, str(prefix))


def _udp_source_port(site: Site) -> list[Action]:
    overlay = site.range
    return site.iptables(f"POSTROUTING -p udp -s {overlay} -d {overlay} -j SNAT --to-source :40000-40999", table="nat")


def _first(site: Site) -> tuple[str, str]:
    """The first two addresses that the node's engine hands out in the default subnet."""
    own = site.overlay.slice_of(site.subnets[0], site.index)
    return str(own[0]), str(own[1])


def _redirected(site: Site) -> list[Action]:
    dialled, other = _first(site)
    chain = (
        "chain before { type nat hook prerouting priority dstnat - 10;\n"
        f"ip saddr {site.range} ip daddr {dialled} counter dnat to {other}\n}}"
    )
    return [*site.exposed(), site.table(chain)]


def _duplicate(site: Site) -> list[Action]:
    """Give the node's first container address a second holder, on another node's bridge."""
    squatter = site.others[-1]
    bridge, whole = site.overlay.bridge(site.subnets[0]), site.overlay.subnets[site.subnets[0]]
    address = f"{_first(site)[0]}/{whole.prefixlen}"
    return [
        Action(
            squatter.name,
            f"""set -e
ip netns add squatter
ip link add squatter0 type veth peer name eth0 netns squatter
ip link set squatter0 master {bridge} up
ip -n squatter link set lo up
ip -n squatter link set eth0 mtu {site.overlay.mtu(site.subnets[0])} up
ip -n squatter address add {address} dev eth0""",
            "ip link del squatter0 2>/dev/null; ip netns del squatter 2>/dev/null; true",
        )
    ]


def _duplicate6(site: Site) -> list[Action]:
    """The same for the node's first IPv6 address; IPv4 is left alone."""
    squatter, subnet = site.others[-1], site.subnets[0]
    whole, own = site.overlay.subnets6[subnet], site.overlay.slice6_of(subnet, site.index)
    return [
        Action(
            squatter.name,
            f"""set -e
ip netns add squatter6
ip link add squatter60 type veth peer name eth0 netns squatter6
ip link set squatter60 master {site.overlay.bridge(subnet)} up
ip -n squatter6 link set eth0 mtu {site.overlay.mtu(subnet)} up
ip -n squatter6 address add {own[0]}/{whole.prefixlen} dev eth0 nodad""",
            "ip link del squatter60 2>/dev/null; ip netns del squatter6 2>/dev/null; true",
        )
    ]


def _unlike_docker(site: Site) -> list[Action]:
    return site.daemon("containers", "containers.py", "move", site.overlay.network_of(site.subnets[0]), "20")


def _lossy(per_thousand: int) -> Plan:
    """Plan of a loss of encapsulated packets from the first other node, and of no other."""

    def plan(site: Site) -> list[Action]:
        rule = f"ip saddr {site.others[0].address} udp dport {UDP_PORT} numgen random mod 1000 < {per_thousand} drop"
        return [site.table(f"chain input {{ type filter hook input priority filter - 10;\n{rule}\n}}")]

    return plan


def _on_the_way(match: str, target: str) -> Plan:
    """Plan of rules on what the containers of the node and of the first other one send each other."""

    def plan(site: Site) -> list[Action]:
        peer = site.peer_index
        actions = []
        for subnet in site.subnets:
            mine, theirs = (site.overlay.slice_of(subnet, index) for index in (site.index, peer))
            for source, destination in ((mine, theirs), (theirs, mine)):
                actions += site.iptables(f"FORWARD -s {source} -d {destination} {match} -j {target}")
        return actions

    return plan


def _loss(name: str, share: str, per_thousand: int) -> Fault:
    return Fault(
        name,
        f"{share} of the packets from one node to one other node are lost; the reverse direction loses none.",
        "https://github.com/moby/moby/issues/29024",
        _lossy(per_thousand),
        must_fail=("NET-8",),
        may_fail=MET_BY_CHANCE,
        blames=("{peer} → {node}", "lost", "95 %"),
        overlays=("vxlan", "swarm"),
    )


def _entries_kept(site: Site) -> list[Action]:
    return site.daemon("entries", "entries.py", site.overlay.tunnel(site.subnets[0]))


def _ghosts(site: Site) -> list[Action]:
    subnet = site.subnets[0]
    return site.daemon("ghosts", "ghosts.py", str(site.overlay.network_of(subnet)), site.overlay.bridge(subnet))


def _part_unrouted(site: Site) -> list[Action]:
    """Take from the node its route to the first other node's part of the default subnet."""
    part = site.routed.slice_of(site.subnets[0], site.peer_index)
    route = site.node.run(["ip", "route", "show", str(part)]).stdout.strip()
    return site.on_node(f"ip route delete {part}", f"ip route replace {route}")


def _direct_routing(site: Site) -> list[Action]:
    """The rules that Docker 28 writes for containers of a bridge network in its default mode, for a whole part."""
    return [
        action
        for subnet in site.subnets
        for action in site.iptables(
            f"PREROUTING -d {site.routed.slice_of(subnet, site.index)} ! -i {site.routed.bridge(subnet)} -j DROP",
            table="raw",
        )
    ]


def _stolen_part(site: Site) -> list[Action]:
    """Allow the first other node the last one's part of the default subnet, which the last one loses by that."""
    wg = site.encrypted
    stolen = wg.slice_of(site.subnets[0], list(site.cluster.nodes).index(site.others[-1].name))
    allowed = ",".join([*map(str, wg.parts_of(site.peer_index)), f"{site.others[0].address}/32", str(stolen)])
    return site.on_node(
        f"set -e\n{wg.peer_key(site.others[0].address)}\nwg set {wg.interface} peer $key allowed-ips {allowed}",
        f"wg syncconf {wg.interface} {wg.folder}/conf",
    )


def _stale_suppression(site: Site) -> list[Action]:
    """The node's bridge answers ARP for the first other node's containers with a MAC that was on the last one."""
    overlay, subnet = site.by_bgp, site.subnets[0]
    bridge, tunnel, old = overlay.bridge(subnet), overlay.tunnel(subnet), site.others[-1].address
    own = overlay.slice_of(subnet, site.peer_index)
    moved = [str(own[0]), str(own[1])]
    return site.on_node(
        "\n".join(
            [
                "set -e",
                f"bridge fdb replace {STALE_MAC} dev {tunnel} master static",
                f"bridge fdb append {STALE_MAC} dev {tunnel} self dst {old}",
                *(f"ip neighbour replace {each} lladdr {STALE_MAC} dev {bridge} nud permanent" for each in moved),
            ]
        ),
        "\n".join(
            [
                *(f"ip neighbour delete {each} dev {bridge} 2>/dev/null" for each in moved),
                f"bridge fdb delete {STALE_MAC} dev {tunnel} master 2>/dev/null",
                f"bridge fdb delete {STALE_MAC} dev {tunnel} self dst {old} 2>/dev/null; true",
            ]
        ),
    )


FAULTS = (
    Fault(
        "stale-suppression",
        "A node goes on answering ARP at home for a container that has moved, with the entry from before.",
        "https://github.com/FRRouting/frr/issues/2129",
        _stale_suppression,
        must_fail=("NET-4",),
        # Neighbours that asked before the entry was there go on for as long as they remember the right one.
        may_fail=("NET-1", "NET-5", "ISO-2", "HOST-2", "EXT-1", "EXT-3"),
        blames=("{node}|{container}", "lost|claimed by|not_sent"),
        overlays=BY_BGP,
    ),
    Fault(
        "allowed-ips-overlap",
        "A peer's AllowedIPs name another peer's part of a subnet, which WireGuard then takes from that one.",
        "https://www.wireguard.com/#cryptokey-routing",
        _stolen_part,
        must_fail=("NET-1", "NET-7", "ISO-2", "CP-1"),
        may_fail=("NET-5", "NET-8", "PATH-1", "PATH-3"),
        blames=("{node}", "last seen on|lost|AllowedIPs"),
        overlays=ENCRYPTED,
    ),
    Fault(
        "part-of-subnet-unrouted",
        "A node lost its route to another node's part of a subnet.",
        "https://github.com/flannel-io/flannel/issues/1034",
        _part_unrouted,
        must_fail=("NET-1", "NET-7", "ISO-2", "CP-1"),
        may_fail=("NET-4", "NET-5", "NET-8", "NET-9", "HOST-2"),
        # The node's reverse path filter drops what comes from there, and its own packets have no route.
        blames=("{node}", r"last seen on {node}'s NIC|unreachable|not_sent"),
        blames_in={"CP-1": ("{node} sees {peer}", "no route")},
        overlays=ROUTED,
    ),
    Fault(
        "direct-routing-dropped",
        "An upgrade to Docker 28 drops what is routed straight to containers of a network in the mode nat.",
        "https://github.com/moby/moby/issues/49792",
        _direct_routing,
        must_fail=("NET-1", "NET-7", "ISO-2", "CP-5"),
        may_fail=("NET-5", "NET-8"),
        blames=("{node}", "PREROUTING"),
        overlays=ROUTED,
    ),
    Fault(
        "masquerade",
        "The node rewrites the source address of its containers' packets to its own.",
        "https://github.com/weaveworks/weave/issues/605",
        _masquerade,
        must_fail=("NET-2", "NET-3"),
        may_fail=("HOST-3",),
        blames=("{node}", "rewritten", r"source \S+ became", "snat to"),
        blames_in={"NET-3": ("several addresses", r"in packets that {container} received \S+")},
    ),
    Fault(
        "nat66",
        "The node rewrites the IPv6 source address of its containers' packets to its own; IPv4 is left alone.",
        "https://docs.docker.com/engine/network/packet-filtering-firewalls/",
        _masquerade6,
        must_fail=("NET-2", "NET-3"),
        blames=("{node}", "over IPv6", "rewritten", r"source \S+ became", "snat to"),
        blames_in={"NET-3": ("several IPv6 addresses", r"in packets that {container} received \S+")},
        needs_ipv6=True,
    ),
    Fault(
        "neighbour-solicitations-lost",
        "Multicast snooping loses neighbour solicitations between a node and the others, so IPv6 finds no neighbours.",
        "https://github.com/lxc/incus/issues/3294",
        _solicitations,
        must_fail=("NET-1", "ISO-2", "CP-5"),
        may_fail=("NET-5",),
        blames=("{node}", "over IPv6", "neighbour solicitation"),
        blames_in={"CP-5": ("{node}: nft bridge", "drops a neighbour solicitation")},
        needs_ipv6=True,
    ),
    Fault(
        "rogue-router",
        "Something on a node's bridge advertises itself as a router: containers take their default route from it, and "
        "a second address.",
        "https://www.rfc-editor.org/rfc/rfc6104",
        _advertisements,
        must_fail=("NET-3",),
        blames=("{container}", "several IPv6 addresses", "default route", "router advertisement"),
        needs_ipv6=True,
    ),
    Fault(
        "udp-source-port-rewritten",
        "Source NAT keeps the address and changes the port, for UDP alone.",
        "https://github.com/moby/libnetwork/issues/2594",
        _udp_source_port,
        must_fail=("NET-2",),
        may_fail=("HOST-3",),
        blames=("{node}", "-udp: rewritten|udp", r"source port \d+ became 40\d\d\d", "snat to"),
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "destination-redirected",
        "A stale NAT entry delivers to one container what was sent to another one.",
        "https://github.com/kubernetes/kubernetes/issues/125467",
        _redirected,
        must_fail=("NET-1", "ISO-2"),
        may_fail=("NET-5", "NET-7", "HOST-3"),
        blames=("{node}", "misdelivered", "dnat to"),
    ),
    Fault(
        "postgres-dropped",
        "A filter between two nodes drops one port, that of a database.",
        "https://github.com/moby/moby/issues/36032",
        _on_the_way("-p tcp --dport 5432", "DROP"),
        must_fail=("NET-5",),
        blames=("{node}", "TCP 5432 is blocked"),
    ),
    Fault(
        "mysql-reset",
        "A filter between two nodes answers one port with a reset, in the name of the container.",
        "https://github.com/moby/moby/issues/36032",
        _on_the_way("-p tcp --dport 3306", "REJECT --reject-with tcp-reset"),
        must_fail=("NET-5",),
        blames=("{node}", "TCP 3306 is reset on the way"),
    ),
    Fault(
        "duplicate-address",
        "Two containers on two nodes hold one address.",
        "https://github.com/weaveworks/weave/issues/3003",
        _duplicate,
        must_fail=("NET-4", "EXT-2"),
        may_fail=("EXT-1", "ISO-2", "NET-1", "NET-5", "NET-7", "NET-9", "HOST-2"),
        blames=("{container}", "hold|answer|twice|claimed"),
    ),
    Fault(
        "duplicate-ipv6-address",
        "Two containers on two nodes hold one IPv6 address, since duplicate address detection is off.",
        "https://www.rfc-editor.org/rfc/rfc4862",
        _duplicate6,
        must_fail=("NET-4",),
        may_fail=("ISO-2", "NET-1", "NET-2", "NET-3", "NET-5", "NET-7"),
        blames=("{container}", "claimed"),
        needs_ipv6=True,
    ),
    Fault(
        "address-unlike-docker",
        "A container has another address than Docker says, so that nothing answers at the address from Docker.",
        "https://github.com/Capgemini/Apollo/pull/504",
        _unlike_docker,
        must_fail=("NET-1", "NET-3", "ISO-2", "EXT-1"),
        may_fail=("NET-5",),
        blames=("{container}", "according to Docker"),
        blames_in=dict.fromkeys(("NET-1", "ISO-2"), ("{node}", "no answer to it")),
    ),
    Fault(
        "removed-containers-answer",
        "The interface of a container that was removed stays at the bridge, and its address goes on being answered.",
        "https://github.com/weaveworks/weave/issues/2433",
        _ghosts,
        must_fail=("NET-4",),
        may_fail=("NET-9",),
        blames=("{node}", "still answered for", "ghost"),
    ),
    _loss("loss-half-percent", "One in 200", 5),
    _loss("loss-one-percent", "One in 100", 10),
    _loss("loss-five-percent", "One in 20", 50),
    Fault(
        "fdb-entries-kept",
        "A node keeps its FDB entries of a tunnel when an address moves to a container on another node.",
        "https://github.com/moby/moby/issues/35401",
        _entries_kept,
        must_fail=("NET-9",),
        may_fail=("EXT-3",),
        blames=("{node}", "FDB entry"),
    ),
)
