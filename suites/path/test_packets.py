"""What a path does to a packet on its way: routers and checksums."""

from fixtures.cluster.nodes import Cluster
from fixtures.containers.fleet import Fleet
from fixtures.path.checksums import Inspector
from fixtures.probes.prober import Prober
from fixtures.session.marks import NotProved, requirement


@requirement("PATH-5")
def test_checksums_on_arrival_are_right(inspector: Inspector) -> None:
    """Who offloads a checksum, and who encapsulates the packet, agree on who computes it.

    Expected: between all neighbours, by ICMP, UDP and TCP, every packet that arrives carries the
    right checksums, unless its own kernel says that it never needed one on its way.
    """
    arrivals = inspector.arrivals()
    assert not arrivals.wrong, "\n".join(arrivals.wrong)
    if arrivals.unjudged:
        raise NotProved("\n".join(["no packet arrived whose checksum could be judged:", *arrivals.unjudged]))


@requirement("PATH-6")
def test_the_hop_count_is_the_overlays_declared_one(probe: Prober, fleet: Fleet, cluster: Cluster) -> None:
    """Between two containers of a subnet there are as many routers as the overlay says.

    Expected: every packet arrives with its TTL lowered by exactly that number.
    """
    meshes = [probe.mesh(fleet.subnet(subnet).values()) for subnet in cluster.subnets]
    deliveries = [one for mesh in meshes for one in mesh.deliveries]
    declared = cluster.overlay.hops()
    wrong = [
        f"{one.hops} routers instead of {declared}: {one}" for one in deliveries if one.hops not in (None, declared)
    ]
    assert not wrong, "\n".join(wrong)
    unknown = [str(one) for one in deliveries if one.hops is None]
    if unknown:
        raise NotProved("\n".join(["nothing can be said of packets that did not arrive:", *unknown]))
