"""Which place and which scope failed edges have in common that others do not. Pure.

Every place and scope in which a failed edge lies is a candidate. Inside it edges fail at one rate, outside at another.
What the two rates explain better than one for all (the logarithm of the likelihood ratio) is what the candidate is
worth, less a price for how special it is. The best one is taken, its edges are set aside, and so on with what is left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log

from .observing import Observation, Trouble
from .sent import End, Place, Scope, Sent, places, scopes

PRICE = 1.5
"""What a candidate has to explain more for each step of being more special: a likelihood ratio of e to that, 4.5."""
MOST_GROUPS = 6
"""Groups of one trouble; what is left then is unexplained."""


@dataclass(frozen=True)
class Group:
    """Edges in the same trouble, and the place and scope that they have in common."""

    trouble: Trouble
    place: Place
    scope: Scope
    failed: tuple[Observation, ...]
    passed: tuple[Observation, ...]
    """Edges of the same place and scope that were as expected: what speaks against it."""
    elsewhere: int
    """Edges of other places or scopes that were as expected."""
    rivals: tuple[tuple[Place, Scope, int, int], ...] = ()
    """Other candidates that hold all of these edges: (place, scope, its edges that failed, and that did not)."""


def group(observations: Sequence[Observation], trouble: Trouble) -> list[Group]:
    """The groups that hold all edges in this trouble, the one that explains most first."""
    left = [one for one in observations if one.trouble is trouble]
    fine = [one for one in observations if one.trouble is None and _comparable(one, trouble)]
    fine += _single_ports(fine, left)
    table = _Table()
    good = table.count(fine, table.count(left))
    found: list[Group] = []
    while left and len(found) < MOST_GROUPS:
        bad = table.count(left)
        place, scope = max(bad, key=lambda key: (round(_worth(key, bad, good, len(left), len(fine)), 6), key))
        inside = [one for one in left if (place, scope) in table.keys(one)]
        passed = tuple(one for one in fine if (place, scope) in table.keys(one))
        rivals = tuple(
            (other, what, count, good[other, what])
            for (other, what), count in bad.items()
            if count == len(inside) and (other, what) != (place, scope)
        )
        found.append(Group(trouble, place, scope, tuple(inside), passed, len(fine) - len(passed), rivals))
        left = [one for one in left if (place, scope) not in table.keys(one)]
    return found


def _single_ports(fine: Sequence[Observation], failed: Sequence[Observation]) -> list[Observation]:
    """The ports that failed somewhere, as edges of those sweeps in which they did not: a sweep is one edge there."""
    ports = {(one.sent.transport, one.sent.port): one.sent for one in failed if one.sent.port}
    known = {(one.source, one.destination, one.sent.transport, one.sent.port) for one in failed}
    return [
        replace(one, sent=sent._replace(kind="", own_port=one.sent.own_port))
        for one in fine
        if one.sent.kind == "sweep"
        for (transport, port), sent in ports.items()
        if transport == one.sent.transport and (one.source, one.destination, transport, port) not in known
    ]


def _comparable(one: Observation, trouble: Trouble) -> bool:
    """Whether an edge that is as expected says that it is not in this trouble."""
    blocked = one.edge.expected == "blocked"
    if trouble is Trouble.LEAKED:
        return blocked
    if blocked:
        return False
    if trouble is Trouble.ALTERED:
        return one.sent.kind == "checksum" or one.sent.size > 0
    if trouble is Trouble.THINNED:
        return one.sent.kind == "stream"
    if trouble is Trouble.UNREPORTED:
        return one.edge.expected == "EMSGSIZE"
    return True


Key = tuple[Place, Scope]
Counts = Counter[Key]


class _Table:
    """The keys of observations, each worked out once: many tests judge the same edge."""

    def __init__(self) -> None:
        self._known: dict[Key, Key] = {}
        self._keys: dict[tuple[End, End, Sent], frozenset[Key]] = {}

    def keys(self, one: Observation) -> frozenset[Key]:
        """Every place with every scope that the edge lies in."""
        way = one.source, one.destination, one.sent
        found = self._keys.get(way)
        if found is None:
            where = list(places(one.source, one.destination))
            made = ((place, scope) for scope in scopes(one.sent) for place in where)
            found = self._keys[way] = frozenset(self._known.setdefault(key, key) for key in made)
        return found

    def count(self, observations: Sequence[Observation], only: Counts | None = None) -> Counts:
        """How many of the observations lie in each key; `only`: in each of these."""
        ways: Counter[frozenset[Key]] = Counter(map(self.keys, observations))
        found: Counts = Counter()
        for keys, count in ways.items():
            for key in keys if only is None else keys & only.keys():
                found[key] += count
        return found


def _worth(key: tuple[Place, Scope], bad: Counts, good: Counts, all_bad: int, all_good: int) -> float:
    place, scope = key
    inside_bad, inside_good = bad[key], good[key]
    outside_bad, outside_good = all_bad - inside_bad, all_good - inside_good
    price = PRICE * (place.cost + scope.cost)
    if inside_bad * (outside_bad + outside_good) < outside_bad * (inside_bad + inside_good):
        return -price  # it fails more often elsewhere
    gain = _likelihood(inside_bad, inside_good) + _likelihood(outside_bad, outside_good)
    return gain - _likelihood(all_bad, all_good) - price


def _likelihood(bad: int, good: int) -> float:
    """The logarithm of the likelihood of so many failures at the rate that fits best."""
    total = bad + good
    return sum(count * log(count / total) for count in (bad, good) if count)
