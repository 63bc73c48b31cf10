"""Faults that show only after a disturbance: of the engine, of the node, of the underlay, of the overlay."""

from __future__ import annotations

from ..overlays.vxlan import UDP_PORT
from .model import ANY_OVERLAY, PLACE, Action, Fault, Site
from .path import TUNNELLED

SERVICE = "/etc/flatnet/service/docker/run"
BOOT_ETC = "/run/flatnet/etc"
"""What a node's /etc is made from at boot; unlike /etc itself it outlasts the node's loss (lab.embedded.node)."""


def _at_start(site: Site, script: str, undo: str) -> list[Action]:
    """Make the engine's service run `script` after each start of the engine, once it answers."""
    backup = f"{PLACE}/docker-run"
    hook = f"{PLACE}/at-start"
    return site.on_node(
        f"""set -e
mkdir -p {PLACE}
cp -p {SERVICE} {backup}
cat >{hook} <<'HOOK'
#!/bin/sh
until docker version >/dev/null 2>&1; do sleep 0.05; done
{script}
HOOK
chmod 755 {hook}
sed 's,^exec .*dockerd.*,{hook} \\&\\n&,' {backup} >{SERVICE}""",
        f"if [ -f {backup} ]; then cat {backup} >{SERVICE}; rm -f {backup} {hook}; fi\n{undo}",
    )


def _not_restored(site: Site) -> list[Action]:
    rule = f"ip daddr {site.range} counter drop"
    table = site.table(f"chain out {{ type filter hook output priority filter - 10;\n{rule}\n}}")
    return _at_start(site, table.do, table.undo)


def _handed_out_twice(site: Site) -> list[Action]:
    """Give something on the node's bridge the first node's first addresses: its containers have some of them."""
    subnet = site.subnets[0]
    length = site.overlay.subnets[subnet].prefixlen
    addresses = "\n".join(
        f"ip -n forgotten address add {site.overlay.slice_of(subnet, 0)[place]}/{length} dev eth0" for place in range(8)
    )
    return _at_start(
        site,
        f"""ip netns add forgotten
ip link add forgotten0 type veth peer name eth0 netns forgotten
ip link set forgotten0 master {site.overlay.bridge(subnet)} up
ip -n forgotten link set eth0 up
{addresses}""",
        "ip link del forgotten0 2>/dev/null; ip netns del forgotten 2>/dev/null; true",
    )


def _at_boot(site: Site, script: str, undo: str) -> list[Action]:
    """Make the node run `script` when it boots, before its engine starts.

    A lab's node takes its /etc from BOOT_ETC at each boot; the service that is running now is left as it is.
    """
    here, service = f"{BOOT_ETC}/flatnet/at-boot", f"{BOOT_ETC}{SERVICE.removeprefix('/etc')}"
    return site.on_node(
        f"""set -e
cat >{here} <<'HOOK'
#!/bin/sh
{script}
HOOK
chmod 755 {here}
sed -i 's,^exec .*dockerd.*,/etc/flatnet/at-boot\\n&,' {service}""",
        f"sed -i '/at-boot/d' {service} {SERVICE}\nrm -f {here} /etc/flatnet/at-boot\n{undo}",
    )


def _dropped_at_boot(site: Site, rule: str, family: str) -> list[Action]:
    """The firewall that is loaded at boot drops what is forwarded and matches `rule`."""
    chain = f"chain forward {{ type filter hook forward priority filter - 10;\n{rule} counter drop\n}}"
    table = site.table(chain, family=family)
    return _at_boot(site, table.do, table.undo)


def _closed_at_boot(site: Site) -> list[Action]:
    """The firewall that is loaded at boot does not know the overlay."""
    return _dropped_at_boot(site, f"ip saddr {site.range} ip daddr {site.range}", "ip")


def _ipv6_closed_at_boot(site: Site) -> list[Action]:
    """The firewall that is loaded at boot knows the overlay's IPv4 networks, and not those of IPv6."""
    networks = f"{{ {site.networks6} }}"
    return _dropped_at_boot(site, f"ip6 saddr {networks} ip6 daddr {networks}", "ip6")


