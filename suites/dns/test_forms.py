"""Promise 4 in every form in which a resolver may ask: SRV, case, long names, EDNS and TCP, PTR, and its TTL."""

from collections.abc import Callable, Sequence

import dns.reversename

from fixtures.cluster.addressing import Family
from fixtures.cluster.nodes import Cluster
from fixtures.containers.fleet import Container, Fleet
from fixtures.containers.party import Party
from fixtures.control_plane.registry import Registry
from fixtures.dns.expectation import Failure, JudgedAnswers
from fixtures.dns.messages import ADDRESSES, Answer, DnsTransport
from fixtures.dns.plain_names import PlainNames
from fixtures.dns.resolver import Question, Resolver
from fixtures.dns.services import Service, at_least
from fixtures.evidence.lines import shown
from fixtures.session.marks import NotProved, applies, requirement

MANY = 11
"""More instances than a plain UDP answer of Consul ever contains."""
PLAIN_UDP_SIZE = 512
"""RFC 1035 §4.2.1, bytes."""


@requirement("DNS-4")
def test_srv_gives_the_port_and_the_address(
    service: Callable[..., Service],
    fleet: Fleet,
    askers: list[Party],
    resolver: Resolver,
    cluster: Cluster,
    plain_names: PlainNames,
) -> None:
    """SRV tells where an instance is and on which port: address and port as they were registered.

    Expected: from everywhere each instance's own port comes with a target and the target's address,
    which is that instance's overlay address; nodes that ask for the target by name get the same.
    """
    shop = service("shop")
    for index, container in enumerate(fleet.subnet(cluster.subnets[0]).values()):
        shop.add(container, port=9000 + index, checked=False)
    shop.wait_until_passing()
    judged = shop.ask_until_certain(lambda: resolver.ask_all(askers, shop.fqdn, "SRV", transport=DnsTransport.EDNS))
    unlike_consul = plain_names.own_failures(judged.faults)
    assert not unlike_consul, "\n".join([shown(unlike_consul), str(judged.expectation)])
    passing = [entry for entry in shop.instances.values() if entry.address in judged.expectation.required]
    registered = {(instance.address, instance.port) for instance in passing}
    wrong = [
        Failure(answer.asker, f"{answer.asker} gets other addresses and ports than were registered: {answer}")
        for answer in judged.answers
        if answer.endpoints != registered
    ]

    address_of_port = {port: address for address, port in registered}
    targets = sorted({target for answer in judged.answers for target in answer.targets})
    asked = [(port, Question(node, target, "A")) for target, port in targets for node in cluster.nodes.values()]
    answers = resolver.ask_each([question for _, question in asked])
    wrong += [
        Failure(answer.asker, f"the target of port {port} does not lead to {address_of_port.get(port)}: {answer}")
        for (port, _), answer in zip(asked, answers, strict=True)
        if answer.addresses != {address_of_port.get(port)}
    ]
    own = plain_names.own_failures(wrong)
    assert not own, shown(own)


@requirement("DNS-7")
@applies("dns.consul")
def test_every_form_of_the_name_gives_the_same(
    listed: Service, askers: list[Party], resolver: Resolver, registry: Registry, plain_names: PlainNames
) -> None:
    """Case does not matter (RFC 4343), and the long forms of a name mean the same service.

    Expected: upper and mixed case, the name with its datacenter, the tag form and the form of
    RFC 2782 give the instances that the plain name gives, from everywhere.
    """
    name, (tag,), domain, datacenter = listed.name, listed.tags, resolver.domain, registry.settings.datacenter
    mixed_case = "".join(letter.upper() if place % 2 else letter for place, letter in enumerate(listed.fqdn))
    forms = [
        (listed.fqdn.upper(), "A"),
        (mixed_case, "A"),
        (f"{name}.service.{datacenter}.{domain}", "A"),
        (f"{tag}.{name}.service.{domain}", "A"),
        (f"{tag}.{name}.service.{datacenter}.{domain}".title(), "A"),
        (f"_{name}._{tag}.service.{domain}", "SRV"),
        (f"_{name}._tcp.service.{domain}", "SRV"),
    ]
    questions = [Question(asker, form, rrtype, DnsTransport.EDNS) for form, rrtype in forms for asker in askers]
    judged = listed.ask_until_certain(lambda: resolver.ask_each(questions))
    wrong = plain_names.own_failures(judged.faults)
    assert not wrong, "\n".join([shown(wrong), str(judged.expectation)])


