"""A failure accuses its own subject only where the network below it works."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fixtures.probes.consequences import BROKEN, REPEATED, beside, excuse, judged_by, own_failures
from fixtures.probes.delivery import Delivery, Edge, Endpoint, Transport
from reports.model import NotProved
from tests.unit.probes.canned import A, B, good

ANSWERED = good(Transport.TCP).judged()
LOST = replace(good(Transport.TCP).undelivered().judged(), edge=ANSWERED.edge)
EDGE = ANSWERED.edge
OTHER = replace(EDGE, transport=Transport.UDP)


def probes(failed: int) -> list[Delivery]:
    return [LOST] * failed + [ANSWERED] * (REPEATED - failed)


def test_nothing_failed_so_nobody_is_accused() -> None:
    assert own_failures([], {}) == []


@pytest.mark.parametrize("failed", range(BROKEN))
def test_a_failure_above_an_edge_that_works_accuses_its_own_subject(failed: int) -> None:
    """One lost packet of ten excuses nobody."""
    assert own_failures([("the name", EDGE)], {EDGE: probes(failed)}) == ["the name"]


@pytest.mark.parametrize("failed", [BROKEN, REPEATED])
def test_a_failure_above_a_broken_edge_proves_nothing_and_names_that_edge(failed: int) -> None:
    with pytest.raises(NotProved) as raised:
        own_failures([("u1/a1 dials the name\nand more", EDGE)], {EDGE: probes(failed)})
    assert str(raised.value) == (
        f"u1/a1 does not reach u2/a2 by its address either: {failed} of {REPEATED} tcp probes failed, the first lost "
        "(see NET-1), so nothing follows from u1/a1 dials the name"
    )


def test_a_broken_edge_does_not_hide_a_fault_above_one_that_works() -> None:
    below = {EDGE: probes(REPEATED), OTHER: probes(0)}
    assert own_failures([("one", EDGE), ("two", OTHER), ("three", EDGE)], below) == ["two"]


def test_several_consequences_are_counted() -> None:
    with pytest.raises(NotProved, match=r"from one \(and so on for 2 more\)$"):
        own_failures([("one", EDGE), ("two", EDGE), ("three", EDGE)], {EDGE: probes(REPEATED)})


def test_an_edge_that_nobody_looked_at_excuses_nothing() -> None:
    assert own_failures([("one", EDGE), ("two", None)], {}) == ["one", "two"]
    assert own_failures([("one", EDGE)], {OTHER: probes(REPEATED)}) == ["one"]


def test_an_answer_that_was_rewritten_on_the_way_arrived_all_the_same() -> None:
    """The network carries packets both ways; what it does to them is for NET-2 to judge."""
    assert good(Transport.TCP).judged().exchanged
    assert excuse([ANSWERED] * REPEATED) == ""


def test_the_requirement_that_judges_an_edge_is_named() -> None:
    container, node = EDGE.source, replace(EDGE.destination, netns=None)
    assert judged_by(EDGE) == "NET-1"
    assert judged_by(Edge(node, container, Transport.ICMP)) == "HOST-2"
    assert judged_by(Edge(container, node, Transport.ICMP)) == "HOST-4"


# -- what a node's edge is compared with -----------------------------------------------------

NODE_1, NODE_2 = Endpoint("u1", "u1", None, "192.168.56.3"), Endpoint("u2", "u2", None, "192.168.56.4")
B1 = Endpoint("u1/b1", "u1", "/proc/15/ns/net", "10.32.1.11")
RESIDENTS = [(B1, "b"), (A, "a"), (B, "a")]


@pytest.mark.parametrize(
    ("source", "destination", "ends"),
    [
        (NODE_1, B, (A, B)),
        (B, NODE_1, (B, A)),
        (NODE_2, A, (B, A)),
        (NODE_2, B, None),
        (NODE_2, B1, None),
    ],
    ids=["from a node", "to a node", "from another node", "its only container", "no container of that subnet"],
)
def test_a_container_of_the_node_and_of_the_same_subnet_stands_for_the_node(
    source: Endpoint, destination: Endpoint, ends: tuple[Endpoint, Endpoint] | None
) -> None:
    found = beside(Edge(source, destination, Transport.UDP), RESIDENTS)
    assert found == (Edge(*ends, Transport.UDP) if ends else None)
