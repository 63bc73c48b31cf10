"""Faults of promise 5: paths from one subnet into another."""

from __future__ import annotations

from ..overlays.routed import CHAIN
from .model import BRIDGED, ROUTED, Action, Fault, Plan, Site


def _between(site: Site) -> tuple[str, str]:
    one, other = site.subnets[:2]
    return site.bridged.bridge(one), site.bridged.bridge(other)


def _exposed_to_both(site: Site) -> list[Action]:
    return [action for subnet in site.subnets for action in site.exposed(subnet)]


def _routed(site: Site) -> list[Action]:
    one, other = _between(site)
    there = site.iptables(f"DOCKER-USER -i {one} -o {other} -j ACCEPT")
    return [*_exposed_to_both(site), *there, *site.iptables(f"DOCKER-USER -i {other} -o {one} -j ACCEPT")]


def _let_pass(match: str) -> Plan:
    """Plan of a rule that accepts what matches, from one subnet to the other, before the rules that isolate bridges."""

    def plan(site: Site) -> list[Action]:
        one, other = _between(site)
        return [*_exposed_to_both(site), *site.iptables(f"DOCKER-USER -i {one} -o {other} {match} -j ACCEPT")]

    return plan


def _let_pass6(*matches: str, both_ways: bool) -> Plan:
    """Plan of ip6tables' rules that accept what matches, before those that isolate bridges."""

    def plan(site: Site) -> list[Action]:
        one, other = _between(site)
        ways = [(one, other), (other, one)] if both_ways else [(one, other)]
        exposed = [action for subnet in site.subnets for action in site.exposed6(subnet)]
        return exposed + [
            action
            for match in matches
            for inside, outside in ways
            for action in site.iptables(f"FORWARD -i {inside} -o {outside} {match} -j ACCEPT", program="ip6tables")
        ]

    return plan


def _first_header_alone(site: Site) -> list[Action]:
    """Let pass what has an extension header, as a filter does that looks no further (numbers: RFC 8200 §4)."""
    one, other = _between(site)
    match = f'iifname "{one}" oifname "{other}" ip6 nexthdr != {{ 0, 43, 44, 60 }}'
    chain = f"chain forward {{ type filter hook forward priority -10;\n{match} drop\n}}"
    return [site.table(chain, family="ip6"), *_let_pass6("", both_ways=False)(site)]


def _hole(name: str, imitates: str, source: str, match: str, kind: str, must: str = "ISO-1") -> Fault:
    """A fault that lets so little pass that no other requirement sees it."""
    return Fault(name, imitates, source, _let_pass(match), must_fail=(must,), blames=("{node}", kind), overlays=BRIDGED)


def _cable(site: Site) -> list[Action]:
    one, other = _between(site)
    return site.on_node(
        f"ip link add joint0 type veth peer name joint1\n"
        f"ip link set joint0 master {one} up\nip link set joint1 master {other} up",
        "ip link del joint0 2>/dev/null || true",
    )


def _cable_without(site: Site, *matches: str) -> list[Action]:
    """A cable between two bridges that drops what matches."""
    rules = "\n".join(f'iifname {{ "joint0", "joint1" }} {match} drop' for match in matches)
    chain = f"chain forward {{ type filter hook prerouting priority -300;\n{rules}\n}}"
    return [site.table(chain, family="bridge"), *_cable(site)]


def _ipv6_cable(site: Site) -> list[Action]:
    return _cable_without(site, "ether type != ip6")


def _multicast_cable(site: Site) -> list[Action]:
    return _cable_without(site, "ether type != ip", "ip daddr != 224.0.0.0/4")


def _arp_cable(site: Site) -> list[Action]:
    return _cable_without(site, "ether type != arp")


def _discovery_cable(site: Site) -> list[Action]:
    """Of IPv6 only what makes neighbours known passes."""
    return _cable_without(
        site,
        "ether type != ip6",
        "meta l4proto != ipv6-icmp",
        "icmpv6 type != { nd-neighbor-solicit, nd-neighbor-advert }",
    )


def _routers_cable(site: Site) -> list[Action]:
    """Of IPv6 only what routers tell hosts passes."""
    return _cable_without(
        site, "ether type != ip6", "meta l4proto != ipv6-icmp", "icmpv6 type != { nd-router-advert, nd-redirect }"
    )


def _no_icc(site: Site) -> list[Action]:
    """What Docker writes for a network whose option enable_icc is false, in the last subnet."""
    bridge = site.overlay.bridge(site.subnets[-1])
    return site.iptables(f"DOCKER-USER -i {bridge} -o {bridge} -j DROP")


def _side_bridge(site: Site) -> list[Action]:
    networks = [site.overlay.network_of(subnet) for subnet in site.subnets]
    return [
        *site.on_node(
            "docker network create -d bridge --subnet 172.30.0.0/24 side >/dev/null",
            # The daemon below has ended by then, so no further container is connected.
            "for id in $(docker network inspect -f '{{range $id, $c := .Containers}}{{$id}} {{end}}' side 2>/dev/null)"
            "; do docker network disconnect -f side $id; done; docker network rm side >/dev/null 2>&1 || true",
        ),
        *site.daemon("containers", "containers.py", "connect", "side", *networks),
    ]


