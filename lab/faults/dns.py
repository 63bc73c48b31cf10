"""Faults of promise 4: names that lead to a wrong address, to nothing, or too late."""

from __future__ import annotations

from lab.images import DEMO_PORT

from ..errors import UsageError
from .model import ANY_OVERLAY, NAMED_BY_DOCKER, Action, Fault, Plan, Site, Where

PROXY_PORT = 5300
CONSUL_RETURNS_S = 60
LED, LEADERLESS = 0, 3
"""Exit statuses of the question for a leader; 1 is Python's own, for an exception."""


def _until_leader_is(site: Site, wanted: int, failure: str) -> str:
    """A script that ends when the question for Consul's leader has the wanted exit status; fails with a line if not.

    The statuses are LED and LEADERLESS; a Consul that does not answer has neither.
    """
    assert site.inventory.consul is not None
    address = f"http://127.0.0.1:{site.inventory.consul.http_port}/v1/status/leader"
    # The answer is an address in quotes, or "" without a leader (Consul documentation: status).
    length = f"len(u.urlopen('{address}', timeout=2).read())"
    ask = f"import sys, urllib.request as u; sys.exit({LED} if {length} > 4 else {LEADERLESS})"
    return (
        f'for try in $(seq {CONSUL_RETURNS_S * 5}); do status={LED}; python3 -c "{ask}" 2>/dev/null || status=$?\n'
        f"test $status = {wanted} && exit 0; sleep 0.2; done; echo '{failure}' >&2; exit 1"
    )


def consul_ready(site: Site) -> str:
    """A script that ends when the node's Consul knows a leader; fails when that takes too long."""
    return _until_leader_is(site, LED, "Consul knows no leader")


def _leaderless(site: Site) -> str:
    """A script that ends when the node's Consul knows no leader any more; fails when that takes too long."""
    return _until_leader_is(site, LEADERLESS, "Consul still knows a leader, or does not answer")


def registered(name: str, address: str, port: int) -> Plan:
    """Plan of a registration that Consul never checks; `address` may be `node`."""

    def plan(site: Site) -> list[Action]:
        consul = site.inventory.consul
        assert consul is not None
        leads = site.node.address if address == "node" else str(site.overlay.subnets[site.subnets[0]][250])
        base = f"http://127.0.0.1:{consul.http_port}/v1/agent/service"

        def put(path: str, body: str) -> str:
            return (
                'python3 -c "import urllib.request as u; '
                f"u.urlopen(u.Request('{base}/{path}', data=b'''{body}''', method='PUT'), timeout=5)\""
            )

        body = f'{{\\"Name\\":\\"{name}\\",\\"ID\\":\\"{name}-1\\",\\"Address\\":\\"{leads}\\",\\"Port\\":{port}}}'
        return site.on_node(put("register", body), put(f"deregister/{name}-1", ""))

    return plan


def _proxy(mode: str) -> Plan:
    def plan(site: Site) -> list[Action]:
        unmarked = "meta mark != 0xfa17 fib daddr type local"
        to = f"redirect to :{PROXY_PORT}"
        lines = f"{unmarked} udp dport 53 {to}\n{unmarked} tcp dport 53 {to}"
        chains = (
            f"chain before {{ type nat hook prerouting priority dstnat - 10;\n{lines}\n}}\n"
            f"chain out {{ type nat hook output priority -110;\n{lines}\n}}"
        )
        daemon = site.daemon("names", "names.py", mode, str(PROXY_PORT), site.node.address, packages=("dns",))
        return [*daemon, site.table(chains)]

    return plan


def _docker_names(mode: str) -> Plan:
    def plan(site: Site) -> list[Action]:
        return site.daemon("docker-names", "docker_names.py", mode, packages=("dns",))

    return plan


def _tcp_53(site: Site) -> list[Action]:
    return [site.table("chain input { type filter hook input priority filter - 10;\ntcp dport 53 counter drop\n}")]


def _own_server_only(site: Site) -> list[Action]:
    """Nobody on the node asks another server than the node's own."""
    own = f"{{ {site.node.address}, 127.0.0.0/8 }}"
    rule = f"ip daddr != {own} meta l4proto {{ tcp, udp }} th dport 53 counter drop"
    chains = "\n".join(
        f"chain {hook} {{ type filter hook {hook} priority filter - 10;\n{rule}\n}}" for hook in ("output", "forward")
    )
    return [site.table(chains)]


