"""Filter rules in another order: told as a difference unless it is known that both orders do the same."""

from __future__ import annotations

from itertools import permutations

import pytest

from fixtures.change.differences import compare_states, differences
from fixtures.change.rule_order import same_effect

FORWARD = "nft filter FORWARD"
DOCKER = "nft filter DOCKER"
NETWORKS = ("docker0", "fn-a", "fn-b")


def of_network(name: str) -> list[str]:
    """The four rules that Docker 20.10 to 27 write for a network."""
    return [
        f"-A FORWARD -o {name} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        f"-A FORWARD -o {name} -j DOCKER",
        f"-A FORWARD -i {name} ! -o {name} -j ACCEPT",
        f"-A FORWARD -i {name} -o {name} -j ACCEPT",
    ]


def forward(*names: str, docker: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    return {FORWARD: ("policy DROP", *(rule for name in names for rule in of_network(name))), DOCKER: docker}


def same(*lines: str, other: tuple[str, ...], **chains: tuple[str, ...]) -> bool:
    more = {f"nft filter {name}": rules for name, rules in chains.items()}
    return same_effect(FORWARD, {FORWARD: lines, **more}, {FORWARD: other, **more})


def swapped(one: str, two: str, **chains: tuple[str, ...]) -> bool:
    return same(f"-A FORWARD {one}", f"-A FORWARD {two}", other=(f"-A FORWARD {two}", f"-A FORWARD {one}"), **chains)


@pytest.mark.parametrize("order", list(permutations(NETWORKS)))
def test_an_engine_that_writes_its_networks_in_another_order_changes_nothing(order: tuple[str, ...]) -> None:
    published = ("-A DOCKER -d 10.32.2.2/32 ! -i fn-a -o fn-a -p tcp -m tcp --dport 80 -j ACCEPT",)
    before, after = forward(*NETWORKS, docker=published), forward(*order, docker=published)
    assert same_effect(FORWARD, before, after)
    assert not differences("u2", {"filter": before}, {"filter": after})
    found = compare_states({"u2": {"filter": before}}, {"u2": {"filter": after}}, ())
    assert found.equal == {"u2": {"filter": 2}}


def test_a_chain_that_drops_makes_the_order_matter() -> None:
    """Engine 26: a packet from docker0 to fn-a is accepted by the one order, and dropped by the other."""
    dropped = ("-A DOCKER ! -i fn-a -o fn-a -j DROP",)
    before, after = forward("docker0", "fn-a", docker=dropped), forward("fn-a", "docker0", docker=dropped)
    assert not same_effect(FORWARD, before, after)
    assert len(differences("u2", {"filter": before}, {"filter": after})) == 1


def test_a_chain_that_drops_after_the_change_alone_makes_it_matter_as_well() -> None:
    before = forward("docker0", "fn-a")
    after = forward("fn-a", "docker0", docker=("-A DOCKER ! -i fn-a -o fn-a -j DROP",))
    assert not same_effect(FORWARD, before, after)
    assert not same_effect(FORWARD, after, before)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("-i fn-a -j DROP", "-i fn-b -j ACCEPT"),
        ("-o fn-a -j DROP", "! -o fn-a -j ACCEPT"),
        ("-p tcp -m tcp --dport 80 -j DROP", "-p udp -j ACCEPT"),
        ("-s 10.32.0.0/24 -j DROP", "-s 10.32.1.0/24 -j ACCEPT"),
        ("-i fn-a -j DROP", "-o fn-b -j DROP"),
        ("-j ACCEPT", "-p tcp -m tcp --dport 443 -j ACCEPT"),
        ("-i fn-a -m limit --limit 5/sec -j ACCEPT", "-i fn-b -j DROP"),
        ("-i fn-a -j LOG --log-prefix x", "-i fn-b -j DROP"),
        ("-j DROP", "-j NOTHING"),
    ],
)
def test_rules_that_no_packet_meets_both_of_or_that_lead_to_one_end(one: str, two: str) -> None:
    assert swapped(one, two, NOTHING=())


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("-i fn-a -j DROP", "-o fn-b -j ACCEPT"),
        ("-i fn+ -j DROP", "-i fn-b -j ACCEPT"),
        ("! -i fn-a -j DROP", "! -i fn-b -j ACCEPT"),
        ("! -i fn-a -j DROP", "-i fn-b -j ACCEPT"),
        ("! -s 10.32.0.0/24 -j DROP", "-s 10.32.1.0/24 -j ACCEPT"),
        ("-s 10.32.0.0/16 -j DROP", "-s 10.32.1.0/24 -j ACCEPT"),
        ("-p tcp -j RETURN", "-p tcp -j ACCEPT"),
        ("-p 6 -j DROP", "-p tcp -j ACCEPT"),
        ("-m limit --limit 5/sec -j ACCEPT", "-p tcp -j ACCEPT"),
        ("-m recent --set -j ACCEPT", "-p tcp -j ACCEPT"),
        ("-j LOG", "-j ACCEPT"),
        ("-j MARK --set-mark 1", "-p tcp -j ACCEPT"),
        ("-j LOOP", "-j ACCEPT"),
        ("-j UNKNOWN", "-j ACCEPT"),
        ("-g ACCEPTS", "-j ACCEPT"),
        ("-j DROPS", "-j ACCEPT"),
        ("-i fn-a -j REJECT", "-o fn-b -j DROP"),
    ],
)
def test_rules_of_which_it_is_not_known(one: str, two: str) -> None:
    chains = {"LOOP": ("-A LOOP -j LOOP",), "ACCEPTS": ("-A ACCEPTS -j ACCEPT",), "DROPS": ("-A DROPS -j DROP",)}
    assert not swapped(one, two, **chains)


def test_rules_that_kept_their_order_are_not_asked_about() -> None:
    lines = ("-A FORWARD -j LOG", "-A FORWARD -i a -j DROP", "-A FORWARD -i b -j ACCEPT")
    assert same(*lines, other=(lines[0], lines[2], lines[1]))
    assert not same(*lines, other=(lines[1], lines[0], lines[2]))


def test_a_rule_that_is_there_twice() -> None:
    drop, accept = "-A FORWARD -i a -j DROP", "-A FORWARD -j ACCEPT"
    assert not same(drop, accept, drop, other=(accept, drop, drop))
    assert not same(drop, accept, drop, other=(drop, drop, accept))


def test_other_rules_native_rules_and_a_policy_that_moved_are_not_the_same() -> None:
    assert not same("-A FORWARD -j ACCEPT", other=("-A FORWARD -j DROP",))
    assert not same('[{"accept": null}]', '[{"drop": null}]', other=('[{"drop": null}]', '[{"accept": null}]'))
    assert not same("policy DROP", "-A FORWARD -j ACCEPT", other=("-A FORWARD -j ACCEPT", "policy DROP"))
    assert not same(
        "-A FORWARD -s nowhere -j DROP", "-A FORWARD", other=("-A FORWARD", "-A FORWARD -s nowhere -j DROP")
    )
