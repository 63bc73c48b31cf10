"""A packet has to pass every chain: the one that drops it is named, and what is not understood proves nothing."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from fixtures.control_plane.filter_conditions import ANYWHERE, Address, Interface, Transport, Way, some, unknown
from fixtures.control_plane.filter_rules import (
    BaseChain,
    FilterJudgement,
    NodeFilters,
    OverlayBridge,
    Rule,
    find_wrong_settings,
    follow,
    judge_filters,
    ways,
)

FN_A, NOT_FN_A = Interface("incoming", frozenset({"fn-a"})), Interface("incoming", frozenset({"fn-a"}), negated=True)
WAY = Way("what comes from fn-a", "udp", "fn-a")
PORT, MARK = some("--dport 80"), unknown("--mark 1")
SUBNET = IPv4Network("10.32.0.0/24")
NODES = [IPv4Network("192.168.56.4/32")]


def ends(policy: str, *rules: Rule, **chains: tuple[Rule, ...]) -> str:
    """What can become of WAY in a chain, sorted and joined by `/`."""
    chain = BaseChain("nft ip filter FORWARD", "forward", policy, "FORWARD", {"FORWARD": rules, **chains})
    return "/".join(sorted(follow(chain, WAY).ends))


OTHERS = {"OTHER": (Rule("return"),), "ACCEPTS": (Rule("accept"),), "DROPS": (Rule("drop"),), "EMPTY": ()}


@pytest.mark.parametrize(
    ("rules", "closed", "opened"),
    [
        ((), "drop", "accept"),
        ((Rule("accept"),), "accept", "accept"),
        ((Rule("accept", (FN_A,)),), "accept", "accept"),
        ((Rule("accept", (NOT_FN_A,)),), "drop", "accept"),
        ((Rule("drop"), Rule("accept")), "drop", "drop"),
        ((Rule("reject"), Rule("accept")), "drop", "drop"),
        ((Rule("return"), Rule("accept")), "drop", "accept"),
        ((Rule(""), Rule("accept")), "accept", "accept"),
        ((Rule("jump OTHER"), Rule("drop")), "drop", "drop"),
        ((Rule("jump EMPTY"), Rule("accept")), "accept", "accept"),
        ((Rule("jump ACCEPTS"), Rule("drop")), "accept", "accept"),
        ((Rule("jump DROPS"), Rule("accept")), "drop", "drop"),
        # a chain that was gone to does not come back: the policy decides
        ((Rule("goto OTHER"), Rule("drop")), "drop", "accept"),
        ((Rule("goto EMPTY"), Rule("accept")), "drop", "accept"),
        ((Rule("goto ACCEPTS"), Rule("drop")), "accept", "accept"),
        # what is singled out is passed over, and the rest judged
        ((Rule("drop", (PORT,)),), "drop", "accept"),
        ((Rule("accept", (PORT,)),), "drop", "accept"),
        ((Rule("accept", (PORT,)), Rule("drop")), "drop", "drop"),
        ((Rule("return", (PORT,)), Rule("accept")), "accept", "accept"),
        ((Rule("jump DROPS", (PORT,)), Rule("accept")), "accept", "accept"),
        # what is not understood may decide, or not
        ((Rule("drop", (MARK,)),), "drop", "accept/drop"),
        ((Rule("accept", (MARK,)),), "accept/drop", "accept"),
        ((Rule("drop", (MARK,)), Rule("accept")), "accept/drop", "accept/drop"),
        ((Rule("accept", (MARK,)), Rule("drop")), "accept/drop", "accept/drop"),
        ((Rule("return", (MARK,)), Rule("accept")), "accept/drop", "accept"),
        ((Rule("jump DROPS", (MARK,)), Rule("accept")), "accept/drop", "accept/drop"),
        ((Rule("jump EMPTY", (MARK,)), Rule("accept")), "accept", "accept"),
        ((Rule("goto EMPTY", (MARK,)), Rule("accept")), "accept/drop", "accept"),
        ((Rule("drop", (MARK, NOT_FN_A)),), "drop", "accept"),
        ((Rule("?"), Rule("accept")), "?", "?"),
        ((Rule("?", (MARK,)), Rule("accept")), "?/accept", "?/accept"),
        ((Rule("?", (PORT,)), Rule("accept")), "accept", "accept"),
    ],
)  # fmt: skip
def test_the_first_verdict_decides_and_the_policy_when_there_is_none(
    rules: tuple[Rule, ...], closed: str, opened: str
) -> None:
    assert ends("drop", *rules, **OTHERS) == closed
    assert ends("accept", *rules, **OTHERS) == opened


def test_a_goto_within_a_chain_returns_to_where_that_was_called() -> None:
    chains = {"CALLED": (Rule("goto EMPTY"), Rule("drop")), "EMPTY": ()}
    assert ends("drop", Rule("jump CALLED"), Rule("accept"), **chains) == "accept"


def test_jumps_are_followed_to_their_limit() -> None:
    def nested(depth: int) -> dict[str, tuple[Rule, ...]]:
        chains = {f"C{number}": (Rule(f"jump C{number + 1}"),) for number in range(1, depth)}
        return {**chains, f"C{depth}": (Rule("accept"),)}

    assert ends("drop", Rule("jump C1"), **nested(16)) == "accept"
    assert ends("drop", Rule("jump C1"), **nested(17)) == "?"


def test_a_jump_to_a_chain_called_like_a_verdict_is_still_a_jump() -> None:
    assert ends("drop", Rule("jump drop"), drop=(Rule("accept"),)) == "accept"


def test_doubts_are_the_rules_that_may_decide() -> None:
    rules = (
        Rule("drop", (MARK,), "one"),
        Rule("jump OTHER", (MARK,), "harmless"),
        Rule("jump INNER", (), "calls"),
        Rule("drop", (PORT,), "a port"),
        Rule("?", (), "last"),
    )
    chains = {"FORWARD": rules, "OTHER": (Rule("return"),), "INNER": (Rule("accept", (MARK,), "inner"),)}
    chain = BaseChain("nft ip filter FORWARD", "forward", "drop", "FORWARD", chains)
    assert follow(chain, WAY).doubts == ["one", "inner", "last"]


# -- ways -------------------------------------------------------------------------------


def test_a_bridge_has_a_way_out_and_ways_across_by_every_tunnel() -> None:
    found = ways(OverlayBridge("fn-a", (SUBNET,), ("vx-a",)), NODES, "tcp")
    assert [(way.packets, way.bridged, way.incoming, way.outgoing) for way in found] == [
        ("what comes from fn-a", False, "fn-a", ""),
        ("what is bridged on fn-a", True, "fn-a", "fn-a"),
        ("what is bridged on fn-a and comes by vx-a", True, "fn-a", "fn-a"),
        ("what is bridged on fn-a and leaves by vx-a", True, "fn-a", "fn-a"),
    ]
    assert [(way.incoming_port, way.outgoing_port) for way in found] == [("", ""), ("", ""), ("vx-a", ""), ("", "vx-a")]
    assert {way.protocol for way in found} == {"tcp"} and {way.sources for way in found} == {(SUBNET,)}
    assert found[0].destinations == (IPv4Network("192.168.56.4/32"),) and found[1].destinations == (SUBNET,)
    (alone,) = ways(OverlayBridge("fn-a"), [], "tcp")  # with no other node nothing is routed
    assert (alone.packets, alone.sources) == ("what is bridged on fn-a", ANYWHERE)


def test_where_nodes_route_between_parts_of_a_subnet_both_ways_of_a_bridge_are_judged() -> None:
    beyond = (IPv4Network("10.32.0.128/26"),)
    out, there, back, bridged = ways(OverlayBridge("fn-a", (SUBNET,), beyond=beyond, outer="wg0"), NODES, "udp")
    assert (out.packets, bridged.packets) == ("what comes from fn-a", "what is bridged on fn-a")
    assert (there.packets, there.incoming, there.outgoing) == ("what is routed from fn-a to other nodes", "fn-a", "wg0")
    assert (back.packets, back.incoming, back.outgoing) == ("what is routed to fn-a from other nodes", "wg0", "fn-a")
    assert (there.sources, there.destinations) == (back.destinations, back.sources) == ((SUBNET,), beyond)
    assert not there.bridged and not back.bridged


def test_what_docker_28_drops_of_what_is_routed_to_a_part_is_found() -> None:
    raw = chain(
        Rule("drop", (Address("destinations", (SUBNET,)), Interface("incoming", frozenset(["fn-a"]), negated=True))),
        location="legacy raw PREROUTING",
    )
    bridge = OverlayBridge("fn-a", (SUBNET,), beyond=(IPv4Network("10.32.0.128/26"),))
    assert judge_filters(NodeFilters((raw,), True, True), [bridge], NODES).drops == (
        "legacy raw PREROUTING drops what is routed to fn-a from other nodes",
    )


def chain(
    *rules: Rule,
    policy: str = "accept",
    location: str = "nft ip filter FORWARD",
    of_bridge: bool = False,
    **more: tuple[Rule, ...],
) -> BaseChain:
    hook = location.rpartition(" ")[2].lower()
    return BaseChain(location, hook, policy, "C", {"C": rules, **more}, of_bridge)


def judged(*chains: BaseChain, filtering: bool | None = True, tunnels: tuple[str, ...] = ()) -> FilterJudgement:
    return judge_filters(NodeFilters(chains, True, filtering), [OverlayBridge("fn-a", (SUBNET,), tunnels)], NODES)


def test_open_filters_drop_nothing() -> None:
    assert judged(chain(), chain(Rule("accept"), policy="drop")) == FilterJudgement((), ())


def test_what_is_dropped_is_told_once_for_each_way() -> None:
    closed = chain(policy="drop", location="legacy filter FORWARD")
    routed, bridged = judged(closed, tunnels=("vx-a",)).drops
    assert routed == "legacy filter FORWARD drops what comes from fn-a"
    assert bridged == "legacy filter FORWARD drops what is bridged on fn-a"


@pytest.mark.parametrize("filtering", [False, None])
def test_bridged_packets_meet_the_chains_of_ip_only_where_they_are_filtered(filtering: bool | None) -> None:
    within = chain(Rule("drop", (Interface("outgoing", frozenset({"fn-a"})),)))
    assert judged(within).drops == ("nft ip filter FORWARD drops what is bridged on fn-a",)
    assert judged(within, filtering=filtering).drops == ()


def test_a_chain_of_the_bridge_family_sees_ports() -> None:
    by_tunnel = Rule("drop", (Interface("incoming_port", frozenset({"vx-a"})),))
    passing = chain(by_tunnel, location="nft bridge t forward", of_bridge=True)
    assert judged(passing, filtering=False).drops == ()
    assert judged(passing, filtering=False, tunnels=("vx-a",)).drops == (
        "nft bridge t forward drops what is bridged on fn-a and comes by vx-a",
    )
    every = [chain(Rule("drop"), location=f"nft bridge t {hook}", of_bridge=True) for hook in ("prerouting", "forward")]
    assert judged(every[0], filtering=False).drops == (
        "nft bridge t prerouting drops what comes from fn-a",
        "nft bridge t prerouting drops what is bridged on fn-a",
    )
    assert judged(every[1], filtering=False).drops == ("nft bridge t forward drops what is bridged on fn-a",)


def test_the_back_end_that_accepts_is_named_beside_the_one_that_drops() -> None:
    legacy, nft = chain(Rule("accept"), location="legacy filter FORWARD"), chain(policy="drop")
    first = judged(legacy, nft, chain(location="legacy raw PREROUTING")).drops[0]
    assert first == (
        "nft ip filter FORWARD drops what comes from fn-a, "
        "though legacy filter FORWARD lets it through: it has to pass both"
    )
    own = judged(chain(location="nft inet own forward"), nft).drops[0]
    assert own == "nft ip filter FORWARD drops what comes from fn-a"


def test_every_chain_that_drops_is_named() -> None:
    both = judged(chain(policy="drop"), chain(Rule("drop"), location="legacy raw PREROUTING"), filtering=False)
    assert both.drops == ("nft ip filter FORWARD and legacy raw PREROUTING drops what comes from fn-a",)


def test_a_protocol_that_alone_is_dropped_is_named() -> None:
    two = Transport(frozenset({"udp", "tcp"}))
    found = judged(chain(Rule("drop", (two,))), filtering=False)
    assert found.drops == ("nft ip filter FORWARD drops what comes from fn-a by udp and tcp",)


def test_an_address_that_alone_is_dropped_is_named() -> None:
    """As Docker 28 does in raw for every container that may not be routed to."""
    one = Address("destinations", (IPv4Network("10.32.0.66/32"),))
    docker = chain(
        Rule("drop", (one, Interface("incoming", frozenset({"br-1"}), True))), location="legacy raw PREROUTING"
    )
    assert judged(docker).drops == ("legacy raw PREROUTING drops what is bridged on fn-a to 10.32.0.66/32",)
    own = chain(Rule("drop", (one, Interface("incoming", frozenset({"fn-a"}), True))), location="legacy raw PREROUTING")
    assert judged(own).drops == ()


def test_a_rule_that_is_not_understood_is_told_where_it_may_decide() -> None:
    found = judged(chain(Rule("drop", (MARK,), "-A C -m mark --mark 1 -j DROP")), filtering=False)
    assert found.drops == ()
    assert found.doubts == (
        "whether nft ip filter FORWARD drops what comes from fn-a is unknown: not understood is "
        "`-A C -m mark --mark 1 -j DROP`",
    )
    assert judged(chain(Rule("accept", (MARK,), "x")), filtering=False).doubts == ()
    assert judged(chain(Rule("?", (), "-j QUEUE")), filtering=False).doubts[0].endswith("not understood is `-j QUEUE`")


def test_a_port_that_a_rule_names_alone_is_not_a_way() -> None:
    assert judged(chain(Rule("drop", (PORT,)))) == FilterJudgement((), ())


def test_a_back_end_that_may_drop_as_well_is_not_said_to_accept() -> None:
    doubtful = chain(Rule("drop", (MARK,), "x"), location="legacy filter FORWARD")
    found = judged(doubtful, chain(policy="drop"), filtering=False)
    assert found.drops == ("nft ip filter FORWARD drops what comes from fn-a",)


def test_every_bridge_is_judged() -> None:
    filters = NodeFilters((chain(policy="drop"),), True, None)
    assert judge_filters(filters, [OverlayBridge("fn-a"), OverlayBridge("fn-b")], NODES).drops == (
        "nft ip filter FORWARD drops what comes from fn-a",
        "nft ip filter FORWARD drops what comes from fn-b",
    )


def test_two_subnets_on_one_bridge_are_told_once() -> None:
    filters = NodeFilters((chain(policy="drop"),), True, None)
    other = IPv4Network("10.32.1.0/24")
    both = judge_filters(filters, [OverlayBridge("weave", (SUBNET,)), OverlayBridge("weave", (other,))], NODES)
    assert both.drops == ("nft ip filter FORWARD drops what comes from weave",)


@pytest.mark.parametrize(
    ("ip_forward", "bridge_filtering", "needed", "found"),
    [
        (True, None, None, []),
        (True, True, True, []),
        (True, False, False, []),
        (True, None, False, []),
        (True, True, None, []),
        (False, None, None, ["net.ipv4.ip_forward is 0, so it forwards nothing for its containers"]),
        (True, False, True, ["net.bridge.bridge-nf-call-iptables is not 1, as the overlay needs it"]),
        (True, None, True, ["net.bridge.bridge-nf-call-iptables is not 1, as the overlay needs it"]),
        (True, True, False, ["net.bridge.bridge-nf-call-iptables is not 0, as the overlay needs it"]),
    ],
)
def test_a_setting_that_is_not_as_needed_is_named(
    ip_forward: bool, bridge_filtering: bool | None, needed: bool | None, found: list[str]
) -> None:
    assert find_wrong_settings(NodeFilters((), ip_forward, bridge_filtering), needed) == found