def _checks_dropped(site: Site) -> list[Action]:
    rule = f"ip daddr {site.range} tcp dport {DEMO_PORT} counter drop"
    return [site.table(f"chain output {{ type filter hook output priority filter - 10;\n{rule}\n}}")]


def _port_taken_over(site: Site) -> list[Action]:
    """Deliver what containers send to the service's port, whichever container it is for, to the node's first one."""
    first = site.overlay.slice_of(site.subnets[0], site.index)[0]
    rule = f"PREROUTING -s {site.range} -d {site.range} -p tcp --dport {DEMO_PORT} -j DNAT --to-destination {first}"
    return site.iptables(rule, table="nat")


def _port_closed6(site: Site) -> list[Action]:
    """Drop what goes to the service's port over IPv6 alone, as where it listens to IPv4 alone or a filter forgot it."""
    if not site.overlay.subnets6:
        raise UsageError("this fault acts on IPv6, which the overlay does not have; use a lab with --families 46")
    own = site.overlay.slice6_of(site.subnets[0], site.index)
    return site.iptables(f"FORWARD -d {own} -p tcp --dport {DEMO_PORT} -j DROP", program="ip6tables")


def _server_dead(site: Site) -> list[Action]:
    commands = site.node.node.commands
    back = f"{commands.start_consul}\n{consul_ready(site)}"
    return site.on_node(commands.stop_consul, back)


def _no_leader(site: Site) -> list[Action]:
    """Every server drops the others' raft traffic; gossip, names and HTTP go on."""
    chain = "chain input { type filter hook input priority filter - 10;\niif != lo tcp dport 8300 counter drop\n}"
    closed = [site.table(chain, node=node) for node in site.cluster.nodes.values()]
    # Injected when the leader has lost its followers. Undone in reverse order, so healed when there is a leader again.
    leads_again = Action(site.node.name, "true", consul_ready(site))
    leads_no_more = Action(site.node.name, _leaderless(site), "true")
    return [leads_again, *closed, leads_no_more]


