"""Faults on the path that act on IPv6 and leave IPv4 alone."""

from __future__ import annotations

from .model import Action, Fault, Plan, Site


def _forwarded6(rule: str) -> Plan:
    """Plan of a rule on the IPv6 that containers send to containers of their subnet through the node."""

    def plan(site: Site) -> list[Action]:
        rules = "\n".join(
            f"ip6 saddr {whole} ip6 daddr {whole} {rule}"
            for whole in (site.overlay.subnets6[subnet] for subnet in site.subnets)
        )
        chain = f"chain forward {{ type filter hook forward priority filter - 10;\n{rules}\n}}"
        return [site.table(chain, family="ip6")]

    return plan


def _fragments6(site: Site) -> list[Action]:
    """Drop fragments where they enter the node, before the kernel reassembles them."""
    bridges = ", ".join(f'"{site.overlay.bridge(subnet)}"' for subnet in site.subnets)
    chain = (
        "chain before { type filter hook prerouting priority -450;\n"
        f"iifname {{ {bridges} }} exthdr frag exists counter drop\n}}"
    )
    return [site.table(chain, family="ip6")]


def _hop6(site: Site) -> list[Action]:
    """The bridge takes IPv6 that was meant for a neighbour, and the node routes it on.

    Neighbour discovery is left alone: with a hop limit of 254 nobody would believe it. So that the detour goes on, the
    node tells nobody of the shorter way.
    """
    actions: list[Action] = []
    rules = []
    for subnet in site.subnets:
        actions += site.exposed6(subnet)
        bridge, own = site.overlay.bridge(subnet), site.overlay.gateway6(subnet, site.index).ip
        mac = site.node.run(["cat", f"/sys/class/net/{bridge}/address"]).stdout.strip()
        whole = site.overlay.subnets6[subnet]
        rules.append(
            f"ip6 saddr {whole} ip6 daddr {whole} ip6 daddr != {own} ether daddr set {mac} meta pkttype set host"
        )
    discovery = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n"
    chain = "chain before { type filter hook prerouting priority -350;\n" + discovery + "\n".join(rules) + "\n}"
    quiet = "chain quiet { type filter hook output priority filter;\nicmpv6 type nd-redirect drop\n}"
    return [*actions, site.table(chain, family="bridge"), site.table(quiet, family="ip6")]


def _idle_forgotten6(site: Site) -> list[Action]:
    """The node forgets a connection on which nothing was sent for 3 s, and drops what of IPv6 belongs to none."""
    settings = {"nf_conntrack_tcp_timeout_established": "3", "nf_conntrack_tcp_loose": "0"}
    drop = _forwarded6("meta l4proto tcp ct state invalid drop")
    return [*site.sysctls({f"net.netfilter.{key}": value for key, value in settings.items()}), *drop(site)]


FAULTS = (
    Fault(
        "ipv6-mtu-black-hole",
        "IPv6 packets above 1400 bytes are dropped without an ICMPv6 error; IPv4's pass.",
        "https://www.rfc-editor.org/rfc/rfc2923",
        _forwarded6("ip6 length > 1360 counter drop"),
        must_fail=("PATH-1", "PATH-3", "PATH-4"),
        blames=("{node}", "bytes|MTU", "over IPv6"),
        needs_ipv6=True,
    ),
    Fault(
        "packet-too-big-dropped",
        'A filter drops ICMPv6\'s "packet too big", so that no sender is told of a smaller MTU.',
        "https://www.rfc-editor.org/rfc/rfc4890",
        _forwarded6("icmpv6 type packet-too-big counter drop"),
        must_fail=("PATH-2",),
        blames=("{node}|{container}", "EMSGSIZE", "over IPv6"),
        needs_ipv6=True,
    ),
    Fault(
        "ipv6-fragments-dropped",
        "A device drops IPv6 packets with a fragment header, so large datagrams never arrive.",
        "https://www.rfc-editor.org/rfc/rfc7872",
        _fragments6,
        must_fail=("PATH-4",),
        blames=("{node}", "8192 bytes", "over IPv6"),
        needs_ipv6=True,
    ),
    Fault(
        "ipv6-udp-checksum-removed",
        "A tunnel leaves UDP over IPv6 without a checksum, as it may over IPv4.",
        "https://www.rfc-editor.org/rfc/rfc6936",
        _forwarded6("udp checksum set 0"),
        must_fail=("PATH-5",),
        # A receiver's kernel drops such a datagram, so no UDP is answered between the node and the others.
        may_fail=("NET-1", "NET-5", "ISO-2", "PATH-4"),
        blames=("{node}", "over IPv6", "UDP checksum is zero"),
        needs_ipv6=True,
    ),
    Fault(
        "ipv6-extra-hop",
        "The node routes the IPv6 that it should bridge: one hop more, and a hop limit that is lower by one.",
        "https://github.com/vmware/vic/issues/2498",
        _hop6,
        must_fail=("PATH-6",),
        blames=("{node}", "1 routers instead of 0", "over IPv6"),
        needs_ipv6=True,
    ),
    Fault(
        "idle-ipv6-connections-forgotten",
        "A stateful filter of IPv6 forgets idle connections after seconds, and drops their next packet.",
        "https://github.com/moby/moby/issues/31208",
        _idle_forgotten6,
        must_fail=("PATH-7",),
        blames=("{node}", "idle for", "over IPv6", "lost"),
        needs_ipv6=True,
    ),
)
