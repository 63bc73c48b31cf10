"""Promise 5 under attack: containers that send what their kernel would not."""

from collections.abc import Callable

from fixtures.cluster.addressing import Family
from fixtures.containers.fleet import Container
from fixtures.isolation.attacks import WITHOUT_STATE, Attack, NextHop
from fixtures.isolation.broadcasts import MDNS, Broadcasts
from fixtures.isolation.claims import Claims
from fixtures.isolation.routers import Routers
from fixtures.probes.prober import TRANSPORTS, Prober
from fixtures.session.marks import over_ipv6, requirement

PORT = 20777
"""Where a port does not matter: UDP and TCP are tried on this one."""


@requirement("ISO-3")
def test_broadcasts_stay_in_their_subnet(broadcasts: Broadcasts, family: Family) -> None:
    """Broadcast, multicast and requests for neighbours of one subnet are not received in another.

    Expected: every container receives frames of its own subnet; UDP to everybody and to a multicast group,
    and ARP requests (neighbour solicitations) for addresses of every subnet, are seen leaving and reach no container of
    another; over IPv6 router advertisements and neighbour advertisements as well.
    """
    broadcasts.assert_confined(
        broadcasts.udp_to_everybody(port=PORT, family=family)
        + broadcasts.udp_to_group(MDNS[family], port=PORT)
        + broadcasts.neighbour_requests(per_subnet=2, family=family)
        + (broadcasts.router_messages() if family is Family.V6 else [])
    )


@requirement("ISO-4")
def test_a_frame_with_the_right_mac_is_not_delivered(attack: Attack, probe: Prober, family: Family) -> None:
    """Knowing the MAC of a container of another subnet is not enough to reach it.

    Expected: ICMP, UDP and TCP in frames to the target's MAC and to broadcast, on every interface, are seen
    leaving and never arrive, while both ends talk to their own subnet before and after.
    """
    probe.assert_unreachable(
        attempts=attack.frames(
            attack.across_subnets(),
            to=[NextHop.BROADCAST, NextHop.TARGET],
            transports=TRANSPORTS,
            port=PORT,
            family=family,
        ),
        controls=attack.controls(family),
    )


@requirement("ISO-5")
def test_taking_an_address_of_another_subnet_does_not_lead_there(
    attack: Attack, launch: Callable[..., Container], probe: Prober, family: Family
) -> None:
    """A container with NET_ADMIN that takes an address of another subnet still does not reach it.

    Expected: from the address that it took, neither its kernel nor crafted frames reach a
    container of that subnet.
    """
    intruders = attack.from_taken_addresses(launch, family)
    # The kernel first asks by ARP, which must not be answered; frames do not need that, and are seen leaving.
    probe.assert_unreachable(
        attempts=attack.dial(intruders, transports=TRANSPORTS, family=family)
        + attack.frames(intruders, to=list(NextHop), transports=TRANSPORTS, port=PORT, family=family),
        controls=attack.controls(family),
    )


@requirement("ISO-5")
def test_a_spoofed_source_address_is_not_let_in(attack: Attack, probe: Prober, family: Family) -> None:
    """A packet whose source address is of the subnet that it is for is not let in from another one.

    Expected: frames with the source address of the target's own neighbour, sent to the target's
    MAC, to broadcast and to every node's bridges, never arrive.
    """
    spoofed = attack.with_spoofed_source(attack.across_subnets(), family)
    probe.assert_unreachable(
        attempts=attack.frames(spoofed, to=list(NextHop), transports=TRANSPORTS, port=PORT, family=family),
        controls=attack.controls(family),
    )


@requirement("ISO-5")
def test_a_packet_within_a_conversation_is_not_let_in(attack: Attack, probe: Prober, family: Family) -> None:
    """Nor is one with the addresses and ports of a conversation that two containers of the other subnet have.

    Expected: while two neighbours talk by ICMP and UDP, frames with the very addresses, ports and identifiers, sent
    from another subnet to the bridges of the nodes that see the conversation, never arrive.
    """
    spoofed = attack.within_conversations(attack.across_subnets(), family)
    probe.assert_unreachable(
        attempts=attack.frames(spoofed, to=[NextHop.BRIDGES], transports=WITHOUT_STATE, port=PORT, family=family),
        controls=attack.conversations(spoofed, port=PORT, family=family) + attack.controls(family),
    )


@requirement("ISO-7")
def test_a_node_does_not_route_between_subnets(attack: Attack, probe: Prober, family: Family) -> None:
    """No node forwards from one subnet into another, whichever of its bridges is asked to.

    Expected: packets for the other subnet, sent to the MAC of every bridge of every node as one sends to a
    router, are passed on by none. A frame that a bridge floods as it was sent is for ISO-4 to judge.
    """
    probe.assert_unreachable(
        attempts=attack.frames(
            attack.across_subnets(), to=[NextHop.BRIDGES], transports=TRANSPORTS, port=PORT, family=family
        ),
        controls=attack.controls(family),
        only_routed=True,
    )


@requirement("ISO-6")
@over_ipv6
def test_messages_of_routers_from_another_subnet_turn_no_route(attack: Attack, routers: Routers) -> None:
    """Router advertisements and redirects of another subnet turn no route of a container.

    Expected: of networks that containers advertise, and addresses that they redirect in the name of a target's own
    gateway, no target has a route by a container of another subnet, while it takes those of its own neighbours.
    """
    routers.assert_turn_no_route(attack.across_subnets(), controls=attack.controls(Family.V6))


@requirement("ISO-9")
def test_arp_claims_from_another_subnet_divert_no_traffic(attack: Attack, claims: Claims, family: Family) -> None:
    """Claims to be a neighbour, made from another subnet, divert no traffic, even where they are received.

    Expected: claims by gratuitous and by directed ARP (over IPv6 by neighbour advertisements and solicitations) are
    seen leaving, at once and when the entries that they are about are old enough to change; no neighbour table leads
    to another subnet then, and neighbours go on talking. The same claims of a container's own neighbours, for addresses
    that nobody has, are believed.
    """
    claims.assert_divert_nothing(attack.across_subnets(), controls=attack.controls(family), family=family)
