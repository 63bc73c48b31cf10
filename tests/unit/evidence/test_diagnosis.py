"""What the diagnosis adds to a mesh."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fixtures.cluster.nodes import Cluster
from fixtures.evidence.attachments import Evidence
from fixtures.evidence.diagnosis import STATE_COMMANDS, Diagnosis, rules_that_acted, with_details
from fixtures.probes.delivery import Delivery, Transport
from fixtures.probes.mesh import Mesh
from fixtures.probes.trail import Trail
from lab.errors import HarnessError
from reports.model import Outcome
from tests.unit.probes.canned import good


def test_details_are_added_to_their_deliveries_only_and_nothing_else_changes() -> None:
    lost, second = (good(Transport.UDP).undelivered().judged() for _ in range(2))
    answered = good(Transport.UDP).judged()
    mesh = Mesh((lost, answered, second), round_trips=3)
    made = with_details(mesh, {id(lost): "last seen on u1's NIC eth0", id(answered): "nothing else"})
    assert [delivery.detail for delivery in made.deliveries] == [
        f"{lost.detail}; last seen on u1's NIC eth0",
        "nothing else",
        second.detail,
    ]
    assert [delivery.outcome for delivery in made.deliveries] == [delivery.outcome for delivery in mesh.deliveries]
    assert made.round_trips == 3


# -- evidence that cannot be collected --------------------------------------------------


class Attached:
    """Evidence that keeps its texts, and the state of nodes."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.states: dict[str, dict[str, str]] = {}

    def step(self, title: str) -> AbstractContextManager[None]:
        return nullcontext()

    def state(self, node: str, moved: object, read: dict[str, str]) -> None:
        self.states[node] = read

    def text(self, name: str, content: str) -> None:
        self.texts[name] = content

    def capture(self, name: str, pcap: bytes) -> None: ...


class Node:
    """A node that runs commands as it is told to."""

    def __init__(self, name: str, run: Callable[..., Any]) -> None:
        self.name, self.access, self.run = name, None, run

    def __str__(self) -> str:
        return self.name


def refuse(*_: object, **__: object) -> Any:
    raise HarnessError("node u1: the connection was lost")


def shows(text: str) -> Callable[..., Any]:
    return lambda *_, **__: SimpleNamespace(stdout=text)


def diagnosis(run: Callable[..., Any] = refuse, links: Callable[..., Any] = lambda _: {}) -> Diagnosis:
    """Of a cluster whose nodes do not do what they are asked for evidence."""
    nodes = {name: Node(name, run) for name in ("u1", "u2")}
    overlay = SimpleNamespace(links=links)
    inventory = SimpleNamespace(overlay=SimpleNamespace(networks_in=lambda family: {}))

    def each(do: Callable[[Node], Any]) -> dict[str, Any]:
        return {name: do(node) for name, node in nodes.items()}

    made = SimpleNamespace(nodes=nodes, overlay=overlay, inventory=inventory, each=each, agents=refuse)
    return Diagnosis(cast(Cluster, made))


def leaked(trail: Trail | None) -> Mesh:
    return Mesh((good(Transport.UDP).unanswered().judged(),), trail=trail)


@pytest.mark.parametrize(
    "run",
    [refuse, shows(""), shows("@@@\n" * (len(STATE_COMMANDS) - 1))],
    ids=["refused", "nothing shown", "cut off"],
)
def test_a_state_that_cannot_be_read_does_not_hide_a_leak(run: Callable[..., Any]) -> None:
    mesh, evidence = leaked(Trail({}, {})), Attached()
    diagnosis(run).explain_leaks(mesh, mesh.deliveries, cast(Evidence, evidence))
    assert evidence.texts["state of u1"].startswith("it could not be collected: node u1: ")
    assert evidence.texts["state of u2"].startswith("it could not be collected: ")
    assert "crossed no interface that was recorded" in evidence.texts["trail"]


def test_a_failure_stays_when_nothing_about_it_can_be_collected() -> None:
    mesh, evidence = leaked(None), Attached()
    explained = diagnosis(links=refuse).explain_failures(mesh, mesh.deliveries, cast(Evidence, evidence))
    assert explained.deliveries == mesh.deliveries
    assert evidence.texts["second probe"].startswith("it could not be collected: node u1: the connection was lost")


def test_interfaces_that_the_overlay_does_not_name_are_not_recorded_and_this_is_told() -> None:
    mesh, evidence, blind = leaked(None), Attached(), diagnosis(shows("@@@\n" * len(STATE_COMMANDS)), links=refuse)
    assert blind.hops_to_record([mesh.deliveries[0].edge]) == {}
    blind.explain_leaks(mesh, mesh.deliveries, cast(Evidence, evidence))
    assert evidence.texts["trail"] == "the interfaces on the way are unknown: node u1: the connection was lost"
    assert "routes" in evidence.states["u1"] and "routes" in evidence.states["u2"]


def test_an_edge_of_a_stranger_is_not_probed_again() -> None:
    """Its agent is not the cluster's."""
    delivery = good(Transport.UDP).undelivered().judged()
    edge = replace(delivery.edge, source=replace(delivery.edge.source, node="stranger"))
    mesh, evidence = Mesh((replace(delivery, edge=edge),)), Attached()
    diagnosis().explain_failures(mesh, mesh.deliveries, cast(Evidence, evidence))
    assert evidence.texts["second probe"].endswith("no failed edge has both of its ends on nodes of the cluster")


# -- the rules that acted --------------------------------------------------------------------

MOVED = {
    "u1": ["+3 chain output: counter  accept"],
    "u2": ["+3 chain forward: meta l4proto udp counter  drop", "+1 *nat: -A POSTROUTING -j SNAT --to-source 10.32.0.9"],
    "u3": ["+9 chain forward: counter  drop"],
}


def test_a_lost_probe_is_told_with_the_rule_that_dropped_packets_on_its_two_nodes() -> None:
    lost = good(Transport.UDP).undelivered().judged()
    assert rules_that_acted(lost, MOVED) == "u2 dropped packets by `chain forward: meta l4proto udp drop`"
    assert rules_that_acted(lost, {"u3": MOVED["u3"]}) == "", "the edge does not touch u3"


@pytest.mark.parametrize("outcome", [Outcome.REWRITTEN, Outcome.MISDELIVERED])
def test_a_changed_probe_is_told_with_the_rule_that_translated_packets(outcome: Outcome) -> None:
    changed = replace(good(Transport.UDP).judged(), outcome=outcome)
    assert rules_that_acted(changed, MOVED) == (
        "u2 translated packets by `*nat: -A POSTROUTING -j SNAT --to-source 10.32.0.9`"
    )


def test_a_rule_that_acted_on_a_probe_is_told_again_where_it_is_not_probed_again() -> None:
    """Second probes are few; the same two containers by the same transport are not asked about twice."""
    made, lost = diagnosis(), good(Transport.UDP).undelivered().judged()

    def told(delivery: Delivery) -> list[str]:
        return [text for text, _ in made._describe_all([delivery], None, None).values()]

    made._moved = MOVED
    assert told(lost) == ["u2 dropped packets by `chain forward: meta l4proto udp drop`"]
    made._moved = {}
    assert told(lost) == ["earlier in this run u2 dropped packets by `chain forward: meta l4proto udp drop`"]
    assert told(good(Transport.ICMP).undelivered().judged()) == [""], "another rule may drop another transport"
    assert told(replace(lost, outcome=Outcome.REFUSED)) == [""], "nothing was dropped"
