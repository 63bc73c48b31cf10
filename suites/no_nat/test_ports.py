"""Promise 1: every container is reached on every port, without a mapping."""

from fixtures.containers.fleet import Fleet
from fixtures.probes.prober import Prober
from fixtures.session.marks import requirement


@requirement("NET-5")
def test_any_port_is_reached_on_every_container(fleet: Fleet, probe: Prober, subnet: str) -> None:
    """No port mapping is needed, and the same port is free in every container.

    Expected: all containers of a subnet, two of one node too, serve the same low, high and
    ephemeral ports at once, and each is answered by the container that was dialled.
    """
    mesh = probe.on_ports(fleet.subnet(subnet).values())
    assert not mesh.unanswered, mesh.explain(mesh.unanswered)


@requirement("NET-6")
def test_a_container_reaches_itself(fleet: Fleet, probe: Prober, subnet: str) -> None:
    """A container that dials its own address reaches itself (hairpin).

    Expected: ICMP, UDP and TCP to the own overlay address are answered by the container itself.
    """
    mesh = probe.to_themselves(fleet.subnet(subnet).values())
    assert not mesh.unanswered, mesh.explain(mesh.unanswered)
