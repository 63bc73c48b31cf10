"""Promise 4 for what a scheduler places: a job's name leads to its tasks' overlay addresses."""

from collections.abc import Callable

from fixtures.cluster.nodes import Cluster
from fixtures.containers.fleet import Container
from fixtures.containers.party import Party
from fixtures.dns.messages import differing
from fixtures.dns.resolver import Resolver
from fixtures.dns.services import HEALTH_CHANGE_S
from fixtures.dns.web import Dial, WebClient
from fixtures.evidence.lines import shown
from fixtures.evidence.waiting import NotInTime, eventually, eventually_none
from fixtures.session.marks import NotProved, disruptive, requirement
from fixtures.workloads.jobs import GONE_S, PLACED_S, REPLACED_S, Scheduler
from fixtures.workloads.placement import Attachment, Job, elsewhere, misplaced


@requirement("JOB-1")
def test_tasks_have_overlay_addresses_one_per_node(job: Job, scheduler: Scheduler, cluster: Cluster) -> None:
    """Tasks of a job are on the overlay, and no node has two of them while another has none.

    Expected: one running task per node, each with an address of the subnet, all different.
    """
    tasks = scheduler.wait_until_placed(job)
    nodes = {task.node.name for task in tasks}
    assert nodes == set(cluster.nodes), f"{job} has tasks on {sorted(nodes)}, not on every node: {tasks}"
    addresses = {task.label: task.address for task in tasks}
    assert len(set(addresses.values())) == len(tasks), f"tasks of {job} share an address: {addresses}"
    wrong = elsewhere(tasks, job.subnet, cluster.inventory.overlay.subnets)
    assert not wrong, shown(wrong)


@requirement("JOB-2")
def test_tasks_are_reached_by_address_and_port(tasks: list[Container], cluster: Cluster, http: WebClient) -> None:
    """Every node and every task reaches every task by its overlay address and the service's own port.

    Expected: at each address the task that has it answers, with its own name.
    """
    sources: list[Party] = [*cluster.nodes.values(), *tasks]
    wrong = _answered_by_another(http, sources, tasks)
    assert not wrong, shown(wrong)


@requirement("JOB-2")
def test_tasks_are_reached_by_name(
    tasks: list[Container], job: Job, scheduler: Scheduler, cluster: Cluster, resolver: Resolver, http: WebClient
) -> None:
    """From every node and every task the job's name leads to its tasks.

    Expected: the A records are the overlay addresses of the tasks, and each address of the answer
    is served by the task that has it.
    """
    askers: list[Party] = [*cluster.nodes.values(), *tasks]
    addresses = frozenset(task.address for task in tasks)
    name = f"{job.service}.service.{scheduler.settings.datacenter}.{resolver.domain}"
    eventually(
        lambda: "\n".join(differing(resolver.ask_all(askers, name, "A"), addresses)),
        lambda descriptions: not descriptions,
        within_s=HEALTH_CHANGE_S,
        what=f"{name} leads to {', '.join(sorted(addresses))} for every node and task",
    )
    wrong = _answered_by_another(http, askers, tasks)
    assert not wrong, shown(wrong)


@requirement("JOB-3")
def test_a_job_gets_the_subnet_it_asks_for(
    submit: Callable[..., Job], scheduler: Scheduler, subnet: str, cluster: Cluster, attachment: Attachment
) -> None:
    """A job that names a subnet has its tasks there.

    Expected: every task's address lies in that subnet.
    """
    job = submit(attachment, subnet)
    tasks = scheduler.wait_until_placed(job)
    wrong = elsewhere(tasks, subnet, cluster.inventory.overlay.subnets)
    assert not wrong, shown(wrong)


@requirement("JOB-4")
def test_consul_has_the_overlay_addresses(
    tasks: list[Container], job: Job, scheduler: Scheduler, cluster: Cluster
) -> None:
    """What Nomad registers in Consul is where the tasks are: their overlay addresses and own ports.

    Expected: the registry lists exactly one instance per task, with the task's overlay address
    and, where the job can name it, its port; not the node's address.
    """
    nodes = {node.address for node in cluster.nodes.values()}
    eventually_none(
        lambda: misplaced(job, scheduler.registrations(job), tasks, nodes),
        within_s=HEALTH_CHANGE_S,
        what=f"the registrations of {job} are its tasks",
    )


@requirement("JOB-5")
def test_stopping_the_job_removes_its_name(
    submit: Callable[..., Job],
    scheduler: Scheduler,
    cluster: Cluster,
    resolver: Resolver,
    attachment: Attachment,
) -> None:
    """A job that was stopped leaves no name behind.

    Expected: while it runs its name exists; after it was stopped, every node gets NXDOMAIN.
    """
    job = submit(attachment, cluster.subnets[0])
    scheduler.wait_until_running(job)
    askers: list[Party] = [*cluster.nodes.values()]
    name = f"{job.service}.service.{resolver.domain}"

    def rcodes() -> set[str]:
        return {answer.rcode for answer in resolver.ask_all(askers, name, "A")}

    try:
        eventually(rcodes, lambda seen: seen == {"NOERROR"}, within_s=PLACED_S, what=f"{name} exists")
    except NotInTime as error:
        raise NotProved(f"the job's name never existed, so its removal proves nothing (see DNS-12): {error}") from None
    scheduler.stop(job)
    eventually(rcodes, lambda seen: seen == {"NXDOMAIN"}, within_s=GONE_S, what=f"{name} is gone")


@disruptive
@requirement("JOB-6")
def test_a_killed_task_is_replaced_and_the_name_follows(
    submit: Callable[..., Job],
    scheduler: Scheduler,
    cluster: Cluster,
    resolver: Resolver,
    http: WebClient,
    attachment: Attachment,
) -> None:
    """A task that dies is replaced, and the job's name leads to the replacement.

    Expected: another container runs in its place on the overlay, and from every node the name's
    addresses are again those of all tasks, each answered by its task.
    """
    job = submit(attachment, cluster.subnets[0])
    before = scheduler.placed(job)
    killed, *others = before
    killed.handle.kill("SIGKILL")
    ids_before = {task.id for task in before}
    eventually(
        lambda: [task for task in scheduler.tasks(job) if task.id not in ids_before],
        lambda new: len(new) == 1,
        within_s=REPLACED_S,
        every_s=0.2,
        what=f"another container runs in place of {killed}, which was killed",
    )
    tasks = scheduler.wait_until_placed(job)
    kept = {task.id for task in others} < {task.id for task in tasks}
    assert kept, f"tasks that were not killed are gone too: {before} ran before, then {tasks}"

    nodes: list[Party] = [*cluster.nodes.values()]
    addresses = frozenset(task.address for task in tasks)
    name = f"{job.service}.service.{resolver.domain}"
    eventually(
        lambda: "\n".join(differing(resolver.ask_all(nodes, name, "A"), addresses)),
        lambda descriptions: not descriptions,
        within_s=REPLACED_S,
        what=f"{name} leads to {', '.join(sorted(addresses))} for every node",
    )
    wrong = _answered_by_another(http, nodes, tasks)
    assert not wrong, shown(wrong)


def _answered_by_another(http: WebClient, sources: list[Party], tasks: list[Container]) -> list[str]:
    """Dial every task's overlay address and port from every source: what did not answer with the task's name."""
    dials = [(Dial(source, task.address, task.port), task) for source in sources for task in tasks]
    answered = http.who_answers([dial for dial, _ in dials])
    return [
        f"{dial} of {task.label}: instead of {task.name}, {name}"
        for (dial, task), name in zip(dials, answered, strict=True)
        if name != task.name
    ]
