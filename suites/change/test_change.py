"""What a change to the infrastructure does: to what could be reached, while it is made, and to the nodes."""

from fixtures.change.results import Rehearsed
from fixtures.session.marks import NotProved, changing, requirement


@requirement("CHG-1")
@changing
def test_what_was_reachable_is_reachable_and_what_was_isolated_is_isolated(rehearsal: Rehearsed) -> None:
    """The change takes nothing away, and opens nothing.

    Expected: every edge between containers, between nodes and containers, and across subnets is after the change what
    it was before, and a registered name leads everybody to the same containers.
    """
    assert rehearsal.edges.none, rehearsal.edges.describe()
    if rehearsal.edges.unproved:
        raise NotProved(f"it is not proved that subnets are still isolated: {rehearsal.edges.unproved}")


@requirement("CHG-2")
@changing
def test_the_outage_is_measured_and_within_its_bound(rehearsal: Rehearsed) -> None:
    """While the change is made, datagrams, connections and names between all nodes are watched throughout.

    Expected: the longest silence of every ordered pair of nodes is known, with the datagrams and connections that were
    lost and the answers that were wrong; with --outage-bound none of them exceeds it.
    """
    beyond = rehearsal.beyond_the_bound()
    assert not beyond, beyond


@requirement("CHG-3")
@changing
def test_the_nodes_differ_only_as_declared(rehearsal: Rehearsed) -> None:
    """The change does to the nodes what it is meant to do, and nothing else.

    Expected: versions, links, addresses, routes, filter rules, settings and registrations differ only as the file of
    --expect-diff says, and what that declares has changed.
    """
    assert not rehearsal.state.undeclared, rehearsal.state.describe()
    if rehearsal.state.missing:
        raise NotProved(f"declared, and not seen: {rehearsal.state.missing[0]}; this is not the change that is meant")
