"""Promise 1: every container is reached on every port, without a mapping."""

from fixtures.containers.fleet import Fleet
from fixtures.probes.prober import PORTS, TRANSPORTS, Prober
from fixtures.session.marks import requirement


@requirement("NET-5")
def test_any_port_is_reached_on_every_container(fleet: Fleet, probe: Prober, subnet: str) -> None:
    """No port mapping is needed, and the same port is free in every container.

    Expected: all containers of a subnet, two on each node, serve the same low, high and
    ephemeral ports at once, and on each the container that was dialled answers.
    """
    mesh = probe.mesh_on_ports(fleet.subnet(subnet).values(), PORTS)
    assert not mesh.unanswered, mesh.explain(mesh.unanswered)


@requirement("NET-6")
def test_a_container_reaches_itself(fleet: Fleet, probe: Prober, subnet: str) -> None:
    """A container that dials its own address reaches itself (hairpin).

    Expected: ICMP, UDP and TCP to its own overlay address are answered by the container itself.
    """
    mesh = probe.dial_themselves(fleet.subnet(subnet).values(), TRANSPORTS)
    assert not mesh.unanswered, mesh.explain(mesh.unanswered)
