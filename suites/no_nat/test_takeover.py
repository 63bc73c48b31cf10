"""Promise 3 in time: an address leads to the container that has it now."""

from fixtures.cluster.addressing import Family
from fixtures.evidence.lines import shown
from fixtures.no_nat.takeover import Takeovers
from fixtures.session.marks import applies, requirement


@requirement("NET-9")
def test_an_address_taken_over_on_the_same_node_leads_to_the_new_container(
    takeovers: Takeovers, family: Family
) -> None:
    """A new container that gets the address of one that has gone, on the same node, is reached at once.

    Expected: UDP flows to the address that go on throughout, from a container of every node and from every node, are
    answered by the new container within 2 s of its first packet, and so are new connections.
    """
    problems = takeovers.take_over(on_another_node=False, family=family).problems
    assert not problems, shown(problems)


@requirement("NET-9")
@applies("overlay.moves")
def test_an_address_taken_over_on_another_node_leads_to_the_new_container(takeovers: Takeovers, family: Family) -> None:
    """A new container on another node that gets the address of one that has gone is reached at once.

    Expected: UDP flows to the address that go on throughout, from a container of every node and from every node, are
    answered by the new container within 2 s of its first packet, and so are new connections.
    """
    problems = takeovers.take_over(on_another_node=True, family=family).problems
    assert not problems, shown(problems)
