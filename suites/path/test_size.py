"""What a path carries: packets up to the MTU, streams and datagrams of any size."""

from fixtures.cluster.addressing import Family
from fixtures.evidence.lines import shown
from fixtures.path.flows import UDP_HEADERS_BYTES, Carrier
from fixtures.path.narrow import find_silence, find_too_long
from fixtures.path.router import Router
from fixtures.path.transfers import Flow, describe_broken
from fixtures.session.marks import requirement

STREAM_BYTES = 1 << 20
DATAGRAM_BYTES = 8 << 10


@requirement("PATH-1")
def test_a_packet_of_the_whole_mtu_arrives(carrier: Carrier, family: Family) -> None:
    """The MTU that an interface claims is the one that the path has, all the way.

    Expected: a DF packet of exactly the MTU of the interface it leaves by arrives whole, between neighbours of
    every two nodes and on one node, and from containers of every node at every node. Over IPv6, which has no DF bit, a
    packet that its sender does not fragment does, between neighbours.
    """
    sized = carrier.mtu_sized(carrier.neighbours(), carrier.containers_to_nodes(family), family=family)
    transfers = carrier.carry(sized)
    broken = carrier.own_failures([transfer for transfer in transfers if not transfer.intact])
    assert not broken, carrier.explain_mtus(broken, transfers)


@requirement("PATH-2")
def test_one_byte_more_fails_at_once(carrier: Carrier, family: Family) -> None:
    """A packet that is too large to leave fails with an error that says so; it is never lost in silence.

    Expected: a packet one byte larger than the interface's MTU that is to be sent whole (over IPv4 with DF) fails with
    EMSGSIZE, and nothing arrives.
    """
    transfers = carrier.carry(carrier.mtu_sized(carrier.neighbours(), beyond_bytes=1, family=family))
    wrong = [str(transfer) for transfer in transfers if transfer.error != "EMSGSIZE" or transfer.arrivals]
    assert not wrong, shown(wrong)


@requirement("PATH-2")
def test_a_narrower_path_is_reported_to_the_sender(carrier: Carrier, router: Router, family: Family) -> None:
    """A router with a smaller MTU reports it to the sender of a packet that is too large (RFC 1191, RFC 8201).

    Expected: behind a router with a smaller MTU, a DF packet of that MTU passes; one byte more brings
    the sender ICMP "fragmentation needed" over the overlay (over IPv6 "packet too big"), and with it EMSGSIZE, and does
    not pass, in fragments neither.
    """
    fitting_bytes = router.MTU_BYTES - UDP_HEADERS_BYTES[family]
    clients = router.launch_clients()
    with router.record_passed() as read_passed:
        passages = {client.label: router.passage_of(client, fitting_bytes, carrier, read_passed) for client in clients}
        too_large = carrier.carry([router.flow(client, fitting_bytes + 1) for client in clients])
        wrong = find_silence(too_large, passages) + find_too_long(read_passed(), router.MTU_BYTES)
    assert not wrong, shown(wrong)


@requirement("PATH-3")
def test_a_mebibyte_arrives_intact_both_ways(carrier: Carrier, family: Family) -> None:
    """A long TCP stream gets through: no segment is too large for the path, none is damaged.

    Expected: between neighbours, on one node and on every two nodes, 1 MiB each way arrives as it was sent (SHA-256).
    """
    pairs = carrier.neighbours_once()  # a stream goes both ways
    transfers = carrier.carry(
        [Flow(one.endpoint_in(family), other.endpoint_in(family), STREAM_BYTES, "tcp") for one, other in pairs]
    )
    broken = carrier.own_failures([transfer for transfer in transfers if not transfer.intact])
    assert not broken, describe_broken(broken, transfers)


@requirement("PATH-4")
def test_a_fragmented_datagram_is_reassembled(carrier: Carrier, family: Family) -> None:
    """A datagram larger than the MTU travels in fragments (RFC 791, RFC 8200 §4.5) and arrives as one.

    Expected: 8 KiB over UDP arrive whole, between neighbours, on one node and on every two nodes, both ways.
    """
    pairs = carrier.neighbours()
    transfers = carrier.carry_without_burst(
        [Flow(one.endpoint_in(family), other.endpoint_in(family), DATAGRAM_BYTES) for one, other in pairs]
    )
    broken = carrier.own_failures([transfer for transfer in transfers if not transfer.intact])
    assert not broken, describe_broken(broken, transfers)
