"""Promise 4: a service's name leads to its containers' addresses, and to no other."""

from collections.abc import Callable

from fixtures.cluster.addressing import Family
from fixtures.cluster.nodes import Cluster
from fixtures.containers.fleet import Fleet
from fixtures.containers.party import Party
from fixtures.dns.audit import RegistryAudit
from fixtures.dns.expectation import Failure, JudgedAnswers
from fixtures.dns.messages import ADDRESSES, DnsTransport
from fixtures.dns.plain_names import PlainNames
from fixtures.dns.resolver import Resolver
from fixtures.dns.services import Service
from fixtures.dns.web import Dial, WebClient
from fixtures.evidence.lines import shown
from fixtures.probes.delivery import Edge, Transport
from fixtures.probes.prober import Prober
from fixtures.session.marks import applies, requirement


@requirement("DNS-1")
@applies("dns.consul")
def test_a_records_are_the_passing_instances(
    web: Service,
    listed_by: Callable[[Family], Service],
    askers: list[Party],
    resolver: Resolver,
    cluster: Cluster,
    plain_names: PlainNames,
    family: Family,
) -> None:
    """From every node and every container a name gives exactly the passing instances' addresses.

    Expected: each asker, by its own resolv.conf, gets as A records (AAAA, over IPv6) the overlay addresses of the
    service's passing instances, all of them and no others. One service passes always, another one
    has checks by Consul, where nodes reach containers: elsewhere no check passes.
    """

    def ask_everywhere(service: Service) -> JudgedAnswers:
        return service.ask_until_certain(
            lambda: resolver.ask_all(askers, service.fqdn, ADDRESSES[family], transport=DnsTransport.EDNS)
        )

    checked = cluster.overlay.capabilities.reach and family is Family.V4
    services = (web, listed_by(family)) if checked else (listed_by(family),)
    judged = [ask_everywhere(service) for service in services]
    wrong = plain_names.tell([fault for answers in judged for fault in answers.faults])
    assert not wrong, "\n".join([shown(wrong), *(str(answers.expectation) for answers in judged)])


@requirement("DNS-1")
@applies("dns.consul")
def test_every_registration_leads_to_a_container_or_a_node_that_serves(
    listed: Service, registry_audit: RegistryAudit
) -> None:
    """Every service that Consul lists, not only those of this run, leads to where its instances are.

    Expected: each passing instance is registered under the overlay address of a running container,
    or under a node's address on which the node itself serves that port.
    """
    services = {registration.service for registration in registry_audit.registrations()}
    assert listed.name in services, (
        f"{listed}, which this run registered, is missing from the registry: {', '.join(sorted(services))}"
    )
    misleading = registry_audit.misleading()
    assert not misleading, shown(misleading)


@requirement("DNS-2")
@applies("dns.consul")
def test_dialling_the_name_reaches_an_instance(
    listed_by: Callable[[Family], Service],
    fleet: Fleet,
    cluster: Cluster,
    resolver: Resolver,
    http: WebClient,
    probe: Prober,
    plain_names: PlainNames,
    family: Family,
) -> None:
    """An application that resolves the name and dials it is answered by an instance of that service.

    Expected: from every container of the instances' subnet, each address of the answer serves the
    instance that was registered with it, wherever that instance's container is reached by its address at all.
    """
    listed, callers = listed_by(family), list(fleet.subnet(cluster.subnets[0]).values())
    judged = listed.ask_until_certain(
        lambda: resolver.ask_all(callers, listed.fqdn, ADDRESSES[family], transport=DnsTransport.EDNS)
    )
    instances = {instance.address: instance for instance in listed.instances.values()}
    dials = [
        Dial(caller, address, instances[address].port)
        for caller, answer in zip(callers, judged.answers, strict=True)
        for address in sorted(answer.addresses & instances.keys())
    ]
    told = {str(dial.source) for dial in dials}
    silent = plain_names.own_failures(
        [
            Failure(str(caller), f"{caller} got no address of an instance to dial")
            for caller in callers
            if str(caller) not in told
        ]
    )
    assert not silent, "\n".join([shown(silent), str(judged)])
    by_name = {str(caller): caller.endpoint_in(family) for caller in callers}
    wrong = probe.own_failures(
        [
            (
                f"{dial}: instead of {instances[dial.address].container}, {name}",
                Edge(
                    by_name[str(dial.source)],
                    instances[dial.address].container.endpoint_in(family),
                    Transport.TCP,
                ),
            )
            for dial, name in zip(dials, http.who_answers(dials), strict=True)
            if name != instances[dial.address].container.name
        ]
    )
    assert not wrong, shown(wrong)


@requirement("DNS-5")
@applies("dns.consul")
def test_an_unknown_name_does_not_exist(askers: list[Party], resolver: Resolver, plain_names: PlainNames) -> None:
    """A name that nobody registered does not exist, and a SOA record says for which zone (RFC 2308).

    Expected: everywhere NXDOMAIN with a SOA record in the authority section.
    """
    answers = resolver.ask_all(askers, f"no-such-service.service.{resolver.domain}", "A")
    wrong = plain_names.own_wrong_answers(
        [answer for answer in answers if answer.rcode != "NXDOMAIN" or "SOA" not in answer.authority]
    )
    assert not wrong, shown(wrong)


@requirement("DNS-5")
@applies("dns.consul")
def test_a_v4_service_has_no_v6_address(
    listed_by: Callable[[Family], Service],
    askers: list[Party],
    resolver: Resolver,
    plain_names: PlainNames,
    family: Family,
) -> None:
    """A service with IPv4 instances answers AAAA with no data, and its name still exists (RFC 2308).

    Expected: everywhere NOERROR, no AAAA record, a SOA record in the authority section. A service with IPv6 instances
    answers A so.
    """
    other = ADDRESSES[Family.V6 if family is Family.V4 else Family.V4]
    answers = resolver.ask_all(askers, listed_by(family).fqdn, other)
    wrong = plain_names.own_wrong_answers(
        [answer for answer in answers if answer.rcode != "NOERROR" or answer.records or "SOA" not in answer.authority]
    )
    assert not wrong, shown(wrong)
