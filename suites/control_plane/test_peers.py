"""The overlay's own view of its peers, and the identifiers by which it tells them apart."""

from fixtures.cluster.nodes import Cluster, ClusterNode
from fixtures.containers.fleet import Fleet
from fixtures.control_plane.identifiers import find_shared
from fixtures.control_plane.identity import NodeIdentities
from fixtures.evidence.lines import shown
from fixtures.evidence.waiting import eventually
from fixtures.session.marks import requirement

SUSPICION_S = 5.0
"""A gossip protocol may suspect a live peer for a moment; it is given this long to correct that, seconds."""


@requirement("CP-1")
def test_every_node_sees_every_other_as_a_peer(cluster: Cluster, fleet: Fleet) -> None:
    """The overlay's own control plane is complete: no node is missing from another node's view.

    Expected: every node lists every other node of the inventory that is not left out as an established peer.
    """
    fleet.everyone()

    def find_missing(node: ClusterNode) -> list[str]:
        peers = {peer.name: peer for peer in cluster.overlay.peers(node.access)}
        missing = [f"{node} does not see {name}" for name in cluster.nodes if name not in {*peers, node.name}]
        not_established = [
            f"{node} sees {peer.name} as not established: {peer.detail}"
            for peer in peers.values()
            if not peer.established and peer.name not in cluster.inventory.without
        ]
        return missing + not_established

    eventually(
        lambda: [problem for problems in cluster.each(find_missing).values() for problem in problems],
        lambda problems: not problems,
        within_s=SUSPICION_S * cluster.patience,
        what="every node sees every other as an established peer",
    )


@requirement("CP-4")
def test_no_two_peers_share_an_identity(identities: NodeIdentities) -> None:
    """Nodes cloned from one image must not share an identity, or traffic alternates between them.

    Expected: machine-id, host name, SSH host key, engine ID, Consul's node ID and name, and the MAC
    addresses of NIC, bridges and tunnels are each node's own.
    """
    shared = find_shared(identities.collect())
    assert not shared, shown(shared)
