"""What `nft -j list ruleset` prints is read, and what of it is not understood says so."""

from __future__ import annotations

import json
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from fixtures.control_plane.filter_conditions import (
    Address,
    Cast,
    Condition,
    Fixed,
    Flags,
    Interface,
    Share,
    State,
    Transport,
)
from fixtures.control_plane.filter_rules import BaseChain, NodeFilters, OverlayBridge, Rule, judge_filters
from fixtures.control_plane.nft_rules import parse_nft

RECORDED: dict[str, Any] = json.loads((Path(__file__).parent / "recordings" / "nft-list.json").read_text())
FN_A = frozenset({"fn-a"})
NODES = [IPv4Network("192.168.56.4/32")]
TCP, UDP = Transport(frozenset({"tcp"})), Transport(frozenset({"udp"}))
ANY = Share.UNKNOWN


def meta(key: str, right: Any, operator: str = "==") -> dict[str, Any]:
    return {"match": {"op": operator, "left": {"meta": {"key": key}}, "right": right}}


def payload(protocol: str, field: str, right: Any, operator: str = "==") -> dict[str, Any]:
    left = {"payload": {"protocol": protocol, "field": field}}
    return {"match": {"op": operator, "left": left, "right": right}}


def states(*right: str, operator: str = "in") -> dict[str, Any]:
    return {"match": {"op": operator, "left": {"ct": {"key": "state"}}, "right": list(right)}}


def fib(right: str, operator: str = "==", result: str = "type") -> dict[str, Any]:
    return {"match": {"op": operator, "left": {"fib": {"result": result, "flags": ["daddr"]}}, "right": right}}


def masked(field: str, flags: Any, right: Any, operator: str = "==", protocol: str = "tcp") -> dict[str, Any]:
    left = {"&": [{"payload": {"protocol": protocol, "field": field}}, flags]}
    return {"match": {"op": operator, "left": left, "right": right}}


SETS = [
    {"set": {"family": "ip", "table": "t", "name": "names", "elem": ["fn-a", "docker0"]}},
    {"set": {"family": "ip", "table": "t", "name": "timed", "elem": [{"elem": {"val": "10.32.0.7", "timeout": 60}}]}},
    {"set": {"family": "ip", "table": "t", "name": "empty"}},
    {"map": {"family": "ip", "table": "t", "name": "verdicts", "elem": [["fn-a", {"goto": {"target": "X"}}]]}},
    {"set": {"family": "inet", "table": "t", "name": "elsewhere", "elem": ["fn-a"]}},
]


def listed(*expressions: dict[str, Any], family: str = "ip") -> tuple[Rule, ...]:
    chain = {"family": family, "table": "t", "name": "C", "type": "filter", "hook": "forward"}
    rule = {"family": family, "table": "t", "chain": "C", "handle": 7, "expr": list(expressions)}
    (found,) = parse_nft({"nftables": [{"chain": chain}, *SETS, {"rule": rule}]})
    assert (found.location, found.hook, found.policy, found.name) == (f"nft {family} t C", "forward", "accept", "C")
    assert found.of_bridge is (family == "bridge")
    return found.chains["C"]


COUNTER = {"counter": {"packets": 1, "bytes": 84}}
DROP = {"drop": None}


@pytest.mark.parametrize(
    ("expressions", "verdict"),
    [
        ([COUNTER, {"log": None}, {"comment": "why"}, {"mangle": {}}, {"notrack": None}, {"return": None}], "return"),
        ([{"set": {"op": "add", "elem": 1, "set": "@names"}}, {"ct helper": "x"}, DROP], "drop"),
        ([{"accept": None}], "accept"),
        ([{"reject": {"type": "icmp"}}], "reject"),
        ([{"jump": {"target": "OTHER"}}], "jump OTHER"),
        ([{"goto": {"target": "OTHER"}}], "goto OTHER"),
        ([{"queue": {"num": 1}}, DROP], "?"),
        ([{"synproxy": None}], "?"),
        ([{"xt": {"type": "target", "name": "TPROXY"}}], "?"),
    ],
)
def test_a_verdict_is_read(expressions: list[dict[str, Any]], verdict: str) -> None:
    (rule,) = listed(*expressions)
    assert (rule.verdict, rule.conditions) == (verdict, ())


