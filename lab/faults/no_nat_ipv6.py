"""Faults of promises 1 and 3 that act on IPv6 and leave IPv4 alone; `no_nat` has more of them."""

from __future__ import annotations

from .model import Action, Fault, Site
from .no_nat import MET_BY_CHANCE


def _ghosts6(site: Site) -> list[Action]:
    subnet = site.subnets[0]
    network, bridge = str(site.overlay.network_of(subnet)), site.overlay.bridge(subnet)
    return site.daemon("ghosts6", "ghosts.py", network, bridge, "6")


def _lossy6(site: Site) -> list[Action]:
    """Lose one in a hundred IPv6 packets of the first other node's containers for those of the node."""
    rules = [
        f"ip6 saddr {site.overlay.slice6_of(subnet, site.peer_index)} "
        f"ip6 daddr {site.overlay.slice6_of(subnet, site.index)} numgen random mod 1000 < 10 counter drop"
        for subnet in site.subnets
    ]
    chain = "chain forward { type filter hook forward priority filter - 10;\n" + "\n".join(rules) + "\n}"
    return [site.table(chain, family="ip6")]


def _guarded6(site: Site) -> list[Action]:
    """Drop what comes from an IPv6 address by another port of the node's bridge than the one that it came by first.

    A binding ends when half a second nothing was sent by the address or to it: an address that is merely used again
    later is bound again, and only one to which flows go on stays where it was.
    """
    rules = f"""set bound {{ type ipv6_addr; flags dynamic, timeout; timeout 500ms; }}
set ports {{ type ipv6_addr . ifname; flags dynamic, timeout; timeout 10m; }}
chain guard {{ type filter hook prerouting priority -250;
ip6 saddr != {{ {site.networks6} }} accept
ip6 daddr @bound update @bound {{ ip6 daddr }}
ip6 saddr . iifname @ports update @bound {{ ip6 saddr }} accept
ip6 saddr @bound counter drop
add @bound {{ ip6 saddr }} add @ports {{ ip6 saddr . iifname }}
}}"""
    return [site.table(rules, family="bridge")]


FAULTS = (
    Fault(
        "removed-containers-answer-ipv6",
        "The interface of a container that was removed stays at the bridge, and answers neighbour solicitations.",
        "https://github.com/weaveworks/weave/issues/2433",
        _ghosts6,
        must_fail=("NET-4",),
        may_fail=("NET-9",),
        blames=("{node}", "still answered for", "fd00:", "ghost"),
        needs_ipv6=True,
    ),
    Fault(
        "ipv6-loss",
        "One in 100 IPv6 packets from one node to one other node is lost; IPv4 loses none, nor the reverse direction.",
        "https://github.com/moby/moby/issues/29024",
        _lossy6,
        must_fail=("NET-8",),
        may_fail=MET_BY_CHANCE,
        blames=("{peer} → {node}", "over IPv6", "lost", "95 %"),
        needs_ipv6=True,
    ),
    Fault(
        "ipv6-address-still-guarded",
        "A node's source guard keeps an IPv6 address bound to the port where it was, as long as packets go there.",
        "https://www.rfc-editor.org/rfc/rfc6620",
        _guarded6,
        must_fail=("NET-9",),
        blames=("fd00:", "no answer came back", "{node} dropped packets by .*@bound"),
        needs_ipv6=True,
        default_node=2,  # where the new container is
    ),
)
