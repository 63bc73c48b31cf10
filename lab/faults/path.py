"""Faults on the path: packets that are lost, cut, damaged or routed over one more hop."""

from __future__ import annotations

from lab.access import operations

from ..overlays.vxlan import UDP_PORT
from .model import ANY_OVERLAY, SWITCH, TABLE, Action, Fault, Plan, Site, Where, load_rules

TUNNELLED = ("vxlan", "swarm")
"""Overlays whose tunnel is VXLAN on its usual port."""
UNREACHED = (
    "NET-1 NET-2 NET-3 NET-5 NET-7 ISO-2 HOST-2 HOST-3 HOST-4 PATH-1 PATH-2 PATH-3 PATH-4 PATH-5 PATH-6 "
    "DNS-2 DNS-3 DNS-12 ISO-1 ISO-3 ISO-4 ISO-5 ISO-6 ISO-7 HOST-1 HOST-6 NET-4"
).split()
"""Requirements that cannot hold, or cannot be proved, where packets between containers are lost."""


def _but(*requirements: str) -> tuple[str, ...]:
    return tuple(name for name in UNREACHED if name not in requirements)


def _forwarded(rule: str) -> Plan:
    """Plan of a rule on what containers send to containers through the node."""

    def plan(site: Site) -> list[Action]:
        chain = (
            "chain forward { type filter hook forward priority filter - 10;\n"
            f"ip saddr {site.range} ip daddr {site.range} {rule}\n}}"
        )
        return [site.table(chain)]

    return plan


def _other_back_end(site: Site) -> list[Action]:
    """Close FORWARD in the back end that the engine's iptables does not write to."""
    version = site.node.run("iptables -V").stdout
    other = "iptables-legacy" if "nf_tables" in version else "iptables-nft"
    return site.on_node(f"{other} -w 5 -P FORWARD DROP", f"{other} -w 5 -P FORWARD ACCEPT")


def _tunnel_in(site: Site) -> list[Action]:
    return [site.table(f"chain input {{ type filter hook input priority filter - 10;\nudp dport {UDP_PORT} drop\n}}")]


def _tunnel_one_way(site: Site) -> list[Action]:
    peer = site.others[0].address
    return [
        site.table(
            "chain input { type filter hook input priority filter - 10;\n"
            f"ip saddr {peer} udp dport {UDP_PORT} drop\n}}"
        )
    ]


def _first_packet(site: Site) -> list[Action]:
    rules = f"""set flows {{
type ipv4_addr . ipv4_addr . inet_proto . inet_service . inet_service; flags dynamic, timeout; timeout 1m; }}
set pings {{ typeof ip saddr . ip daddr . icmp id; flags dynamic, timeout; timeout 1m; }}
chain forward {{ type filter hook forward priority filter - 10;
ip saddr {site.range} ip daddr {site.range} ct direction original jump first
}}
chain first {{
ip saddr . ip daddr . meta l4proto . th sport . th dport @flows accept
ip saddr . ip daddr . icmp id @pings accept
meta l4proto {{ tcp, udp }} add @flows {{ ip saddr . ip daddr . meta l4proto . th sport . th dport }} drop
add @pings {{ ip saddr . ip daddr . icmp id }} drop
}}"""
    return [site.table(rules)]


def _tunnel_mtu(site: Site) -> list[Action]:
    tunnels = [site.overlay.tunnel(subnet) for subnet in site.subnets]
    narrow = "\n".join(f"ip link set {tunnel} mtu 1300" for tunnel in tunnels)
    wide = "\n".join(
        f"ip link set {tunnel} mtu {site.overlay.mtu(subnet)}"
        for tunnel, subnet in zip(tunnels, site.subnets, strict=True)
    )
    return site.on_node(narrow, wide)


def _fragments(site: Site) -> list[Action]:
    """Drop fragments where they enter the node, before the kernel reassembles them."""
    bridges = ", ".join(f'"{site.overlay.bridge(subnet)}"' for subnet in site.subnets)
    chain = (
        "chain before { type filter hook prerouting priority -450;\n"
        f"iifname {{ {bridges} }} ip frag-off & 0x3fff != 0 drop\n}}"
    )
    return [site.table(chain)]


