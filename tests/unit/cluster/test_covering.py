"""Which pairs of containers are tried: every two nodes, every two subnets, every container."""

from __future__ import annotations

from itertools import combinations, permutations, product

import pytest

from fixtures.cluster.covering import COMPLETE_NODES, Covering
from fixtures.containers.fleet import Slot

SEEDS = (0, 1, 4711)


def slots(subnet: str, nodes: int, per_node: int = 2) -> list[Slot]:
    return [Slot(f"{subnet}{number + 1}", subnet, f"u{number % nodes + 1}") for number in range(nodes * per_node)]


def ways(pairs: list[tuple[Slot, Slot]]) -> list[tuple[str, str]]:
    return [(one.node, other.node) for one, other in pairs]


def test_a_complete_choice_is_every_pair() -> None:
    ours, theirs = slots("a", 3), slots("b", 3)
    complete = Covering(1, complete=True)
    assert complete.within(ours) == list(permutations(ours, 2))
    assert complete.across(ours, theirs) == list(product(ours, theirs))
    assert complete.routers((ours[0], theirs[0]), ["u1", "u2", "u3"]) == ["u1", "u2", "u3"]
    assert COMPLETE_NODES == 3


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("nodes", [2, 4, 5, 10])
@pytest.mark.parametrize("per_node", [1, 2, 3])
def test_within_a_subnet_every_two_nodes_and_every_container_take_part(seed: int, nodes: int, per_node: int) -> None:
    members = slots("a", nodes, per_node)
    made = Covering(seed, complete=False).within(members)
    assert len(set(made)) == len(made) and all(one != other for one, other in made)
    across = [(one, other) for one, other in made if one.node != other.node]
    names = [f"u{number + 1}" for number in range(nodes)]
    assert sorted(ways(across)) == sorted(permutations(names, 2))
    assert {(other, one) for one, other in across} == set(across)
    if per_node > 1 or nodes > 1:
        assert {one for one, _ in made} == {other for _, other in made} == set(members)


def test_on_one_node_each_container_is_paired_with_the_next() -> None:
    a1, a2, a3 = slots("a", 1, 3)
    assert Covering(1, complete=False).within([a1, a2, a3]) == [(a1, a2), (a2, a3), (a3, a1)]
    assert Covering(1, complete=False).within([a1]) == []
    assert Covering(1, complete=False).within([]) == []


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("nodes", [1, 2, 4, 5, 10])
@pytest.mark.parametrize("per_node", [1, 2, 3])
def test_across_subnets_every_two_nodes_and_every_container_take_part(seed: int, nodes: int, per_node: int) -> None:
    ours, theirs = slots("a", nodes, per_node), slots("b", nodes, per_node)
    made = Covering(seed, complete=False).across(ours, theirs)
    names = [f"u{number + 1}" for number in range(nodes)]
    assert set(ways(made)) == set(product(names, names))
    assert {one for one, _ in made} == set(ours) and {other for _, other in made} == set(theirs)
    if nodes >= per_node:
        assert len(made) == nodes * nodes


def test_across_subnets_nobody_is_tried_where_one_is_empty() -> None:
    assert Covering(1, complete=False).across(slots("a", 4), []) == []
    assert Covering(1, complete=False).across([], slots("a", 4)) == []


def test_subnets_may_be_on_different_nodes() -> None:
    ours = [Slot("a1", "a", "u1"), Slot("a2", "a", "u2")]
    theirs = [Slot("b1", "b", "u3"), Slot("b2", "b", "u2")]
    assert set(ways(Covering(1, complete=False).across(ours, theirs))) == set(product(("u1", "u2"), ("u3", "u2")))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("nodes", [1, 2, 4, 5, 10, 11])
def test_every_two_of_sender_receiver_and_router_meet(seed: int, nodes: int) -> None:
    names = [f"u{number + 1}" for number in range(nodes)]
    covering = Covering(seed, complete=False)
    pairs = covering.across(slots("a", nodes), slots("b", nodes))
    asked = {(one.node, other.node, router) for one, other in pairs for router in covering.routers((one, other), names)}
    for places in combinations(range(3), 2):
        assert {tuple(triple[place] for place in places) for triple in asked} == set(product(names, names))
    assert {(name, name, name) for name in names} <= asked
    assert len(asked) <= nodes * nodes + nodes


