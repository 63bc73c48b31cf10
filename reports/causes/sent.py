"""Who sends what to whom, as places and scopes that failures can have in common. Pure.

A place says between whom (`from u1 to other nodes`), a scope what is sent (`tcp 443`, `more than 1400 bytes`). Every
edge lies in a few places and scopes; the causes are those that hold the edges that failed, and no others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from reports.edges import JudgedEdge, Party


class End(NamedTuple):
    """A source or a destination: its name, its node, and its subnet (empty: a node, or unknown)."""

    name: str
    node: str
    subnet: str = ""

    @property
    def is_node(self) -> bool:
        """Whether it is a node itself, and not a container on one."""
        return self.name == self.node


class Ends:
    """Looks up where the ends of edges are."""

    def __init__(self, parties: Mapping[str, Party], subnet_of: Mapping[str, str]) -> None:
        self._parties, self._subnet_of = parties, subnet_of
        self._known: dict[str, End] = {}

    def __getitem__(self, name: str) -> End:
        if name not in self._known:
            party = self._parties.get(name)
            node = party.node if party is not None else name.partition("/")[0]
            self._known[name] = End(name, node, self._subnet_of.get(name, ""))
        return self._known[name]


class Place(NamedTuple):
    """Between whom: a kind and the names that it is about."""

    kind: str
    names: tuple[str, ...] = ()

    @property
    def cost(self) -> int:
        """How special it is: the more special of two places has to explain more."""
        return COSTS[self.kind]

    def __str__(self) -> str:
        return WORDS[self.kind].format(*self.names)


COSTS = {
    "all": 0, "across": 1, "node": 1, "from": 2, "to": 2, "out": 2, "in": 2, "on": 2, "with others": 2, "between": 3,
    "way": 3, "container": 3, "from container": 4, "to container": 4,
    "subnet": 2, "subnet on": 3, "subnet at": 3, "crossing": 2,
    "nodes": 2, "to nodes": 2, "from nodes": 2, "to node": 3, "from node": 3,
}  # fmt: skip
WORDS = {
    "all": "everywhere",
    "across": "between all nodes",
    "node": "to and from {}",
    "from": "from {}",
    "to": "to {}",
    "out": "from {} to other nodes",
    "in": "from other nodes to {}",
    "on": "inside {}",
    "with others": "between {} and other nodes",
    "between": "between {} and {}",
    "way": "from {} to {}",
    "container": "to and from {}",
    "from container": "from {}",
    "to container": "to {}",
    "subnet": "in subnet {}",
    "subnet on": "in subnet {} on {}",
    "subnet at": "in subnet {}, to and from {}",
    "crossing": "from subnet {} to subnet {}",
    "nodes": "between nodes and containers",
    "to nodes": "from containers to nodes",
    "from nodes": "from nodes to containers",
    "to node": "from containers to the node {} itself",
    "from node": "from the node {} itself to containers",
}


def places(source: End, destination: End) -> Iterator[Place]:
    """Every place that an edge between these two lies in."""
    here, there = source.node, destination.node
    yield Place("all")
    for node in {here, there}:
        yield Place("node", (node,))
        for subnet in {source.subnet, destination.subnet} - {""}:
            yield Place("subnet at", (subnet, node))
    yield Place("from", (here,))
    yield Place("to", (there,))
    if here == there:
        yield Place("on", (here,))
    else:
        yield Place("across")
        yield Place("out", (here,))
        yield Place("in", (there,))
        yield Place("with others", (here,))
        yield Place("with others", (there,))
        yield Place("between", (min(here, there), max(here, there)))
        yield Place("way", (here, there))
    if source.is_node or destination.is_node:
        yield Place("nodes")
        yield Place("from nodes") if source.is_node else Place("to nodes")
        yield Place("from node", (here,)) if source.is_node else Place("to node", (there,))
    for end, way in ((source, "from container"), (destination, "to container")):
        if not end.is_node:
            yield Place("container", (end.name,))
            yield Place(way, (end.name,))
    if source.subnet and source.subnet == destination.subnet:
        yield Place("subnet", (source.subnet,))
        if here == there:
            yield Place("subnet on", (source.subnet, here))
    elif source.subnet and destination.subnet:
        yield Place("crossing", (source.subnet, destination.subnet))


class Sent(NamedTuple):
    """What is sent on an edge, read from `JudgedEdge.what`."""

    what: str
    transport: str
    port: int = 0
    own_port: int = 0
    size: int = 0
    """Bytes, where the size is what the test is about."""
    kind: str = ""
    """`stream`, `idle`, `checksum`, `frame`, `other address`, `taken over`, `sweep`, or empty: a plain probe."""
    via: str = ""
    """Of a frame: the node that is asked to route it."""
    family: str = ""
    """`IPv6`, where it is told; empty: IPv4, or what has no family."""


_FROM_PORT = re.compile(r" from port (\d+)")
_KINDS = (
    ("stream", "stream"), ("idle", "idle"), ("checksum", "checksum"), ("at another address", "other address"),
    ("taken over", "taken over"), ("of the sweep", "sweep"),
)  # fmt: skip


@lru_cache(maxsize=4096)
def read_what(what: str) -> Sent:
    """What an edge's words say of what is sent."""
    head, _, frame = what.partition(" (")
    transport, _, rest = head.partition(" ")
    own = _FROM_PORT.search(head)
    number = re.match(r"(\d+)(?: (bytes))?", rest)
    size = int(number[1]) if number and number[2] else 0
    port = int(number[1]) if number and not number[2] else 0
    kind = next((kind for word, kind in _KINDS if word in what), "frame" if frame else "")
    via = ""
    if frame and ("router" in frame or "routed by" in frame):
        found = re.search(r"(?:frame to |routed by )([^\s',)]+)", frame)
        via = found[1] if found else ""
    family = "IPv6" if " over IPv6" in head else ""
    return Sent(what, transport, port, int(own[1]) if own else 0, size, kind, via, family)


