"""The reference set-up, in its own order: three machines with Docker, Weave Net, Consul and Nomad."""

from collections.abc import Sequence

from fixtures.containers.fleet import Container, Fleet
from fixtures.containers.party import Party
from fixtures.control_plane.registry import Registry
from fixtures.dns.messages import differing
from fixtures.dns.services import HEALTH_CHANGE_S
from fixtures.dns.web import Dial
from fixtures.evidence.waiting import eventually
from fixtures.probes.mesh import Mesh
from fixtures.session.marks import disruptive, requirement
from fixtures.walkthrough.facts import misled, overlay_addresses, unlike_docker0, without_server
from fixtures.walkthrough.modes import Mode
from fixtures.walkthrough.reach import DialResult, endpoints, unreached, without_route
from fixtures.walkthrough.walk import Walk
from fixtures.workloads.placement import Job, elsewhere

ONLY_AS_LAUNCHED = "only a lab's Weave is launched in another way than its owner's"
NO_WAY = "the inventory has no commands nomad_by_engine and nomad_by_proxy, so Nomad uses what it used"


@disruptive
@requirement("WALK-1")
def test_the_reference_set_up_works_step_by_step(walk: Walk, fleet: Fleet, registry: Registry) -> None:
    """Whoever builds the reference set-up from its description sees at each step what it describes.

    Expected: each step of the report holds, from three established peers to what Consul lists of a
    job that was placed through the proxy.
    """
    with walk.step("every node has established connections to its two peers"):
        assert_established(walk)
    first_launch(walk, fleet)
    containers = containers_by_the_plugin(walk.plugin)
    hosts_before_and_after_expose(walk, containers, registry)
    a_job_by_the_plugin(walk.plugin, containers, registry)
    second_launch(walk, fleet)
    containers = subnets_by_the_proxy(walk.proxy)
    a_job_by_the_proxy(walk.proxy, containers, registry)


def first_launch(walk: Walk, fleet: Fleet) -> None:
    """Weave with its default range, and Nomad on the engine's own socket: the set-up's first half."""
    title = "weave reset, and a first launch with Weave's default range"
    if walk.may_launch_otherwise:
        with walk.step(title):
            wrong = walk.launch_with_default_range(fleet)
            assert not wrong, "\n".join(wrong)
            assert_established(walk)
    else:
        walk.steps.leave_out(title, ONLY_AS_LAUNCHED)
    title = "Nomad uses the engine's own socket"
    if walk.moves_nomad:
        with walk.step(title):
            found = walk.move_nomad(by_engine=True)
            expected = {node.name: node.access.node.docker for node in walk.plugin.nodes}
            assert found == expected, f"Nomad uses {found}, not {expected}"
    else:
        walk.steps.leave_out(title, NO_WAY)


def containers_by_the_plugin(plugin: Mode) -> list[Container]:
    """One container per node on Weave's network."""
    cluster = plugin.cluster
    default = cluster.subnets[0]
    with plugin.step("by the plugin: one container per node, with an address of the default subnet"):
        containers = plugin.start_on_each(plugin.nodes, "p", default)
        assert_all_inside(plugin, containers, default)

    with plugin.step("each of them reaches the other two, by ICMP and by HTTP"):
        assert_all_answered(plugin.ping(containers, containers))
        assert_all_reached(plugin.dial(containers, containers))

    with plugin.step("the plugin ignores WEAVE_CIDR"):
        asked = plugin.another_subnet()
        (container,) = plugin.start_on_each(plugin.nodes[:1], "c", default, environment={"WEAVE_CIDR": f"net:{asked}"})
        links = plugin.links(container)
        heeded = overlay_addresses(links, asked)
        assert not heeded, f"{container} has {heeded}: WEAVE_CIDR was heeded"
        found = overlay_addresses(links, plugin.range)
        assert found == [container.address], f"{container} has {found}, not only {container.address} of the plugin"
    return containers