def _hop(site: Site) -> list[Action]:
    """The bridge takes frames that were meant for a neighbour, and the node routes the packets on."""
    actions = []
    rules = []
    for subnet in site.subnets:
        actions += site.exposed(subnet)
        bridge, own = site.overlay.bridge(subnet), site.overlay.gateway(subnet, site.index).ip
        mac = site.node.run(["cat", f"/sys/class/net/{bridge}/address"]).stdout.strip()
        whole = site.overlay.subnets[subnet]
        rules.append(f"ip saddr {whole} ip daddr {whole} ip daddr != {own} ether daddr set {mac} meta pkttype set host")
    chain = "chain before { type filter hook prerouting priority -350;\n" + "\n".join(rules) + "\n}"
    quiet = site.sysctls(
        {f"net.ipv4.conf.{site.overlay.bridge(subnet)}.send_redirects": "0" for subnet in site.subnets}
        | {"net.ipv4.conf.all.send_redirects": "0"}
    )
    return [*actions, *quiet, site.table(chain, family="bridge")]


def _bridged_masquerade(site: Site) -> list[Action]:
    """Masquerade what containers send to addresses outside the overlay, also when another container routes it on."""
    chain = (
        "chain after { type nat hook postrouting priority srcnat - 10;\n"
        f"ip saddr {site.range} ip daddr != {site.range} fib daddr type != local masquerade\n}}"
    )
    return [*site.exposed(), site.table(chain)]


def _idle_forgotten(site: Site) -> list[Action]:
    """The node forgets a connection on which nothing was sent for 3 s, and drops what belongs to none that it knows."""
    chain = (
        "chain forward { type filter hook forward priority filter - 10;\n"
        f"ip saddr {site.range} ip daddr {site.range} meta l4proto tcp ct state invalid drop\n}}"
    )
    settings = {"nf_conntrack_tcp_timeout_established": "3", "nf_conntrack_tcp_loose": "0"}
    return [*site.sysctls({f"net.netfilter.{key}": value for key, value in settings.items()}), site.table(chain)]


def _partition(site: Site) -> list[Action]:
    """The switch passes nothing between the node and the others; the runner still reaches all."""
    rules = operations.cut_rules(list(site.cluster.nodes), [site.node.name], TABLE)
    return [Action(SWITCH, load_rules(rules), load_rules(operations.heal_rules(TABLE)))]


def _fault(name: str, imitates: str, source: str, rule: str, must: str, kind: str = "", may: str = "") -> Fault:
    needed = tuple(must.split())
    consequences = (*_but(*needed), *may.split())
    return Fault(
        name, imitates, source, _forwarded(rule), needed, consequences, overlays=ANY_OVERLAY, kind=tuple(kind.split())
    )