def test_the_seed_chooses_other_containers_and_routers() -> None:
    ours, theirs = slots("a", 6), slots("b", 6)
    names = [f"u{number + 1}" for number in range(6)]
    one, same, other = (Covering(seed, complete=False) for seed in (1, 1, 2))
    assert one.within(ours) == same.within(ours) != other.within(ours)
    assert one.across(ours, theirs) == same.across(ours, theirs) != other.across(ours, theirs)
    pair = (ours[0], theirs[3])
    assert len({tuple(Covering(seed, complete=False).routers(pair, names)) for seed in range(40)}) == len(names)


def test_what_is_tried_is_said() -> None:
    assert Covering(1, complete=True).describe() == "every pair of containers is tried"
    assert "--thorough" in Covering(1, complete=False).describe()


@pytest.mark.parametrize("seed", SEEDS)
def test_every_node_and_container_is_tried_with_nodes(seed: int) -> None:
    members, nodes = slots("a", 5), ["u1", "u2", "u3", "u4", "u5"]
    assert Covering(seed, complete=True).to_nodes(members, nodes) == list(product(members, nodes))
    made = Covering(seed, complete=False).to_nodes(members, nodes)
    assert sorted((member.node, node) for member, node in made) == sorted(product(nodes, nodes))
    assert {member for member, _ in made} == set(members)


@pytest.mark.parametrize("peers", [2, 3, 4, 6])
@pytest.mark.parametrize("nodes", [8, 9, 20])
def test_with_peers_each_node_is_tried_with_so_many_and_consecutive_seeds_come_to_all(peers: int, nodes: int) -> None:
    names = [f"u{number + 1}" for number in range(nodes)]
    members = slots("a", nodes)
    met: set[tuple[str, str]] = set()
    even = peers + peers % 2
    for seed in range(-(-(nodes // 2) // (even // 2))):
        covering = Covering(seed, complete=False, peers=peers)
        made = covering.within(members)
        across = [pair for pair in made if pair[0].node != pair[1].node]
        count = {name: sum(one == name for one, _ in ways(across)) for name in names}
        assert set(count.values()) <= {even - 1, even}, "an even number of nodes has one that is farthest, once"
        assert {one for one, _ in made} == set(members)
        assert covering.all_within(members) == made
        crossing = covering.across(members, slots("b", nodes))
        assert {one for one, _ in crossing} == set(members)
        assert set(ways(across)) <= set(ways(crossing))
        for name in names:
            partners = {one for one, other in ways(across) if other == name} | {name}
            assert set(covering.partners(name, names)) == partners
            assert {node for member, node in covering.to_nodes(members, names) if member.node == name} == partners
        met |= set(ways(across))
    assert met == set(permutations(names, 2))


@pytest.mark.parametrize("peers", [9, 10, 50])
def test_as_many_peers_as_there_are_nodes_are_all(peers: int) -> None:
    members = slots("a", 10)
    assert Covering(3, False, peers).within(members) == Covering(3, False).within(members)


def test_without_peers_every_pair_is_every_pair() -> None:
    members = slots("a", 5)
    assert Covering(1, complete=False).all_within(members) == list(permutations(members, 2))
    assert Covering(1, complete=False).partners("u1", ["u1", "u2"]) == ["u1", "u2"]
    assert "with 4 others" in Covering(1, False, 4).describe()


@pytest.mark.parametrize("nodes", [4, 5, 10])
def test_every_node_has_every_share_as_sender_and_as_receiver(nodes: int) -> None:
    ours, theirs, names = slots("a", nodes), slots("b", nodes), [f"u{number + 1}" for number in range(nodes)]
    items = list(range(23))
    assert Covering(1, complete=True).share((ours[0], theirs[1]), items, names) == items
    covering = Covering(1, complete=False)
    sent: dict[str, list[int]] = {name: [] for name in names}
    came: dict[str, list[int]] = {name: [] for name in names}
    for one, other in covering.across(ours, theirs):
        share = covering.share((one, other), items, names)
        assert len(share) <= -(-len(items) // nodes)
        sent[one.node] += share
        came[other.node] += share
    assert all(sorted(found) == items for found in (*sent.values(), *came.values()))