def hosts_before_and_after_expose(walk: Walk, containers: list[Container], registry: Registry) -> None:
    """Nodes reach containers once they are exposed."""
    plugin = walk.plugin
    nodes, default = plugin.nodes, plugin.cluster.subnets[0]
    with walk.step("not exposed: no host reaches a container"):
        plugin.cluster.hide_everywhere()
        plugin.assert_unreached(nodes, containers, no_route_is_proof=True)

    with walk.step("weave expose on every node: it has the route to the default subnet"):
        plugin.expose()
        missing = without_route(walk.routes(), str(plugin.cluster.overlay.subnets[default]))
        assert not missing, "\n".join(missing)

    with walk.step("exposed: every host reaches every container, by ICMP and by HTTP"):
        assert_all_answered(plugin.ping(nodes, containers))
        assert_all_reached(plugin.dial(nodes, containers))

    with walk.step("every container reaches every host: ICMP, and Consul's HTTP port answers"):
        assert_all_answered(plugin.ping(containers, nodes))
        port = registry.settings.http_port
        dials = [Dial(container, node.address, port) for container in containers for node in nodes]
        responses = zip(dials, plugin.http.dial(dials), strict=True)
        silent = [f"{dial}: {response}" for dial, response in responses if not response.by_http_server]
        assert not silent, "no HTTP server answers:\n" + "\n".join(silent)
        walk.steps.saw(f"an HTTP server answered each of {len(dials)} dials of port {port}")


def a_job_by_the_plugin(plugin: Mode, containers: list[Container], registry: Registry) -> None:
    """Nomad's tasks on Weave's network, found by Consul."""
    nodes, default = plugin.nodes, plugin.cluster.subnets[0]
    with plugin.step("Consul has three voters, Nomad three servers and one leader"):
        assert len(registry.servers) == 3, f"Consul's servers are {registry.servers}, not three"
        quorum = plugin.scheduler.quorum(nodes[0])
        plugin.steps.saw(f"Consul: {len(registry.servers)} servers; Nomad: {quorum}")
        assert (len(quorum.voters), len(quorum.leaders)) == (3, 1), f"Nomad on {nodes[0]} sees {quorum}"

    with plugin.step("a job of three on Weave's network: one task per node, addresses in the default subnet"):
        job, tasks = plugin.run("plugin.nomad", default)
        assert [task.node.name for task in tasks] == [node.name for node in nodes], f"tasks of {job} are {tasks}"
        assert_all_inside(plugin, tasks, default)

    with plugin.step("dns_servers of the job: each task's DNS server is its node's Consul"):
        assert_own_server(plugin, tasks)

    with plugin.step("its tasks answer hosts, containers and each other by address"):
        assert_all_reached(plugin.dial([*nodes, *containers, *tasks], tasks))

    with plugin.step("its name, dialled by hosts, containers and tasks, is answered by its tasks"):
        assert_name_leads_to(plugin, [*nodes, *containers, *tasks], job, tasks, registry)


def second_launch(walk: Walk, fleet: Fleet) -> None:
    """Weave with the inventory's range and default subnet, and Nomad on the proxy's socket: the second half."""
    with walk.step("weave reset, and launched with its own range and default subnet"):
        wrong = walk.launch_as_owner(fleet)
        assert not wrong, "\n".join(wrong)
        assert_established(walk)

    with walk.step("Nomad uses the proxy's socket"):
        if walk.moves_nomad:
            found = walk.move_nomad(by_engine=False)
            expected = {node.name: walk.proxy.cluster.overlay.endpoint(node.access.node) for node in walk.proxy.nodes}
            assert found == expected, f"Nomad uses {found}, not {expected}"
        else:
            walk.wait_until_nomad_whole()


def subnets_by_the_proxy(proxy: Mode) -> list[Container]:
    """Containers in both subnets, which are kept apart; returns those of the second."""
    default, second = proxy.cluster.subnets[:2]
    with proxy.step("by the proxy: two containers in each subnet, on two nodes"):
        in_default = proxy.start_on_each(proxy.nodes[:2], "a", default)
        in_second = proxy.start_on_each(proxy.nodes[:2], "b", second)
        assert_all_inside(proxy, in_default, default)
        assert_all_inside(proxy, in_second, second)

    with proxy.step("within a subnet they reach each other, by ICMP and by HTTP"):
        for containers in (in_default, in_second):
            assert_all_answered(proxy.ping(containers, containers))
            assert_all_reached(proxy.dial(containers, containers))

    with proxy.step("across subnets they do not"):
        proxy.assert_unreached(in_default, in_second)
        proxy.assert_unreached(in_second, in_default)
    return in_second


