"""From groups of failed edges and from reasons to drafts of causes, each with the node that it accuses. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .covering import Group
from .families import Family
from .observing import Trouble
from .sent import ANY, Place
from .statements import Accusation, Names

Rule = tuple[str, str]
"""(node, rule)"""
ALONE = 0.9
"""The part of the failed edges that has to touch a node whose rule is to be blamed alone."""


@dataclass(frozen=True)
class Statement:
    """What the reason of a test says, where no edge of it is in trouble."""

    test: int
    family: Family
    requirement: str
    accusation: Accusation
    mentioned: frozenset[str]
    """Every node that the reason mentions."""
    failed: bool = True
    """Whether the test failed; else it proves nothing, or the instrument failed."""


@dataclass
class Draft:
    """What may become a cause."""

    family: Family
    node: str = ""
    peer: str = ""
    groups: list[Group] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    rule: str = ""
    also: int = 0
    """Other nodes on which the same rule acted."""
    last: str = ""
    missed: str = ""
    changed: str = ""
    absorbed: list[Draft] = field(default_factory=list)

    @property
    def tests(self) -> set[int]:
        """The tests that it explains, by number."""
        own = {one.test for group in self.groups for one in group.failed}
        own |= {statement.test for statement in self.statements}
        return own.union(*(draft.tests for draft in self.absorbed))

    @property
    def accuses(self) -> bool:
        """Whether a failed test is behind it: what is not proved accuses nobody."""
        return bool(self.groups) or any(statement.failed for statement in self.statements)

    @property
    def lead(self) -> Group | None:
        """The group that explains most."""
        return self.groups[0] if self.groups else None

    @property
    def broad(self) -> bool:
        """Whether it is about packets of every kind, or of a whole transport."""
        lead = self.lead
        return lead is None or lead.scope == ANY or lead.scope.kind in ("transport", "big")


_FAMILIES = {
    Trouble.REWRITTEN: Family.TRANSLATION,
    Trouble.REDIRECTED: Family.TRANSLATION,
    Trouble.LEAKED: Family.LEAK,
    Trouble.LATE: Family.STALE,
}


def draft_group(group: Group, names: Names) -> Draft:
    """The draft of a group: its node is the one whose rule acted, else where packets were lost, else what it shares."""
    draft = Draft(_FAMILIES.get(group.trouble, Family.PACKETS), groups=[group])
    clues = [one.edge.clue for one in group.failed if one.edge.clue.packed()]
    rules = Counter(rule for clue in clues for rule in dict.fromkeys(clue.rules))
    spots = Counter((clue.last, clue.missed) for clue in clues if clue.last or clue.missed)
    changed = Counter(clue.changed for clue in clues if clue.changed)
    if spots:
        draft.last, draft.missed = spots.most_common(1)[0][0]
    if changed:
        draft.changed = changed.most_common(1)[0][0]
    own = {group.place.names[0]} if group.place.names else set()
    if group.trouble is Trouble.LEAKED:
        rules = Counter({rule: count for rule, count in rules.items() if lets_cross(rule[1])})
    if rules:
        (node, rule), _ = max(rules.items(), key=lambda found: (found[1], found[0][0] in own, found[0]))
        holders = {where for where, what in rules if what == rule}
        draft.rule = rule
        draft.also = len(holders) - 1
        alone = len(holders) == 1 and _touching(group, node) >= ALONE
        draft.node = node if alone or _places_on(group.place, node) or group.trouble is Trouble.LEAKED else ""
        if draft.node:
            return draft
    if group.trouble is Trouble.LEAKED and group.scope.kind != "via" and (joint := _joint(group, names)):
        draft.node = joint
        return draft
    draft.node, draft.peer = _node_of(group, draft, names)
    return draft


_INTERFACES = re.compile(r"(?:iifname|oifname|-i|-o) (?:! )?\"?([\w.-]+)\"?")


def lets_cross(rule: str) -> bool:
    """Whether a rule that accepts names two interfaces, so that it lets packets pass from one to the other."""
    return len(set(_INTERFACES.findall(rule))) > 1


def _touching(group: Group, node: str) -> float:
    """The part of the failed edges that has an end on the node."""
    return sum(node in (one.source.node, one.destination.node) for one in group.failed) / len(group.failed)


def _joint(group: Group, names: Names) -> str:
    """The one node on which all leaks crossed bridges of two subnets; empty when there is none, or several."""
    shared: set[str] | None = None
    for one in group.failed:
        bridges = [hop for hop in one.edge.clue.crossed if " bridge " in hop]
        nodes = Counter(node for hop in dict.fromkeys(bridges) for node, _ in names.mentions(hop))
        twice = {node for node, count in nodes.items() if count > 1}
        if bridges:
            shared = twice if shared is None else shared & twice
    return shared.pop() if shared is not None and len(shared) == 1 else ""


def _places_on(place: Place, node: str) -> bool:
    return any(name.partition("/")[0] == node for name in place.names)


def _node_of(group: Group, draft: Draft, names: Names) -> tuple[str, str]:
    place = group.place
    if group.scope.kind == "via":
        return group.scope.value, ""
    if inside := _lost_inside(group, names):
        return inside, ""
    if place.kind == "way":
        return place.names[1], place.names[0]
    if place.kind == "between":
        inside = _node_between(draft, names)
        return (inside, "") if inside else (place.names[0], place.names[1])
    if place.kind in ("subnet", "crossing"):
        return _node_between(draft, names), ""
    if place.kind in ("subnet on", "subnet at"):
        return place.names[1], ""
    if place.names:
        return place.names[0].partition("/")[0], ""
    return _node_between(draft, names), ""


def _lost_inside(group: Group, names: Names) -> str:
    """The node within which nearly all packets were lost between two interfaces; empty when no node is."""
    clues = [one.edge.clue for one in group.failed if one.edge.clue.last and one.edge.clue.missed]
    spots = [{node for node, _ in names.mentions(f"{clue.last}, {clue.missed}")} for clue in clues]
    counts = Counter(next(iter(nodes)) for nodes in spots if len(nodes) == 1)
    node, count = counts.most_common(1)[0] if counts else ("", 0)
    return node if count >= ALONE * max(1, len(spots)) else ""


def _node_between(draft: Draft, names: Names) -> str:
    """The node within which packets were seen last; empty when it was between two nodes, or nowhere."""
    nodes = {node for text in (draft.last, draft.missed, draft.changed) for node, _ in names.mentions(text)}
    return nodes.pop() if len(nodes) == 1 else ""


def draft_statements(statements: Iterable[Statement]) -> list[Draft]:
    """A draft for each family and node that reasons accuse; for each requirement where neither is known."""
    found: dict[tuple[Family, str, str], Draft] = {}
    for statement in statements:
        node = statement.accusation.node
        alone = statement.family is Family.OTHER and not node
        key = (statement.family, node, statement.requirement if alone else "")
        draft = found.setdefault(key, Draft(statement.family, statement.accusation.node))
        draft.statements.append(statement)
    return list(found.values())


def main_rules(groups: Sequence[Group]) -> list[Rule]:
    """The rules that acted on edges of these groups, the most frequent first."""
    counts = Counter(rule for group in groups for one in group.failed for rule in dict.fromkeys(one.edge.clue.rules))
    return [rule for rule, _ in counts.most_common()]