def test_a_rule_without_a_verdict_decides_nothing() -> None:
    assert listed(COUNTER) == listed() == ()


@pytest.mark.parametrize(
    ("expression", "conditions"),
    [
        (meta("iifname", "fn-a"), [Interface("incoming", FN_A)]),
        (meta("iif", "fn-a"), [Interface("incoming", FN_A)]),
        (meta("oif", "fn-a", "!="), [Interface("outgoing", FN_A, True)]),
        (meta("oifname", {"set": ["fn-a", "fn-b"]}), [Interface("outgoing", frozenset({"fn-a", "fn-b"}))]),
        (meta("iifname", "@names", "!="), [Interface("incoming", frozenset({"fn-a", "docker0"}), True)]),
        (meta("iifname", "@empty"), [Interface("incoming", frozenset())]),
        (meta("ibrname", "fn-a"), [Interface("incoming", FN_A)]),
        (meta("obrname", "fn-a"), [Interface("outgoing", FN_A)]),
        (meta("l4proto", {"set": ["tcp", 17]}), [Transport(frozenset({"tcp", "17"}))]),
        (meta("nfproto", "ipv4"), [Fixed(Share.ALL, "nfproto")]),
        (meta("nfproto", "ipv6"), [Fixed(Share.NONE, "nfproto")]),
        (meta("protocol", "ip", "!="), [Fixed(Share.NONE, "protocol")]),
        (payload("ip", "protocol", "udp", "!="), [Transport(frozenset({"udp"}), True)]),
        (payload("ip", "saddr", "10.32.0.7"), [Address("sources", (IPv4Network("10.32.0.7/32"),))]),
        (payload("ip", "daddr", {"prefix": {"addr": "10.0.0.0", "len": 8}}, "!="),
         [Address("destinations", (IPv4Network("10.0.0.0/8"),), True)]),
        (payload("ip", "saddr", {"range": ["10.32.0.2", "10.32.0.3"]}),
         [Address("sources", (IPv4Network("10.32.0.2/31"),))]),
        (payload("ip", "saddr", "@timed"), [Address("sources", (IPv4Network("10.32.0.7/32"),))]),
        (payload("ether", "type", "ip"), [Fixed(Share.ALL, "ether type")]),
        (payload("ether", "type", "ip", "!="), [Fixed(Share.NONE, "ether type")]),
        (payload("arp", "operation", "reply"), [Fixed(Share.NONE, "arp operation")]),
        (payload("ip6", "saddr", "fe80::1", "!="), [Fixed(Share.NONE, "ip6 saddr")]),
        (states("established"), [State(frozenset({"established"}))]),
        (states("new", operator="!="), [State(frozenset({"new"}), True)]),
        (fib("local", "!="), [Cast(frozenset({"local"}), True)]),
        (fib("unicast"), [Cast(frozenset({"unicast"}))]),
        (fib("local"), [Cast(frozenset({"local"}))]),
    ],
)  # fmt: skip
def test_a_condition_is_understood(expression: dict[str, Any], conditions: list[Condition]) -> None:
    (rule,) = listed(expression, DROP)
    assert (rule.verdict, list(rule.conditions)) == ("drop", conditions)
    assert rule.text == "ip t C handle 7"


def test_the_bridge_family_names_ports() -> None:
    (rule,) = listed(meta("iifname", "vx-a"), meta("oif", "vx-a"), meta("ibrname", "fn-a"), DROP, family="bridge")
    tunnel = frozenset({"vx-a"})
    assert list(rule.conditions) == [
        Interface("incoming_port", tunnel), Interface("outgoing_port", tunnel), Interface("incoming", FN_A)
    ]  # fmt: skip


def test_tcp_flags_are_understood() -> None:
    (rule,) = listed(masked("flags", ["syn", "rst"], "syn", "!="), DROP)
    assert rule.conditions == (Flags(frozenset({"syn", "rst"}), frozenset({"syn"}), True),)
    (rule,) = listed(masked("flags", "syn", "syn"), DROP)
    assert rule.conditions == (Flags(frozenset({"syn"}), frozenset({"syn"})),)
    (rule,) = listed(masked("flags", 2, 2), DROP)
    assert [condition.value for condition in rule.conditions if isinstance(condition, Fixed)] == [ANY]


