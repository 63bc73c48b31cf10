"""Promise 4 for what a scheduler places: a job's name leads to its tasks' overlay addresses."""

from collections.abc import Callable
from ipaddress import ip_address

from fixtures.cluster.nodes import Cluster
from fixtures.containers.fleet import Container
from fixtures.dns.resolver import Asker, Resolver
from fixtures.dns.services import TURN_S
from fixtures.dns.web import Web
from fixtures.evidence.waiting import eventually
from fixtures.session.marks import NotProved, disruptive, requirement
from fixtures.workloads.jobs import GONE_S, PLACED_S, REPLACED_S, Attachment, Job, Scheduler, astray


@requirement("JOB-1")
def test_tasks_have_overlay_addresses_one_per_node(tasks: list[Container], job: Job, cluster: Cluster) -> None:
    """Tasks of a job are on the overlay, and no node carries two of them while another has none.

    Expected: one running task per node, each with an address of the subnet, all different.
    """
    subnet = cluster.inventory.overlay.subnets[job.subnet]
    assert {one.node.name for one in tasks} == set(cluster.nodes), tasks
    addresses = {one.label: one.address for one in tasks}
    assert len(set(addresses.values())) == len(tasks), addresses
    assert all(ip_address(address) in subnet for address in addresses.values()), (subnet, addresses)


@requirement("JOB-2")
def test_tasks_are_reached_by_address_and_port(tasks: list[Container], cluster: Cluster, http: Web) -> None:
    """Every node and every task reaches every task by its overlay address and the service's own port.

    Expected: at each address answers the task that has it, which says its own name.
    """
    askers: list[Asker] = [*cluster.nodes.values(), *tasks]
    dials = [(asker, task) for asker in askers for task in tasks]
    served = http.instances_at([(asker, task.address, task.port) for asker, task in dials])
    wrong = [
        f"{asker} dialled {task.address}:{task.port} of {task.label}: {name}"
        for (asker, task), name in zip(dials, served, strict=True)
        if name != task.name
    ]
    assert not wrong, "\n".join(wrong)


@requirement("JOB-2")
def test_tasks_are_reached_by_name(
    tasks: list[Container], job: Job, scheduler: Scheduler, cluster: Cluster, resolver: Resolver, http: Web
) -> None:
    """From every node and every task the job's name leads to its tasks.

    Expected: the A records are the overlay addresses of the tasks, and each address of the answer
    is served by the task that has it.
    """
    askers: list[Asker] = [*cluster.nodes.values(), *tasks]
    owners = {task.address: task.name for task in tasks}
    name = f"{job.service}.service.{scheduler.settings.datacenter}.{resolver.domain}"

    def differing() -> str:
        return "\n".join(str(one) for one in resolver.ask_all(askers, name) if one.addresses != set(owners))

    eventually(differing, lambda words: not words, within_s=TURN_S, what=f"{name} leads to {sorted(owners)}")
    dials = [(asker, address) for asker in askers for address in owners]
    served = http.instances_at([(asker, address, tasks[0].port) for asker, address in dials])
    wrong = [(dial, name) for dial, name in zip(dials, served, strict=True) if owners[dial[1]] != name]
    assert not wrong, wrong


@requirement("JOB-3")
def test_a_job_gets_the_subnet_it_asks_for(
    submit: Callable[..., Job], scheduler: Scheduler, subnet: str, cluster: Cluster, attachment: Attachment
) -> None:
    """A job that names a subnet has its tasks there.

    Expected: every task's address lies in that subnet.
    """
    tasks = scheduler.placed(submit(attachment, subnet))
    asked = cluster.inventory.overlay.subnets[subnet]
    addresses = {one.label: one.address for one in tasks}
    assert all(ip_address(address) in asked for address in addresses.values()), (asked, addresses)


@requirement("JOB-4")
def test_consul_has_the_overlay_addresses(
    tasks: list[Container], job: Job, scheduler: Scheduler, cluster: Cluster
) -> None:
    """What Nomad registers in Consul is where the tasks are: their overlay addresses and own ports.

    Expected: the catalogue holds exactly one instance per task, with the task's overlay address
    and, where the job can name it, its port; not the node's address.
    """
    nodes = {node.address for node in cluster.nodes.values()}
    eventually(
        lambda: astray(job, scheduler.registered(job), tasks, nodes),
        lambda wrong: not wrong,
        within_s=TURN_S,
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
    """A job that was stopped leaves nothing behind that a name leads to.

    Expected: while it runs its name exists; after it was stopped, every node is told NXDOMAIN.
    """
    job = submit(attachment, cluster.subnets[0])
    scheduler.placed(job)
    askers: list[Asker] = [*cluster.nodes.values()]
    name = f"{job.service}.service.{resolver.domain}"

    def codes() -> set[str]:
        return {answer.rcode for answer in resolver.ask_all(askers, name)}

    try:
        eventually(codes, lambda seen: seen == {"NOERROR"}, within_s=PLACED_S, what=f"{name} exists")
    except AssertionError as error:
        raise NotProved(f"there is no name that could be removed (see DNS-12): {error}") from None
    scheduler.stop(job)
    eventually(codes, lambda seen: seen == {"NXDOMAIN"}, within_s=GONE_S, what=f"{name} is gone")


@disruptive
@requirement("JOB-6")
def test_a_killed_task_is_replaced_and_the_name_follows(
    submit: Callable[..., Job],
    scheduler: Scheduler,
    cluster: Cluster,
    resolver: Resolver,
    http: Web,
    attachment: Attachment,
) -> None:
    """A task that dies comes back, and the job's name leads to where it is then.

    Expected: another container runs in its place on the overlay, and from every node the name's
    addresses are again those of all tasks, each answered by its task.
    """
    job = submit(attachment, cluster.subnets[0])
    before = scheduler.placed(job)
    victim = before[0]
    victim.handle.kill("SIGKILL")
    others = {one.id for one in before} - {victim.id}

    def replaced() -> list[Container]:
        return [one for one in scheduler.tasks(job) if one.id not in {container.id for container in before}]

    eventually(replaced, lambda new: len(new) == 1, within_s=REPLACED_S, every_s=0.2, what=f"{victim} is replaced")
    tasks = scheduler.placed(job)
    assert others < {one.id for one in tasks}, f"tasks that were not killed are gone too: {before}, then {tasks}"
    owners = {task.address: task.name for task in tasks}
    askers: list[Asker] = [*cluster.nodes.values()]
    name = f"{job.service}.service.{resolver.domain}"

    def differing() -> str:
        return "\n".join(str(one) for one in resolver.ask_all(askers, name) if one.addresses != set(owners))

    eventually(differing, lambda words: not words, within_s=REPLACED_S, what=f"{name} leads to {sorted(owners)}")
    dials = [(node, address, tasks[0].port) for node in cluster.nodes.values() for address in owners]
    served = http.instances_at(dials)
    wrong = [(dial, who) for dial, who in zip(dials, served, strict=True) if owners[dial[1]] != who]
    assert not wrong, wrong
