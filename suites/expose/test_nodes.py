"""Promise 2: every node reaches every container, and the reverse, without NAT."""

from fixtures.cluster.addressing import Family
from fixtures.cluster.nodes import Cluster, ClusterNode
from fixtures.containers.fleet import Fleet
from fixtures.evidence.lines import shown
from fixtures.expose.exposure import Exposure
from fixtures.expose.stranger import Stranger
from fixtures.probes.prober import TRANSPORTS, Prober
from fixtures.session.marks import NotProved, disruptive, requirement


@requirement("HOST-1")
@disruptive
def test_before_expose_a_node_has_no_way_to_the_containers(
    hidden_cluster: Cluster, fleet: Fleet, probe: Prober
) -> None:
    """A node that was not exposed cannot reach any container.

    Expected: while containers answer each other, no probe of any node reaches one of them.
    """
    probe.assert_unreachable(
        attempts=probe.edges(hidden_cluster.nodes.values(), fleet.everyone(), TRANSPORTS),
        controls=probe.neighbours(),
        no_route_is_proof=True,
    )


@requirement("HOST-2")
def test_after_expose_every_node_reaches_every_container(node: ClusterNode, fleet: Fleet, probe: Prober) -> None:
    """An exposed node reaches every container, local and remote.

    Expected: ICMP, UDP and TCP of the node arrive at every container of every subnet and are answered.
    """
    mesh = probe.mesh([node], fleet.tried_with(node))
    unanswered = probe.own_failures_of_nodes(mesh.unanswered)
    assert not unanswered, mesh.explain(unanswered)


@requirement("HOST-3")
def test_nodes_and_containers_see_each_other_without_nat(node: ClusterNode, fleet: Fleet, probe: Prober) -> None:
    """Between a node and a container no address or port is rewritten, in either direction.

    Expected: what arrives is what was sent, from node to container and from container to node.
    """
    mesh = probe.mesh([node], fleet.tried_with(node)) + probe.mesh(fleet.tried_with(node), [node])
    assert not mesh.translated, mesh.explain(mesh.translated)
    if mesh.unjudged:
        raise NotProved(f"nothing is seen of what did not arrive (see HOST-2, HOST-4): {mesh.explain(mesh.unjudged)}")


@requirement("HOST-4")
def test_every_container_reaches_every_node(node: ClusterNode, fleet: Fleet, probe: Prober) -> None:
    """A container reaches a node by the node's own address.

    Expected: ICMP, UDP and TCP of every container arrive at the node and are answered by it.
    """
    mesh = probe.mesh(fleet.tried_with(node), [node])
    unanswered = probe.own_failures_of_nodes(mesh.unanswered)
    assert not unanswered, mesh.explain(unanswered)


@requirement("HOST-5")
@disruptive
def test_expose_adds_one_route_and_hide_takes_it_back(exposure: Exposure) -> None:
    """Exposing adds one route, can be repeated, and is undone by hiding.

    Expected: expose adds one route to the subnet's containers, done again it changes nothing, and
    hide leaves routes, addresses and packet-filter rules of the node as they were.
    """
    findings = [finding for cycle in exposure.expose_twice_and_hide() for finding in cycle.findings]
    assert not findings, shown(findings)


@requirement("HOST-6")
def test_a_stranger_does_not_reach_containers(
    stranger: Stranger, cluster: Cluster, fleet: Fleet, probe: Prober, family: Family
) -> None:
    """A machine on the underlay that is not a node does not reach containers through an exposed one.

    Expected: packets for each container that the stranger sends to each node never arrive,
    while the stranger reaches the nodes and the containers reach each other.
    """
    nodes = list(cluster.nodes.values())
    probe.assert_unreachable(
        attempts=stranger.frames_routed_by(nodes, fleet.everyone(), transports=TRANSPORTS, port=20777, family=family),
        controls=stranger.pings(nodes) + probe.neighbours([family]),
        others=stranger.agents,
    )
