"""What a path does to a packet on its way: routers and checksums."""

from fixtures.cluster.addressing import Family
from fixtures.cluster.nodes import Cluster
from fixtures.evidence.lines import shown
from fixtures.path.checksums import ChecksumInspector
from fixtures.probes.mesh import Mesh
from fixtures.probes.prober import Prober
from fixtures.session.marks import NotProved, requirement


@requirement("PATH-5")
def test_checksums_on_arrival_are_right(checksum_inspector: ChecksumInspector, family: Family) -> None:
    """Offload and encapsulation leave valid checksums.

    Expected: between neighbours, by ICMP, UDP and TCP, every packet that arrives carries valid
    checksums, unless the receiving kernel marks it as never having needed one (TP_STATUS_CSUMNOTREADY). Over IPv6 UDP's
    is never zero.
    """
    arrivals = checksum_inspector.send_between_neighbours(family)
    assert not arrivals.wrong, str(arrivals)
    if arrivals.unjudged:
        raise NotProved("\n".join(["no packet arrived whose checksum could be judged:", shown(arrivals.unjudged)]))


@requirement("PATH-6")
def test_the_hop_count_is_the_overlays_declared_one(probe: Prober, cluster: Cluster, family: Family) -> None:
    """Between two containers of a subnet there are as many routers as the overlay declares.

    Expected: every packet arrives with its TTL (over IPv6 its hop limit) lowered by exactly that number, which can be
    another one on one node.
    """
    meshes = [probe.mesh_of_neighbours(subnet, family) for subnet in cluster.subnets]
    deliveries = [delivery for mesh in meshes for delivery in mesh.deliveries]
    declared = [cluster.overlay.hops_between(*delivery.edge.nodes) for delivery in deliveries]
    wrong = [
        (delivery, expected)
        for delivery, expected in zip(deliveries, declared, strict=True)
        if delivery.hops not in (None, expected)
    ]
    assert not wrong, (
        f"{wrong[0][0].hops} routers instead of {wrong[0][1]} on "
        f"{sum(meshes, Mesh(())).explain([delivery for delivery, _ in wrong])}"
    )
    not_arrived = [str(delivery) for delivery in deliveries if delivery.hops is None]
    if not_arrived:
        raise NotProved("\n".join(["nothing can be said of packets that did not arrive:", shown(not_arrived)]))
