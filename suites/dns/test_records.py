"""Promise 4: a service's name leads to its containers' addresses, and to no other."""

from fixtures.cluster.nodes import Cluster
from fixtures.containers.fleet import Fleet
from fixtures.dns.registrations import Catalogue
from fixtures.dns.resolver import Asker, How, Resolver
from fixtures.dns.services import Service
from fixtures.dns.web import Web
from fixtures.session.marks import requirement


@requirement("DNS-1")
def test_a_records_are_the_passing_instances(
    web: Service, listed: Service, askers: list[Asker], resolver: Resolver
) -> None:
    """From every node and every container a name gives exactly the passing instances' addresses.

    Expected: wherever one asks, by the asker's own resolv.conf, the A records are the overlay
    addresses of the service's passing instances, all of them and no other.
    """
    heard = [one.judge(lambda one=one: resolver.ask_all(askers, one.fqdn, how=How.EDNS)) for one in (web, listed)]  # type: ignore[misc]
    assert not any(one.wrong for one in heard), "\n".join(map(repr, heard))


@requirement("DNS-1")
def test_no_name_in_the_catalogue_leads_astray(listed: Service, catalogue: Catalogue) -> None:
    """Every service that Consul knows, not only this run's own, leads to where its instances are.

    Expected: each passing instance is registered under the overlay address of a running container,
    or under a node's address on which the node itself serves that port.
    """
    known = {one.service for one in catalogue.registrations()}
    assert listed.name in known, "the run's own service is missing from the catalogue"
    astray = catalogue.astray()
    assert not astray, "\n".join(astray)


@requirement("DNS-2")
def test_dialling_the_name_reaches_an_instance(
    listed: Service, fleet: Fleet, cluster: Cluster, resolver: Resolver, http: Web
) -> None:
    """An application that resolves the name and dials it is answered by an instance of that service.

    Expected: from every container of the instances' subnet, each address of the answer serves the
    instance that was registered with it.
    """
    callers = list(fleet.subnet(cluster.subnets[0]).values())
    heard = listed.judge(lambda: resolver.ask_all(callers, listed.fqdn, how=How.EDNS))
    instances = {one.address: one for one in listed.instances.values()}
    dialled = [
        (caller, instances[address])
        for caller, answer in zip(callers, heard.answers, strict=True)
        for address in sorted(answer.addresses & instances.keys())
    ]
    assert {caller.name for caller, _ in dialled} == {one.name for one in callers}, (
        f"a name gives nothing to dial: {heard}"
    )
    served = http.instances_at([(caller, one.address, one.port) for caller, one in dialled])
    wrong = [
        f"{caller} dialled {one.address}:{one.port} and met {name} instead of {one.container.name}"
        for (caller, one), name in zip(dialled, served, strict=True)
        if name != one.container.name
    ]
    assert not wrong, "\n".join(wrong)


@requirement("DNS-5")
def test_an_unknown_name_does_not_exist(askers: list[Asker], resolver: Resolver) -> None:
    """A name that nobody registered is denied, with the authority that says so (RFC 2308).

    Expected: everywhere NXDOMAIN with a SOA record in the authority section.
    """
    answers = resolver.ask_all(askers, f"no-such-service.service.{resolver.domain}")
    wrong = [str(one) for one in answers if (one.rcode, "SOA" in one.authority) != ("NXDOMAIN", True)]
    assert not wrong, "\n".join(wrong)


@requirement("DNS-5")
def test_a_v4_service_has_no_v6_address(listed: Service, askers: list[Asker], resolver: Resolver) -> None:
    """A service with IPv4 instances answers AAAA with no data, not with a denial of the name (RFC 2308).

    Expected: everywhere NOERROR, no AAAA record, a SOA record in the authority section.
    """
    answers = resolver.ask_all(askers, listed.fqdn, "AAAA")
    wrong = [str(one) for one in answers if (one.rcode, one.records, "SOA" in one.authority) != ("NOERROR", (), True)]
    assert not wrong, "\n".join(wrong)
