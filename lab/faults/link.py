"""Faults of a node's link, by the kernel's network emulator (tc-netem(8))."""

from __future__ import annotations

from .model import ANY_OVERLAY, Action, Fault, Plan, Site
from .no_nat import MET_BY_CHANCE

MANUAL = "https://man7.org/linux/man-pages/man8/tc-netem.8.html"
NEEDS_NETEM = "tc qdisc add dev lo root netem delay 1ms && tc qdisc del dev lo root"


def emulated(words: str) -> Plan:
    """Plan of what netem does, by these words, to all that the node sends by its NIC."""

    def plan(site: Site) -> list[Action]:
        nic = site.node.node.interface
        return site.on_node(
            f"tc qdisc add dev {nic} root netem {words}", f"tc qdisc del dev {nic} root 2>/dev/null || true"
        )

    return plan


FAULTS = (
    Fault(
        "link-loses",
        "A node's link loses one in a hundred of the packets that the node sends.",
        MANUAL,
        emulated("loss 1%"),
        must_fail=("NET-8",),
        may_fail=MET_BY_CHANCE,
        blames=("{node} → ", "lost", "95 %"),
        overlays=ANY_OVERLAY,
        needs=NEEDS_NETEM,
    ),
    Fault(
        "link-doubles",
        "A node's link carries one in fifty of the packets that the node sends twice.",
        MANUAL,
        emulated("duplicate 2%"),
        must_fail=("NET-8",),
        blames=("{node} → ", "came twice"),
        overlays=ANY_OVERLAY,
        needs=NEEDS_NETEM,
    ),
)
BENIGN = (
    Fault(
        "higher-latency",
        "The underlay takes 20 ms longer.",
        MANUAL,
        emulated("delay 20ms"),
        must_fail=(),
        overlays=ANY_OVERLAY,
        needs=NEEDS_NETEM,
    ),
    Fault(
        "link-reorders",
        "A node's link lets one in four of the packets that the node sends overtake those of 5 ms before.",
        MANUAL,
        emulated("delay 5ms reorder 25%"),
        must_fail=(),
        overlays=ANY_OVERLAY,
        needs=NEEDS_NETEM,
    ),
)
