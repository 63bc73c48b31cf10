"""Promise 5 under attack: containers that do what a kernel would not let them."""

from collections.abc import Callable

from fixtures.containers.fleet import Container
from fixtures.isolation.attacks import Attack
from fixtures.probes.prober import Prober
from fixtures.session.marks import NotProved, requirement


@requirement("ISO-3")
def test_a_shout_stays_in_its_subnet(attack: Attack) -> None:
    """Broadcast, multicast and ARP of one subnet are not heard in another.

    Expected: every container hears its own subnet; UDP to everybody and to a multicast group, and ARP
    requests for addresses of either subnet, are seen leaving and are heard by no container of another.
    """
    overheard = attack.overheard()
    assert not overheard.leaked, overheard
    overheard.proved()


@requirement("ISO-4")
def test_a_frame_with_the_right_mac_is_not_delivered(attack: Attack) -> None:
    """Knowing the MAC of a container of another subnet opens no way to it.

    Expected: ICMP, UDP and TCP crafted to the peer's MAC and to broadcast, on every interface, are seen
    leaving and never arrive, while both ends talk to their own subnet before and after.
    """
    sandwich = attack.crafted()
    assert not sandwich.leaked, sandwich
    sandwich.proved()


@requirement("ISO-5")
def test_a_grabbed_address_opens_no_way(attack: Attack, launch: Callable[..., Container]) -> None:
    """A container with NET_ADMIN that takes an address of another subnet stays out of it.

    Expected: from the address that it took, neither its kernel nor crafted frames reach a
    container of that subnet.
    """
    sandwich = attack.grabbed(launch)
    assert not sandwich.leaked, sandwich
    sandwich.proved()


@requirement("ISO-5")
def test_a_forged_source_opens_no_way(attack: Attack) -> None:
    """A packet that claims to come from the subnet it is meant for is not let in.

    Expected: frames with the source address of the target's own neighbour, sent to the target's
    MAC, to broadcast and to every node's bridges, never arrive.
    """
    sandwich = attack.forged()
    assert not sandwich.leaked, sandwich
    sandwich.proved()


@requirement("ISO-7")
def test_a_node_does_not_route_between_subnets(attack: Attack) -> None:
    """No node forwards from one subnet into another, whichever of its bridges is asked to.

    Expected: packets for the other subnet, sent to the MAC of every bridge of every node as
    one sends to a router, never arrive.
    """
    sandwich = attack.routed()
    assert not sandwich.leaked, sandwich
    sandwich.proved()


@requirement("ISO-9")
def test_a_forged_arp_answer_pulls_no_traffic(attack: Attack, probe: Prober) -> None:
    """Claims to be a neighbour, made from another subnet, pull no traffic over, even where they are heard.

    Expected: the claims are seen leaving; no neighbour table believes them, and neighbours go on
    talking with each other. That a claim is heard in another subnet at all is ISO-3's to judge.
    """
    before = probe.run(probe.neighbours())
    if before.unanswered:
        raise NotProved(before.explain(before.unanswered))
    claims = attack.poison()
    after = probe.run(probe.neighbours())
    believers = attack.believers()
    assert not believers, "\n".join(believers[:12])
    assert not after.unanswered, after.explain(after.unanswered)
    claims.proved()