@pytest.mark.parametrize(
    ("expression", "before"),
    [
        (payload("tcp", "dport", {"set": [22, 80]}), [TCP]),
        (payload("udp", "sport", "@nowhere"), [UDP]),
        (payload("th", "dport", 53, "<"), []),
        (payload("icmp", "type", "echo-request"), [Transport(frozenset({"icmp"}))]),
        (payload("ip", "length", 1400, ">"), []),
        (meta("length", 1400, ">"), []),
        ({"match": {"op": "<", "left": {"numgen": {"mode": "random", "mod": 100}}, "right": 20}}, []),
        (masked("frag-off", 16383, 0, "!=", protocol="ip"), []),
        ({"limit": {"rate": 5}}, []),
        ({"quota": {"val": 5}}, []),
    ],
)  # fmt: skip
def test_a_condition_that_singles_out_a_part_is_understood_as_such(
    expression: dict[str, Any], before: list[Condition]
) -> None:
    (rule,) = listed(expression, DROP)
    *others, last = rule.conditions
    assert others == before
    assert isinstance(last, Fixed) and last.value is Share.SOME
    assert rule.text == "ip t C handle 7"


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        (meta("mark", 1), '{"meta": {"key": "mark"}} == 1'),
        (meta("iif", 7), '{"meta": {"key": "iif"}} == 7'),
        (meta("iifname", "fn-a", "<"), '{"meta": {"key": "iifname"}} < "fn-a"'),
        (meta("iifname", "@nowhere"), '"@nowhere"'),
        (meta("iifname", "@elsewhere"), '"@elsewhere"'),
        (payload("ip", "saddr", {"concat": []}), '{"concat": []}'),
        (payload("tcp", "flags", "syn"), '"field": "flags"'),
        (payload("ip", "version", 4), '"field": "version"'),
        ({"match": {"op": "==", "left": {"payload": {"base": "nh", "offset": 0, "len": 8}}, "right": 69}}, "69"),
        ({"match": {"op": "==", "left": {"concat": [1]}, "right": "@names"}}, "concat"),
        ({"match": {"op": "==", "left": "text", "right": "fn-a"}}, "text"),
        ({"match": {"op": "==", "left": {"ct": {"key": "mark"}}, "right": 1}}, "mark"),
        (fib("eth0", result="oifname"), "oifname"),
        ({"xt": {"type": "match", "name": "addrtype"}}, "xt addrtype"),
        ({"xt": None}, "xt"),
    ],
)
def test_a_condition_that_is_not_understood_says_so(expression: dict[str, Any], shown: str) -> None:
    (rule,) = listed(expression, DROP)
    (only,) = rule.conditions
    assert isinstance(only, Fixed) and only.value is ANY
    assert rule.text.startswith("ip t C handle 7: ") and shown in rule.text


def test_connection_direction_is_that_of_a_first_packet() -> None:
    def direction(right: Any) -> Share:
        left = {"ct": {"key": "direction"}}
        (rule,) = listed({"match": {"op": "==", "left": left, "right": right}}, DROP)
        (only,) = rule.conditions
        assert isinstance(only, Fixed)
        return only.value

    assert [direction(right) for right in ("original", 0, "reply", 1)] == [Share.ALL, Share.ALL, Share.NONE, Share.NONE]


def test_a_verdict_map_is_a_rule_for_each_of_its_elements() -> None:
    own = {
        "set": [
            ["established", {"accept": None}],
            ["new", {"jump": {"target": "X"}}],
            ["untracked", {"continue": None}],
        ]
    }
    found = listed(meta("iifname", "fn-a"), {"vmap": {"key": {"ct": {"key": "state"}}, "data": own}}, DROP)
    assert [rule.verdict for rule in found] == ["accept", "jump X", "", "drop"]
    assert found[0].conditions == (Interface("incoming", FN_A), State(frozenset({"established"})))
    assert found[3].conditions == (Interface("incoming", FN_A),)
    (named,) = listed({"vmap": {"key": {"meta": {"key": "iifname"}}, "data": "@verdicts"}})
    assert (named.verdict, named.conditions) == ("goto X", (Interface("incoming", FN_A),))
    (unread,) = listed({"vmap": {"key": {"meta": {"key": "iifname"}}, "data": "@nowhere"}})
    assert (unread.verdict, unread.text) == ("?", "ip t C handle 7: vmap")
    assert [rule.verdict for rule in listed({"vmap": {"key": {}, "data": "@names"}})] == ["?"]
    (doubtful,) = listed({"vmap": {"key": {"meta": {"key": "mark"}}, "data": {"set": [[1, {"drop": None}]]}}})
    assert "mark" in doubtful.text


