"""Asks Consul and Nomad, through their agents on the nodes, whether a run can use them; changes nothing."""

from __future__ import annotations

from typing import Any

from lab.access import consul as consul_api
from lab.access import nomad as nomad_api
from lab.access.cluster import ClusterAccess, NodeAccess
from lab.access.http import Access, token_words
from lab.inventory import Consul, Inventory, Nomad

from .judging import Finding, judge_consul, judge_nomad, problem

ASK_DNS = """\
import socket, struct, sys
host, port, name = sys.argv[1], int(sys.argv[2]), sys.argv[3]
labels = b"".join(struct.pack("B", len(part)) + part.encode() for part in name.split(".")) + b"\\0"
query = struct.pack(">HHHHHH", 4711, 256, 1, 0, 0, 0) + labels + struct.pack(">HH", 1, 1)
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(3)
try:
    sock.connect((host, port))
    sock.send(query)
    answer = sock.recv(4096)
except OSError as error:
    sys.exit("no answer: %s" % error)
code = answer[3] & 15 if len(answer) > 11 and answer[:2] == query[:2] else None
if code != 0:
    sys.exit("no answer to the question" if code is None else "its answer has code %d (RFC 1035, RCODE)" % code)
if not struct.unpack(">H", answer[6:8])[0]:
    sys.exit("it knows no address of %s" % name)
"""
"""argv: server, port, name. Exit status 0 when the server has an address of the name; else the reason is on stderr."""


def examine_consul(access: Access, settings: Consul) -> list[Finding]:
    """What keeps a run from using Consul on the node. Raises what the client's calls raise."""
    client = consul_api.connect(access, settings)
    found = judge_consul(access.node, settings.datacenter, client.agent.self()["Config"], client.status.leader())
    missing = consul_api.missing_rules(client)
    if missing:
        wrong = f"{token_words(settings, 'consul')} does not allow what a run needs"
        found.append(problem(f"node {access.node.name}: Consul", wrong, f"its policy lacks {' '.join(missing)}"))
    return found


def examine_dns(node: NodeAccess, settings: Consul) -> list[Finding]:
    """Whether Consul's DNS answers on the node's own address, asked from the node. Raises HarnessError."""
    if node.node.agent_image is not None:
        return []  # the node has no Python to ask with; the agent will, in the image's
    name = f"consul.service.{settings.domain}"
    asked = node.run(["python3", "-c", ASK_DNS, node.address, str(settings.dns_port), name], check=False)
    if asked.exit_status == 0:
        return []
    said = (asked.stderr.splitlines() or [f"exit status {asked.exit_status}"])[-1]
    where = f"node {node.name}: DNS at {node.address}:{settings.dns_port}, asked on the node for {name}"
    return [problem(where, said, "correct consul.dns_port or consul.domain, or put a forwarder there")]


def examine_nomad(cluster: ClusterAccess, settings: Nomad) -> list[Finding]:
    """What keeps a run from using Nomad, by the first node's agent.

    Raises what the client's calls raise; PermissionDenied names the rule that the token's policy lacks.
    """
    first = next(iter(cluster.nodes.values()))
    client = nomad_api.connect(first, settings)
    client.quorum()
    client.job.plan_job(PLANNED, {"Job": _planned(cluster.inventory, settings)})
    client.jobs.get_jobs(prefix=PLANNED)
    return judge_nomad(cluster.inventory.nodes, settings.datacenter, client.nodes.get_nodes())


PLANNED = "flatnet-check"
"""Name of the job that Nomad is asked to plan. Planning needs the capability submit-job, and starts nothing."""


def _planned(inventory: Inventory, settings: Nomad) -> dict[str, Any]:
    task = {"Name": "none", "Driver": "docker", "Config": {"image": inventory.name}}
    return {
        "ID": PLANNED,
        "Name": PLANNED,
        "Type": "batch",
        "Datacenters": [settings.datacenter],
        "TaskGroups": [{"Name": "none", "Count": 1, "Tasks": [task]}],
    }
