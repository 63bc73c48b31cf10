"""Promise 4 by Docker's own DNS: a container's names lead to it, in its network and nowhere else."""

from collections.abc import Callable

from fixtures.cluster.nodes import Cluster
from fixtures.containers.fleet import Container, Fleet
from fixtures.containers.removal import remove
from fixtures.containers.swarm_services import SPREAD_S
from fixtures.dns import docker_names as owed
from fixtures.dns.docker_dns import DockerDns
from fixtures.dns.docker_names import Owed
from fixtures.dns.messages import DnsTransport
from fixtures.dns.web import Dial, WebClient
from fixtures.evidence.lines import shown
from fixtures.evidence.waiting import NotInTime, eventually_none
from fixtures.probes.delivery import Edge, Transport
from fixtures.probes.prober import Prober
from fixtures.session.marks import NotProved, applies, requirement

PLAIN_UDP_SIZE = 512
"""RFC 1035 §4.2.1, bytes."""
LONG_NAME = 200
"""Bytes of a name of which three records, each with its owner's name, take more than that."""
MANY = 4


@requirement("DNS-1")
@applies("dns.docker")
def test_docker_tells_each_container_its_neighbours_addresses(docker_dns: DockerDns) -> None:
    """In every container, the names and aliases of its network's containers lead to their addresses.

    Expected: each container, by its own resolv.conf, gets the addresses that Docker gave to the
    containers of a name, all of them and no others, in every family that they have. In a swarm's
    networks those are the containers of all nodes, in others those of its own node.
    """
    questions = docker_dns.for_each(owed.every_name)
    eventually_none(
        lambda: docker_dns.tell(docker_dns.wrong(questions)),
        within_s=SPREAD_S * docker_dns.patience,
        what="every name leads to the containers that have it, and to no other",
    )


@requirement("DNS-2")
@applies("dns.docker")
def test_dialling_a_containers_name_reaches_it(
    docker_dns: DockerDns, fleet: Fleet, cluster: Cluster, http: WebClient, probe: Prober
) -> None:
    """An application that resolves a container's name and dials it is answered by that container.

    Expected: of neighbours, each is answered by the other at every address that its name leads to,
    wherever that container is reached by its address at all.
    """
    pairs = [
        (source, target)
        for subnet in cluster.subnets
        for source, target in fleet.neighbours(subnet)
        if docker_dns.everywhere or source.node is target.node
    ]
    answers = docker_dns.ask([docker_dns.name_of(target, asker=source) for source, target in pairs])
    dials = [
        (Dial(source, address, target.port), target)
        for (source, target), answer in zip(pairs, answers, strict=True)
        for address in sorted(answer.addresses)
    ]
    if not dials:
        raise NotProved("no container has a neighbour whose name leads to an address (see DNS-1)")
    answered = http.who_answers([dial for dial, _ in dials])
    wrong = probe.own_failures(
        [
            (
                f"{dial}: instead of {target}, {name}",
                Edge(dial.source.endpoint, target.endpoint, Transport.TCP),
            )
            for (dial, target), name in zip(dials, answered, strict=True)
            if name != target.name
        ]
    )
    assert not wrong, shown(wrong)


@requirement("DNS-5")
@applies("dns.docker")
def test_an_unknown_name_is_answered_as_on_the_node(docker_dns: DockerDns) -> None:
    """Docker's DNS passes on a name that it does not know, and the answer as it is.

    Expected: a container is told that a name does not exist where its node is told so, and gets no
    record of it where the node's servers answer nothing.
    """
    wrong = docker_dns.own_failures(docker_dns.unlike_nodes(docker_dns.unknown_names()))
    assert not wrong, shown(wrong)


@requirement("DNS-5")
@applies("dns.docker")
def test_aaaa_is_the_ipv6_address_or_no_data(docker_dns: DockerDns) -> None:
    """A container's AAAA record is its IPv6 address; with IPv4 only it has none, and its name exists (RFC 2308).

    Expected: NOERROR for every name that a container can see, with that address or without a record:
    Docker answers it itself.
    """
    wrong = docker_dns.own_failures(docker_dns.wrong(docker_dns.for_each(owed.every_aaaa)))
    assert not wrong, shown(wrong)


