"""Faults of promise 2: reachability between nodes and containers."""

from __future__ import annotations

from .model import ANY_OVERLAY, ENCRYPTED, Action, Fault, Site


def _route_missing(site: Site) -> list[Action]:
    subnet = site.subnets[0]
    bridge, whole = site.overlay.bridge(subnet), site.overlay.subnets[subnet]
    own = site.overlay.gateway(subnet, site.index).ip
    link = f"{whole} dev {bridge} proto kernel scope link src {own}"
    # Healing a node that was hidden meanwhile must not give it a route without an address.
    undo = f"if ip -4 address show dev {bridge} | grep -q ' {own}/'; then ip route replace {link}; fi"
    return [*site.exposed(subnet), *site.on_node(f"ip route del {whole} dev {bridge}", undo)]


def _masquerade_in(site: Site) -> list[Action]:
    bridges = ", ".join(f'"{site.overlay.bridge(subnet)}"' for subnet in site.subnets)
    chain = (
        "chain after { type nat hook postrouting priority srcnat - 10;\n"
        f"oifname {{ {bridges} }} fib saddr type local meta l4proto {{ tcp, udp }} counter "
        "masquerade to :40000-40999\n}"
    )
    return [site.table(chain)]


def _open_before(site: Site) -> list[Action]:
    """Leave the node a route to the containers, by an address outside of the subnet, which `hide` does not take."""
    bridge, whole = site.overlay.bridge(site.subnets[0]), site.overlay.subnets[site.subnets[0]]
    address = f"198.51.100.{40 + site.index}"  # of TEST-NET-2 (RFC 5737): nobody has it
    return site.on_node(
        f"ip address replace {address}/32 dev {bridge} && ip route add {whole} dev {bridge} src {address} metric 50",
        f"ip route del {whole} dev {bridge} metric 50 2>/dev/null; "
        f"ip address del {address}/32 dev {bridge} 2>/dev/null || true",
    )


def _strangers(site: Site) -> list[Action]:
    """Accept what arrives at the NIC for containers, before the rules of engine and overlay."""
    nic = site.node.node.interface
    script, undo = [], []
    for program in ("iptables-nft", "iptables-legacy"):
        for table, chain in (("raw", "PREROUTING"), ("filter", "FORWARD")):
            rule = f"{chain} -i {nic} -d {site.range} -j ACCEPT"
            line = f"{program} -w 5 -t {table}"
            script.append(f"{line} -S {chain} >/dev/null 2>&1 && {line} -I {rule}")
            undo.append(f"while {line} -D {rule} 2>/dev/null; do :; done")
    return site.on_node("\n".join(script) + "\ntrue", "\n".join(undo))


def _strangers6(site: Site) -> list[Action]:
    """Accept IPv6 that arrives at the NIC for containers, in whose subnets the node has an address."""
    nic = site.node.node.interface
    exposed = [action for subnet in site.subnets for action in site.exposed6(subnet)]
    rules = [f"FORWARD -i {nic} -d {site.overlay.subnets6[subnet]} -j ACCEPT" for subnet in site.subnets]
    return exposed + [action for rule in rules for action in site.iptables(rule, program="ip6tables")]


def _hide_leaves_route(site: Site) -> list[Action]:
    """Replace the node's `ip` by one that puts the route back after the address was removed."""
    bridge, whole = site.overlay.bridge(site.subnets[0]), site.overlay.subnets[site.subnets[0]]
    return site.other_ip(
        "hide",
        after=f'"address delete "*" dev {bridge}"',
        do=f"route replace {whole} dev {bridge} scope link",
        undo=f"if ! ip -4 address show dev {bridge} scope global | grep -q inet; then "
        f"while ip route del {whole} dev {bridge} 2>/dev/null; do :; done; else "
        f"ip route del {whole} dev {bridge} proto boot 2>/dev/null || true; fi",
    )


LOOSE = 2
"""What a lab's nodes have of rp_filter, as systemd sets it (ip-sysctl.rst)."""


