"""Tries on every node what a run needs, side by side; a node that does not answer hides nothing of the others."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import consul
import docker
import requests

from lab.access import nomad as nomad_api
from lab.access.cluster import ClusterAccess, NodeAccess
from lab.errors import HarnessError
from lab.images import DEMO_IMAGE
from lab.overlays import Overlay, sandbox

from . import facts, judging, services
from .judging import Engine, Finding, major_of

ERRORS = (
    HarnessError, docker.errors.DockerException, consul.ConsulException, requests.RequestException, OSError,
    json.JSONDecodeError, *nomad_api.ERRORS,
)  # fmt: skip
"""What a check raises when it does not hold. Something else than Consul or Nomad may answer at their ports."""
LONGEST = 300
"""Characters of a problem; a remote error may carry a whole page."""
START_TIMEOUT_S = 30
"""Bound on the one container that shows that the engine can start any, seconds; a sound engine needs less than one."""
STALE_S = 60.0
"""A container of an earlier check that is older was left by one that was killed, seconds."""
LABEL = "flatnet.check"
CONSUL_WAY_OUT = "start its agent, or correct consul.http_port, or write `through: node`"


@dataclass(frozen=True)
class Examined:
    """What was found on one node."""

    name: str
    findings: list[Finding] = field(default_factory=list)
    engine: Engine | None = None
    """None: its engine was not asked, or did not say."""


def examine(cluster: ClusterAccess, overlay: Overlay, *, start_container: bool) -> list[Finding]:
    """Everything on the cluster that is not as a run needs it, by node; empty when a run can begin.

    `start_container`: load the demo image where it is missing, and start one container of it on every node; without,
    nothing is changed.
    """
    each = cluster.each(lambda node: _examine_node(node, overlay, cluster, start_container))
    found = [finding for examined in each.values() for finding in examined.findings]
    engines = {examined.name: examined.engine for examined in each.values() if examined.engine is not None}
    names = _network_names(overlay)
    found += judging.judge_networks(cluster.inventory, names, engines, sliced=overlay.sliced)
    settings = cluster.inventory.nomad
    if settings is not None:
        found += attempt(
            f"node {cluster.inventory.nodes[0].name}", "Nomad", lambda: services.examine_nomad(cluster, settings)
        )
    return found


def problems(findings: Iterable[Finding]) -> list[str]:
    """The texts of those findings that keep a run from beginning."""
    return [finding.text for finding in findings if finding.hinders]


def _network_names(overlay: Overlay) -> dict[str, str]:
    """{subnet: Docker network}, for an overlay that has them."""
    names = {subnet: overlay.network_of(subnet) for subnet in overlay.subnets}
    return {subnet: name for subnet, name in names.items() if name is not None}


def _examine_node(node: NodeAccess, overlay: Overlay, cluster: ClusterAccess, start_container: bool) -> Examined:
    where = f"node {node.name}"
    try:
        node.shell.connect()
    except HarnessError as error:  # it names the node, and what is in the way
        return Examined(node.name, [Finding(str(error).splitlines()[0][:LONGEST])])
    findings: list[Finding] = []
    with ThreadPoolExecutor(max_workers=1) as aside:
        settings = cluster.inventory.consul
        asked = None
        if settings is not None:
            asked = aside.submit(
                attempt, where, "Consul", lambda: services.examine_consul(node, settings), CONSUL_WAY_OUT
            )
        engine = _examine_engine(node, overlay, findings, start_container)
        if asked is not None:
            findings += asked.result()
        if settings is not None:
            findings += attempt(where, "DNS", lambda: services.examine_dns(node, settings))
    return Examined(node.name, findings, engine)


def _examine_engine(
    node: NodeAccess, overlay: Overlay, findings: list[Finding], start_container: bool
) -> Engine | None:
    """Ask the engine and the host below it; what is wrong is added to `findings`."""
    where, said = f"node {node.name}", {}

    def ask() -> list[Finding]:
        said["info"], said["version"] = node.docker.info(), node.docker.version()
        return []

    findings += attempt(where, "Docker", ask, "start the engine, or correct the node's `docker`")
    host: list[facts.HostFacts] = []

    def look() -> list[Finding]:
        root = said["info"].get("DockerRootDir") if said else None
        answer = node.run(facts.script(node.node, root), check=False)
        try:
            host.append(facts.read(answer.stdout))
        except ValueError as error:
            raise HarnessError(f"{error}, with exit status {answer.exit_status}: {answer.stderr[-LONGEST:]}") from None
        return judging.judge_host(node.node, host[0])

    findings += attempt(where, "commands", look)
    if not said:
        return None
    unfit = judging.judge_engine(node.node, said["info"], said["version"], host[0] if host else None)
    findings += unfit
    networks: dict[str, Any] = {}

    def list_networks() -> list[Finding]:
        networks.update({name: sandbox.inspect(node, name) for name in set(_network_names(overlay).values())})
        return []

    failed = attempt(where, "Docker networks", list_networks)
    findings += failed
    if start_container and not unfit:
        findings += attempt(where, "Docker starts no container", lambda: _start_container(node))
    if failed:
        return None
    return Engine(networks, said["info"].get("Swarm") or {}, major_of(said["version"]))


def _start_container(node: NodeAccess) -> list[Finding]:
    """Start one container, without a network, and remove it again."""
    for old in node.docker.containers.list(all=True, filters={"label": LABEL}):
        if time.time() - float(old.labels.get(LABEL) or 0) > STALE_S:
            old.remove(force=True)
    try:
        made = _create(node)
    except docker.errors.ImageNotFound:
        node.borrow_demo_image()
        made = _create(node)
    try:
        made.start()
        status = made.wait(timeout=START_TIMEOUT_S)["StatusCode"]
    finally:
        made.remove(force=True)
    if status != 0:
        wrong = f"a container of the demo image ended with status {status}"
        return [judging.problem(f"node {node.name}: Docker", wrong, "look at the engine's log")]
    return []


def _create(node: NodeAccess) -> Any:
    return node.docker.containers.create(
        DEMO_IMAGE, entrypoint=["sh", "-c", "exit 0"], network_mode="none", labels={LABEL: str(int(time.time()))}
    )


def attempt(where: str, what: str, check: Callable[[], Sequence[Finding]], way_out: str = "") -> list[Finding]:
    """The findings of a check; when it raises one of ERRORS, that alone as one line, with the way out behind it."""
    try:
        return list(check())
    except ERRORS as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        said = first.removeprefix(f"{where}: ")
        text = f"{where}: {said if said.startswith(what) else f'{what}: {said}'}"[:LONGEST]
        return [Finding(f"{text}; {way_out}" if way_out and ";" not in text else text)]
