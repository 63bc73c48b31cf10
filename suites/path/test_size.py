"""What a path carries: packets up to the MTU, streams and datagrams of any size."""

from fixtures.evidence.waiting import eventually
from fixtures.path.flows import UDP_HEADERS, Carrier, Flow, Router
from fixtures.session.marks import NotProved, requirement

STREAM = 1 << 20
DATAGRAM = 8 << 10


@requirement("PATH-1")
def test_a_packet_of_the_whole_mtu_arrives(carrier: Carrier) -> None:
    """The MTU that an interface claims is the one that the path has, all the way.

    Expected: a DF packet of exactly the MTU of the interface it leaves by arrives whole, from every
    container at every other one of its subnet and at every node.
    """
    carried = carrier.carry(carrier.fitted([*carrier.neighbours(), *carrier.to_nodes()]))
    broken = [str(one) for one in carried if not one.intact]
    assert not broken, "\n".join(broken)


@requirement("PATH-2")
def test_one_byte_more_fails_at_once(carrier: Carrier) -> None:
    """A packet that is too large to leave fails with an error that says so; it is never lost in silence.

    Expected: a DF packet one byte larger than the interface's MTU fails with EMSGSIZE, and nothing arrives.
    """
    carried = carrier.carry(carrier.fitted(carrier.neighbours(), beyond=1))
    wrong = [str(one) for one in carried if one.error != "EMSGSIZE" or one.arrived]
    assert not wrong, "\n".join(wrong)


@requirement("PATH-2")
def test_a_narrow_way_is_told_to_the_sender(carrier: Carrier, router: Router) -> None:
    """A path that is narrower further on says so (RFC 1191); who sends too much learns it at once.

    Expected: behind a router with a smaller MTU, a DF packet of that MTU passes; one byte more brings
    the sender ICMP "fragmentation needed" over the overlay, and with it EMSGSIZE, and does not pass.
    """
    fit = router.MTU - UDP_HEADERS
    clients = router.clients()
    fitting = {(one.address, router.MTU) for one in clients}

    def flows(size: int, *, oneway: bool) -> list[Flow]:
        there = router.container
        return [Flow(one, there, size, whole=True, address=router.FAR, oneway=oneway) for one in clients]

    with router.watched() as passed:

        def fit_and_look() -> set[tuple[str, int]]:
            carrier.carry(flows(fit, oneway=True))
            return set(passed())

        try:
            eventually(fit_and_look, fitting.issubset, within_s=5, what="packets that fit pass the router")
        except AssertionError as error:
            raise NotProved(str(error)) from None
        told = carrier.carry(flows(fit + 1, oneway=False))
        wrong = [f"the sender was not told: {one}" for one in told if one.error != "EMSGSIZE"]
        wrong += [f"passed, though too large: {one}" for one in passed() if one not in fitting]
    assert not wrong, "\n".join(wrong)


@requirement("PATH-3")
def test_a_mebibyte_arrives_intact_both_ways(carrier: Carrier) -> None:
    """A long TCP stream gets through: no segment is too large for the path, none is damaged.

    Expected: between every two containers of a subnet 1 MiB each way arrives as it was sent (SHA-256).
    """
    pairs = [(one, other) for one, other in carrier.neighbours() if one.label < other.label]
    carried = carrier.carry([Flow(one, other, STREAM, "tcp") for one, other in pairs])
    broken = [str(one) for one in carried if not one.intact]
    assert not broken, "\n".join(broken)


@requirement("PATH-4")
def test_a_fragmented_datagram_is_put_together_again(carrier: Carrier) -> None:
    """A datagram larger than the MTU travels in fragments (RFC 791) and arrives as one.

    Expected: 8 KiB over UDP arrive whole, from every container at every other one of its subnet.
    """
    carried = carrier.carry_calmly([Flow(one, other, DATAGRAM) for one, other in carrier.neighbours()])
    broken = [str(one) for one in carried if not one.intact]
    assert not broken, "\n".join(broken)
