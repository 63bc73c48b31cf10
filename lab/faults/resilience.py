"""Faults that show after a restart of the Docker engine."""

from __future__ import annotations

from .model import ANY_OVERLAY, PLACE, Action, Fault, Site

SERVICE = "/etc/flatnet/service/docker/run"


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
    table = site.table(f"chain out {{ type filter hook output priority filter - 10;\nip daddr {site.range} drop\n}}")
    return _at_start(site, table.do, table.undo)


def _handed_out_twice(site: Site) -> list[Action]:
    """Give something on the node's bridge an address that a container on the first node has."""
    subnet = site.subnets[0]
    address = f"{site.overlay.slice_of(subnet, 0)[0]}/{site.overlay.subnets[subnet].prefixlen}"
    return _at_start(
        site,
        f"""ip netns add forgotten
ip link add forgotten0 type veth peer name eth0 netns forgotten
ip link set forgotten0 master {site.overlay.bridge(subnet)} up
ip -n forgotten link set eth0 up
ip -n forgotten address add {address} dev eth0""",
        "ip link del forgotten0 2>/dev/null; ip netns del forgotten 2>/dev/null; true",
    )


FAULTS = (
    Fault(
        "expose-not-restored",
        "After a restart of the engine the rules that let the node reach containers are not restored.",
        "https://github.com/weaveworks/weave/issues/3155",
        _not_restored,
        must_fail=("RES-1",),
        may_fail=("HOST-2", "HOST-3", "HOST-4", "DNS-12"),
        default_node=-1,
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "addresses-twice-after-restart",
        "A restarted engine forgot which addresses are in use, and hands one of them out again.",
        "https://github.com/moby/moby/issues/27404",
        _handed_out_twice,
        must_fail=("RES-1",),
        may_fail=("NET-4", "EXT-2"),
        kind=("twice", "misdelivered"),
        default_node=-1,
    ),
)
