"""What the underlay shows of what containers send each other, where the overlay declares that it is encrypted."""

from fixtures.path.encryption import Encryption
from fixtures.probes.prober import Prober
from fixtures.session.marks import NotProved, requirement


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
