"""The reference set-up, in its own order: three machines with Docker, Weave Net, Consul and Nomad."""

from ipaddress import IPv4Network

from fixtures.containers.fleet import Container, Fleet
from fixtures.control_plane.registry import Registry
from fixtures.dns.messages import differing
from fixtures.dns.services import HEALTH_CHANGE_S
from fixtures.dns.web import Dial
from fixtures.evidence.waiting import eventually
from fixtures.session.marks import disruptive, requirement
from fixtures.walkthrough.reach import DialResult, endpoints, unreached, without_route
from fixtures.walkthrough.walk import Walk
from fixtures.workloads.placement import outside


@disruptive
@requirement("WALK-1")
def test_the_reference_set_up_works_step_by_step(walk: Walk, fleet: Fleet, registry: Registry) -> None:
    """Whoever builds the reference set-up from its description sees at each step what it describes.

    Expected: each step of the report holds, from three established peers to what Consul lists of a
    job that was placed through the proxy.
    """
    plugin, proxy = walk.plugin, walk.proxy
    nodes = plugin.nodes
    subnets = plugin.cluster.inventory.overlay.subnets
    default, second = plugin.cluster.subnets[:2]

    with walk.step("cluster up: every node has established connections to its two peers"):
        assert not walk.unestablished(), "\n".join(walk.unestablished())

    with walk.step("by the plugin: one container per node reaches the other two"):
        containers = plugin.start_on_each(nodes, "p", default)
        assert_all_reached(plugin.dial(containers, containers))

    with walk.step("not exposed: no host reaches a container"):
        plugin.cluster.hide_everywhere()
        plugin.assert_unanswered(nodes, containers)

    with walk.step("weave expose on every node: it has the route to the range's default subnet"):
        plugin.cluster.expose_everywhere()
        missing = without_route(walk.routes(), str(subnets[default]))
        assert not missing, "\n".join(missing)

    with walk.step("exposed: every host reaches every container"):
        assert_all_reached(plugin.dial(nodes, containers))

    with walk.step("every container reaches every host: Consul's HTTP port answers"):
        port = registry.settings.http_port
        dials = [Dial(container, node.address, port) for container in containers for node in nodes]
        responses = zip(dials, plugin.http.dial(dials), strict=True)
        silent = [f"{dial}: {response}" for dial, response in responses if not response.by_http_server]
        assert not silent, "no HTTP server answers:\n" + "\n".join(silent)

    with walk.step("Consul has three voters, Nomad three servers and one leader"):
        assert len(registry.servers) == 3, f"Consul's servers are {registry.servers}, not three"
        quorum = plugin.scheduler.quorum(nodes[0])
        assert (len(quorum.voters), len(quorum.leaders)) == (3, 1), f"Nomad on {nodes[0]} sees {quorum}"

    with walk.step("a job of three on Weave's network: one task per node, addresses in the range"):
        job, tasks = plugin.run("weave-plugin-driver.nomad", default)
        assert [task.node.name for task in tasks] == [node.name for node in nodes], f"tasks of {job} are {tasks}"
        assert_all_inside(tasks, subnets[default])

    with walk.step("its tasks answer the hosts by address"):
        assert_all_reached(plugin.dial(nodes, tasks))

    with walk.step("its name leads to the tasks, asked by host and by container"):
        name = f"{job.service}.service.{registry.settings.datacenter}.{plugin.resolver.domain}"
        addresses = frozenset(task.address for task in tasks)
        eventually(
            lambda: differing(plugin.resolver.ask_all([*nodes, *containers], name, "A"), addresses),
            lambda descriptions: not descriptions,
            within_s=HEALTH_CHANGE_S,
            what=f"{name} leads to {', '.join(sorted(addresses))}",
        )

    with walk.step("weave reset and launch again on every node"):
        walk.reset(fleet)
        assert not walk.unestablished(), "\n".join(walk.unestablished())

    with walk.step("by the proxy: two containers in each subnet, on two nodes"):
        in_default = proxy.start_on_each(proxy.nodes[:2], "a", default)
        in_second = proxy.start_on_each(proxy.nodes[:2], "b", second)
        assert_all_inside(in_default, subnets[default])
        assert_all_inside(in_second, subnets[second])

    with walk.step("within a subnet they reach each other, across subnets they do not"):
        assert_all_reached([*proxy.dial(in_default, in_default), *proxy.dial(in_second, in_second)])
        proxy.assert_unanswered(in_default, in_second)
        proxy.assert_unanswered(in_second, in_default)

    with walk.step("the job in the second subnet, through the proxy's endpoint"):
        proxy.cluster.expose_everywhere()
        walk.wait_until_clients_ready()
        job, tasks = proxy.run("weave-proxy.nomad", second)
        assert_all_inside(tasks, subnets[second])
        assert_all_reached(proxy.dial(proxy.nodes, tasks))

    with walk.step("what Consul lists of it: the node's address and port 0, so its name leads nowhere (JOB-4)"):
        expected = {(node.address, 0) for node in nodes}
        eventually(
            lambda: endpoints(proxy.scheduler.registrations(job)),
            lambda listed: listed == expected,
            within_s=HEALTH_CHANGE_S,
            what=f"the registrations of {job} are the nodes, port 0",
        )


def assert_all_reached(results: list[DialResult]) -> None:
    """Fail with every dial that the dialled container did not answer."""
    missed = unreached(results)
    assert not missed, "\n".join(missed)


def assert_all_inside(containers: list[Container], subnet: IPv4Network) -> None:
    """Fail with every container whose address is not in the subnet."""
    elsewhere = outside(containers, subnet)
    assert not elsewhere, "\n".join(elsewhere)
