"""Promise 5: containers put into different subnets cannot reach each other."""

from fixtures.cluster.addressing import Family
from fixtures.cluster.nodes import Cluster
from fixtures.containers.fleet import Container
from fixtures.evidence.lines import shown
from fixtures.isolation.attacks import Attack
from fixtures.isolation.judging import describe_misplaced
from fixtures.isolation.sweeps import CrossingSweeps
from fixtures.probes.frames import ALL_NODES
from fixtures.probes.ports import SOURCE_PORTS
from fixtures.probes.prober import PORT_CLASSES, TRANSPORTS, Prober
from fixtures.session.marks import requirement


@requirement("ISO-1")
def test_nothing_passes_between_subnets(attack: Attack, probe: Prober, family: Family) -> None:
    """No packet of a container arrives at a container of another subnet.

    Expected: while both ends talk to their own subnet before and after, no probe of any
    container's kernel, by ICMP, UDP or TCP, is seen at a container of another subnet, on any class of port.
    """
    probe.assert_unreachable(
        attempts=attack.dial(attack.across_subnets(), transports=TRANSPORTS, ports=PORT_CLASSES, family=family),
        controls=attack.controls(family),
    )


@requirement("ISO-1")
def test_no_port_leads_into_another_subnet(crossing_sweeps: CrossingSweeps, family: Family) -> None:
    """No port, and no source port, of UDP or TCP is a hole in the isolation, between any two nodes or on one.

    Expected: of packets that the sender's kernel routes to every port, and of such from ports of servers, none is seen
    at a container of another subnet, while both ends are reached from their own subnet before and after.
    """
    crossing_sweeps.assert_none_passes(
        attempts=crossing_sweeps.ports(family) + crossing_sweeps.source_ports(SOURCE_PORTS, family)
    )


@requirement("ISO-10")
def test_no_other_ip_protocol_passes_between_subnets(crossing_sweeps: CrossingSweeps, family: Family) -> None:
    """The isolation holds for every IP protocol, not only for ICMP, UDP and TCP.

    Expected: packets of all other 253 protocols, such as SCTP, GRE, ESP and IPIP, are seen leaving and arrive at no
    container of another subnet, while they do arrive within it; over IPv6 also ICMPv6, UDP and TCP behind extension
    headers and in fragments.
    """
    crossing_sweeps.assert_none_passes(
        attempts=(crossing_sweeps.extension_headers() if family is Family.V6 else [])
        + crossing_sweeps.protocols(family)
    )


@requirement("ISO-2")
def test_within_a_subnet_everything_works(probe: Prober, subnet: str, family: Family) -> None:
    """Isolation does not cost reachability: inside each subnet neighbours talk.

    Expected: ICMP, UDP and TCP between neighbours, on one node and on every two nodes, both ways, are answered by the
    container that was dialled.
    """
    mesh = probe.mesh_of_neighbours(subnet, family)
    assert not mesh.unanswered, mesh.explain(mesh.unanswered)


@requirement("ISO-6")
def test_no_other_address_of_a_container_is_reached_from_another_subnet(attack: Attack, probe: Prober) -> None:
    """Interfaces that a container has besides the overlay's do not lead to it from another subnet.

    Expected: no address of any interface of a container (docker0, docker_gwbridge, IPv6 link-local)
    is reached from a container of another subnet.
    """
    across_subnets = attack.across_subnets()
    probe.assert_unreachable(
        attempts=attack.dial_other_addresses(across_subnets, transports=TRANSPORTS)
        + attack.ipv6_echoes(across_subnets, groups=[ALL_NODES]),
        controls=attack.controls(),
    )


@requirement("ISO-8")
def test_the_address_comes_from_the_subnet_asked_for(
    containers: list[Container], cluster: Cluster, probe: Prober, family: Family
) -> None:
    """A container that was put into a subnet has its address from that subnet.

    Expected: the address on the container's own interface lies in the subnet it asked for,
    and no interface has an address of another subnet.
    """
    subnets = cluster.inventory.overlay.networks_in(family)
    judged = [
        describe_misplaced(container.label, container.subnet, probe.overlay_addresses(container, family), subnets)
        for container in containers
    ]
    misplaced = [line for line in judged if line]
    assert not misplaced, shown(misplaced)