def _given_up_for_good(site: Site) -> list[Action]:
    """Once the first node was silent for a while, drop what comes from it, and never lift that."""
    peer = site.others[0].address
    rule = f"ip saddr {peer} udp dport {UDP_PORT} counter drop"
    table = site.table(f"chain input {{ type filter hook input priority filter - 10;\n{rule}\n}}")
    load = f"{PLACE}/given-up.nft"
    script = site.on_node(
        f"mkdir -p {PLACE}\ncat >{load} <<'SCRIPT'\n{table.do}\nSCRIPT", f"rm -f {load}\n{table.undo}"
    )
    return [*script, *site.daemon("silence", "silence.py", peer, load)]


def _stops_with_peer(site: Site) -> list[Action]:
    """Once the last node was silent for a while, take the tunnel down for two seconds, as a new daemon does."""
    tunnel, script = site.overlay.tunnel(site.subnets[0]), f"{PLACE}/stumble.sh"
    down = f"ip link set {tunnel} down\nsleep 2\nip link set {tunnel} up"
    written = site.on_node(
        f"mkdir -p {PLACE}\ncat >{script} <<'SCRIPT'\n{down}\nSCRIPT", f"rm -f {script}\nip link set {tunnel} up"
    )
    return [*written, *site.daemon("stumble", "silence.py", site.others[-1].address, script)]


def _tunnel_left_out(site: Site) -> list[Action]:
    """Replace the node's `ip` by one that does not make the tunnel a port of its bridge."""
    tunnel, bridge = site.overlay.tunnel(site.subnets[0]), site.overlay.bridge(site.subnets[0])
    return site.other_ip(
        "tunnel",
        after=f'"link set {tunnel} "*" master {bridge} "*',
        do=f"link set {tunnel} nomaster",
        undo=f"if [ -e /sys/class/net/{tunnel} ]; then ip link set {tunnel} master {bridge}; fi",
    )


FAULTS = (
    Fault(
        "expose-not-restored",
        "After a restart of the engine the rules that let the node reach containers are not restored.",
        "https://github.com/weaveworks/weave/issues/3155",
        _not_restored,
        must_fail=("RES-1",),
        blames=("{node}", "held before"),
        default_node=-1,
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "addresses-twice-after-restart",
        "A restarted engine forgot which addresses are in use, and hands one of them out again.",
        "https://github.com/moby/moby/issues/27404",
        _handed_out_twice,
        must_fail=("RES-1",),
        blames=("{node}", "never reached|twice|misdelivered"),
        default_node=-1,
    ),
    Fault(
        "closed-at-boot",
        "The firewall that a node loads at boot drops what its containers send to each other.",
        "https://github.com/moby/moby/issues/53346",
        _closed_at_boot,
        must_fail=("RES-2",),
        blames=("{node}", "held before"),
        default_node=-1,
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "ipv6-closed-at-boot",
        "The firewall that a node loads at boot lets its containers send each other IPv4, and drops their IPv6.",
        "https://github.com/moby/moby/issues/48365",
        _ipv6_closed_at_boot,
        must_fail=("RES-2",),
        blames=("{node}", "over IPv6", "held before"),
        default_node=-1,
        needs_ipv6=True,
    ),
    Fault(
        "peer-given-up-for-good",
        "A node that lost a peer to a partition does not take it back when the partition is over.",
        "https://github.com/moby/libnetwork/pull/2134",
        _given_up_for_good,
        must_fail=("RES-3",),
        blames=("{node}", "{peer}", "held before"),
        default_node=-1,
        overlays=TUNNELLED,
    ),
    Fault(
        "stops-with-a-peer",
        "When a node is lost, the overlay of another one begins again, and nothing passes there for two seconds.",
        "https://github.com/Mic92/tincr/issues/8",
        _stops_with_peer,
        must_fail=("RES-2",),
        blames=("{node}", "stopped", "silent for"),
    ),
    Fault(
        "tunnel-without-bridge",
        "After a restart of the overlay the tunnel is there, and is not a port of its bridge.",
        "https://github.com/flannel-io/flannel/issues/877",
        _tunnel_left_out,
        must_fail=("RES-4",),
        blames=("{node}", "held before"),
        default_node=-1,
    ),
)
