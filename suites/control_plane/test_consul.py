"""Consul's servers by their own words."""

from fixtures.cluster.nodes import Cluster
from fixtures.control_plane.registry import AgentRefused, Consensus, Registry
from fixtures.evidence.waiting import eventually
from fixtures.session.marks import NotProved, requirement

ELECTION_S = 10.0
"""Bound on an election that happens to be under way, seconds."""


@requirement("CP-2")
def test_consul_has_all_its_voters_and_one_leader(registry: Registry, cluster: Cluster) -> None:
    """The names' own backbone is whole: every server votes, and all follow one of them.

    Expected: by each server's own word the voters are exactly the inventory's servers, and the
    leader is the same one of them; and each gets an answer that this leader has to confirm.
    """
    declared = frozenset(node.name for node in cluster.inventory.nodes if node.consul_server)
    if not declared:
        raise NotProved("the inventory names no node as a server of Consul (consul_server)")

    def view(name: str) -> Consensus | str:
        try:
            return registry.consensus(cluster.nodes[name])
        except AgentRefused as error:
            return str(error)

    def views() -> dict[str, Consensus | str]:
        return {name: view(name) for name in sorted(declared)}

    def whole(seen: dict[str, Consensus | str]) -> bool:
        first, *others = seen.values()
        if isinstance(first, str):
            return False
        return first.voters == declared and len(first.leaders) == 1 and all(one == first for one in others)

    eventually(
        views,
        whole,
        within_s=ELECTION_S,
        what=f"by every server's word the voters are {sorted(declared)}, and one of them leads",
    )
    unled = {name: words for name in sorted(declared) if (words := registry.unled(cluster.nodes[name]))}
    assert not unled, f"servers that their leader does not answer: {unled}"
