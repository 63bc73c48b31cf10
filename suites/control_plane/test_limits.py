"""Limits of the nodes beyond which the network fails in silence."""

from fixtures.control_plane.limits import NodeLimits
from fixtures.evidence.lines import shown
from fixtures.session.marks import NotProved, requirement


@requirement("CP-6")
def test_no_node_is_near_a_limit(node_limits: NodeLimits) -> None:
    """No node is near a limit beyond which packets are lost, or nothing can be opened, with no error to the sender.

    Expected: of its neighbour tables, its connection tables (in every network namespace), the FDBs that have a limit,
    and the files that the system and the container engine may open, every node uses less than 75 %.
    """
    limits = node_limits.read()
    assert not limits.near, shown(limits.near)
    if limits.unreadable:
        raise NotProved(shown(limits.unreadable))
