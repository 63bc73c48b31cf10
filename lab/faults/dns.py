"""Faults of promise 4: names that lead to the wrong place, to nothing, or too late."""

from __future__ import annotations

from .expose import NAMES
from .model import Action, Fault, Plan, Site, Where

PROXY_PORT = 5300
CONSUL_RETURNS_S = 60


def _but(*requirements: str) -> tuple[str, ...]:
    return tuple(one for one in NAMES if one not in requirements)


def consul_settled(site: Site) -> str:
    """A script that ends when the node's Consul knows a leader; fails when that takes too long."""
    assert site.inventory.consul is not None
    address = f"http://127.0.0.1:{site.inventory.consul.http_port}/v1/status/leader"
    look = f"import urllib.request as u; assert len(u.urlopen('{address}', timeout=2).read()) > 4"
    return (
        f'for look in $(seq {CONSUL_RETURNS_S * 5}); do python3 -c "{look}" 2>/dev/null && exit 0; sleep 0.2; done; '
        "echo 'Consul knows no leader' >&2; exit 1"
    )


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
        daemon = site.daemon("names", "names.py", mode, str(PROXY_PORT), site.node.address)
        return [*daemon, site.table(chains)]

    return plan


def _tcp_53(site: Site) -> list[Action]:
    return [site.table("chain input { type filter hook input priority filter - 10;\ntcp dport 53 drop\n}")]


def _server_dead(site: Site) -> list[Action]:
    commands = site.node.node.commands
    back = f"{commands.start_consul}\n{consul_settled(site)}"
    return site.on_node(commands.stop_consul, back)


def _no_leader(site: Site) -> list[Action]:
    """No server hears another's raft traffic; gossip, names and HTTP go on."""
    chain = "chain input { type filter hook input priority filter - 10;\niif != lo tcp dport 8300 drop\n}"
    closed = [site.table(chain, node=node) for node in site.cluster.nodes.values()]
    # It is in when a leader has noticed that nobody follows. Undone in reverse: the first one last.
    noticed = Action(site.node.name, _leaderless(site), "true")
    return [Action(site.node.name, "true", consul_settled(site)), *closed, noticed]


def _leaderless(site: Site) -> str:
    """A script that ends when the node's Consul knows no leader any more; fails when that takes too long."""
    assert site.inventory.consul is not None
    address = f"http://127.0.0.1:{site.inventory.consul.http_port}/v1/status/leader"
    look = f"import urllib.request as u; print(len(u.urlopen('{address}', timeout=2).read()))"
    return (
        f'for look in $(seq {CONSUL_RETURNS_S * 5}); do test "$(python3 -c "{look}" 2>/dev/null)" -gt 4 2>/dev/null'
        " || exit 0; sleep 0.2; done; echo 'Consul still knows a leader' >&2; exit 1"
    )


FAULTS = (
    Fault(
        "service-under-node-address",
        "The scheduler registers a container under its node's address, where nothing listens.",
        "https://github.com/hashicorp/nomad/issues/3599",
        registered("flatnet-fault-node", "node", 8081),
        must_fail=("DNS-1",),
    ),
    Fault(
        "stale-instance",
        "An instance that is long gone is still registered.",
        "https://github.com/hashicorp/nomad/issues/810",
        registered("flatnet-fault-stale", "gone", 8081),
        must_fail=("DNS-1",),
        kind=("no container",),
    ),
    Fault(
        "wrong-port",
        "SRV names another port than the instance serves.",
        "https://github.com/TritonDataCenter/containerpilot/issues/215",
        _proxy("port"),
        must_fail=("DNS-4",),
        may_fail=("DNS-7", "DNS-8", "DNS-9"),
        kind=("SRV",),
    ),
    Fault(
        "instance-missing",
        "One passing instance is left out of the answer.",
        "https://github.com/hashicorp/consul/issues/3345",
        _proxy("missing"),
        must_fail=("DNS-1",),
        may_fail=_but("DNS-1"),
    ),
    Fault(
        "critical-served",
        "An instance that fails its check stays in the answer.",
        "https://github.com/hashicorp/consul/issues/9286",
        _proxy("critical"),
        must_fail=("DNS-3",),
        may_fail=("DNS-1", "DNS-2", "DNS-5", "DNS-6", "DNS-8", "DNS-9"),
    ),
    Fault(
        "dns-delayed",
        "Answers come two seconds late.",
        "https://github.com/kubernetes/kubernetes/issues/62628",
        _proxy("delay"),
        must_fail=("DNS-1",),
        may_fail=_but("DNS-1"),
        kind=("no answer",),
    ),
    Fault(
        "aaaa-garbage",
        "A service without IPv6 is given a random AAAA record.",
        "https://github.com/hashicorp/consul/issues/7524",
        _proxy("garbage"),
        must_fail=("DNS-5",),
        kind=("AAAA",),
    ),
    Fault(
        "tcp-53-blocked",
        "DNS passes over UDP only, so large answers are never complete.",
        "https://github.com/coredns/coredns/issues/844",
        _tcp_53,
        must_fail=("DNS-8",),
        may_fail=("DNS-9",),
        kind=("tcp",),
    ),
    Fault(
        "consul-server-dead",
        "One of three servers of Consul is down, which the others bear.",
        "https://github.com/hashicorp/consul/issues/1554",
        _server_dead,
        must_fail=("CP-2",),
    ),
    Fault(
        "no-leader",
        "Consul's servers cannot agree on a leader.",
        "https://github.com/hashicorp/consul/issues/1888",
        _no_leader,
        must_fail=("CP-2",),
        may_fail=("CP-4", *NAMES),
        where=Where.ALL,
        kind=("leader", "voters"),
    ),
)
