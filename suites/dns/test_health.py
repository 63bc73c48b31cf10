"""Promise 4 over time: the answer follows the instances' health."""

from collections.abc import Callable

from fixtures.cluster.nodes import Cluster
from fixtures.containers.fleet import Fleet
from fixtures.dns.resolver import Asker, How, Resolver
from fixtures.dns.services import TURN_S, Service
from fixtures.dns.web import Request, Web
from fixtures.dns.witness import SPREAD_S, Heard
from fixtures.evidence.waiting import eventually
from fixtures.session.marks import NotProved, requirement


@requirement("DNS-3")
def test_a_critical_instance_leaves_the_answer_and_returns(
    service: Callable[..., Service], fleet: Fleet, askers: list[Asker], resolver: Resolver, cluster: Cluster
) -> None:
    """An instance whose service stopped disappears from every answer, and comes back with it.

    Expected: on each node one instance's service ends; all of them are gone everywhere within the
    check's interval and time-out plus the bound on spreading, and back within the same. An instance
    that Consul itself calls passing all the while is never missing.
    """
    shop = service("shop")
    for container in fleet.subnet(cluster.subnets[0]).values():
        shop.add(container)
    victims = {one.container.node.name: one for one in shop.instances.values()}.values()
    addresses = [one.address for one in victims]
    if not shop.settle():
        raise NotProved(f"not every instance of {shop} passes its check before the test (see DNS-12): {shop.look()}")

    def ask() -> Heard:
        heard = shop.hear(lambda: resolver.ask_all(askers, shop.fqdn, how=How.EDNS))
        assert not heard.wrong, heard
        return heard

    for one in victims:
        one.container.stop_service()
    try:
        eventually(
            ask, lambda heard: heard.nobody_has(addresses), within_s=TURN_S, what=f"{addresses} leave every answer"
        )
    finally:
        for one in victims:
            one.container.start_service()
    eventually(
        ask,
        lambda heard: heard.everybody_has(addresses),
        within_s=TURN_S,
        what=f"{addresses} are in every answer again",
    )


@requirement("DNS-6")
def test_a_deregistered_instance_disappears(
    service: Callable[..., Service], fleet: Fleet, askers: list[Asker], resolver: Resolver, cluster: Cluster
) -> None:
    """An instance that is deregistered is in no answer any more, and takes no other with it.

    Expected: on each node one instance is deregistered; all of them are gone everywhere within the
    bound on spreading, and the others are never missing.
    """
    shop = service("shop")
    for container in fleet.subnet(cluster.subnets[0]).values():
        shop.add(container, asked=False)
    leaving = list({one.container.node.name: one for one in shop.instances.values()}.values())
    if not shop.settle():
        raise NotProved(f"not every instance of {shop} is known to Consul's servers: {shop.look()}")
    for one in leaving:
        shop.remove(one)

    def ask() -> Heard:
        heard = shop.hear(lambda: resolver.ask_all(askers, shop.fqdn, how=How.EDNS))
        assert not heard.wrong, heard
        return heard

    addresses = [one.address for one in leaving]
    eventually(
        ask,
        lambda heard: heard.nobody_has(addresses) and heard.everybody_has(shop.addresses()),
        within_s=SPREAD_S,
        what=f"{addresses} leave every answer, and they alone",
    )


@requirement("DNS-12")
def test_consuls_health_check_travels_the_overlay(web: Service, http: Web) -> None:
    """Consul's own check of an instance reaches the container by its overlay address.

    Expected: a capture in every instance's container shows requests of a Consul agent to the
    container's overlay address and port, and Consul says that the instance passes.
    """
    wanted = {one.container.label: {(one.address, one.port)} for one in web.instances.values()}

    def by_consul(heard: dict[str, list[Request]]) -> dict[str, set[tuple[str, int]]]:
        return {
            name: {one.destination for one in requests if one.user_agent.startswith("Consul")}
            for name, requests in heard.items()
        }

    with http.listening([one.container for one in web.instances.values()]) as ear:
        eventually(
            ear.requests,
            lambda heard: by_consul(heard) == wanted,
            within_s=TURN_S,
            what="requests of Consul arrive at every instance",
        )
    eventually(
        lambda: {name: state.listed for name, state in (web.look().leader or {}).items()},
        lambda passing: passing == dict.fromkeys(web.instances, True),
        within_s=TURN_S,
        what="every instance that Consul asks passes",
    )
