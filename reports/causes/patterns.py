"""Patterns that are known in public: which issue a cause looks like. Pure.

Each was read before it was put here. A pattern is a hint: that a cause looks like an issue does not make it the same.
"""

from __future__ import annotations

import re

from .drafting import Draft
from .observing import Trouble

RAW_DROPS = "https://github.com/moby/moby/issues/51015"
"""Docker 28 and later drop in raw/PREROUTING what is routed straight to a container's address."""
FORWARD_POLICY = "https://github.com/moby/moby/issues/49498"
"""The FORWARD chain drops by its policy, or by Docker's own rules, what another network has to forward."""
TWO_BACK_ENDS = "https://github.com/cloudnativelabs/kube-router/issues/1069"
"""Rules in iptables-legacy and in nf_tables at once: one accepts what the other drops."""
CHECKSUMS = "https://github.com/flannel-io/flannel/issues/1279"
"""Checksum offload and VXLAN together leave wrong checksums."""
SMALL_MTU = "https://github.com/moby/libnetwork/issues/2661"
"""The network below the overlay carries smaller packets than the overlay's MTU says."""
MASQUERADE = "https://github.com/weaveworks/weave/issues/605"
"""`weave expose` masquerades what containers send to other subnets of the overlay."""
STALE_FDB = "https://github.com/moby/moby/issues/35401"
"""FDB entries of containers that are gone stay, and lead their successors' packets to another node."""
_RAW_DROP = re.compile(r"PREROUTING.*(iifname != |! -i ).*\b(drop|DROP)\b")
_FORWARD_DROP = re.compile(r":FORWARD DROP|chain FORWARD\b.*policy drop|FORWARD.*policy.*drop", re.IGNORECASE)
_MASQUERADES = re.compile(r"masquerade|\bsnat\b", re.IGNORECASE)
_BIGGEST = 2000
"""Bytes: larger ones are fragmented, whatever the MTU of a usual network."""


def known_issue(draft: Draft) -> str:
    """The address of the issue in which a pattern like this one is told; empty when none is known."""
    drafts = [draft, *draft.absorbed]
    lines = " ".join(statement.accusation.line for one in drafts for statement in one.statements)
    rules = " ".join(one.rule for one in drafts)
    lead = draft.lead
    if _RAW_DROP.search(rules):
        return RAW_DROPS
    if "legacy" in lines and "nft" in lines:
        return TWO_BACK_ENDS
    if _FORWARD_DROP.search(f"{rules} {lines}"):
        return FORWARD_POLICY
    if "FDB entry" in lines:
        return STALE_FDB
    if lead is None:
        return ""
    if lead.trouble is Trouble.ALTERED and lead.scope.value == "checksum":
        return CHECKSUMS
    if lead.trouble is Trouble.REWRITTEN and _MASQUERADES.search(rules):
        return MASQUERADE
    big = [one.sent.size for one in lead.failed if one.sent.size]
    if lead.trouble is Trouble.DROPPED and lead.scope.kind in ("big", "what") and min(big, default=_BIGGEST) < _BIGGEST:
        return SMALL_MTU
    return ""
