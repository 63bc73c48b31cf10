"""Promise 1: every container reaches every other container directly."""

from fixtures.cluster.addressing import Family
from fixtures.containers.fleet import Fleet
from fixtures.evidence.attachments import Evidence
from fixtures.probes.prober import TRANSPORTS, Prober
from fixtures.session.marks import requirement


@requirement("NET-1")
def test_every_container_reaches_every_other(
    fleet: Fleet, probe: Prober, evidence: Evidence, subnet: str, family: Family
) -> None:
    """Every ordered pair of containers of a subnet talks, and the right container answers.

    Expected: for every pair, on one node and across nodes, an ICMP echo, a UDP datagram
    and a TCP connection arrive at the container that was dialled and are answered by it.
    """
    mesh = probe.run(probe.between(fleet.every_pair(subnet), TRANSPORTS, family=family))
    evidence.matrix(mesh.rows)
    assert not mesh.unanswered, mesh.explain(mesh.unanswered)


@requirement("NET-7")
def test_each_direction_works_alone(fleet: Fleet, probe: Prober, subnet: str, family: Family) -> None:
    """A path works in both directions, each proved on its own.

    Expected: a packet for which nothing has to come back arrives from every container at every
    other; one that does not is named with its direction.
    """
    mesh = probe.mesh_one_way(fleet.every_pair(subnet), family)
    assert not mesh.undelivered, mesh.explain(mesh.undelivered)
