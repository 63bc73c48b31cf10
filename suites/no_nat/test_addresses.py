"""Promise 3: the address a container has is the address everyone else sees."""

from fixtures.cluster.addressing import Family
from fixtures.cluster.topology import Pairs
from fixtures.containers.fleet import Container
from fixtures.evidence.lines import shown
from fixtures.no_nat.addresses import Addresses
from fixtures.no_nat.departures import Departures
from fixtures.probes.delivery import Transport
from fixtures.probes.prober import Prober
from fixtures.session.marks import requirement


@requirement("NET-2")
def test_receiver_sees_the_senders_own_address(pairs: Pairs, transport: Transport, family: Family) -> None:
    """No device on the way rewrites source or destination.

    Expected: at the receiver, addresses and ports (the ICMP id too) are those the sender used.
    """
    mesh = pairs.exchange(transport, family)
    changed = [delivery for delivery in mesh.exchanged if delivery.seen_by_receiver != delivery.sent]
    assert not changed, mesh.explain(changed)
    mesh.or_not_proved()


@requirement("NET-2")
def test_sender_sees_the_answer_as_it_was_sent(pairs: Pairs, transport: Transport, family: Family) -> None:
    """No device on the way back rewrites source or destination of the answer.

    Expected: the answer arrives with the addresses and ports its sender gave it,
    and comes from the address that was dialled.
    """
    mesh = pairs.exchange(transport, family)
    changed = [delivery for delivery in mesh.exchanged if delivery.reply_seen != delivery.reply_sent]
    assert not changed, mesh.explain(changed)
    mesh.or_not_proved()


@requirement("NET-3")
def test_everybody_sees_the_same_address_of_a_container(
    containers: list[Container], probe: Prober, family: Family
) -> None:
    """A container's own address, the one that Docker reports and the one that its peers see are the same.

    Expected: the address on the container's interface, the one in `docker inspect` and
    the source address that a peer sees in its packets are the same.
    """
    several = [
        f"{container} has several {'' if family is Family.V4 else f'{family} '}addresses: {views}"
        for container, views in probe.views_of(containers, family)
        if not views.own == views.docker == views.peers
    ]
    assert not several, shown(several)


@requirement("NET-4")
def test_only_its_owner_answers_arp_for_an_address(addresses: Addresses, family: Family) -> None:
    """An address has one holder on the wire.

    Expected: an ARP probe of a container for its own address gets no answer; when a
    neighbour asks for it, the container alone answers. Over IPv6 they ask by neighbour solicitation.
    """
    conflicts = addresses.arp_conflicts(family)
    assert not conflicts, shown(conflicts)


@requirement("NET-4")
def test_no_address_is_given_to_two_containers(addresses: Addresses) -> None:
    """An address of the overlay is given once, over all engines.

    Expected: no two running containers of the cluster have the same address according to their engines.
    """
    held_twice = addresses.held_twice()
    assert not held_twice, shown(held_twice)


@requirement("NET-4")
def test_nobody_answers_for_the_address_of_a_removed_container(departures: Departures, family: Family) -> None:
    """An address has no holder any more once its container is gone, so that the next one to get it is alone.

    Expected: on every node a container is started, and answers ARP (over IPv6 neighbour solicitations) for its address;
    once its engine has removed it, nobody does, within 10 s.
    """
    answered = departures.still_answered(family)
    assert not answered, shown(answered)