class Scope(NamedTuple):
    """What is sent: a kind and a value."""

    kind: str = "any"
    value: str = ""

    @property
    def cost(self) -> int:
        """How special it is, as `Place.cost`."""
        return SCOPE_COSTS[self.kind]

    def __str__(self) -> str:
        return SCOPE_WORDS[self.kind].format(_KIND_WORDS.get(self.value, self.value))


ANY = Scope()
SCOPE_COSTS = {
    "any": 0,
    "family": 1,
    "transport": 1,
    "port": 2,
    "own port": 2,
    "big": 1,
    "kind": 1,
    "via": 1,
    "what": 3,
}
SCOPE_WORDS = {
    "any": "packets of every kind",
    "family": "{}",
    "transport": "{}",
    "port": "packets to {}",
    "own port": "packets from {}",
    "big": "big packets",
    "kind": "{}",
    "via": "packets that {} is asked to route",
    "what": "{}",
}
_KIND_WORDS = {
    "stream": "streams of datagrams",
    "idle": "connections that were idle",
    "checksum": "packets whose checksums were looked at",
    "frame": "crafted frames",
    "other address": "packets to other addresses of a container",
    "taken over": "packets to an address that was taken over",
    "sweep": "packets to all ports",
}
_BIG = 1000
"""Bytes of packets that are big: above every MTU's lower bound that is in use, below every one that is usual."""


def scopes(sent: Sent) -> Iterator[Scope]:
    """Every scope that an edge with this lies in."""
    yield ANY
    yield Scope("transport", sent.transport)
    if sent.family:
        yield Scope("family", sent.family)
    if sent.port:
        yield Scope("port", f"{sent.transport} {sent.port}")
    if sent.own_port:
        yield Scope("own port", f"{sent.transport} port {sent.own_port}")
    if sent.size >= _BIG:
        yield Scope("big")
        yield Scope("what", sent.what)
    if sent.kind:
        yield Scope("kind", sent.kind)
    if sent.via:
        yield Scope("via", sent.via)


def where(edge: JudgedEdge, ends: Ends) -> tuple[End, End]:
    """Both ends of an edge."""
    return ends[edge.source], ends[edge.destination]
