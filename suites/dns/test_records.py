"""Promise 4: a service's name leads to its containers' addresses, and to no other."""

from fixtures.web import Web

from fixtures.cluster import Cluster, ClusterNode
from fixtures.containers import Container, Fleet
from fixtures.expectations import eventually
from fixtures.names import Resolver
from fixtures.requirements import requirement
from fixtures.services import CHECK_INTERVAL_S, CHECK_TIMEOUT_S, Catalogue, Service

SPREAD_S = 3.0
"""Bound on a change's way through gossip and raft to every agent's answer."""


@requirement("DNS-1")
def test_a_records_are_the_passing_instances(web: Service, fleet: Fleet, resolver: Resolver, cluster: Cluster) -> None:
    """From every node and every container a name gives exactly the passing instances' addresses.

    Expected: wherever one asks, by the asker's own resolv.conf, the A records are the overlay
    addresses of the service's passing instances, all of them and no other.
    """
    askers = [*cluster.nodes.values(), *fleet.subnet("a").values()]
    answers = resolver.ask_all(askers, web.fqdn)
    wrong = [one for one in answers if one.rcode != "NOERROR" or one.addresses != web.addresses()]
    assert not wrong, f"registered: {sorted(web.addresses())}\n" + "\n".join(map(str, wrong))


@requirement("DNS-1")
def test_no_name_in_the_catalogue_leads_astray(catalogue: Catalogue, resolver: Resolver, cluster: Cluster) -> None:
    """Every service that Consul knows, not only this run's own, leads to where its instances are.

    Expected: each passing instance is registered under the overlay address of a running container,
    or under a node's address on which the node itself serves that port.
    """
    astray = catalogue.astray()
    assert not astray, "\n".join(astray)


@requirement("DNS-2")
def test_dialling_the_name_reaches_an_instance(
    web: Service, container: Container, resolver: Resolver, http: Web
) -> None:
    """An application that resolves the name and dials it is answered by an instance of that service.

    Expected: each address of the answer serves the instance that was registered with it.
    """
    answer = resolver.ask(container, web.fqdn)
    assert answer.addresses, answer
    served = {address: http.instance_at(container, address, web.port) for address in answer.addresses}
    assert served == {one.address: one.container.name for one in web.instances.values()}, answer


@requirement("DNS-3")
def test_a_critical_instance_leaves_the_answer_and_returns(web: Service, node: ClusterNode, resolver: Resolver) -> None:
    """An instance whose service stopped disappears from the answer, and comes back with it.

    Expected: gone within the check's interval and time-out plus the bound on spreading; then
    back within the interval plus that bound. The other instances are never missing.
    """
    victim = web.on(node)
    others = web.addresses() - {victim.address}
    bound = CHECK_INTERVAL_S + CHECK_TIMEOUT_S + SPREAD_S

    def ask() -> frozenset[str]:
        answer = resolver.ask(node, web.fqdn)
        assert others <= answer.addresses, f"a passing instance is missing: {answer}"
        return answer.addresses

    victim.container.stop_service()
    try:
        eventually(ask, lambda seen: seen == others, within_s=bound, what=f"{victim.id} leaves the answer")
    finally:
        victim.container.start_service()
    eventually(ask, lambda seen: seen == web.addresses(), within_s=bound, what=f"{victim.id} returns")


@requirement("DNS-5")
def test_an_unknown_name_does_not_exist(container: Container, resolver: Resolver, cluster: Cluster) -> None:
    """A name that nobody registered is denied, with the authority that says so (RFC 2308).

    Expected: NXDOMAIN with a SOA record in the authority section.
    """
    answer = resolver.ask(container, f"no-such-service.service.{resolver.domain}")
    assert answer.rcode == "NXDOMAIN" and "SOA" in answer.authority, answer


@requirement("DNS-5")
def test_a_v4_service_has_no_v6_address(web: Service, container: Container, resolver: Resolver) -> None:
    """A service with IPv4 instances only answers AAAA with no data, not with a denial of the name (RFC 2308).

    Expected: NOERROR, no AAAA record, a SOA record in the authority section.
    """
    answer = resolver.ask(container, web.fqdn, "AAAA")
    assert (answer.rcode, answer.records) == ("NOERROR", ()) and "SOA" in answer.authority, answer


@requirement("DNS-12")
def test_consuls_health_check_travels_the_overlay(web: Service, node: ClusterNode, http: Web) -> None:
    """Consul's own check of an instance reaches the container by its overlay address.

    Expected: a capture in the container shows requests of Consul's agent, from the node, to the
    container's overlay address and port.
    """
    instance = web.on(node)
    requests = http.requests_seen_by(instance.container, during_s=CHECK_INTERVAL_S * 3)
    checks = [one for one in requests if one.user_agent.startswith("Consul")]
    assert checks, f"{len(requests)} requests seen in {instance.container}, none of Consul: {requests}"
    assert {one.destination for one in checks} == {(instance.address, instance.port)}, checks
