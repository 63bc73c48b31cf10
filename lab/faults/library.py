"""The faults there are. Their commands know the parts of overlay `vxlan`: see lab/overlays/vxlan.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .model import Fault, Site

_DOCKER = "Docker documentation: packet filtering and firewalls"
_FIELD = "field"
_DNS = ("DNS-1", "DNS-2", "DNS-3", "DNS-4", "DNS-6", "DNS-7", "DNS-8", "DNS-9", "DNS-10", "DNS-12")
_CHECKED = ("DNS-1", "DNS-2", "DNS-3", "DNS-4", "DNS-6", "DNS-8", "DNS-9", "DNS-10", "DNS-12")
"""Consul's checks reach the containers by the very path that is broken."""
_MESH = (
    "NET-1", "NET-2", "NET-3", "NET-4", "NET-5", "NET-7", "ISO-2", "ISO-9",
    "PATH-1", "PATH-2", "PATH-3", "PATH-4", "PATH-5", "PATH-6", "HOST-2", "HOST-3", "HOST-4", *_CHECKED,
)  # fmt: skip
"""What a broken path between containers can take along."""
_LEAKS = ("ISO-1", "ISO-3", "ISO-4", "ISO-5", "ISO-6", "ISO-7", "ISO-9")


def _rule(words: str, *, tool: str = "iptables", table: str = "filter") -> tuple[Callable[[Site], Sequence[str]], ...]:
    """(inject, undo) of one packet-filter rule, first in its chain; `{a}`, `{b}`, `{range}`, … are the site's."""

    def made(site: Site) -> str:
        return words.format(
            a=site.a, b=site.b, range=site.range, peer=site.peer.address, runner=_runner(site),
            mine=site.slice(site.node), theirs=site.slice(site.peer),
        )  # fmt: skip

    def put(site: Site) -> Sequence[str]:
        chain, _, rest = made(site).partition(" ")
        return [f"{tool} -w -t {table} -I {chain} 1 {rest}"]

    def take(site: Site) -> Sequence[str]:
        return [f"{tool} -w -t {table} -D {made(site)}"]

    return put, take


def _commands(*pairs: tuple[str, str]) -> tuple[Callable[[Site], Sequence[str]], ...]:
    """(inject, undo) of (command, its undoing); undone in reverse order."""

    def fill(text: str, site: Site) -> str:
        return text.format(
            a=site.a, b=site.b, range=site.range, peer=site.peer.address, runner=_runner(site), own=site.node.address,
            mine=site.slice(site.node), theirs=site.slice(site.peer), twin=site.peer_machine_id,
        )  # fmt: skip

    return (
        lambda site: [fill(do, site) for do, _ in pairs],
        lambda site: [fill(back, site) for _, back in reversed(pairs) if back],
    )


def _runner(site: Site) -> str:
    underlay = site.inventory.underlay
    return str(underlay[1]) if underlay else "192.0.2.1"


def _bridge_rule(rule: str) -> tuple[Callable[[Site], Sequence[str]], ...]:
    """(inject, undo) of an nft rule that sees every frame a bridge takes in."""
    return _commands(
        ("nft add table bridge flatnet_fault", "nft delete table bridge flatnet_fault"),
        ("nft add chain bridge flatnet_fault in '{{ type filter hook prerouting priority -300; }}'", ""),
        (f"nft add rule bridge flatnet_fault in {rule}", ""),
    )


def _service(name: str, body: str) -> tuple[Callable[[Site], Sequence[str]], ...]:
    agent = "curl -sf -X PUT http://{own}:8500/v1/agent/service"
    document = '{{"Name": "' + name + '", "ID": "' + name + '", ' + body + "}}"
    return _commands((f"{agent}/register -d '{document}'", f"{agent}/deregister/{name}"))


def _sysctl(key: str, bad: int, good: int) -> tuple[Callable[[Site], Sequence[str]], ...]:
    return _commands((f"sysctl -w {key}={bad}", f"sysctl -w {key}={good}"))


