"""Promise 4 over time: the answer follows the instances' health."""

from collections.abc import Callable
from functools import partial

from fixtures.cluster.nodes import Cluster
from fixtures.containers.fleet import Fleet
from fixtures.containers.party import Party
from fixtures.control_plane.observation import SPREAD_S
from fixtures.dns.expectation import JudgedAnswers
from fixtures.dns.messages import DnsTransport
from fixtures.dns.plain_names import PlainNames
from fixtures.dns.resolver import Resolver
from fixtures.dns.services import HEALTH_CHANGE_S, Service
from fixtures.dns.web import Request, WebClient
from fixtures.evidence.lines import shown
from fixtures.evidence.waiting import NotInTime, describe_value, eventually
from fixtures.probes.delivery import Edge, Transport
from fixtures.probes.prober import Prober
from fixtures.session.marks import NotProved, applies, requirement


@requirement("DNS-3")
def test_a_critical_instance_leaves_the_answer_and_returns(
    service: Callable[..., Service],
    fleet: Fleet,
    askers: list[Party],
    resolver: Resolver,
    cluster: Cluster,
    plain_names: PlainNames,
) -> None:
    """An instance whose service stopped disappears from every answer, and comes back with it.

    Expected: on each node one instance's service ends; all of them are gone everywhere within the
    check's interval and time-out plus the bound on spreading, and back within the same. An instance
    that passes all the while according to Consul is never missing.
    """
    shop = service("shop")
    for container in fleet.subnet(cluster.subnets[0]).values():
        shop.add(container, checked=True)
    stopped = shop.one_per_node()
    addresses = [instance.address for instance in stopped]
    ask = partial(ask_and_find_nothing_wrong, shop, resolver, askers, plain_names)
    wait_until_told(shop, ask)

    for instance in stopped:
        instance.container.stop_service()
    try:
        eventually(
            ask,
            lambda judged: judged.none_contains(addresses),
            within_s=HEALTH_CHANGE_S * shop.patience,
            what=f"{', '.join(addresses)} leave every answer",
        )
    finally:
        for instance in stopped:
            instance.container.start_service()
    eventually(
        ask,
        lambda judged: judged.all_contain(addresses),
        within_s=HEALTH_CHANGE_S * shop.patience,
        what=f"{', '.join(addresses)} are in every answer again",
    )


@requirement("DNS-6")
@applies("dns.consul")
def test_a_deregistered_instance_disappears(
    service: Callable[..., Service],
    fleet: Fleet,
    askers: list[Party],
    resolver: Resolver,
    cluster: Cluster,
    plain_names: PlainNames,
) -> None:
    """An instance that is deregistered leaves every answer, and only that instance does.

    Expected: on each node one instance is deregistered; all of them are gone everywhere within the
    bound on spreading, and the others are never missing.
    """
    shop = service("shop")
    for container in fleet.subnet(cluster.subnets[0]).values():
        shop.add(container, checked=False)
    leaving = shop.one_per_node()
    addresses = [instance.address for instance in leaving]
    ask = partial(ask_and_find_nothing_wrong, shop, resolver, askers, plain_names)
    wait_until_told(shop, ask)
    for instance in leaving:
        shop.remove(instance)
    eventually(
        ask,
        lambda judged: judged.none_contains(addresses) and judged.all_contain(shop.addresses()),
        within_s=SPREAD_S * shop.patience,
        what=f"{', '.join(addresses)}, and only these, leave every answer",
    )


def wait_until_told(service: Service, ask: Callable[[], JudgedAnswers]) -> None:
    """Wait until every asker was told every instance: what was never in an answer cannot be seen to leave it.

    So a cache between an asker and Consul has the answer, too. Raises NotProved where it does not come to that.
    """
    service.wait_until_passing()
    try:
        eventually(
            ask,
            lambda judged: judged.all_contain(service.addresses()),
            within_s=SPREAD_S * service.patience,
            what="every instance is in every answer",
        )
    except NotInTime as late:
        raise NotProved(f"no instance can be seen to leave, nothing is proved: {late}") from None


def ask_and_find_nothing_wrong(
    service: Service, resolver: Resolver, askers: list[Party], plain_names: PlainNames
) -> JudgedAnswers:
    """Ask for a service's A records everywhere; fail when an answer contradicts Consul's own entries."""
    judged = service.ask(lambda: resolver.ask_all(askers, service.fqdn, "A", transport=DnsTransport.EDNS))
    wrong = plain_names.own_failures(judged.faults)
    assert not wrong, "\n".join([shown(wrong), str(judged.expectation)])
    return judged


@requirement("DNS-12")
def test_consuls_health_check_travels_the_overlay(web: Service, http: WebClient, probe: Prober) -> None:
    """Consul's own check of an instance reaches the container by its overlay address.

    Expected: a capture in every instance's container shows requests of a Consul agent to the
    container's overlay address and port, and the instance passes according to Consul, wherever the
    agent's node reaches the container by TCP at all.
    """
    instances = {instance.container.label: instance for instance in web.instances.values()}
    checked = {label: {(instance.address, instance.port)} for label, instance in instances.items()}

    def by_consul(captured: dict[str, list[Request]]) -> dict[str, set[tuple[str, int]]]:
        return {
            container: {request.destination for request in requests if request.user_agent.startswith("Consul")}
            for container, requests in captured.items()
        }

    with http.capture_requests([instance.container for instance in web.instances.values()]) as capture:
        try:
            eventually(
                lambda: by_consul(capture.requests()),
                lambda destinations: destinations == checked,
                within_s=HEALTH_CHANGE_S * web.patience,
                what="Consul's requests arrive at every instance's own address and port, and at no other",
            )
        except NotInTime:
            arrived = by_consul(capture.requests())
            unchecked = [
                (
                    f"Consul on {instance.container.node} checks {instance.container} at {instance.address}:"
                    f"{instance.port}, and its requests arrive at {describe_value(arrived[label])}",
                    Edge(instance.container.node.endpoint, instance.container.endpoint, Transport.TCP),
                )
                for label, instance in instances.items()
                if arrived[label] != checked[label]
            ]
            own = probe.own_failures(unchecked)
            assert not own, shown(own)
            raise
    eventually(
        lambda: {instance: state.listed for instance, state in (web.observe().leader or {}).items()},
        lambda passing: passing == dict.fromkeys(web.instances, True),
        within_s=HEALTH_CHANGE_S * web.patience,
        what="every instance that Consul checks passes",
    )
