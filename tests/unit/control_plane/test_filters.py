"""A packet has to pass both back ends: whoever drops it is named, and nobody else."""

from typing import Any

import pytest

from fixtures.control_plane.filters import Filters, Forward, contradictions, from_nft, from_save
from fixtures.control_plane.identity import shared

# What Weave writes with legacy iptables, with the policy that Docker sets.
WEAVE = """\
*filter
:FORWARD {policy} [0:0]
:WEAVE-EXPOSE - [0:0]
-A FORWARD -i docker0 -o weave -j DROP
-A FORWARD -i weave -o weave -j ACCEPT
-A FORWARD -o weave -j WEAVE-EXPOSE
-A FORWARD -i weave ! -o weave -j ACCEPT
-A FORWARD -o weave -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A WEAVE-EXPOSE -d 10.32.0.0/24 -j ACCEPT
COMMIT
"""


def name(key: str, right: Any, op: str = "==") -> dict[str, Any]:
    return {"match": {"op": op, "left": {"meta": {"key": key}}, "right": right}}


def docker(bridge: str, policy: str = "drop", *, within: str = "accept") -> tuple[Forward, ...]:
    """What Docker writes with iptables-nft for one bridge."""

    def rule(chain: str, *expressions: dict[str, Any]) -> dict[str, Any]:
        return {"rule": {"family": "ip", "table": "filter", "chain": chain, "expr": list(expressions)}}

    counter = {"counter": {"packets": 1, "bytes": 84}}
    into, out = name("oifname", bridge), name("iifname", bridge)
    answers = {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}
    return from_nft(
        {
            "nftables": [
                {"metainfo": {"version": "1.0.6"}},
                {"chain": {"family": "ip", "table": "filter", "name": "DOCKER-USER"}},
                {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "hook": "forward", "policy": policy}},
                {"chain": {"family": "ip6", "table": "filter", "name": "FORWARD", "hook": "forward", "policy": "drop"}},
                rule("FORWARD", counter, {"jump": {"target": "DOCKER-USER"}}),
                rule("FORWARD", into, answers, counter, {"accept": None}),
                rule("FORWARD", into, counter, {"jump": {"target": "DOCKER"}}),
                rule("FORWARD", out, name("oifname", bridge, "!="), counter, {"accept": None}),
                rule("FORWARD", out, into, counter, {within: None}),
                rule("DOCKER-USER", counter, {"return": None}),
            ]
        }
    )


def legacy(policy: str) -> tuple[Forward, ...]:
    return from_save(WEAVE.format(policy=policy))


@pytest.mark.parametrize(
    ("forward", "bridge", "dropping"),
    [
        (legacy("ACCEPT"), "weave", []),
        (legacy("DROP"), "weave", []),
        (docker("fn-a"), "fn-a", []),
        (docker("fn-a") + from_save(""), "fn-a", []),
        (docker("docker0", "accept") + legacy("DROP"), "weave", []),
        (docker("docker0") + legacy("ACCEPT"), "weave", ["nft ip filter FORWARD drops"]),
        (docker("fn-a") + from_save("*filter\n:FORWARD DROP [0:0]\n"), "fn-a", ["legacy filter FORWARD drops"]),
        (docker("fn-a") + from_save("*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -j REJECT --reject-with icmp\n"),
         "fn-a", ["legacy filter FORWARD drops"]),
        (docker("fn-+"), "fn-a", []),
        (docker("fn-b"), "fn-a", ["nft ip filter FORWARD drops"]),
    ],
    ids=[
        "one that accepts", "closed, and opened again", "Docker's own bridge", "no legacy table",
        "a policy is enough", "Docker closed the other one", "the other one is closed", "a last rule rejects all",
        "a pattern", "another bridge",
    ],
)  # fmt: skip
def test_who_drops_what_the_overlay_forwards_is_named(
    forward: tuple[Forward, ...], bridge: str, dropping: list[str]
) -> None:
    found = contradictions(Filters(forward, ip_forward=True, bridged=True), [bridge])
    assert len(found) == 2 * len(dropping), found
    assert all(words.startswith(tuple(dropping)) for words in found)


def test_what_is_bridged_counts_only_where_bridged_packets_are_filtered() -> None:
    forward = docker("fn-a", within="drop")
    words = contradictions(Filters(forward, ip_forward=True, bridged=True), ["fn-a"])
    assert words == ["nft ip filter FORWARD drops what is bridged on fn-a"]
    assert contradictions(Filters(forward, ip_forward=True, bridged=False), ["fn-a"]) == []


def test_the_one_that_accepts_is_named_beside_the_one_that_drops() -> None:
    (first, _) = contradictions(Filters(docker("docker0") + legacy("ACCEPT"), True, True), ["weave"])
    assert first.endswith("though legacy filter FORWARD lets it through: it has to pass both")


def test_a_condition_that_is_not_understood_neither_opens_nor_closes_for_sure() -> None:
    (chain,) = from_save(
        "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -i br0 -m mark --mark 7 -j DROP\n-A FORWARD -s 10.0.0.0/8 -j ACCEPT\n"
    )
    assert chain.lets_through("br0", "br0")


def test_chains_that_jump_in_circles_end() -> None:
    (chain,) = from_save("*filter\n:FORWARD DROP [0:0]\n-A FORWARD -j ONE\n-A ONE -j TWO\n-A TWO -j ONE\n")
    assert not chain.lets_through("br0", "br0")


def test_marks_that_two_nodes_have_are_named_with_their_nodes() -> None:
    marks = {
        "u1": {"machine-id": "aa", "host name": "u1"},
        "u2": {"machine-id": "bb", "host name": "aa"},
        "u3": {"machine-id": "aa"},
    }
    assert shared(marks) == ["u1 and u3 share one machine-id: aa"]