def test_only_chains_that_ipv4_packets_meet_on_their_way_are_read() -> None:
    bases = [
        ("ip", "forward", "filter"), ("inet", "prerouting", "filter"), ("bridge", "postrouting", "filter"),
        ("ip6", "forward", "filter"), ("ip", "input", "filter"), ("ip", "prerouting", "nat"),
        ("netdev", "ingress", "filter"),
    ]  # fmt: skip
    chains = [
        {"chain": {"family": family, "table": "t", "name": "C", "hook": hook, "type": kind, "policy": "drop"}}
        for family, hook, kind in bases
    ]
    rules = [
        {"rule": {"family": family, "table": table, "chain": "C", "handle": 1, "expr": [{verdict: None}]}}
        for family, table, verdict in [("ip", "t", "accept"), ("inet", "t", "drop"), ("ip", "other", "reject")]
    ]
    metainfo = [{"metainfo": {"version": "1.0.6"}}, {"table": {"family": "ip", "name": "t"}}]
    found = parse_nft({"nftables": [*metainfo, *chains, *rules]})
    assert found == (
        BaseChain("nft ip t C", "forward", "drop", "C", {"C": (Rule("accept", (), "ip t C handle 1"),)}),
        BaseChain("nft inet t C", "prerouting", "drop", "C", {"C": (Rule("drop", (), "inet t C handle 1"),)}),
        BaseChain("nft bridge t C", "postrouting", "drop", "C", {}, of_bridge=True),
    )
    assert [chain.location for chain in parse_nft({"nftables": [*metainfo, *chains, *rules]}, {"t"})] == [
        "nft inet t C", "nft bridge t C"
    ]  # fmt: skip


# -- a real listing ------------------------------------------------------------------------


def without(*handles: int) -> dict[str, Any]:
    """The recorded ruleset without some rules of `inet fw`."""
    kept = [
        entry
        for entry in RECORDED["nftables"]
        if not ("rule" in entry and entry["rule"]["table"] == "fw" and entry["rule"]["handle"] in handles)
    ]
    return {"nftables": kept}


def judged(ruleset: dict[str, Any], bridge: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    chains = parse_nft(ruleset, {"filter", "raw", "mangle", "nat"})
    bridges = [OverlayBridge(bridge, (IPv4Network("10.32.0.0/24"),), ("vx-a",))]
    found = judge_filters(NodeFilters(chains, True, False), bridges, NODES)
    return found.drops, found.doubts


def test_verdict_maps_and_gotos_of_a_real_listing_are_followed() -> None:
    assert [chain.location for chain in parse_nft(RECORDED, {"filter", "raw", "mangle", "nat"})] == [
        "nft inet fw forward", "nft bridge br pre", "nft bridge br pass"
    ]  # fmt: skip
    drops, doubts = judged(RECORDED, "fn-a")
    assert "nft inet fw forward and nft bridge br pre drops what comes from fn-a" in drops  # @allowed jumps to wan
    assert not doubts
    drops, _ = judged(without(10), "fn-a")
    assert any(line.startswith("nft bridge br pre drops what comes from fn-a") for line in drops)  # @ways accepts
    drops, doubts = judged(without(10, 13, 22), "fn-a")
    assert any(line.startswith("nft inet fw forward and nft bridge br pre drops") for line in drops)
    assert not doubts


def test_a_mark_of_a_real_listing_is_not_understood() -> None:
    """Without the rules that decide before it, and without the one that rejects all."""
    _, doubts = judged(without(10, 13, 18, 22, 24), "eth9")
    assert doubts == ()  # dropped by the policy in any case
    own = without(10, 13, 18, 22, 24)
    for entry in own["nftables"]:
        if entry.get("chain", {}).get("name") == "forward":
            entry["chain"] = {**entry["chain"], "policy": "accept"}
    _, doubts = judged(own, "eth9")
    assert len(doubts) == 1 and 'inet fw forward handle 19: {"meta": {"key": "mark"}} == 1' in doubts[0]
