"""Promise 5: containers put into different subnets cannot reach each other."""

from fixtures.cluster.nodes import Cluster
from fixtures.containers.fleet import Container, Fleet
from fixtures.isolation.attacks import Attack
from fixtures.probes.prober import Prober
from fixtures.session.marks import requirement


@requirement("ISO-1")
def test_nothing_passes_between_subnets(attack: Attack) -> None:
    """No packet of a container arrives at a container of another subnet.

    Expected: while both ends talk to their own subnet before and after, no probe of any
    container's kernel, by ICMP, UDP or TCP, is seen at a container of another subnet, on any class of port.
    """
    sandwich = attack.asked()
    assert not sandwich.leaked, sandwich
    sandwich.proved()


@requirement("ISO-2")
def test_within_a_subnet_everything_works(fleet: Fleet, probe: Prober, subnet: str) -> None:
    """Isolation does not cost reachability: inside each subnet every pair talks.

    Expected: ICMP, UDP and TCP of every ordered pair are answered by the container that was dialled.
    """
    mesh = probe.mesh(fleet.subnet(subnet).values())
    assert not mesh.unanswered, mesh.explain(mesh.unanswered)


@requirement("ISO-6")
def test_no_other_address_of_the_peer_is_a_way_round(attack: Attack) -> None:
    """Interfaces that a container has besides the overlay's do not lead to another subnet's container.

    Expected: no address of any interface of the peer (docker0, docker_gwbridge, IPv6 link-local)
    is reached from a container of another subnet.
    """
    sandwich = attack.ways_round()
    assert not sandwich.leaked, sandwich
    sandwich.proved()


@requirement("ISO-8")
def test_the_address_comes_from_the_subnet_asked_for(container: Container, cluster: Cluster, probe: Prober) -> None:
    """A container that was put into a subnet has its address from that subnet.

    Expected: the address on the container's own interface lies in the subnet it asked for,
    and no interface has an address of another subnet.
    """
    subnets = cluster.inventory.overlay.subnets
    found = probe.subnets_of(container)
    assert found == {container.subnet}, f"{container} asked for {container.subnet} {subnets[container.subnet]}: {found}"
