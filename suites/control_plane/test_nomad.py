"""The scheduler is whole: what is not scheduled cannot be reached either."""

from fixtures.cluster.nodes import ClusterNode
from fixtures.session.marks import requirement
from fixtures.workloads.jobs import Scheduler


@requirement("CP-3")
def test_every_agent_sees_all_servers_and_one_leader(node: ClusterNode, scheduler: Scheduler) -> None:
    """Nomad's servers agree on their number and on one leader.

    Expected: as the agent on each node sees it, the servers of the inventory are the voters, all of
    them alive, and exactly one of them leads.
    """
    seen = scheduler.quorum(node)
    assert (seen.voters, len(seen.leaders)) == (scheduler.servers, 1), seen
    assert seen.leaders <= seen.voters <= seen.alive, seen


@requirement("CP-3")
def test_every_client_is_ready(node: ClusterNode, scheduler: Scheduler) -> None:
    """Every node can be given tasks that run in Docker.

    Expected: as the agent on each node sees it, every node's client is ready, eligible, and its
    Docker driver healthy.
    """
    states = scheduler.clients(node)
    assert set(states.values()) == {"ready"}, states
