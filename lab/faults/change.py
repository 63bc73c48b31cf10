"""Faults of a change: what an upgrade or a new configuration does besides, injected as the command of `--change`."""

from __future__ import annotations

from .model import ANY_OVERLAY, PLACE, Action, Fault, Site
from .path import other_back_end

ENGINE_AWAY_S = 5
"""How long the engine is stopped, seconds."""
_FLUSH = (
    "python3 -c 'import socket, struct, sys; s = socket.socket(16, 3, 12); "
    's.send(struct.pack("=IHHIIBBH", 20, 0x102, 5, 1, 0, 2, 0, 0)); '
    'sys.exit(-struct.unpack_from("=i", s.recv(64), 16)[0])\''
)
"""Deletes every tracked connection (linux/netfilter/nfnetlink_conntrack.h: IPCTNL_MSG_CT_DELETE without a tuple); its
exit status is the errno of the kernel's answer."""


def _rule_dropped(site: Site) -> list[Action]:
    """Delete the engine's rule by which nothing is routed into the second subnet."""
    bridge = site.overlay.bridge(site.subnets[-1])
    chain, match = "DOCKER-ISOLATION-STAGE-2", f"-o {bridge} -j DROP"
    return site.on_node(
        f"iptables -w 5 -D {chain} {match}",
        f"iptables -w 5 -C {chain} {match} 2>/dev/null || iptables -w 5 -I {chain} {match}",
    )


def _mtu_lower(site: Site) -> list[Action]:
    subnet = site.subnets[0]
    tunnel = site.overlay.tunnel(subnet)
    return site.on_node(f"ip link set {tunnel} mtu 1300", f"ip link set {tunnel} mtu {site.overlay.mtu(subnet)}")


def _renumbered(site: Site) -> list[Action]:
    """Give the node's first container of the default subnet another address, as a new configuration would."""
    subnet = site.subnets[0]
    whole = site.overlay.subnets[subnet]
    name = f"{subnet}{site.index + 1}"
    enter = f"$(docker inspect -f '{{{{.State.Pid}}}}' $(docker ps -q --filter 'name=^/?flatnet-.*-{name}$'))"
    gateway = site.overlay.gateway(subnet, site.index).ip
    fresh = f"{whole[-3]}/{whole.prefixlen}"

    def swap(old: str, new: str) -> str:
        return (
            # Without the one before no other of its prefix stays (ip-sysctl: promote_secondaries), so that goes first.
            f"nsenter -t $pid -n ip address del {old} dev eth0\n"
            f"nsenter -t $pid -n ip address add {new} dev eth0\n"
            f"nsenter -t $pid -n ip route replace default via {gateway}"
        )

    return site.on_node(
        f"""set -e
mkdir -p {PLACE}
pid={enter}
nsenter -t $pid -n ip -o -4 address show dev eth0 | sed 's/.* inet \\([^ ]*\\) .*/\\1/' >{PLACE}/renumbered
echo $pid >{PLACE}/renumbered-pid
{swap(f"$(cat {PLACE}/renumbered)", fresh)}""",
        f"""if [ -s {PLACE}/renumbered-pid ]; then
pid=$(cat {PLACE}/renumbered-pid)
if [ -e /proc/$pid ]; then
{swap(fresh, f"$(cat {PLACE}/renumbered)")}
fi; fi 2>/dev/null
rm -f {PLACE}/renumbered {PLACE}/renumbered-pid""",
    )


def _engine_restarted(site: Site) -> list[Action]:
    commands = site.node.node.commands
    return site.on_node(
        f"{commands.stop_docker}\nsleep {ENGINE_AWAY_S}\n{commands.start_docker}", commands.start_docker
    )


def _connections_forgotten(site: Site) -> list[Action]:
    """A stateful filter is loaded, with an empty table of connections: it knows none that is under way."""
    chain = (
        "chain forward { type filter hook forward priority filter - 10;\n"
        f"ip saddr {site.range} ip daddr {site.range} meta l4proto tcp ct state invalid drop\n}}"
    )
    load = site.table(chain)
    (loose,) = site.sysctls({"net.netfilter.nf_conntrack_tcp_loose": "0"})
    return [loose, Action(load.place, f"{load.do}\n{_FLUSH}", load.undo)]


