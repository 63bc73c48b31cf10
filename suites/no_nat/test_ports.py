"""Promise 1: every container is reached on every port, without a mapping."""

from fixtures.containers.fleet import Fleet
from fixtures.probes.prober import PORTS, Prober
from fixtures.session.marks import requirement


@requirement("NET-5")
def test_any_port_is_reached_on_every_container(fleet: Fleet, probe: Prober, subnet: str) -> None:
    """No port mapping is needed, and the same port is free in every container.

    Expected: all containers of a subnet, two on each node, serve the same low, high and
    ephemeral ports at once, and on each the container that was dialled answers.
    """
    mesh = probe.mesh_on_ports(fleet.subnet(subnet).values(), PORTS)
    assert not mesh.unanswered, mesh.explain(mesh.unanswered)