def a_job_by_the_proxy(proxy: Mode, containers: list[Container], registry: Registry) -> None:
    """Nomad's tasks in the second subnet: reached by address, and registered wrongly."""
    nodes, second = proxy.nodes, proxy.cluster.subnets[1]
    with proxy.step("the job in the second subnet, through the proxy's endpoint; hosts are exposed"):
        proxy.expose()
        job, tasks = proxy.run("proxy.nomad", second)
        assert_all_inside(proxy, tasks, second)
        assert_own_server(proxy, tasks)

    with proxy.step("its tasks answer hosts, containers of the subnet and each other by address"):
        assert_all_reached(proxy.dial([*nodes, *containers, *tasks], tasks))

    with proxy.step("what Consul lists of it: the node's address and port 0, so its name leads nowhere (JOB-4)"):
        expected = {(node.address, 0) for node in nodes}
        eventually(
            lambda: endpoints(proxy.scheduler.registrations(job)),
            lambda listed: listed == expected,
            within_s=HEALTH_CHANGE_S,
            what=f"the registrations of {job} are the nodes, port 0",
        )
        _, dials = proxy.dial_name([*nodes, *containers], proxy.name_of(job, registry), tasks[0].port)
        reached = [str(dial) for dial in dials if dial.answered in {task.name for task in tasks}]
        assert dials, f"the name of {job} has no address"
        assert not reached, "its name leads to its tasks after all:\n" + "\n".join(reached)

    with proxy.step(
        'with address_mode = "driver" Consul lists the addresses on docker0, which other nodes do not reach'
    ):
        job, tasks = proxy.run("proxy-driver.nomad", second)
        eventually(
            lambda: unlike_docker0(proxy.scheduler.registrations(job), proxy.on_docker0(tasks), tasks[0].port),
            lambda different: not different,
            within_s=HEALTH_CHANGE_S,
            what=f"the registrations of {job} are its tasks on docker0",
        )
        answers, dials = proxy.dial_name([*nodes, *containers], proxy.name_of(job, registry), tasks[0].port)
        assert misled(answers, dials, {task.address: task.name for task in tasks}), (
            "its name leads to its tasks after all"
        )


def assert_established(walk: Walk) -> None:
    """Fail with every peer that a node's Weave has no established connection to."""
    missing = walk.unestablished()
    assert not missing, "\n".join(missing)


def assert_all_answered(mesh: Mesh) -> None:
    """Fail with every echo request that was not answered by the one that was asked."""
    assert mesh.deliveries, "nobody was asked"
    assert not mesh.unanswered, mesh.explain(mesh.unanswered)


def assert_all_reached(results: list[DialResult]) -> None:
    """Fail with every dial that the dialled container did not answer."""
    missed = unreached(results)
    assert not missed, "\n".join(missed)


def assert_all_inside(mode: Mode, containers: list[Container], subnet: str) -> None:
    """Fail with every container whose address is not in the subnet."""
    wrong = elsewhere(containers, subnet, mode.cluster.overlay.subnets)
    assert not wrong, "\n".join(wrong)


def assert_own_server(mode: Mode, tasks: list[Container]) -> None:
    """Fail with every task whose DNS server is not its node alone."""
    wrong = without_server(mode.servers_of(tasks), {str(task): task.node.address for task in tasks})
    assert not wrong, "\n".join(wrong)


def assert_name_leads_to(
    mode: Mode, askers: Sequence[Party], job: Job, tasks: list[Container], registry: Registry
) -> None:
    """Fail with every asker that the job's name did not lead to its tasks HEALTH_CHANGE_S after they ran."""
    name, addresses = mode.name_of(job, registry), {task.address: task.name for task in tasks}
    eventually(
        lambda: differing(mode.resolver.ask_all(askers, name, "A"), frozenset(addresses)),
        lambda wrong: not wrong,
        within_s=HEALTH_CHANGE_S,
        what=f"{name} leads to {', '.join(map(str, tasks))}",
    )
    misleading = misled(*mode.dial_name(askers, name, tasks[0].port), addresses)
    assert not misleading, "\n".join(misleading)