def _proxy_arp(site: Site) -> list[Action]:
    """The node answers ARP for the other subnet on each bridge, and routes the packets that it gets for it."""
    settings = {f"net.ipv4.conf.{bridge}.proxy_arp": "1" for bridge in _between(site)}
    return [*_routed(site), *site.sysctls(settings)]


def _outside(site: Site) -> list[Action]:
    other = site.overlay.subnets[site.subnets[1]]
    network = site.overlay.network_of(site.subnets[0])
    return site.daemon("containers", "containers.py", "add", network, str(other[200]), str(other.prefixlen))


def _conversations_first(site: Site) -> list[Action]:
    """What a firewall has as its first rule, before those that keep networks apart."""
    return [*_exposed_to_both(site), *site.iptables("FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")]


def _filter_gone(site: Site) -> list[Action]:
    """Take out the jump to the filter that keeps subnets apart, and Docker's own rule for bridges."""
    jump = f"DOCKER-USER -j {CHAIN}"
    return [
        *site.on_node(
            f"iptables -w 5 -D {jump}",
            f"iptables -w 5 -C {jump} 2>/dev/null || iptables -w 5 -I {jump}",
        ),
        *site.iptables(f"DOCKER-USER -s {site.range} -d {site.range} -j ACCEPT"),
    ]


