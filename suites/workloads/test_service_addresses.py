"""Promise 4 for a service of Docker's: its own address, and its published port, lead to its tasks."""

from collections.abc import Callable

from fixtures.evidence.attachments import Evidence
from fixtures.evidence.lines import shown
from fixtures.evidence.waiting import eventually_none
from fixtures.path.idle import Idle
from fixtures.session.marks import NotProved, at_end, requirement
from fixtures.workloads.backends import disguised, sources, unseen
from fixtures.workloads.service_addresses import ServiceAddress


@requirement("JOB-7")
def test_a_services_address_leads_to_each_of_its_tasks(service_address: ServiceAddress) -> None:
    """From every container of its network a service's own address leads to its tasks, and to each of them.

    Expected: every request is answered, by a task of the service, and each asker meets every task.
    """
    eventually_none(
        service_address.wrong,
        within_s=service_address.spread_s,
        what=f"{service_address} leads every container to every task",
    )


@requirement("JOB-7")
def test_tasks_see_the_source_that_is_declared(service_address: ServiceAddress, evidence: Evidence) -> None:
    """By way of the service's own address the tasks see the source that the overlay declares.

    Expected: at the tasks' interfaces every request comes from there; in a swarm from the address that the load
    balancer of the network has on the node of the container that made it.
    """
    requests = service_address.requests()
    evidence.text("sources that the tasks saw", sources(requests, service_address.addresses()))
    declared = service_address.declared_sources()
    if silent := unseen(requests, declared):
        raise NotProved(f"no task's recorder saw a request of {', '.join(silent)} (see the other test of JOB-7)")
    wrong = disguised(requests, declared)
    assert not wrong, shown(wrong)


@requirement("JOB-8")
def test_a_task_that_died_leaves_its_services_address(new_service: Callable[[], ServiceAddress]) -> None:
    """Soon after a task has died, nobody who asks the service's own address is sent to it.

    Expected: one task is killed, and is not replaced; within the bound on spreading every request by every
    container of the network is answered by one of the others.
    """
    service = new_service()
    if before := service.wrong():
        raise NotProved(f"not every task answered before one was killed (see JOB-7): {shown(before)}")
    *left, killed = service.tasks
    killed.handle.kill("SIGKILL")
    eventually_none(
        lambda: service.wrong(left),
        within_s=service.spread_s,
        what=f"{service} leads to {len(left)} tasks, and no more to {killed}, which was killed",
    )


@requirement("JOB-9")
def test_a_published_port_leads_to_each_task_at_every_node(service_address: ServiceAddress, evidence: Evidence) -> None:
    """A port that the service publishes is answered at every node, whether one of its tasks is there or not.

    Expected: every request by every node at every node's own address is answered by a task of the service, and at
    each node every task is met. Which source the tasks see there is told and not judged.
    """
    port = service_address.service.published()
    eventually_none(
        lambda: service_address.wrong_at_nodes(port),
        within_s=service_address.spread_s,
        what=f"port {port} of every node leads to every task of {service_address.service}",
    )
    evidence.text("sources that the tasks saw", service_address.sources_at_nodes(port))


@requirement("JOB-10")
@at_end
def test_an_idle_connection_to_a_service_still_carries_data(service_idle: Idle) -> None:
    """A TCP connection to a service's own address on which nothing was sent while the run lasted still works.

    Expected: one connection from a container of every node, opened when the run began and idle since (with
    `--thorough` for more than 900 s, after which IPVS forgets it unless told otherwise), carries data to a task and
    the answer back.
    """
    used = service_idle.use()
    assert not used.broken, used.explain(used.broken)
    if used.unopened:
        raise NotProved(f"nothing can be said of connections that were not opened: {used.explain(used.unopened)}")
