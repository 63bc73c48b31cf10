"""What the nodes' kernels do with packets that they forward and bridge."""

from fixtures.cluster.addressing import Family
from fixtures.control_plane.filters import PacketFilters
from fixtures.evidence.lines import shown
from fixtures.session.marks import requirement


@requirement("CP-5")
def test_packet_filters_let_the_overlay_through(packet_filters: PacketFilters, family: Family) -> None:
    """What one packet filter back end accepts, the other does not drop; nodes forward.

    Expected: wherever a back end (nft, legacy) closes FORWARD it accepts the overlay's interfaces
    itself; ip_forward is 1, and bridged packets are filtered if and as the overlay needs it. Over IPv6 no rule
    drops what is bridged, nor the neighbour discovery without which nothing is sent.
    """
    obstacles = packet_filters.find_obstacles(family)
    assert not obstacles, shown(obstacles)
