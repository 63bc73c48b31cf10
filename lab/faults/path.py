"""Faults on the path: packets that are lost, cut, damaged or routed over one more hop."""

from __future__ import annotations

from lab.access import operations

from ..overlays.routed import CHAIN
from ..overlays.swarm import Swarm
from ..overlays.vxlan import UDP_PORT
from .model import ANY_OVERLAY, ENCRYPTED, SWITCH, TABLE, Action, Fault, Plan, Site, Where, load_rules

TUNNELLED = ("vxlan", "swarm", "evpn")
"""Overlays whose tunnel is VXLAN on its usual port."""


def _forwarded(rule: str) -> Plan:
    """Plan of a rule on what containers send to containers through the node."""

    def plan(site: Site) -> list[Action]:
        chain = (
            "chain forward { type filter hook forward priority filter - 10;\n"
            f"ip saddr {site.range} ip daddr {site.range} {rule}\n}}"
        )
        return [site.table(chain)]

    return plan


def other_back_end(site: Site) -> list[Action]:
    """Close FORWARD in the back end that the engine's iptables does not write to."""
    version = site.node.run("iptables -V").stdout
    other = "iptables-legacy" if "nf_tables" in version else "iptables-nft"
    return site.on_node(f"{other} -w 5 -P FORWARD DROP", f"{other} -w 5 -P FORWARD ACCEPT")


def _tunnel_in(site: Site) -> list[Action]:
    rule = f"udp dport {UDP_PORT} counter drop"
    return [site.table(f"chain input {{ type filter hook input priority filter - 10;\n{rule}\n}}")]


