"""Promise 4: a service's name leads to its containers' addresses, and to no other."""

from collections.abc import Callable

from fixtures.catalogue import Catalogue
from fixtures.cluster import Cluster, ClusterNode
from fixtures.containers import Container, Fleet
from fixtures.expectations import eventually
from fixtures.names import Asker, Resolver
from fixtures.requirements import requirement
from fixtures.services import CHECK_INTERVAL_S, CHECK_TIMEOUT_S, SPREAD_S, Service
from fixtures.web import Web


@requirement("DNS-1")
def test_a_records_are_the_passing_instances(web: Service, fleet: Fleet, resolver: Resolver, cluster: Cluster) -> None:
    """From every node and every container a name gives exactly the passing instances' addresses.

    Expected: wherever one asks, by the asker's own resolv.conf, the A records are the overlay
    addresses of the service's passing instances, all of them and no other.
    """
    askers: list[Asker] = [*cluster.nodes.values(), *fleet.everyone()]

    def differing() -> str:
        passing = web.passing()
        wrong = [one for one in resolver.ask_all(askers, web.fqdn) if one.addresses != passing]
        return "\n".join([f"passing: {sorted(passing)}", *map(str, wrong)]) if wrong else ""

    eventually(differing, lambda words: not words, within_s=SPREAD_S, what=f"all answers for {web} are its instances")


@requirement("DNS-1")
def test_no_name_in_the_catalogue_leads_astray(web: Service, catalogue: Catalogue) -> None:
    """Every service that Consul knows, not only this run's own, leads to where its instances are.

    Expected: each passing instance is registered under the overlay address of a running container,
    or under a node's address on which the node itself serves that port.
    """
    known = {one.service for one in catalogue.registrations()}
    assert web.name in known, "the run's own service is missing from the catalogue"
    astray = catalogue.astray()
    assert not astray, "\n".join(astray)


@requirement("DNS-2")
def test_dialling_the_name_reaches_an_instance(web: Service, caller: Container, resolver: Resolver, http: Web) -> None:
    """An application that resolves the name and dials it is answered by an instance of that service.

    Expected: each address of the answer serves the instance that was registered with it.
    """
    web.passing()
    answer = resolver.ask(caller, web.fqdn)
    assert answer.addresses, answer
    instances = {one.address: one for one in web.instances.values()}
    served = {
        address: http.instance_at(caller, address, instances[address].port if address in instances else 80)
        for address in answer.addresses
    }
    expected = {address: one.container.name for address, one in instances.items() if address in answer.addresses}
    assert served == expected, answer


@requirement("DNS-3")
def test_a_critical_instance_leaves_the_answer_and_returns(
    service: Callable[..., Service], node: ClusterNode, fleet: Fleet, resolver: Resolver, cluster: Cluster
) -> None:
    """An instance whose service stopped disappears from the answer, and comes back with it.

    Expected: gone within the check's interval and time-out plus the bound on spreading; then
    back within the interval plus that bound. The other instances are never missing.
    """
    shop = service("shop")
    for container in list(fleet.subnet(cluster.subnets[0]).values())[-len(cluster.nodes) :]:
        shop.add(container)
    shop.settle()
    everybody = shop.passing()
    assert everybody == shop.addresses(), f"passing before the test: {everybody}"
    victim = shop.on(node)
    others = everybody - {victim.address}
    bound = CHECK_INTERVAL_S + CHECK_TIMEOUT_S + SPREAD_S

    def ask() -> frozenset[str]:
        answer = resolver.ask(node, shop.fqdn)
        assert others <= answer.addresses, f"a passing instance is missing: {answer}"
        return answer.addresses

    victim.container.stop_service()
    try:
        eventually(ask, lambda seen: seen == others, within_s=bound, what=f"{victim.id} leaves the answer")
    finally:
        victim.container.start_service()
    eventually(ask, lambda seen: seen == everybody, within_s=bound, what=f"{victim.id} returns")


@requirement("DNS-5")
def test_an_unknown_name_does_not_exist(container: Container, resolver: Resolver) -> None:
    """A name that nobody registered is denied, with the authority that says so (RFC 2308).

    Expected: NXDOMAIN with a SOA record in the authority section.
    """
    answer = resolver.ask(container, f"no-such-service.service.{resolver.domain}")
    assert (answer.rcode, "SOA" in answer.authority) == ("NXDOMAIN", True), answer


@requirement("DNS-5")
def test_a_v4_service_has_no_v6_address(web: Service, container: Container, resolver: Resolver) -> None:
    """A service with IPv4 instances answers AAAA with no data, not with a denial of the name (RFC 2308).

    Expected: NOERROR, no AAAA record, a SOA record in the authority section.
    """
    web.passing()
    answer = resolver.ask(container, web.fqdn, "AAAA")
    assert (answer.rcode, answer.records, "SOA" in answer.authority) == ("NOERROR", (), True), answer


@requirement("DNS-12")
def test_consuls_health_check_travels_the_overlay(web: Service, node: ClusterNode, http: Web) -> None:
    """Consul's own check of an instance reaches the container by its overlay address.

    Expected: a capture in the container shows requests of the node's Consul agent to the
    container's overlay address and port, and Consul says that the instance passes.
    """
    instance = web.on(node)
    requests = http.requests_to(instance.container, during_s=CHECK_INTERVAL_S * 2.5)
    checks = {one.destination for one in requests if one.user_agent.startswith("Consul")}
    assert checks == {(instance.address, instance.port)}, f"requests seen in {instance.container}: {requests}"
    assert instance.address in web.passing(), f"{instance.id} is asked, and does not pass"
