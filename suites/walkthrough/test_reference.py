"""The reference set-up, in its own order: three machines with Docker, Weave Net, Consul and Nomad."""

from ipaddress import ip_address

from fixtures.containers.fleet import Fleet
from fixtures.control_plane.registry import Registry
from fixtures.dns.services import TURN_S
from fixtures.evidence.waiting import eventually
from fixtures.session.marks import disruptive, requirement
from fixtures.walkthrough.walk import Walk


@disruptive
@requirement("WALK-1")
def test_the_reference_set_up_works_step_by_step(walk: Walk, fleet: Fleet, registry: Registry) -> None:
    """Who builds the reference set-up by its description sees at every step what the description says.

    Expected: each step of the report holds, from three established peers to what Consul says of a
    job that was placed through the proxy.
    """
    plugin, proxy = walk.plugin, walk.proxy
    nodes = plugin.nodes
    overlay = plugin.cluster.inventory.overlay
    default, second = plugin.cluster.subnets[:2]

    with walk.step("cluster up: every node has established connections to its two peers"):
        assert not walk.unestablished(), walk.unestablished()

    with walk.step("by the plugin: one container per node reaches the other two"):
        first = plugin.one_per_node("p", default)
        heard = plugin.heard(first, first)
        assert all(who == key.split("/")[-1] for key, who in heard.items()), heard

    with walk.step("not exposed: no host reaches a container"):
        plugin.cluster.hide_everywhere()
        heard = plugin.heard(nodes, first)
        assert not set(heard.values()) & {one.name for one in first}, heard

    with walk.step("weave expose on every node: it has the route to the range's default subnet"):
        plugin.cluster.expose_everywhere()
        routes = {node.name: walk.routes(node) for node in nodes}
        assert all(str(overlay.subnets[default]) in found for found in routes.values()), routes

    with walk.step("exposed: every host reaches every container"):
        heard = plugin.heard(nodes, first)
        assert all(who == key.split("/")[-1] for key, who in heard.items()), heard

    with walk.step("every container reaches every host"):
        port = registry.settings.http_port
        said = plugin.http.instances_at([(one, node.address, port) for one in first for node in nodes])
        assert all(words.startswith("no demo service: b'HTTP/1.") for words in said), said

    with walk.step("Consul has three voters, Nomad three servers and one leader"):
        assert len(registry.servers) == 3, registry.servers
        quorum = plugin.scheduler.quorum(nodes[0])
        assert (len(quorum.voters), len(quorum.leaders)) == (3, 1), quorum

    with walk.step("a job of three on Weave's network: one task per node, addresses in the range"):
        job, tasks = plugin.run("weave-plugin-driver.nomad", default)
        assert [one.node.name for one in tasks] == [node.name for node in nodes], tasks
        assert all(ip_address(one.address) in overlay.subnets[default] for one in tasks), tasks

    with walk.step("its tasks answer the hosts by address"):
        heard = plugin.heard(nodes, tasks)
        assert all(who == key.split("/")[-1] for key, who in heard.items()), heard

    with walk.step("its name leads to the tasks, asked by host and by container"):
        name = f"{job.service}.service.{registry.settings.datacenter}.{plugin.resolver.domain}"
        addresses = {one.address for one in tasks}
        eventually(
            lambda: plugin.resolver.ask_all([*nodes, *first], name),
            lambda answers: all(one.addresses == addresses for one in answers),
            within_s=TURN_S,
            what=f"{name} leads to {sorted(addresses)}",
        )

    with walk.step("weave reset and launch again on every node"):
        walk.reset(fleet)
        assert not walk.unestablished(), walk.unestablished()

    with walk.step("by the proxy: two containers in each subnet, on two nodes"):
        ours = [proxy.start(f"a{number}", default, node) for number, node in enumerate(proxy.nodes[:2], 1)]
        theirs = [proxy.start(f"b{number}", second, node) for number, node in enumerate(proxy.nodes[:2], 1)]
        found = {one.label: one.address for one in [*ours, *theirs]}
        assert all(ip_address(one.address) in overlay.subnets[default] for one in ours), found
        assert all(ip_address(one.address) in overlay.subnets[second] for one in theirs), found

    with walk.step("within a subnet they reach each other, across subnets they do not"):
        within = {**proxy.heard(ours, ours), **proxy.heard(theirs, theirs)}
        assert all(who == key.split("/")[-1] for key, who in within.items()), within
        across = {**proxy.heard(ours, theirs), **proxy.heard(theirs, ours)}
        assert not set(across.values()) & {one.name for one in [*ours, *theirs]}, across

    with walk.step("the job in the second subnet, through the proxy's endpoint"):
        proxy.cluster.expose_everywhere()
        walk.clients_ready()
        job, tasks = proxy.run("weave-proxy.nomad", second)
        assert all(ip_address(one.address) in overlay.subnets[second] for one in tasks), tasks
        heard = proxy.heard(proxy.nodes, tasks)
        assert all(who == key.split("/")[-1] for key, who in heard.items()), heard

    with walk.step("what Consul says of it: the node's address and port 0, so its name leads nowhere (JOB-4)"):
        expected = {(node.address, 0) for node in nodes}
        eventually(
            lambda: {(one.address, one.port) for one in proxy.scheduler.registered(job)},
            lambda seen: seen == expected,
            within_s=TURN_S,
            what=f"the registrations of {job} are the nodes, port 0",
        )