def _tunnel_one_way(site: Site) -> list[Action]:
    peer = site.others[0].address
    return [
        site.table(
            "chain input { type filter hook input priority filter - 10;\n"
            f"ip saddr {peer} udp dport {UDP_PORT} counter drop\n}}"
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
meta l4proto {{ tcp, udp }} add @flows {{ ip saddr . ip daddr . meta l4proto . th sport . th dport }} counter drop
add @pings {{ ip saddr . ip daddr . icmp id }} counter drop
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
        f"iifname {{ {bridges} }} ip frag-off & 0x3fff != 0 counter drop\n}}"
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


def _cleartext(site: Site) -> list[Action]:
    """The node sends what is for the first other one past the tunnel, and that one lets it in."""
    wg, peer, subnet = site.encrypted, site.others[0], site.subnets[0]
    part, own = wg.slice_of(subnet, site.peer_index), wg.slice_of(subnet, site.index)
    route = site.node.run(["ip", "route", "show", str(part)]).stdout.strip()
    rule = f"{CHAIN} -i {peer.node.interface} -o {wg.bridge(subnet)} -s {own} -j ACCEPT"
    return [
        Action(
            peer.name,
            f"iptables -w 5 -I {rule}",
            f"while iptables -w 5 -D {rule} 2>/dev/null; do :; done",
        ),
        *site.on_node(
            f"ip route replace {part} via {peer.address} dev {site.node.node.interface}",
            f"ip route replace {part} {route.partition(' ')[2]}",
        ),
    ]


def _narrow_underlay(site: Site) -> list[Action]:
    """The NIC has the tunnel's own MTU, so that packets of the tunnel's whole MTU have no room for its header."""
    nic, mtu = site.node.node.interface, site.encrypted.mtu(site.subnets[0])
    return [
        *site.on_node(f"ip link set {nic} mtu {mtu}", f"ip link set {nic} mtu 1500"),
        *(
            site.table(
                "chain before { type filter hook prerouting priority -450;\n"
                f"ip saddr {site.node.address} ip frag-off & 0x3fff != 0 counter drop\n}}",
                node=node,
            )
            for node in site.others
        ),
    ]


NEEDS_ENCRYPTED = "ip xfrm state | grep -q 'proto esp' || { echo 'encrypted networks (--encrypted)' >&2; exit 1; }"

FAULTS = (
    Fault(
        "cleartext-fallback",
        "A node's route to one other node leads past the tunnel, and that node lets in what comes unencrypted.",
        "https://github.com/cilium/cilium/issues/46864",
        _cleartext,
        must_fail=("PATH-8",),
        blames=("{node}", "{peer}", "can be read at"),
        may_fail=("NET-1", "NET-5", "ISO-2"),
        overlays=ENCRYPTED,
    ),
    Fault(
        "encrypted-network-takes-clear",
        "A rule for VXLAN stands before the one that refuses what is not encrypted, so a node takes it in clear.",
        "https://github.com/moby/moby/security/advisories/GHSA-232p-vwff-86mp",
        lambda site: site.iptables(f"INPUT -p udp --dport {UDP_PORT} -j ACCEPT"),
        must_fail=("PATH-8",),
        blames=("to {node}'s", "in clear from"),
        overlays=(Swarm.name,),
        needs=NEEDS_ENCRYPTED,
    ),
    Fault(
        "encrypted-network-sends-clear",
        "A node does not mark what it sends in VXLAN for encryption, so that it leaves in clear.",
        "https://github.com/moby/moby/security/advisories/GHSA-33pg-m6jh-5237",
        lambda site: site.iptables(f"OUTPUT -p udp --dport {UDP_PORT} -j ACCEPT", table="mangle"),
        must_fail=("PATH-8",),
        blames=("{node}'s NIC", "can be read"),
        may_fail=("NET-1", "NET-5", "NET-7", "NET-8", "NET-9", "ISO-2", "PATH-1", "PATH-3", "PATH-4", "EXT-4"),
        overlays=(Swarm.name,),
        needs=NEEDS_ENCRYPTED,
    ),
    Fault(
        "no-room-for-tunnel-header",
        "The tunnel has the MTU of the network below it, without its own header, and fragments are dropped there.",
        "https://github.com/antrea-io/antrea/issues/5868",
        _narrow_underlay,
        must_fail=("PATH-1", "PATH-3"),
        may_fail=("PATH-4", "NET-8"),
        blames=("{node}", "bytes|MTU"),
        overlays=ENCRYPTED,
    ),
    Fault(
        "forward-drop-other-backend",
        "The FORWARD policy is DROP in the packet filter back end that the overlay does not write to.",
        "https://github.com/weaveworks/weave/issues/3465",
        other_back_end,
        must_fail=("NET-1", "CP-5", "ISO-2"),
        may_fail=("NET-7", "EXT-4"),
        blames=("{node}", "drop", "FORWARD"),
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "tunnel-port-dropped",
        "A firewall on the node drops the tunnel's UDP port.",
        "https://github.com/moby/moby/issues/33416",
        _tunnel_in,
        must_fail=("NET-1", "NET-7", "ISO-2"),
        may_fail=("NET-5", "EXT-4"),
        blames=(r"last seen on {node}'s NIC \S+; {node}'s tunnel", "dropped packets by .*udp dport 4789"),
        overlays=TUNNELLED,
    ),
    Fault(
        "tunnel-one-way",
        "Encapsulated packets from one node never arrive at one other node; the reverse direction works.",
        "https://github.com/flannel-io/flannel/issues/2388",
        _tunnel_one_way,
        must_fail=("NET-1", "NET-7", "ISO-2"),
        may_fail=("NET-5", "EXT-4"),
        blames=(r"last seen on {node}'s NIC \S+; {node}'s tunnel", "dropped packets by .*udp dport 4789"),
        overlays=TUNNELLED,
    ),
    Fault(
        "tcp-dropped",
        "ICMP passes, so that ping works; TCP does not.",
        "https://github.com/vmware/photon/issues/1321",
        _forwarded("meta l4proto tcp counter drop"),
        must_fail=("NET-1", "ISO-2", "CP-5"),
        may_fail=("EXT-4",),
        blames=("{node}", "tcp", "dropped packets by .*l4proto tcp"),
        blames_in={"CP-5": ("{node}", "drops what is bridged on .* by tcp")},
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "udp-dropped",
        "A policy on the path allows TCP and ICMP only.",
        "https://www.rfc-editor.org/rfc/rfc8085",
        _forwarded("meta l4proto udp counter drop"),
        must_fail=("NET-1", "NET-7", "ISO-2", "CP-5"),
        blames=("{node}", "udp|icmp", "dropped packets by .*l4proto udp"),
        blames_in={"CP-5": ("{node}", "drops what is bridged on .* by udp")},
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "high-ports-dropped",
        "Only the registered ports are open; a server on an ephemeral port is not reached.",
        "https://www.rfc-editor.org/rfc/rfc6056",
        _forwarded("meta l4proto { tcp, udp } ct direction original th dport 49152-65535 counter drop"),
        must_fail=("NET-5",),
        blames=("{node}", "49152…65535", "dropped packets by"),
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "first-packet-lost",
        "The first packet of a flow is lost to a race while the flow is entered into a table.",
        "https://github.com/kubernetes/kubernetes/issues/56903",
        _first_packet,
        must_fail=("NET-1", "ISO-2"),
        may_fail=("NET-5", "NET-7", "HOST-2", "EXT-4"),
        blames=("{node}", "lost|not_sent", "dropped packets by .*add @"),
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "mtu-black-hole",
        "Packets above 1400 bytes are dropped without an ICMP error.",
        "https://github.com/moby/libnetwork/issues/2661",
        _forwarded("ip length > 1400 counter drop"),
        must_fail=("PATH-1", "PATH-3", "PATH-4"),
        blames=("{node}", "bytes|MTU"),
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "interface-mtu-above-tunnel",
        "The containers' interfaces have a larger MTU than the tunnel that their packets take.",
        "https://github.com/confidential-containers/cloud-api-adaptor/issues/67",
        _tunnel_mtu,
        # TCP may get through: a bridge lets what is yet to be cut into segments (GSO) pass at any length.
        must_fail=("PATH-1",),
        may_fail=("PATH-2", "PATH-3", "PATH-4"),
        blames=("{node}", "MTU"),
    ),
    Fault(
        "mtu-error-dropped",
        "A filter drops ICMP errors, so that no sender is told of a smaller MTU.",
        "https://github.com/cloudnativelabs/kube-router/issues/685",
        _forwarded("icmp type destination-unreachable counter drop"),
        must_fail=("PATH-2",),
        blames=("{node}|{container}", "EMSGSIZE"),
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "fragments-dropped",
        "A device drops IP fragments, so large datagrams never arrive.",
        "https://github.com/docker/for-mac/issues/1311",
        _fragments,
        must_fail=("PATH-4",),
        blames=("{node}", "8192 bytes"),
    ),
    Fault(
        "checksum-broken",
        "Offload and encapsulation together leave wrong checksums.",
        "https://github.com/flannel-io/flannel/issues/1279",
        _forwarded("udp checksum set 0xdead"),
        must_fail=("PATH-5",),
        may_fail=("PATH-4",),
        blames=("{node}", "UDP checksum 0xdead is wrong"),
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "extra-hop",
        "The node routes what it should bridge: one hop more, and a TTL that is lower by one.",
        "https://github.com/vmware/vic/issues/2498",
        _hop,
        must_fail=("PATH-6",),
        blames=("{node}", "1 routers instead of 0"),
    ),
    Fault(
        "random-loss",
        "One packet in five is lost.",
        "https://github.com/moby/moby/issues/29024",
        _forwarded("numgen random mod 100 < 20 counter drop"),
        must_fail=("NET-1", "ISO-2", "NET-8"),
        may_fail=("NET-5", "NET-7", "PATH-1", "PATH-4", "HOST-2", "EXT-4"),
        blames=("{node}", "dropped packets by|lost"),
        blames_in={"NET-1": ("{node}", "dropped packets by .*numgen random")},
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "idle-connections-forgotten",
        "A stateful filter forgets idle connections after seconds, and drops their next packet.",
        "https://github.com/moby/moby/issues/31208",
        _idle_forgotten,
        must_fail=("PATH-7",),
        blames=("{node}", "idle for", "lost"),
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "partition",
        "The switch between the nodes cuts one of them off.",
        "https://github.com/hashicorp/consul/issues/3630",
        _partition,
        must_fail=("NET-1", "CP-2", "ISO-2"),
        may_fail=("NET-7", "EXT-4"),
        blames=("{node}", "NIC|leader|voter"),
        where=Where.SWITCH,
        overlays=ANY_OVERLAY,
    ),
)