FAULTS = (
    Fault(
        "service-under-node-address",
        "The scheduler registers a container under its node's address, where nothing listens.",
        "https://github.com/hashicorp/nomad/issues/3599",
        registered("flatnet-fault-node", "node", 8081),
        must_fail=("DNS-1",),
        blames=("{node}", "8081", "flatnet-fault-node"),
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "stale-instance",
        "An instance that no longer exists is still registered.",
        "https://github.com/hashicorp/nomad/issues/810",
        registered("flatnet-fault-stale", "gone", 8081),
        must_fail=("DNS-1", "EXT-3"),
        blames=("{node}", "flatnet-fault-stale", "no (running )?container|nobody|gone"),
    ),
    Fault(
        "wrong-port",
        "SRV names another port than the instance serves.",
        "https://github.com/TritonDataCenter/containerpilot/issues/215",
        _proxy("port"),
        must_fail=("DNS-4",),
        blames=("{node}", "SRV"),
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "instance-missing",
        "One passing instance is left out of the answer.",
        "https://github.com/hashicorp/consul/issues/3345",
        _proxy("missing"),
        must_fail=("DNS-1",),
        may_fail=("DNS-9",),
        blames=("{node}", "misses the passing instances"),
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "critical-served",
        "An instance that fails its check stays in the answer.",
        "https://github.com/hashicorp/consul/issues/9286",
        _proxy("critical"),
        must_fail=("DNS-3",),
        may_fail=("DNS-9",),
        blames=("{node}", "without a passing instance|gets addresses"),
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "dns-delayed",
        "Answers arrive two seconds late.",
        "https://github.com/kubernetes/kubernetes/issues/62628",
        _proxy("delay"),
        must_fail=("DNS-1",),
        blames=("{node}", "no answer"),
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "aaaa-garbage",
        "A service without IPv6 is given a random AAAA record.",
        "https://github.com/hashicorp/consul/issues/7524",
        _proxy("garbage"),
        must_fail=("DNS-5",),
        blames=("{node}", "AAAA", "fd00:"),
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "aaaa-unreachable",
        "A service is registered with an IPv6 address, and its port is reached over IPv4 alone.",
        "https://github.com/c-ares/c-ares/issues/456",
        _port_closed6,
        must_fail=("DNS-2",),
        may_fail=("NET-5",),
        blames=("{container}", "instead of", "fd00:", "8081"),
        needs_ipv6=True,
    ),
    Fault(
        "tcp-53-blocked",
        "DNS works over UDP only, so that large answers are never complete.",
        "https://github.com/coredns/coredns/issues/844",
        _tcp_53,
        must_fail=("DNS-8",),
        blames=("{node}", "tcp"),
        may_fail=("DNS-9",),
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "port-taken-over",
        "A published port's rule takes over what was sent to that port of any container.",
        "https://github.com/cloudnativelabs/kube-router/issues/612",
        _port_taken_over,
        must_fail=("DNS-2",),
        blames=("{container}", "instead of", "8081"),
        may_fail=("NET-5",),
    ),
    Fault(
        "answers-remembered",
        "A cache in front of Consul goes on answering an instance that was deregistered.",
        "https://github.com/kubernetes/dns/issues/60",
        _proxy("remembered"),
        must_fail=("DNS-6",),
        blames=("{node}", "without a passing instance|gets addresses"),
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "names-case-sensitive",
        "A name with a capital letter does not exist.",
        "https://github.com/hashicorp/consul/issues/189",
        _proxy("capitals"),
        must_fail=("DNS-7",),
        blames=("{node}", "NXDOMAIN"),
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "one-server-only",
        "The node's own server is the only one that can be asked, so that names fail with it.",
        "https://github.com/hashicorp/consul/issues/228",
        _own_server_only,
        must_fail=("DNS-9",),
        blames=("{node}", "no answer|SERVFAIL|no server"),
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "reverse-zone-missing",
        "Addresses have no names.",
        "https://github.com/hashicorp/consul/issues/1669",
        _proxy("addresses"),
        must_fail=("DNS-10",),
        blames=("{node}", "has no name", "NXDOMAIN"),
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "ttl-prolonged",
        "A cache in front of Consul gives its answers a longer life than Consul is configured to.",
        "https://github.com/systemd/systemd/issues/6945",
        _proxy("ttl"),
        must_fail=("DNS-11",),
        blames=("{node}", r"TTL 300|TTL 3\d\d"),
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "checks-dropped",
        "A firewall on the node drops the health checks that its Consul agent sends to containers.",
        "https://github.com/gliderlabs/docker-consul/issues/41",
        _checks_dropped,
        must_fail=("DNS-12",),
        blames=("Consul on {node}", "arrive at nothing"),
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "consul-server-dead",
        "One of three servers of Consul is down, and the other two go on.",
        "https://github.com/hashicorp/consul/issues/1554",
        _server_dead,
        must_fail=("CP-2",),
        blames=("{node}", "refused|does not run"),
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "no-leader",
        "Consul's servers cannot agree on a leader.",
        "https://github.com/hashicorp/consul/issues/1888",
        _no_leader,
        must_fail=("CP-2",),
        blames=("u1|u2|u3", "leader|voters"),
        where=Where.ALL,
        overlays=ANY_OVERLAY,
    ),
    Fault(
        "docker-dns-unruled",
        "A firewall's start in a container removes the rule by which its packets to 127.0.0.11 come to Docker.",
        "https://github.com/moby/moby/issues/35095",
        _docker_names("unruled"),
        must_fail=("DNS-1",),
        blames=("{node}", "127.0.0.11", "no answer"),
        overlays=NAMED_BY_DOCKER,
    ),
    Fault(
        "docker-name-remembered",
        "A container that was removed is still in the answers of Docker's DNS.",
        "https://github.com/moby/moby/issues/37629",
        _docker_names("remembered"),
        must_fail=("DNS-6",),
        blames=("{node}", "leaving|shared", "holder was removed|no container of that name"),
        overlays=NAMED_BY_DOCKER,
    ),
    Fault(
        "docker-name-told",
        "Docker's DNS tells a container the names of containers of another network.",
        "https://github.com/moby/moby/issues/21080",
        _docker_names("told"),
        must_fail=("DNS-13",),
        blames=("{node}", "name of another subnet", "127.0.0.11"),
        overlays=NAMED_BY_DOCKER,
    ),
)