def _any_source(site: Site) -> list[Action]:
    """The node believes every source of the first other one, which routes for the machines beside it.

    It lets in what comes by WireGuard, as one does who trusts AllowedIPs; its filter keeps strangers out otherwise.
    """
    wg, peer = site.encrypted, site.others[0]
    allowed = ",".join([*map(str, wg.parts_of(site.peer_index)), f"{peer.address}/32", "0.0.0.0/0"])
    rule = f"DOCKER-USER -i {peer.node.interface} -o {wg.interface} -j ACCEPT"
    unfiltered = f"net.ipv4.conf.all.rp_filter={{0}} net.ipv4.conf.{wg.interface}.rp_filter={{0}}"
    trust = f"DOCKER-USER -i {wg.interface} -j ACCEPT"
    return [
        *site.on_node(
            f"set -e\n{wg.peer_key(peer.address)}\nwg set {wg.interface} peer $key allowed-ips {allowed}",
            f"wg syncconf {wg.interface} {wg.folder}/conf",
        ),
        # Without an address on its interface the kernel drops sources that are not routed there, however loose it is.
        *site.on_node(f"sysctl -qw {unfiltered.format(0)}", f"sysctl -qw {unfiltered.format(LOOSE)}"),
        *site.on_node(f"iptables -w 5 -I {trust}", f"while iptables -w 5 -D {trust} 2>/dev/null; do :; done"),
        Action(peer.name, f"iptables -w 5 -I {rule}", f"while iptables -w 5 -D {rule} 2>/dev/null; do :; done"),
    ]


FAULTS = (
    Fault(
        "allowed-ips-too-wide",
        "A peer's AllowedIPs are 0.0.0.0/0, what comes from it is trusted, and it routes for machines beside it.",
        "https://github.com/projectcalico/calico/issues/7292",
        _any_source,
        must_fail=("HOST-6",),
        blames=("{container}", "stranger", "went through"),
        overlays=ENCRYPTED,
    ),
    Fault(
        "route-missing",
        "A restart of the network removed the node's route to the containers.",
        "https://github.com/openshift/origin/issues/1089",
        _route_missing,
        must_fail=("HOST-2", "HOST-4"),
        may_fail=("DNS-1",),
        blames=("{node}", "not_sent|unreachable|lost"),
    ),
    Fault(
        "masquerade-towards-containers",
        "The node's own packets to containers have their source translated.",
        "https://github.com/flannel-io/flannel/pull/327",
        _masquerade_in,
        must_fail=("HOST-3",),
        blames=("{node}", "rewritten", "masquerade"),
    ),
    Fault(
        "open-before-expose",
        "The node reaches the containers although it is not exposed.",
        "https://github.com/weaveworks/weave/issues/1076",
        _open_before,
        must_fail=("HOST-1",),
        may_fail=("HOST-5",),
        blames=("{node}", "went through"),
    ),
    Fault(
        "open-to-strangers",
        "A node forwards packets from machines that are not nodes, so that the whole LAN reaches containers.",
        "https://github.com/moby/moby/issues/45610",
        _strangers,
        must_fail=("HOST-6",),
        blames=("{node}", "stranger", "went through"),
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "open-to-strangers-over-ipv6",
        "A node forwards IPv6 from machines that are not nodes to containers; from them it lets no IPv4 in.",
        "https://github.com/moby/libnetwork/issues/2557",
        _strangers6,
        must_fail=("HOST-6",),
        blames=("{node}", "stranger", "over IPv6", "went through"),
        needs_ipv6=True,
    ),
    Fault(
        "hide-leaves-route",
        "Hiding the node removes its address, but not its route.",
        "https://github.com/weaveworks/weave/issues/1249",
        _hide_leaves_route,
        must_fail=("HOST-5",),
        may_fail=("HOST-1",),
        blames=("{node}", "hide did not|expose added 0 routes", "route"),
    ),
)
