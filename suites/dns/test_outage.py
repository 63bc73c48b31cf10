"""Promise 4 while a server of Consul is down."""

from fixtures.cluster.nodes import ClusterNode
from fixtures.containers.party import Party, node_of
from fixtures.control_plane.observation import Consensus
from fixtures.control_plane.registry import RETURN_S, Registry
from fixtures.dns.expectation import Failure
from fixtures.dns.messages import DnsTransport
from fixtures.dns.plain_names import PlainNames
from fixtures.dns.resolver import Resolver
from fixtures.dns.services import Service
from fixtures.evidence.lines import shown
from fixtures.evidence.waiting import eventually
from fixtures.probes.delivery import Edge, Transport
from fixtures.probes.prober import Prober
from fixtures.session.marks import NotProved, disruptive, requirement


@requirement("DNS-9")
@disruptive
def test_names_resolve_with_any_one_server_down(
    listed: Service,
    registry: Registry,
    askers: list[Party],
    resolver: Resolver,
    plain_names: PlainNames,
    probe: Prober,
) -> None:
    """Whichever one of Consul's servers is down, names go on resolving from every node and container.

    Expected: right after each server stops, and again once the others have a leader, everyone that
    asks by its own resolv.conf gets all instances that pass according to the remaining servers, wherever it
    reaches the nodes of those at all.
    """
    if not registry.servers:
        raise NotProved("Consul's servers are not all among the inventory's nodes, so they cannot be stopped here")

    def ask_without(server: ClusterNode, when: str) -> list[tuple[Failure, Edge]]:
        judged = listed.ask_until_certain(
            lambda: resolver.ask_all(askers, listed.fqdn, "A", transport=DnsTransport.EDNS), without=[server]
        )
        return [
            (
                Failure(failure.asker, f"{when} {server}'s Consul: {failure.what}"),
                _way_to_another_server(by_name[failure.asker], server, registry),
            )
            for failure in judged.faults
        ]

    by_name = {str(asker): asker for asker in askers}
    wrong: list[tuple[Failure, Edge]] = []
    for server in registry.servers:
        listed.wait_until_passing()
        with registry.stopped(server):
            wrong += ask_without(server, "right after the stop of")
            _wait_for_another_leader(registry, server)
            wrong += ask_without(server, "with another leader than")
    ways = dict(wrong)
    own = [(failure, ways[failure]) for failure in plain_names.own(list(ways))]
    told = plain_names.tell(probe.own_failures(own))
    assert not told, shown(told)


def _way_to_another_server(asker: Party, stopped: ClusterNode, registry: Registry) -> Edge:
    """From an asker to the node of a server that it may ask instead of the one that was stopped."""
    others = [server for server in registry.servers if server not in (stopped, asker)]
    elsewhere = [server for server in others if server is not node_of(asker)]
    return Edge(asker.endpoint, (elsewhere or others)[0].endpoint, Transport.UDP)


def _wait_for_another_leader(registry: Registry, stopped: ClusterNode) -> None:
    """Wait until all other servers follow the same leader, which is not the one that was stopped."""
    others = [server for server in registry.servers if server is not stopped]

    def same_other_leader(found: list[Consensus]) -> bool:
        leaders = {consensus.leaders for consensus in found}
        return len(leaders) == 1 and all(len(names - {stopped.name}) == 1 for names in leaders)

    eventually(
        lambda: [registry.consensus(server) for server in others],
        same_other_leader,
        within_s=RETURN_S * registry.patience,
        what=f"the servers other than {stopped} agree on a leader",
    )
