"""Consul's servers and their leader, as each server sees them."""

from fixtures.cluster.nodes import Cluster
from fixtures.control_plane.observation import Consensus, complete
from fixtures.control_plane.registry import AgentRefused, Registry
from fixtures.evidence.lines import shown
from fixtures.evidence.waiting import eventually
from fixtures.session.marks import NotProved, requirement

ELECTION_S = 10.0
"""Bound on an election that happens to be under way, seconds."""


@requirement("CP-2")
def test_consul_has_all_its_voters_and_one_leader(registry: Registry, cluster: Cluster) -> None:
    """Consul has a healthy quorum: every server votes, and all follow the same leader.

    Expected: according to each server the voters are exactly the inventory's servers and the leader
    is the same one of them; and each server gets an answer that this leader has to confirm.
    """
    declared = frozenset(node.name for node in cluster.inventory.nodes if node.consul_server)
    away = frozenset(cluster.inventory.without)
    asked = sorted(declared - away)
    if not asked:
        raise NotProved("the inventory names no node as a server of Consul (consul_server)")

    def consensus_of(name: str) -> Consensus | str:
        try:
            return registry.consensus(cluster.nodes[name])
        except AgentRefused as error:
            return str(error)

    def agreed(found: dict[str, Consensus | str]) -> bool:
        first, *others = found.values()
        return (
            isinstance(first, Consensus) and complete(first, declared, away) and all(other == first for other in others)
        )

    eventually(
        lambda: {name: consensus_of(name) for name in asked},
        agreed,
        within_s=ELECTION_S * cluster.patience,
        what=f"every server names the voters {', '.join(sorted(declared))}, and one of them as leader",
    )
    errors = {name: registry.leader_error(cluster.nodes[name]) for name in asked}
    unconfirmed = [f"{name}'s leader does not answer: {error}" for name, error in errors.items() if error is not None]
    assert not unconfirmed, shown(unconfirmed)