FAULTS = (
    Fault(
        "subnets-filter-gone",
        "A node that routes containers' packets lost the filter between subnets when its firewall was loaded again.",
        "https://github.com/moby/moby/issues/35043",
        _filter_gone,
        must_fail=("ISO-1", "ISO-7", "ISO-10"),
        may_fail=("ISO-5", "HOST-6"),
        blames=("{node}", "went through|arrived"),
        overlays=ROUTED,
    ),
    Fault(
        "route-between-subnets",
        "A node routes from one subnet into the other, because a rule accepts it before those that isolate bridges.",
        "https://github.com/vmware/vic/issues/2498",
        _routed,
        must_fail=("ISO-1", "ISO-7", "ISO-10"),
        may_fail=("ISO-5",),
        blames=("{node}", "went through|arrived"),
        overlays=BRIDGED,
    ),
    Fault(
        "subnets-in-one-l2",
        "A cable between two bridges makes one broadcast domain of two subnets.",
        "https://github.com/kubernetes/kubernetes/issues/43953",
        _cable,
        must_fail=("ISO-3", "ISO-4", "ISO-9"),
        may_fail=("ISO-1", "ISO-5", "ISO-6", "ISO-7"),
        blames=("in another subnet|of another subnet|went through|received", "broadcast|255.255.255.255|ARP|frame"),
    ),
    Fault(
        "arp-between-subnets",
        "ARP of one subnet arrives in the other, so that a container there can claim to be a neighbour.",
        "https://github.com/canonical/lxd/issues/7026",
        _arp_cable,
        must_fail=("ISO-3", "ISO-9"),
        blames=("in another subnet|received", "ARP"),
    ),
    Fault(
        "advertisements-between-subnets",
        "IPv6's neighbour discovery of one subnet arrives in the other, whose containers can claim to be neighbours.",
        "https://www.rfc-editor.org/rfc/rfc3756",
        _discovery_cable,
        must_fail=("ISO-3", "ISO-9"),
        blames=("in another subnet|received", "neighbour (solicitation|advertisement)"),
        needs_ipv6=True,
    ),
    Fault(
        "router-messages-between-subnets",
        "Router advertisements and redirects of one subnet arrive in the other, whose containers take them.",
        "https://github.com/moby/libnetwork/pull/2558",
        _routers_cable,
        must_fail=("ISO-3", "ISO-6"),
        blames=("in another subnet|received", "router advertisement|redirect"),
        needs_ipv6=True,
    ),
    Fault(
        "containers-kept-apart",
        "A network was made with its option that keeps containers from each other.",
        "https://github.com/moby/moby/issues/31453",
        _no_icc,
        must_fail=("NET-1", "ISO-2", "CP-5"),
        may_fail=("NET-7", "EXT-4"),
        blames=("{node}", "icc|drop|isolat|DROP"),
    ),
    Fault(
        "multicast-leaks",
        "Multicast of one subnet arrives in the other, as with an mDNS reflector between them.",
        "https://github.com/weaveworks/weave/issues/354",
        _multicast_cable,
        must_fail=("ISO-3",),
        blames=("of another subnet|in another subnet|received", r"224\.0\.0\.251"),
    ),
    Fault(
        "side-bridge",
        "Containers of different subnets share a second bridge beside the overlay's.",
        "https://github.com/moby/libnetwork/issues/1859",
        _side_bridge,
        must_fail=("ISO-6",),
        may_fail=("ISO-3", "ISO-4", "ISO-5", "ISO-7", "ISO-9"),
        blames=("{node}", r"172\.30\.0"),
    ),
    Fault(
        "proxy-arp",
        "A node answers ARP for containers of the other subnet, and forwards the packets that it gets for them.",
        "https://github.com/ovn-kubernetes/ovn-kubernetes/issues/5497",
        _proxy_arp,
        must_fail=("ISO-5", "ISO-7"),
        may_fail=("ISO-1", "ISO-10"),
        blames=("{node}", "intruder|router"),
        blames_in={"ISO-5": ("{node}", "routed")},
    ),
    Fault(
        "one-udp-port-leaks",
        "Packets to one UDP port pass from one subnet to the other, in one direction only.",
        "https://github.com/moby/moby/issues/22054",
        _let_pass("-p udp --dport 20777"),
        must_fail=("ISO-1",),
        may_fail=("ISO-5", "ISO-7"),
        blames=("{node}", "20777", "went through|arrived"),
        overlays=BRIDGED,
    ),
    _hole(
        "https-leaks",
        "A rule for a proxy lets HTTPS pass from every container of one subnet to every one of the other.",
        "https://github.com/moby/moby/issues/22054",
        "-p tcp --dport 443",
        "TCP 443",
    ),
    _hole(
        "postgres-leaks",
        "A rule that opens a database to an application's subnet names the bridge, not the application.",
        "https://github.com/moby/moby/issues/22054",
        "-p tcp --dport 5432",
        "TCP 5432",
    ),
    _hole(
        "dns-leaks",
        "DNS is let through between subnets for a resolver that only one of them has.",
        "https://github.com/moby/moby/issues/22054",
        "-p udp --dport 53",
        "UDP 53",
    ),
    _hole(
        "dns-answers-leak",
        "A stateless rule lets DNS answers in, so whatever is sent from UDP port 53 passes.",
        "https://nmap.org/book/man-bypass-firewalls-ids.html",
        "-p udp --sport 53",
        "UDP source port 53",
    ),
    _hole(
        "sctp-leaks",
        "A filter that knows TCP and UDP only lets SCTP pass.",
        "https://github.com/kubernetes/kubernetes/issues/44485",
        "-p 132",
        r"132 \(SCTP\)",
        must="ISO-10",
    ),
    Fault(
        "conversations-pass-first",
        "A firewall accepts what belongs to known conversations before it looks at where that comes from.",
        "https://github.com/moby/moby/pull/49518",
        _conversations_first,
        must_fail=("ISO-5",),
        blames=("{node}", "in the conversation of", "routed"),
        overlays=BRIDGED,
    ),
    Fault(
        "address-outside-subnet",
        "A container has an address of a subnet that it did not ask for.",
        "https://github.com/weaveworks/weave/issues/1655",
        _outside,
        must_fail=("ISO-8",),
        may_fail=("EXT-1", "NET-3"),
        blames=("{container}", "asked for subnet"),
    ),
    Fault(
        "ipv6-forwarded",
        "A node forwards IPv6 from one subnet into the other, while its rules keep them apart for IPv4.",
        "https://github.com/moby/moby/issues/49556",
        _let_pass6("", both_ways=True),
        must_fail=("ISO-1", "ISO-7"),
        may_fail=("ISO-5",),
        blames=("{node}", "over IPv6", "went through|arrived"),
        needs_ipv6=True,
    ),
    Fault(
        "one-ipv6-port-leaks",
        "A rule of ip6tables lets HTTPS pass from every container of one subnet to every one of the other.",
        "https://github.com/moby/moby/issues/22054",
        _let_pass6("-p tcp --dport 443", both_ways=False),
        must_fail=("ISO-1",),
        blames=("{node}", "over IPv6", "TCP 443"),
        needs_ipv6=True,
    ),
    Fault(
        "ipv6-sctp-leaks",
        "A filter of IPv6 that knows TCP and UDP only lets SCTP pass.",
        "https://github.com/kubernetes/kubernetes/issues/44485",
        _let_pass6("-p 132", both_ways=False),
        must_fail=("ISO-10",),
        blames=("{node}", "over IPv6", r"132 \(SCTP\)"),
        needs_ipv6=True,
    ),
    Fault(
        "extension-headers-leak",
        "A filter of IPv6 looks at the first next header alone, so that TCP behind an extension header passes.",
        "https://www.rfc-editor.org/rfc/rfc7113",
        _first_header_alone,
        must_fail=("ISO-10",),
        blames=("{node}", "over IPv6", "destination options before UDP"),
        needs_ipv6=True,
    ),
    Fault(
        "ipv6-link-local-leak",
        "The subnets are isolated for IPv4, but IPv6 link-local passes between them.",
        "https://github.com/kubernetes/kubernetes/issues/91507",
        _ipv6_cable,
        must_fail=("ISO-6",),
        blames=("went through|reached", "ICMPv6|fe80|ff02"),
    ),
)