def _firewall_reloaded(site: Site) -> list[Action]:
    """Delete every rule of the engine's; only on vxlan do containers of different nodes need one of them."""
    _ = site.overlay
    saved = f"{PLACE}/firewall"
    return site.on_node(
        f"""set -e
mkdir -p {PLACE}
iptables-save >{saved}
iptables -w 5 -t nat -F
iptables -w 5 -F""",
        f"if [ -s {saved} ]; then iptables-restore {saved}; fi\nrm -f {saved}",
    )


def _forward_closed(site: Site) -> list[Action]:
    """FORWARD drops by its policy, and the engine's rules for its own networks come no more before that."""
    saved = f"{PLACE}/forward"
    return site.on_node(
        f"""set -e
mkdir -p {PLACE}
iptables-save -t filter >{saved}
iptables -w 5 -F FORWARD
iptables -w 5 -P FORWARD DROP""",
        f"if [ -s {saved} ]; then iptables-restore {saved}; fi\nrm -f {saved}",
    )


FAULTS = (
    Fault(
        "change-drops-a-rule",
        "An upgrade loses the one rule that keeps a subnet apart.",
        "https://github.com/moby/moby/issues/22054",
        _rule_dropped,
        must_fail=("CHG-1", "CHG-3"),
        blames=("{node}", "isolated before the change are not"),
        blames_in={"CHG-3": ("{node}: filter", "DOCKER-ISOLATION-STAGE-2", "DROP")},
    ),
    Fault(
        "change-lowers-mtu",
        "A new configuration leaves the tunnel with a smaller MTU than before.",
        "https://github.com/moby/moby/issues/22297",
        _mtu_lower,
        must_fail=("CHG-3",),
        blames=("{node}: links", "mtu 1450", "mtu 1300"),
    ),
    Fault(
        "change-renumbers",
        "A new configuration gives a container another address than the one that everybody knows.",
        "https://github.com/moby/moby/issues/20407",
        _renumbered,
        must_fail=("CHG-1", "CHG-2", "CHG-3"),
        blames=("{node}", "reachable before the change are not, all with an end on"),
        blames_in={"CHG-2": ("{node}", "silent for"), "CHG-3": ("{node}: container", "addresses of eth0")},
    ),
    Fault(
        "change-restarts-engine",
        "An upgrade of the engine restarts it, and every container of the node ends.",
        "https://docs.docker.com/engine/daemon/live-restore/",
        _engine_restarted,
        must_fail=("CHG-2",),
        may_fail=("CHG-3",),  # containers that are not the run's own stay down with it
        blames=("{container}", "restarted containers, which is not a lost network", "ended at"),
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "change-forgets-connections",
        "A firewall that is loaded knows none of the connections that are open, and drops what belongs to them.",
        "https://github.com/kubernetes/kubernetes/issues/74839",
        _connections_forgotten,
        must_fail=("CHG-2", "CHG-3"),
        blames=("{node}", "connection .* (carries nothing|ended)"),
        blames_in={"CHG-3": ("{node}: filter", "flatnet_fault")},
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "change-reloads-firewall",
        "A reload of the firewall wipes the rules that the engine has made.",
        "https://github.com/moby/moby/issues/12294",
        _firewall_reloaded,
        must_fail=("CHG-1", "CHG-2", "CHG-3"),
        blames=("{node}", "reachable before the change are not, all with an end on"),
        blames_in={"CHG-2": ("{node}", "silent for"), "CHG-3": ("{node}: filter", "gone", "DOCKER")},
    ),
    Fault(
        "change-closes-forward",
        "After an upgrade the FORWARD policy is DROP, and nothing lets the overlay's packets through.",
        "https://github.com/moby/moby/issues/49498",
        _forward_closed,
        must_fail=("CHG-1", "CHG-2", "CHG-3"),
        blames=("{node}", "reachable before the change are not, all with an end on"),
        blames_in={"CHG-2": ("{node}", "silent for"), "CHG-3": ("{node}: filter", "FORWARD")},
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "change-to-the-other-back-end",
        "A tool writes its rules into the packet filter back end that the engine does not use.",
        "https://github.com/moby/moby/issues/38759",
        other_back_end,
        must_fail=("CHG-1", "CHG-2", "CHG-3"),
        blames=("{node}", "reachable before the change are not, all with an end on"),
        blames_in={"CHG-2": ("{node}", "silent for"), "CHG-3": ("{node}: filter", "FORWARD")},
        overlays=ANY_OVERLAY,
    ),
)