def _fault(
    name: str,
    imitates: str,
    how: tuple[Callable[[Site], Sequence[str]], ...],
    must: Sequence[str],
    may: Sequence[str] = (),
    *,
    source: str = _FIELD,
    node: int = 0,
    disruptive: bool = False,
) -> Fault:
    put, take = how
    rest = tuple(one for one in dict.fromkeys(may) if one not in must)
    return Fault(name, imitates, source, put, take, tuple(must), rest, node=node, disruptive=disruptive)


_ALL = (
    # -- no NAT ------------------------------------------------------------------
    _fault(
        "masquerade-inside-range", "A node masquerades between containers, as Docker does to what leaves a bridge.",
        _rule("POSTROUTING -s {a} -d {a} -j MASQUERADE", table="nat"), ["NET-2"],
        ["NET-3", "NET-6", "HOST-3", "PATH-5", "PATH-6", *_CHECKED], source=_DOCKER,
    ),
    _fault(
        "udp-source-port-rewritten", "A NAT keeps addresses but gives UDP flows another source port.",
        _rule("POSTROUTING -p udp -s {a} -d {a} -j SNAT --to-source :50000-50999", table="nat"), ["NET-2"],
        ["NET-3", "PATH-4", "PATH-5"], source="RFC 4787 §4.2",
    ),
    _fault(
        "another-container-answers", "A stale redirect leads one node's addresses to another node's containers.",
        _rule("PREROUTING -s {a} -d {theirs} -j NETMAP --to {mine}", table="nat"), ["NET-1"],
        [*_MESH, *_DNS], node=0,
    ),
    _fault(
        "address-given-twice", "Two engines hand out one address, since their allocators know nothing of each other.",
        _commands((
            "docker run -d --name flatnet-fault-twin --network flatnet-a --ip $(echo {theirs} | sed 's#/.*##')"
            " flatnet/demo:1.0", "docker rm -f flatnet-fault-twin",
        )),
        ["NET-4"], [*_MESH, *_DNS, "ISO-3", "ISO-9"], source="RFC 5227",
    ),
    # -- paths ---------------------------------------------------------------------
    _fault(
        "forward-drop-in-other-back-end", "Another tool's firewall drops in the back end Docker does not use.",
        _commands(("iptables-legacy -w -P FORWARD DROP", "iptables-legacy -w -P FORWARD ACCEPT")),
        ["NET-1", "CP-5"], [*_MESH, "HOST-1"], source=_DOCKER,
    ),
    _fault(
        "tunnel-port-dropped", "A host firewall or a cloud's security group drops the overlay's UDP port.",
        _rule("INPUT -p udp --dport 4789 -j DROP"), ["NET-1", "NET-7"], [*_MESH, "CP-1", "HOST-1", "ISO-3"],
        source="RFC 7348 §5",
    ),
    _fault(
        "tunnel-dropped-one-way", "One node drops the tunnel's packets of one peer; the reverse direction works.",
        _rule("INPUT -p udp --dport 4789 -s {peer} -j DROP"), ["NET-1", "NET-7"], [*_MESH, "HOST-1", "ISO-3"],
    ),
    _fault(
        "icmp-passes-tcp-does-not", "Ping works, and nothing else that matters: a filter drops TCP.",
        _rule("FORWARD -p tcp -s {a} -d {a} -j DROP"), ["NET-1", "NET-5"], _MESH,
    ),
    _fault(
        "udp-does-not-pass", "A filter drops UDP between containers.",
        _rule("FORWARD -p udp -s {a} -d {a} -j DROP"), ["NET-1", "NET-7", "PATH-4"], _MESH,
    ),
    _fault(
        "high-ports-dropped", "A filter lets the well-known ports through and drops new flows to high ones.",
        _rule("FORWARD -p tcp --dport 32768:65535 -s {a} -d {a} -m conntrack --ctstate NEW -j DROP"), ["NET-5"],
    ),
    _fault(
        "first-packets-lost", "Every second flow loses its first packet, while something on the way learns the path.",
        _rule("FORWARD -s {a} -d {a} -m conntrack --ctstate NEW -m statistic --mode nth --every 2 --packet 0 -j DROP"),
        ["NET-1"], _MESH,
    ),
    _fault(
        "mtu-black-hole", "One tunnel's MTU is smaller than the containers believe, and nobody tells them.",
        _commands(("ip link set vx-a mtu 1300", "ip link set vx-a mtu 1450")), ["PATH-1"],
        ["PATH-2", "PATH-3", "PATH-4", "PATH-5"], source="RFC 2923 §2.1",
    ),
    _fault(
        "fragments-dropped", "A filter drops fragments, since it cannot see their ports.",
        _bridge_rule("ether type ip ip frag-off & 0x1fff != 0 drop"), ["PATH-4"], ["PATH-2"], source="RFC 6888",
    ),
    _fault(
        "checksum-broken", "A card's offload leaves checksums wrong.",
        _bridge_rule("ip saddr {a} ip daddr {a} udp checksum set 0xbad1"), ["PATH-5"], _MESH, source="RFC 768",
    ),
    _fault(
        "extra-hop", "Packets take a router on their way that should not be there.",
        _rule("FORWARD -s {a} -d {a} -j TTL --ttl-dec 1", table="mangle"), ["PATH-6"],
    ),
    _fault(
        "random-loss", "A fifth of all packets between containers is lost.",
        _rule("FORWARD -s {a} -d {a} -m statistic --mode random --probability 0.2 -j DROP"), ["NET-1"], _MESH,
    ),
    # -- expose ----------------------------------------------------------------------
    _fault(
        "route-missing", "A node is exposed, and its route to the containers is gone.",
        _commands(
            ("ip address replace $(echo {a} | sed 's#[.]0/#.1/#') dev fn-a", "ip address flush dev fn-a scope global"),
            ("ip route del {a} dev fn-a", ""),
        ),
        ["HOST-2"], ["HOST-1", "HOST-3", "HOST-4", "HOST-5", *_CHECKED],
    ),
    _fault(
        "masquerade-towards-nodes", "A node hides its containers behind its own address when they talk to other nodes.",
        _rule("POSTROUTING -s {a} ! -d {range} -j MASQUERADE", table="nat"), ["HOST-3"], source=_DOCKER,
    ),
    _fault(
        "open-before-expose", "A node keeps a way to the containers that nobody gave it.",
        _commands(
            ("ip address add 10.32.0.250/32 dev lo", "ip address del 10.32.0.250/32 dev lo"),
            ("ip route add {a} dev fn-a src 10.32.0.250 metric 4242", "ip route del {a} dev fn-a metric 4242"),
        ),
        ["HOST-1"], ["HOST-2", "HOST-3", "HOST-5", "NET-4", "DNS-12"], disruptive=True,
    ),
    _fault(
        "open-to-strangers", "A node forwards for machines of the underlay that are no nodes.",
        _rule("FORWARD -s {runner} -j ACCEPT"), ["HOST-6"], source=_DOCKER,
    ),
    # -- isolation ---------------------------------------------------------------------
    _fault(
        "route-between-subnets", "A node routes from one subnet into the other.",
        _rule("FORWARD -s {range} -d {range} -j ACCEPT"), ["ISO-1", "ISO-7"], _LEAKS, source=_DOCKER,
    ),
    _fault(
        "subnets-in-one-segment", "A cable joins the bridges of both subnets.",
        _commands(
            ("ip link add fault-a type veth peer name fault-b", "ip link del fault-a"),
            ("ip link set fault-a master fn-a up && ip link set fault-b master fn-b up", ""),
        ),
        ["ISO-3", "ISO-4"], [*_LEAKS, "NET-4", "HOST-1", "HOST-6"],
    ),
    _fault(
        "leak-of-one-udp-port", "One UDP port leads from one subnet into the other, and not back.",
        _rule("FORWARD -p udp --dport 20777 -s {a} -d {b} -j ACCEPT"), ["ISO-1", "ISO-7"], _LEAKS,
    ),
    _fault(
        "ipv6-link-local-leak", "Subnets are kept apart in IPv4, and one segment in IPv6.",
        _commands(
            ("nft add table bridge flatnet_fault", "nft delete table bridge flatnet_fault"),
            ("nft add chain bridge flatnet_fault in '{{ type filter hook prerouting priority -300; }}'", ""),
            ("nft 'add rule bridge flatnet_fault in iifname {{ fault-a, fault-b }} ether type != ip6 drop'", ""),
            ("ip link add fault-a type veth peer name fault-b", "ip link del fault-a"),
            ("ip link set fault-a master fn-a up && ip link set fault-b master fn-b up", ""),
        ),
        ["ISO-6"], ["ISO-3", "ISO-4"], source="RFC 4862",
    ),
    # -- DNS -------------------------------------------------------------------------
    _fault(
        "service-under-the-nodes-address", "A scheduler registers the node's address for a container's service.",
        _service("httpbackend", '"Address": "{own}", "Port": 8081'), ["DNS-1"],
    ),
    _fault(
        "wrong-port", "A service is registered with port 0.",
        _service("portless", '"Address": "{own}", "Port": 0'), ["DNS-1"], ["DNS-4"],
    ),
    _fault(
        "stale-instance", "A container has gone, and its registration stays.",
        _service("ghost", '"Address": "10.32.0.190", "Port": 8081'), ["DNS-1"],
    ),
    _fault(
        "tcp-53-blocked", "A firewall knows that DNS is UDP, and drops it over TCP.",
        _rule("INPUT -p tcp --dport 53 -j DROP"), ["DNS-8"], ["DNS-9"], source="RFC 7766",
    ),
    _fault(
        "one-consul-server-dead", "One of three Consul servers is down.",
        _commands(("sv -w 20 stop /etc/flatnet/service/consul", "sv -w 20 start /etc/flatnet/service/consul")),
        ["CP-2"], _DNS, node=2,
    ),
    # -- control plane -----------------------------------------------------------------
    _fault(
        "peer-missing", "One node's overlay does not know one of its peers.",
        _commands((
            "bridge fdb del 00:00:00:00:00:00 dev vx-a dst {peer}",
            "bridge fdb append 00:00:00:00:00:00 dev vx-a dst {peer}",
        )),
        ["CP-1"], [*_MESH, "ISO-3"],
    ),
    _fault(
        "two-peers-of-one-identity", "A machine was cloned, its machine-id with it.",
        _commands((
            "cp /etc/machine-id /run/machine-id.before && echo {twin} > /etc/machine-id",
            "cp /run/machine-id.before /etc/machine-id",
        )),
        ["CP-4"], source="systemd documentation: machine-id",
    ),
    _fault(
        "forwarding-off", "Something has switched ip_forward off.",
        _sysctl("net.ipv4.ip_forward", 0, 1), ["CP-5"], ["HOST-3", "HOST-4", "PATH-2"],
    ),
    _fault(
        "back-ends-contradict", "Rules of the other iptables back end drop what Docker's accept.",
        _rule("FORWARD -i fn-a -o fn-a -j DROP", tool="iptables-legacy"), ["NET-1", "CP-5"], [*_MESH, "HOST-1"],
        source=_DOCKER,
    ),
    # -- nothing at all: what is only different must not be accused ------------------------
    _fault(
        "extra-container", "Somebody else's container runs in the subnet.",
        _commands((
            "docker run -d --name flatnet-fault-guest --network flatnet-a flatnet/demo:1.0",
            "docker rm -f flatnet-fault-guest",
        )), [],
    ),
    _fault(
        "extra-vxlan", "A node has a VXLAN of somebody else's.",
        _commands((
            "ip link add vx-other type vxlan id 77 dstport 4790 dev eth0 && ip link set vx-other up",
            "ip link del vx-other",
        )), [],
    ),
    _fault(
        "idle-rule", "A foreign packet-filter rule matches nothing of ours.",
        _rule("FORWARD -s 203.0.113.0/24 -j DROP"), [],
    ),
    _fault(
        "another-mac", "A tunnel's interface got another MAC.",
        _commands((
            "cat /sys/class/net/vx-a/address > /run/mac.before && ip link set vx-a address 02:00:5e:10:00:01",
            "ip link set vx-a address $(cat /run/mac.before)",
        )), [],
    ),
)  # fmt: skip

FAULTS: dict[str, Fault] = {fault.name: fault for fault in _ALL}