@requirement("DNS-8")
@applies("dns.consul")
def test_a_large_answer_is_complete_or_partial_but_right(
    service: Callable[..., Service],
    launch: Callable[..., Container],
    fleet: Fleet,
    askers: list[Party],
    resolver: Resolver,
    cluster: Cluster,
    plain_names: PlainNames,
) -> None:
    """A service of many instances is answered in full where the transport allows it.

    Expected: over TCP (RFC 7766) and EDNS (RFC 6891) A and SRV contain every instance; over plain
    UDP the answer keeps to 512 bytes, and whatever it contains is right.
    """
    crowd = service("crowd")
    for container in at_least(fleet, cluster, launch, MANY):
        crowd.add(container, checked=False)
    crowd.wait_until_passing()

    def insist_on_many(judged: JudgedAnswers) -> None:
        if len(judged.expectation.permitted) < MANY:
            raise NotProved(f"only {len(judged.expectation.permitted)} addresses of {crowd} can be in a large answer")

    def wrong_in_full(rrtype: str, transport: DnsTransport) -> Sequence[Failure]:
        judged = crowd.ask_until_certain(lambda: resolver.ask_all(askers, crowd.fqdn, rrtype, transport=transport))
        insist_on_many(judged)
        return judged.faults

    def wrong_over_plain_udp(rrtype: str) -> Sequence[Failure]:
        judged = crowd.ask_until_certain(
            lambda: resolver.ask_all(askers, crowd.fqdn, rrtype, transport=DnsTransport.UDP), partial=True
        )
        insist_on_many(judged)
        too_large = [
            Failure(answer.asker, f"{answer.size} bytes over plain UDP: {answer}")
            for answer in judged.answers
            if answer.size > PLAIN_UDP_SIZE
        ]
        return [*judged.faults_even_if_partial, *too_large]

    wrong = [
        failure
        for rrtype in ("A", "SRV")
        for found in (
            wrong_in_full(rrtype, DnsTransport.TCP),
            wrong_in_full(rrtype, DnsTransport.EDNS),
            wrong_over_plain_udp(rrtype),
        )
        for failure in found
    ]
    own = plain_names.own_failures(wrong)
    assert not own, shown(own)


@requirement("DNS-10")
@applies("dns.consul")
def test_ptr_leads_back(
    service: Callable[..., Service],
    launch: Callable[..., Container],
    askers: list[Party],
    resolver: Resolver,
    cluster: Cluster,
    plain_names: PlainNames,
    family: Family,
) -> None:
    """An address has a name, and that name leads back to the address.

    Expected: from everywhere the PTR of an instance's address and of every node's address is a name
    whose A records (AAAA, over IPv6, where nodes have no address) contain that address.
    """
    lone = service("lone")
    first_node = next(iter(cluster.nodes))
    container = launch("lone", subnet=cluster.subnets[0], node=first_node)
    lone.add(container, address=container.address_in(family), checked=False)
    lone.wait_until_passing()
    nodes = [node.address for node in cluster.nodes.values()] if family is Family.V4 else []
    addresses = sorted({*lone.addresses(), *nodes})
    reverse = [
        (address, Question(asker, str(dns.reversename.from_address(address)), "PTR"))
        for address in addresses
        for asker in askers
    ]
    names = resolver.ask_each([question for _, question in reverse])
    wrong = [
        Failure(answer.asker, f"{address} has no name: {answer}")
        for (address, _), answer in zip(reverse, names, strict=True)
        if not answer.records
    ]
    forward = [
        (address, Question(question.asker, name, ADDRESSES[family], DnsTransport.EDNS))
        for (address, question), answer in zip(reverse, names, strict=True)
        for name in answer.records
    ]
    answers = resolver.ask_each([question for _, question in forward])
    wrong += [
        Failure(answer.asker, f"the name of {address} does not lead back to it: {answer}")
        for (address, _), answer in zip(forward, answers, strict=True)
        if address not in answer.addresses
    ]
    own = plain_names.own_failures(wrong)
    assert not own, shown(own)


@requirement("DNS-11")
def test_ttls_are_as_configured(
    listed: Service, askers: list[Party], resolver: Resolver, registry: Registry, cluster: Cluster
) -> None:
    """An answer may be cached for exactly as long as Consul is configured to say.

    Expected: from everywhere the TTL of a service's and of a node's records is the one in the
    configuration of the Consul agents, and the inventory's where that declares one.
    """
    of_services, of_nodes = registry.ttls(listed.name)
    consul_names = [registry.describe_agent(node)["Config"]["NodeName"] for node in cluster.nodes.values()]
    asked = [(listed.fqdn, "A", of_services), (listed.fqdn, "SRV", of_services)]
    asked += [(f"{name}.node.{resolver.domain}", "A", of_nodes) for name in consul_names]
    answered = [
        (answer, configured) for name, rrtype, configured in asked for answer in resolver.ask_all(askers, name, rrtype)
    ]
    wrong = [
        _describe_ttl(answer, configured)
        for answer, configured in answered
        if answer.says and set(answer.ttls) != configured
    ]
    assert not wrong, shown(wrong)
    silent = [str(answer) for answer, _ in answered if not answer.says]
    if silent:
        raise NotProved("\n".join(["an answer that did not come has no TTL (see DNS-1):", shown(silent)]))


def _describe_ttl(answer: Answer, configured: set[int]) -> str:
    seconds = ", ".join(map(str, answer.ttls)) or "none"
    return f"TTL {seconds}, configured {', '.join(map(str, sorted(configured)))} (seconds): {answer}"
