"""Promise 4 while a server of Consul is down."""

from fixtures.cluster.nodes import ClusterNode
from fixtures.control_plane.registry import RETURN_S, Registry
from fixtures.dns.resolver import Asker, How, Resolver
from fixtures.dns.services import Service
from fixtures.evidence.waiting import eventually
from fixtures.session.marks import NotProved, disruptive, requirement


@requirement("DNS-9")
@disruptive
def test_names_resolve_with_any_one_server_down(
    listed: Service, registry: Registry, askers: list[Asker], resolver: Resolver
) -> None:
    """Whichever one of Consul's servers is down, names go on resolving from every node and container.

    Expected: right after each server stops, and again once the others have a leader, everybody who
    asks by its own resolv.conf hears all instances that the remaining servers know to pass.
    """
    if not registry.servers:
        raise NotProved("Consul's servers are not all among the inventory's nodes, so they cannot be stopped here")
    wrong = []
    for server in registry.servers:
        others = [one for one in registry.servers if one is not server]
        if not listed.settle():
            raise NotProved(f"not every instance of {listed} passes before {server}'s Consul stops: {listed.look()}")

        def ask(when: str, server: ClusterNode = server) -> list[str]:
            heard = listed.judge(lambda: resolver.ask_all(askers, listed.fqdn, how=How.EDNS), without=[server])
            if not heard.truth.owed:
                raise NotProved(f"with {server}'s Consul {when} no instance passes: {heard}")
            return [f"{server}'s Consul {when}: {words}" for words in heard.wrong]

        with registry.stopped(server):
            wrong += ask("just stopped")
            eventually(
                lambda others=others: {registry.consensus(one).leaders for one in others},  # type: ignore[misc]
                lambda seen, server=server: len(seen) == 1 and all(len(one - {server.name}) == 1 for one in seen),  # type: ignore[misc]
                within_s=RETURN_S,
                what=f"the servers other than {server} agree on a leader",
            )
            wrong += ask("down for long")
    assert not wrong, "\n".join(wrong)
