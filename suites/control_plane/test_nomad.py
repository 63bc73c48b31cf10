"""Nomad's servers and clients, as each agent sees them."""

from fixtures.cluster.nodes import ClusterNode
from fixtures.session.marks import requirement
from fixtures.workloads.jobs import Scheduler


@requirement("CP-3")
def test_every_agent_sees_all_servers_and_one_leader(node: ClusterNode, scheduler: Scheduler) -> None:
    """Nomad's servers agree on their number and on one leader.

    Expected: as the agent on each node sees it, the servers of the inventory are the voters, all of
    them alive, and exactly one of them leads.
    """
    quorum = scheduler.quorum(node)
    as_declared = quorum.voters == scheduler.servers and len(quorum.leaders) == 1
    declared = ", ".join(sorted(scheduler.servers))
    assert as_declared, f"the agent on {node} sees {quorum}; declared as servers: {declared}"
    assert quorum.leaders <= quorum.voters <= quorum.alive, f"the agent on {node} sees {quorum}"


@requirement("CP-3")
def test_every_client_is_ready(node: ClusterNode, scheduler: Scheduler) -> None:
    """Every node can be given tasks that run in Docker.

    Expected: as the agent on each node sees it, every node's client is ready, eligible, and its
    Docker driver healthy.
    """
    unready = {client: state for client, state in scheduler.clients(node).items() if state != "ready"}
    assert not unready, f"the agent on {node} sees clients that are not ready: {unready}"
