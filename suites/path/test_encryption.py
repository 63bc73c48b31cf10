"""What the underlay shows of what containers send each other, where the overlay declares that it is encrypted."""

from fixtures.evidence.lines import shown
from fixtures.path.clear_tunnels import ClearTunnels
from fixtures.path.encryption import Encryption
from fixtures.probes.prober import Prober
from fixtures.session.marks import NotProved, applies, requirement


@requirement("PATH-8")
def test_nothing_of_a_probe_can_be_read_on_the_underlay(encryption: Encryption) -> None:
    """Whoever listens between two nodes reads neither what their containers send each other, nor to whom.

    Expected: while containers of every two nodes exchange ICMP, UDP and TCP, no frame on any node's NIC holds the
    payload or the addresses of a probe, although frames between the nodes are seen there.
    """
    secrecy = encryption.record_underlay()
    assert not secrecy.readings, str(secrecy)
    if secrecy.unproved:
        raise NotProved("\n".join(secrecy.unproved))


@requirement("PATH-8")
def test_a_node_takes_nothing_that_is_not_encrypted(encryption: Encryption, probe: Prober) -> None:
    """A packet that was to come encrypted is not let in when it comes in clear.

    Expected: packets as containers of another node send them, put on the underlay as they are, arrive at no container,
    while the same containers reach each other before and after.
    """
    probe.assert_unreachable(attempts=encryption.unencrypted_packets(), controls=encryption.controls())


@requirement("PATH-8")
@applies("overlay.vxlan")
def test_a_node_takes_no_packet_of_the_tunnel_in_clear(clear_tunnels: ClearTunnels) -> None:
    """The tunnel's own packets are not let in when they come in clear, from whomever.

    Expected: VXLAN with the subnet's number, sent unencrypted from another node's NIC with its address, comes to
    the node and not to the container that it holds a datagram for, which is reached before and after.
    """
    taken = clear_tunnels.send()
    assert not taken.let_in, shown(taken.let_in)
    if taken.unproved:
        raise NotProved("\n".join(taken.unproved))
