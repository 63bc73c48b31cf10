"""Promise 4 in every form a resolver may ask in: SRV, case, long names, EDNS and TCP, the way back, TTL."""

from collections.abc import Callable

import dns.reversename

from fixtures.cluster.nodes import Cluster
from fixtures.containers.fleet import Container, Fleet
from fixtures.control_plane.registry import Registry
from fixtures.dns.resolver import Answer, Asker, How, Question, Resolver
from fixtures.dns.services import Service, enough
from fixtures.session.marks import requirement

MANY = 11
"""More instances than a plain UDP answer of Consul ever holds."""
PLAIN_UDP_SIZE = 512
"""RFC 1035 §4.2.1, bytes."""


@requirement("DNS-4")
def test_srv_gives_the_port_and_the_address(
    service: Callable[..., Service], fleet: Fleet, askers: list[Asker], resolver: Resolver, cluster: Cluster
) -> None:
    """SRV tells where an instance is and on which port: address and port as they were registered.

    Expected: from everywhere each instance's own port comes with a target and the target's address,
    which is that instance's overlay address; nodes that ask for the target by name hear the same.
    """
    shop = service("shop")
    for index, container in enumerate(fleet.subnet(cluster.subnets[0]).values()):
        shop.add(container, port=9000 + index, asked=False)
    shop.settle()
    heard = shop.judge(lambda: resolver.ask_all(askers, shop.fqdn, "SRV", how=How.EDNS))
    registered = {(one.address, one.port) for one in shop.instances.values()}
    wrong = [*heard.wrong, *(str(answer) for answer in heard.answers if not answer.endpoints <= registered)]
    targets = sorted({(int(srv.split()[2]), srv.split()[3]) for answer in heard.answers for srv in answer.records})
    asked = [(port, Question(node, target)) for port, target in targets for node in cluster.nodes.values()]
    answers = resolver.ask_each([question for _, question in asked])
    ports = {port: address for address, port in registered}
    wrong += [
        f"the target of port {port} leads elsewhere than to {ports.get(port)}: {answer}"
        for (port, _), answer in zip(asked, answers, strict=True)
        if answer.addresses != {ports.get(port)}
    ]
    assert not wrong, "\n".join(wrong)


@requirement("DNS-7")
def test_every_form_of_the_name_gives_the_same(
    listed: Service, askers: list[Asker], resolver: Resolver, registry: Registry
) -> None:
    """Case does not matter (RFC 4343), and the long forms of a name mean the same service.

    Expected: upper and mixed case, the name with its datacenter, the tag form and the form of
    RFC 2782 give the instances that the plain name gives, from everywhere.
    """
    name, (tag,), domain = listed.name, listed.tags, resolver.domain
    forms = [
        (listed.fqdn.upper(), "A"),
        ("".join(letter.upper() if place % 2 else letter for place, letter in enumerate(listed.fqdn)), "A"),
        (f"{name}.service.{registry.settings.datacenter}.{domain}", "A"),
        (f"{tag}.{name}.service.{domain}", "A"),
        (f"{tag}.{name}.service.{registry.settings.datacenter}.{domain}".title(), "A"),
        (f"_{name}._{tag}.service.{domain}", "SRV"),
        (f"_{name}._tcp.service.{domain}", "SRV"),
    ]
    questions = [Question(asker, form, rrtype, How.EDNS) for form, rrtype in forms for asker in askers]
    heard = listed.judge(lambda: resolver.ask_each(questions))
    assert not heard.wrong, heard


@requirement("DNS-8")
def test_a_large_answer_is_complete_or_partial_but_right(
    service: Callable[..., Service],
    launch: Callable[..., Container],
    fleet: Fleet,
    askers: list[Asker],
    resolver: Resolver,
    cluster: Cluster,
) -> None:
    """A service of many instances is answered in full where the transport allows it.

    Expected: over TCP (RFC 7766) and EDNS (RFC 6891) A and SRV hold every instance; over plain UDP
    the answer keeps to 512 bytes, and whatever it holds is right.
    """
    crowd = service("crowd")
    for container in enough(fleet, cluster, launch, MANY):
        crowd.add(container, asked=False)
    crowd.settle()

    def ask(rrtype: str, how: How) -> list[Answer]:
        return resolver.ask_all(askers, crowd.fqdn, rrtype, how=how)

    wrong: list[str] = []
    for rrtype in ("A", "SRV"):
        for how in (How.TCP, How.EDNS):
            wrong += crowd.judge(lambda rrtype=rrtype, how=how: ask(rrtype, how)).wrong  # type: ignore[misc]
        heard = crowd.hear(lambda rrtype=rrtype: ask(rrtype, How.UDP))  # type: ignore[misc]
        wrong += heard.stray
        wrong += [f"{one.size} bytes over plain UDP: {one}" for one in heard.answers if one.size > PLAIN_UDP_SIZE]
    assert not wrong, "\n".join(wrong)


@requirement("DNS-10")
def test_ptr_leads_back(
    service: Callable[..., Service],
    launch: Callable[..., Container],
    askers: list[Asker],
    resolver: Resolver,
    cluster: Cluster,
) -> None:
    """An address has a name, and that name leads back to the address.

    Expected: from everywhere the PTR of an instance's address and of every node's address is a name
    whose A records hold that address.
    """
    lone = service("lone")
    first = next(iter(cluster.nodes))
    lone.add(launch("lone", subnet=cluster.subnets[0], node=first), asked=False)
    lone.settle()
    addresses = sorted({*lone.addresses(), *(node.address for node in cluster.nodes.values())})
    backward = [
        (address, Question(asker, str(dns.reversename.from_address(address)), "PTR"))
        for address in addresses
        for asker in askers
    ]
    names = resolver.ask_each([question for _, question in backward])
    wrong = [
        f"{address} has no name: {answer}"
        for (address, _), answer in zip(backward, names, strict=True)
        if not answer.records
    ]
    forward = [
        (address, Question(question.asker, name, "A", How.EDNS))
        for (address, question), answer in zip(backward, names, strict=True)
        for name in answer.records
    ]
    answers = resolver.ask_each([question for _, question in forward])
    wrong += [
        f"the name of {address} does not lead back to it: {answer}"
        for (address, _), answer in zip(forward, answers, strict=True)
        if address not in answer.addresses
    ]
    assert not wrong, "\n".join(wrong)


@requirement("DNS-11")
def test_ttls_are_as_configured(
    listed: Service, askers: list[Asker], resolver: Resolver, registry: Registry, cluster: Cluster
) -> None:
    """An answer may be kept for as long as Consul is configured to say, and no longer.

    Expected: from everywhere the TTL of a service's and of a node's records is the one in the
    configuration of the Consul agents, and the inventory's where that declares one.
    """
    services, nodes = registry.ttls(listed.name)
    wrong = []
    for rrtype in ("A", "SRV"):
        answers = resolver.ask_all(askers, listed.fqdn, rrtype)
        wrong += [
            f"TTL {one.ttls}, configured {sorted(services)}: {one}" for one in answers if set(one.ttls) != services
        ]
    for node in cluster.nodes:
        answers = resolver.ask_all(
            askers, f"{registry.itself(cluster.nodes[node])['Config']['NodeName']}.node.{resolver.domain}"
        )
        wrong += [f"TTL {one.ttls}, configured {sorted(nodes)}: {one}" for one in answers if set(one.ttls) != nodes]
    assert not wrong, "\n".join(wrong)


def _not_kept(answer: Answer, configured: set[int]) -> str:
    return f"TTL {list(answer.ttls)} s where {sorted(configured)} s is configured: {answer}"
