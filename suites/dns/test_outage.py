"""Promise 4 while a server of Consul is down."""

from fixtures.cluster.nodes import ClusterNode
from fixtures.containers.party import Party
from fixtures.control_plane.observation import Consensus
from fixtures.control_plane.registry import RETURN_S, Registry
from fixtures.dns.messages import DnsTransport
from fixtures.dns.plain_names import Failure, PlainNames
from fixtures.dns.resolver import Resolver
from fixtures.dns.services import Service
from fixtures.evidence.waiting import eventually
from fixtures.session.marks import NotProved, disruptive, requirement


@requirement("DNS-9")
@disruptive
def test_names_resolve_with_any_one_server_down(
    listed: Service, registry: Registry, askers: list[Party], resolver: Resolver, plain_names: PlainNames
) -> None:
    """Whichever one of Consul's servers is down, names go on resolving from every node and container.

    Expected: right after each server stops, and again once the others have a leader, everyone that
    asks by its own resolv.conf gets all instances that pass according to the remaining servers.
    """
    if not registry.servers:
        raise NotProved("Consul's servers are not all among the inventory's nodes, so they cannot be stopped here")

    def ask_without(server: ClusterNode, when: str) -> list[Failure]:
        judged = listed.ask_until_certain(
            lambda: resolver.ask_all(askers, listed.fqdn, "A", transport=DnsTransport.EDNS), without=[server]
        )
        return [(asker, f"{when} {server}'s Consul: {fault}") for asker, fault in judged.faults]

    wrong = []
    for server in registry.servers:
        listed.wait_until_passing()
        with registry.stopped(server):
            wrong += ask_without(server, "right after the stop of")
            _wait_for_another_leader(registry, server)
            wrong += ask_without(server, "with another leader than")
    own = plain_names.own_failures(wrong)
    assert not own, "\n".join(own)


def _wait_for_another_leader(registry: Registry, stopped: ClusterNode) -> None:
    """Wait until all other servers follow the same leader, which is not the one that was stopped."""
    others = [server for server in registry.servers if server is not stopped]

    def same_other_leader(found: list[Consensus]) -> bool:
        leaders = {consensus.leaders for consensus in found}
        return len(leaders) == 1 and all(len(names - {stopped.name}) == 1 for names in leaders)

    eventually(
        lambda: [registry.consensus(server) for server in others],
        same_other_leader,
        within_s=RETURN_S,
        what=f"the servers other than {stopped} agree on a leader",
    )