FAULTS = (
    Fault(
        "forward-drop-other-backend",
        "The FORWARD policy is DROP in the packet filter back end that the overlay does not write to.",
        "https://github.com/weaveworks/weave/issues/3465",
        _other_back_end,
        must_fail=("NET-1", "CP-5"),
        may_fail=_but("NET-1"),
        kind=("drops",),
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "tunnel-port-dropped",
        "A firewall on the node drops the tunnel's UDP port.",
        "https://github.com/moby/moby/issues/33416",
        _tunnel_in,
        must_fail=("NET-1", "NET-7"),
        may_fail=("CP-1", *_but("NET-1", "NET-7")),
        overlays=TUNNELLED,
    ),
    Fault(
        "tunnel-one-way",
        "Encapsulated packets from one node never arrive at one other node; the reverse direction works.",
        "https://github.com/flannel-io/flannel/issues/2388",
        _tunnel_one_way,
        must_fail=("NET-1", "NET-7"),
        may_fail=("CP-1", *_but("NET-1", "NET-7")),
        overlays=TUNNELLED,
    ),
    _fault(
        "tcp-dropped",
        "ICMP passes, so that ping works; TCP does not.",
        "https://github.com/vmware/photon/issues/1321",
        "meta l4proto tcp drop",
        "NET-1",
        "tcp",
    ),
    _fault(
        "udp-dropped",
        "A policy on the path allows TCP and ICMP only.",
        "https://www.rfc-editor.org/rfc/rfc8085",
        "meta l4proto udp drop",
        "NET-1",
        "udp",
    ),
    _fault(
        "high-ports-dropped",
        "Only the registered ports are open; a server on an ephemeral port is not reached.",
        "https://www.rfc-editor.org/rfc/rfc6056",
        "meta l4proto { tcp, udp } ct direction original th dport 49152-65535 drop",
        "NET-5",
        "port 61999",
    ),
    Fault(
        "first-packet-lost",
        "The first packet of a flow is lost to a race while the flow is entered into a table.",
        "https://github.com/kubernetes/kubernetes/issues/56903",
        _first_packet,
        must_fail=("NET-1",),
        may_fail=("DNS-1", *_but("NET-1")),
        kind=("lost",),
        overlays=ANY_OVERLAY,
    ),
    _fault(
        "mtu-black-hole",
        "Packets above 1400 bytes are dropped without an ICMP error.",
        "https://github.com/moby/libnetwork/issues/2661",
        "ip length > 1400 drop",
        "PATH-1 PATH-3",
        "MTU bytes",
    ),
    Fault(
        "interface-mtu-above-tunnel",
        "The containers' interfaces have a larger MTU than the tunnel that their packets take.",
        "https://github.com/confidential-containers/cloud-api-adaptor/issues/67",
        _tunnel_mtu,
        # TCP may get through: a bridge lets what is yet to be cut into segments (GSO) pass at any length.
        must_fail=("PATH-1",),
        may_fail=_but("PATH-1"),
        kind=("MTU", "bytes"),
    ),
    Fault(
        "mtu-error-dropped",
        "A filter drops ICMP errors, so that no sender is told of a smaller MTU.",
        "https://github.com/cloudnativelabs/kube-router/issues/685",
        _forwarded("icmp type destination-unreachable drop"),
        must_fail=("PATH-2",),
        kind=("EMSGSIZE",),
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "mtu-error-masqueraded",
        "What a container sends outside is masqueraded even on its way to a container that routes it, and ICMP errors "
        "do not find back.",
        "https://github.com/opnsense/core/issues/4094",
        _bridged_masquerade,
        must_fail=("PATH-2",),
        kind=("masquerades",),
    ),
    Fault(
        "fragments-dropped",
        "A device drops IP fragments, so large datagrams never arrive.",
        "https://github.com/docker/for-mac/issues/1311",
        _fragments,
        must_fail=("PATH-4",),
        kind=("fragment", "8192", "8 KiB"),
    ),
    _fault(
        "checksum-broken",
        "Offload and encapsulation together leave wrong checksums.",
        "https://github.com/flannel-io/flannel/issues/1279",
        "udp checksum set 0xdead",
        "PATH-5",
        "checksum",
    ),
    Fault(
        "extra-hop",
        "The node routes what it should bridge: one hop more, and a TTL that is lower by one.",
        "https://github.com/vmware/vic/issues/2498",
        _hop,
        must_fail=("PATH-6",),
        may_fail=tuple(
            (
                "NET-1 NET-2 NET-4 NET-5 NET-7 ISO-1 ISO-2 ISO-3 ISO-4 ISO-5 ISO-7 HOST-1 HOST-2 HOST-3 "
                "HOST-4 HOST-5 PATH-1 PATH-2 PATH-3 PATH-4"
            ).split()
        ),
        kind=("routers", "hops"),
    ),
    _fault(
        "random-loss",
        "One packet in five is lost.",
        "https://github.com/moby/moby/issues/29024",
        "numgen random mod 100 < 20 drop",
        "NET-1",
        "lost",
    ),
    Fault(
        "idle-connections-forgotten",
        "A stateful filter forgets idle connections after seconds, and drops their next packet.",
        "https://github.com/moby/moby/issues/31208",
        _idle_forgotten,
        must_fail=("PATH-7",),
        kind=("idle",),
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "partition",
        "The switch between the nodes cuts one of them off.",
        "https://github.com/hashicorp/consul/issues/3630",
        _partition,
        must_fail=("NET-1", "CP-2"),
        may_fail=tuple(
            "CP-1 DNS-1 DNS-4 DNS-5 DNS-6 DNS-7 DNS-8 DNS-9 DNS-10 DNS-11 HOST-5 RES-1 RES-2 RES-3 RES-4".split()
            + list(_but("NET-1"))
        ),
        where=Where.SWITCH,
        overlays=ANY_OVERLAY,
    ),
)
