"""Promise 1: every container is reached on every port, without a mapping."""

from fixtures.cluster.addressing import Family
from fixtures.no_nat.open_ports import OpenPorts
from fixtures.probes.delivery import on_any_port
from fixtures.probes.prober import SERVED, Prober
from fixtures.session.marks import requirement


@requirement("NET-5")
def test_every_port_leads_to_the_container(open_ports: OpenPorts, subnet: str, family: Family) -> None:
    """No port is filtered, rejected or mapped on the way, between any two nodes or on one.

    Expected: what is sent to each port, by UDP and TCP, arrives at that port of the container, and what the container
    answers to TCP comes back.
    """
    wrong = open_ports.wrong_ports(subnet, family)
    assert not wrong, wrong


@requirement("NET-5")
def test_the_same_port_is_free_in_every_container(probe: Prober, subnet: str, family: Family) -> None:
    """Containers on one node serve the same port.

    Expected: all containers of a subnet, two on each node, serve the same low and high ports at once, and on each the
    container that was dialled answers, wherever it is reached at all.
    """
    mesh = probe.mesh_on_ports(subnet, SERVED, family)
    wrong = probe.own_failures([(delivery, on_any_port(delivery.edge)) for delivery in mesh.unanswered])
    assert not wrong, mesh.explain(wrong)
