"""Faults of promise 4 for what a scheduler places: Consul is told something else about a job's tasks."""

from __future__ import annotations

from ..overlays.swarm import Swarm
from .model import Action, Fault, Plan, Site

PROXY_PORT = 5301
OF_NOMAD = "com.hashicorp.nomad.alloc_id"
"""Label of the containers of Nomad's tasks (Nomad documentation: Docker driver)."""


def _registrations(mode: str) -> Plan:
    """Plan of a proxy between Nomad and Consul on the node; `mode` is one of scripts/registrations.py."""

    def plan(site: Site) -> list[Action]:
        consul = site.inventory.consul
        assert consul is not None
        to_consul = f"meta mark != 0xfa17 ip daddr 127.0.0.1 tcp dport {consul.http_port}"
        # Connections that stood before are not redirected: Nomad has to make new ones.
        chains = (
            f"chain out {{ type nat hook output priority -110;\n{to_consul} redirect to :{PROXY_PORT}\n}}\n"
            f"chain old {{ type filter hook output priority filter;\n{to_consul} reject with tcp reset\n}}"
        )
        arguments = (mode, str(PROXY_PORT), site.node.address, str(consul.http_port))
        return [*site.daemon("registrations", "registrations.py", *arguments), site.table(chains)]

    return plan


def _placed(other: str | None, asked: int) -> Plan:
    """Plan of a driver that puts tasks of one subnet (by its place) into another Docker network; None: subnet a's."""

    def plan(site: Site) -> list[Action]:
        networks = [site.overlay.network_of(subnet) for subnet in site.subnets]
        arguments = ("place", other or networks[0], networks[asked], OF_NOMAD)
        return site.daemon("containers", "containers.py", *arguments)

    return plan


def _addresses(mode: str) -> Plan:
    """Plan of a program that spoils services' addresses on the node; `mode` is one of scripts/service_addresses.py."""
    return lambda site: site.daemon("service-addresses", "service_addresses.py", mode)


NEEDS_IPVS = "modprobe -q ip_vs; [ -e /proc/net/ip_vs ] || { echo 'no IPVS (module ip_vs)' >&2; exit 1; }"
OF_SERVICES = (Swarm.name,)

FAULTS = (
    Fault(
        "service-address-lacks-a-task",
        "A node does not know one of a service's tasks, so nobody there is led to it by the service's address.",
        "https://github.com/moby/moby/issues/30464",
        _addresses("missing"),
        must_fail=("JOB-7", "JOB-9"),
        blames=("{container} asked", "never answered by"),
        blames_in={"JOB-9": ("at {node}'s port", "nobody was answered by")},
        may_fail=("JOB-8",),
        overlays=OF_SERVICES,
        needs=NEEDS_IPVS,
    ),
    Fault(
        "service-address-keeps-a-dead-task",
        "A task has died, and a node goes on sending to it what asks its service's address.",
        "https://github.com/moby/moby/issues/33790",
        _addresses("kept"),
        must_fail=("JOB-8",),
        blames=("{container} asked", "instead of an answer of a task"),
        overlays=OF_SERVICES,
        needs=NEEDS_IPVS,
    ),
    Fault(
        "service-connections-forgotten",
        "IPVS forgets a connection to a service's address that was idle.",
        "https://github.com/moby/moby/issues/31208",
        _addresses("impatient"),
        must_fail=("JOB-10",),
        blames=("{node} → service", "idle for"),
        overlays=OF_SERVICES,
        needs=NEEDS_IPVS,
    ),
    Fault(
        "job-off-the-overlay",
        "Nomad's Docker driver starts a job's task on Docker's default bridge, and not in the job's network.",
        "https://github.com/hashicorp/nomad/issues/196",
        _placed("bridge", 0),
        must_fail=("JOB-1", "JOB-3"),
        blames=("{container}", "asked for subnet .* and got .* of no subnet"),
        may_fail=("JOB-2", "JOB-4", "JOB-6"),
        needs_nomad=True,
    ),
    Fault(
        "job-in-another-subnet",
        "A job asks for a subnet, and its task gets an address in the default one.",
        "https://github.com/weaveworks/weave/issues/2420",
        _placed(None, 1),
        must_fail=("JOB-3",),
        blames=("{container}", "asked for subnet b .* of subnet a"),
        needs_nomad=True,
    ),
    Fault(
        "job-not-registered-again",
        "Nomad restarts a task that died, and does not register it in Consul again.",
        "https://github.com/hashicorp/nomad/issues/13802",
        _registrations("once"),
        must_fail=("JOB-6",),
        blames=("flatnet-.*service", "not "),
        needs_nomad=True,
        default_node=0,  # where JOB-6 kills a task
    ),
    Fault(
        "job-registered-at-node",
        "Nomad registers a task under its node's address, because it does not learn the address on the network.",
        "https://github.com/hashicorp/nomad/issues/17107",
        _registrations("node-address"),
        must_fail=("JOB-2", "JOB-4"),
        blames=("{node}", "address"),
        blames_in={"JOB-2": ("gets other addresses than", r"NOERROR, .*192\.168\.56\.")},
        may_fail=("JOB-6",),
        needs_nomad=True,
    ),
    Fault(
        "job-never-deregistered",
        "Nomad stops a job, and its services stay registered in Consul.",
        "https://github.com/hashicorp/nomad/issues/16616",
        _registrations("kept"),
        must_fail=("JOB-5",),
        blames=("flatnet-.*service", "is gone"),
        may_fail=("JOB-2", "JOB-4", "JOB-6"),
        needs_nomad=True,
    ),
)
