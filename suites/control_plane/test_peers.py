"""The overlay's own view of its peers, and what tells them apart."""

from fixtures.cluster.nodes import Cluster, ClusterNode
from fixtures.containers.fleet import Fleet
from fixtures.control_plane.identity import Identities, shared
from fixtures.evidence.waiting import eventually
from fixtures.session.marks import requirement

SETTLE_S = 5.0
"""A gossip may suspect a living peer for a moment, seconds."""


@requirement("CP-1")
def test_every_node_sees_every_other_as_a_peer(cluster: Cluster, fleet: Fleet) -> None:
    """The overlay's own control plane is whole: nobody is missing in anybody's view.

    Expected: every node lists every other node of the inventory as an established peer.
    """
    fleet.everyone()

    def view(node: ClusterNode) -> list[str]:
        peers = {peer.name: peer for peer in cluster.overlay.peers(node.access)}
        gone = [f"{node} does not see {name}" for name in cluster.nodes if name not in {*peers, node.name}]
        down = [
            f"{node} sees {peer.name} as not established: {peer.detail}"
            for peer in peers.values()
            if not peer.established
        ]
        return gone + down

    eventually(
        lambda: [words for found in cluster.each(view).values() for words in found],
        lambda found: not found,
        within_s=SETTLE_S,
        what="every node sees every other as an established peer",
    )


@requirement("CP-4")
def test_no_two_peers_share_an_identity(identities: Identities) -> None:
    """Nodes cloned from one image must not pass for one: peers would take turns, and traffic with them.

    Expected: machine-id, host name, SSH host key, engine ID, Consul's node ID and name, and the MAC
    addresses of NIC, bridges and tunnels are each node's own.
    """
    found = shared(identities.marks())
    assert not found, "\n".join(found)
