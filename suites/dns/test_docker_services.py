"""Promise 4 by Docker's own DNS in a swarm: the names of a service lead to its virtual address and to its tasks."""

import pytest

from fixtures.containers.swarm_services import SPREAD_S
from fixtures.dns import docker_names as owed
from fixtures.dns.docker_dns import DockerDns
from fixtures.dns.docker_services import SwarmServices
from fixtures.evidence.lines import shown
from fixtures.evidence.waiting import eventually_none
from fixtures.session.marks import applies, requirement


@requirement("DNS-1")
@applies("dns.swarm")
@pytest.mark.parametrize("mode", ["vip", "dnsrr"])
def test_a_services_names_lead_to_its_addresses(
    mode: str, docker_dns: DockerDns, swarm_services: SwarmServices
) -> None:
    """In every container of its network, a service's name and `tasks.` with it lead to what Swarm says.

    Expected: the name leads to the virtual address, or without one to the tasks, and `tasks.NAME`
    to the tasks on all nodes.
    """
    service = swarm_services.make(mode)
    told = service.told()
    eventually_none(
        lambda: docker_dns.own_failures(docker_dns.wrong(swarm_services.questions(service, told))),
        within_s=SPREAD_S * docker_dns.patience,
        what=f"{service} and tasks.{service} lead to what Swarm's manager says",
    )


@requirement("DNS-6", "DNS-13")
@applies("dns.swarm")
def test_a_removed_services_names_disappear(docker_dns: DockerDns, swarm_services: SwarmServices) -> None:
    """A service that is removed leaves every answer, and before that it is told in its own network only.

    Expected: its names lead somewhere in its own subnet and nowhere in another one; once its last
    task is removed they lead nowhere within the bound on spreading.
    """
    service = swarm_services.make("vip")
    questions = swarm_services.questions(service, service.told())
    eventually_none(
        lambda: docker_dns.own_failures(docker_dns.wrong(questions)),
        within_s=SPREAD_S * docker_dns.patience,
        what=f"{service} and tasks.{service} lead somewhere",
    )
    leaks = docker_dns.wrong(swarm_services.hidden_questions(service), owed.leak)
    assert not leaks, shown(docker_dns.tell(leaks))
    service.remove()
    eventually_none(
        lambda: docker_dns.tell(docker_dns.wrong(questions, owed.still_told)),
        within_s=SPREAD_S * docker_dns.patience,
        what=f"{service} and tasks.{service} lead nowhere",
    )