@requirement("DNS-6")
@applies("dns.docker")
def test_a_removed_containers_name_disappears(
    docker_dns: DockerDns, launch: Callable[..., Container], cluster: Cluster
) -> None:
    """A container that is removed leaves every answer, and the others that share an alias stay in it.

    Expected: on each node two containers have one alias, one of them is removed, and its name leads
    nowhere and the alias to the others within the bound on spreading.
    """
    alias, subnet = docker_dns.new_alias("shared"), cluster.subnets[0]
    made = cluster.each(
        lambda node: [launch(what, subnet=subnet, node=node.name, aliases=[alias]) for what in ("leaving", "staying")]
    )
    leaving, staying = zip(*made.values(), strict=True)
    before = [docker_dns.holder(container) for container in [*leaving, *staying]]
    known = docker_dns.for_each(owed.every_name, among=before)
    try:
        eventually_none(
            lambda: docker_dns.own_failures(docker_dns.wrong(known)),
            within_s=SPREAD_S * docker_dns.patience,
            what="every name leads to the new containers",
        )
    except NotInTime as late:
        raise NotProved(f"no container can be seen to leave, nothing is proved: {late}") from None
    for container in leaving:
        remove(container)
    names = {container.name for container in before[: len(leaving)]}
    gone = [Owed(one.asker, one.name, "A", frozenset()) for one in known if one.rrtype == "A" and one.name in names]
    left = docker_dns.for_each(owed.every_name, among=before[len(leaving) :])

    def find_wrong() -> list[str]:
        return docker_dns.own_failures([*docker_dns.wrong(gone, owed.still_told), *docker_dns.wrong(left)])

    eventually_none(
        find_wrong,
        within_s=SPREAD_S * docker_dns.patience,
        what=f"{', '.join(sorted(names))}, and only these, leave every answer",
    )


@requirement("DNS-7")
@applies("dns.docker")
def test_every_form_of_a_containers_name_gives_the_same(docker_dns: DockerDns) -> None:
    """Case does not matter (RFC 4343), and a name with its network behind it means the same container.

    Expected: capitals, the name and the aliases with their network, and the short id lead where the
    name does.
    """
    wrong = docker_dns.own_failures(docker_dns.wrong(docker_dns.for_each(owed.every_form)))
    assert not wrong, shown(wrong)


@requirement("DNS-8")
@applies("dns.docker")
def test_a_large_answer_of_docker_is_complete_or_partial_but_right(
    docker_dns: DockerDns, launch: Callable[..., Container], cluster: Cluster
) -> None:
    """A name of several containers whose answer is larger than 512 bytes is answered in full where that is allowed.

    Expected: over TCP (RFC 7766) and EDNS (RFC 6891) every address; over plain UDP the answer keeps
    to 512 bytes, and whatever it contains is right.
    """
    alias, node = docker_dns.new_alias("crowd", length=LONG_NAME), next(iter(cluster.nodes))
    crowd = [launch("crowd", subnet=cluster.subnets[0], node=node, aliases=[alias]) for _ in range(MANY)]
    questions = [
        one
        for one in docker_dns.for_each(owed.every_name, among=[docker_dns.holder(container) for container in crowd])
        if one.name == alias
    ]
    eventually_none(
        lambda: docker_dns.own_failures(docker_dns.wrong(questions, transport=DnsTransport.TCP)),
        within_s=SPREAD_S * docker_dns.patience,
        what="over TCP the answer has every address",
    )
    in_full = docker_dns.ask(questions, transport=DnsTransport.TCP)
    if min((answer.size for answer in in_full), default=0) <= PLAIN_UDP_SIZE:
        raise NotProved(f"the answer is not larger than {PLAIN_UDP_SIZE} bytes, so nothing is proved: {in_full[:1]}")
    partly = docker_dns.wrong(questions, lambda one, answer: owed.partly_wrong(one, answer, PLAIN_UDP_SIZE))
    wrong = docker_dns.own_failures([*docker_dns.wrong(questions, transport=DnsTransport.EDNS), *partly])
    assert not wrong, shown(wrong)


@requirement("DNS-10")
@applies("dns.docker")
def test_the_name_of_a_containers_address_leads_back(docker_dns: DockerDns) -> None:
    """A container's address has a name, and that name leads back to the address.

    Expected: for the IPv4 address of every container that it can see, a container gets a PTR record
    whose name leads to that address.
    """
    wrong = docker_dns.own_failures(docker_dns.names_that_lead_back())
    assert not wrong, shown(wrong)


@requirement("DNS-13")
def test_names_of_another_subnet_are_not_told(docker_dns: DockerDns) -> None:
    """A container is not told the names of another subnet's containers.

    Expected: no name and no alias of them, alone or with its network, leads anywhere, while each of
    those containers is told its own name before and after.
    """
    silent = docker_dns.wrong(docker_dns.own_names())
    leaks = docker_dns.wrong(docker_dns.hidden(), owed.leak)
    silent += docker_dns.wrong(docker_dns.own_names())
    assert not leaks, shown(docker_dns.tell(leaks))
    if silent:
        raise NotProved(f"names that their own containers are not told prove nothing (see DNS-1): {shown(silent)}")
