"""Which drafts are consequences of which others, so that few causes are left. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .covering import Group
from .drafting import Draft
from .families import LAYERS, Family, explains
from .observing import Trouble

NAME_PORTS = ("53", "8600", "8500")
"""Ports by which names are asked."""
SHARE = 0.9
"""The part of a group's edges that have to touch a node to be a consequence of what is wrong there."""


def merge(drafts: Sequence[Draft]) -> list[Draft]:
    """The drafts that are left when each consequence was given to its cause."""
    left = sorted(drafts, key=_order)
    place = 0
    while place < len(left):
        cause = left[place]
        taken = [other for other in left[place + 1 :] if _follows(cause, other)]
        if taken:
            cause.absorbed += taken
            left = [draft for draft in left if all(draft is not other for other in taken)]
            continue
        place += 1
    return left


def _order(draft: Draft) -> tuple[bool, int, int, int, int]:
    """Causes come before consequences: the lower layer, then what was seen to act, then what explains more."""
    edges = sum(len(group.failed) for group in draft.groups)
    return not draft.accuses, LAYERS[draft.family], -bool(draft.rule), -len(draft.tests), -edges


def _follows(cause: Draft, other: Draft) -> bool:
    """Whether the other draft can be a consequence of the cause."""
    if cause.rule and cause.rule == other.rule:
        return True
    if cause.groups and other.groups and cause.last and (cause.last, cause.missed) == (other.last, other.missed):
        return explains(cause.family, other.family)
    if not other.accuses:
        return any(cause.node in statement.mentioned for statement in other.statements) or not cause.node
    if not explains(cause.family, other.family):
        return False
    if not _wide_enough(cause, other):
        return False
    if cause.node and other.node == cause.node:
        return True
    if not cause.node:
        return not other.node and cause.family is other.family is not Family.OTHER
    if other.groups:
        return (
            all(_touches(group, cause.node) for group in other.groups) and cause.broad and _same_trouble(cause, other)
        )
    return all(
        cause.node in statement.mentioned and not (statement.accusation.certain and statement.accusation.node)
        for statement in other.statements
    )


def _same_trouble(cause: Draft, other: Draft) -> bool:
    """Whether edges of both are in trouble of the same kind; a reason says nothing of that."""
    lead, theirs = cause.lead, other.lead
    lossy = (Trouble.DROPPED, Trouble.THINNED, Trouble.LATE)
    return (
        lead is None
        or theirs is None
        or lead.trouble is theirs.trouble
        or (lead.trouble in lossy and theirs.trouble in lossy)
    )


def _wide_enough(cause: Draft, other: Draft) -> bool:
    """Whether what the cause is about is wide enough for the other: one closed port breaks no name."""
    lead = cause.lead
    if lead is None or cause.broad or cause.statements:
        return True
    if other.family is Family.NAMES:
        return lead.scope.kind == "port" and lead.scope.value.split()[-1] in NAME_PORTS
    if other.family is Family.CONTRACT:
        port = lead.scope.value.split()[-1]
        return any(f"port {port}" in statement.accusation.line for statement in other.statements) or bool(other.groups)
    return other.family in (Family.PACKETS, Family.LEAK, cause.family)


def _touches(group: Group, node: str) -> bool:
    inside = sum(node in (one.source.node, one.destination.node) for one in group.failed)
    return inside >= SHARE * len(group.failed)
