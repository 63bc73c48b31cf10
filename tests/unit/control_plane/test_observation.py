"""Consul's answers become records, and since when the leader lists a state is remembered."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.control_plane.observation import (
    NOT_REGISTERED,
    SPREAD_S,
    Consensus,
    InstanceState,
    Observation,
    ReplicationClock,
    ServerView,
    complete,
    duration_s,
    hosts,
    node_ttl_s,
    read_consensus,
    read_server_view,
    service_ttl_s,
)

PASSING, CRITICAL = InstanceState(True, (7,)), InstanceState(False, (9,))


def entry(name: str, *statuses: str) -> dict[str, object]:
    checks = [{"Status": status, "ModifyIndex": 20 + number} for number, status in enumerate(statuses)]
    return {"Service": {"ID": name, "ModifyIndex": 5}, "Checks": checks}


@pytest.mark.parametrize(
    ("statuses", "listed"),
    [
        (("passing", "passing"), True),
        ((), True),
        (("warning", "passing"), None),
        (("warning",), None),
        (("critical",), False),
        (("warning", "critical"), False),
        (("passing", "maintenance"), False),
    ],
)
def test_an_instance_is_listed_by_the_worst_of_its_checks(statuses: tuple[str, ...], listed: bool | None) -> None:
    revision = (5, *range(20, 20 + len(statuses)))
    assert read_server_view([entry("a", *statuses)]) == {"a": InstanceState(listed, revision)}


def test_the_order_of_checks_does_not_change_the_revision() -> None:
    turned = entry("a", "passing", "passing")
    checks = turned["Checks"]
    assert isinstance(checks, list)
    checks.reverse()
    assert read_server_view([turned]) == read_server_view([entry("a", "passing", "passing")])


def test_entries_without_an_index_have_revision_0() -> None:
    bare = {"Service": {"ID": "a"}, "Checks": [{"Status": "passing"}]}
    assert read_server_view([bare]) == {"a": InstanceState(True, (0, 0))}


def test_an_observation_says_what_each_server_lists() -> None:
    replicas = {"u1": {"b": CRITICAL, "a": PASSING}, "u2": {"a": InstanceState(None)}, "u3": {}}
    assert str(Observation(1.0, 2.0, replicas, {"a": PASSING})) == (
        "the leader lists a (passing); u1 lists a (passing), b (critical); u2 lists a (warning); u3 lists no instance"
    )
    assert str(Observation(1.0, 2.0, {"u1": {}}, None)) == "u1 lists no instance"


def observation(leader: ServerView | None, ended: float) -> Observation:
    return Observation(ended - 0.1, ended, {}, leader)


def test_a_state_is_replicated_after_the_bound_and_a_changed_one_is_not() -> None:
    clock = ReplicationClock()
    clock.record(observation({"one": PASSING, "two": PASSING}, 10.0), ["one", "two", "absent"])
    for instance in ("one", "two", "absent"):
        assert not clock.replicated(instance, 10.0 + SPREAD_S - 0.01)
        assert clock.replicated(instance, 10.0 + SPREAD_S)
    clock.record(observation({"one": PASSING, "two": CRITICAL}, 12.0), ["one", "two", "absent"])
    assert clock.replicated("one", 10.0 + SPREAD_S)
    assert clock.replicated("absent", 10.0 + SPREAD_S)
    assert not clock.replicated("two", 10.0 + SPREAD_S)
    assert clock.replicated("two", 12.0 + SPREAD_S)


def test_a_registered_instance_that_is_deregistered_has_another_state() -> None:
    assert InstanceState(False) == NOT_REGISTERED
    clock = ReplicationClock()
    clock.record(observation({"one": InstanceState(True)}, 10.0), ["one"])
    clock.record(observation({}, 12.0), ["one"])
    assert not clock.replicated("one", 10.0 + SPREAD_S)


def test_an_instance_that_was_never_observed_is_not_replicated() -> None:
    assert not ReplicationClock().replicated("one", 1e9)


def test_without_a_leader_every_instance_starts_again() -> None:
    clock = ReplicationClock()
    clock.record(observation({"one": PASSING}, 10.0), ["one"])
    clock.record(observation(None, 12.0), ["one"])
    assert not clock.replicated("one", 1e9)
    clock.record(observation({"one": PASSING}, 13.0), ["one"])
    assert not clock.replicated("one", 10.0 + SPREAD_S)
    assert clock.replicated("one", 13.0 + SPREAD_S)


def server(address: str, *, voter: bool = True, leader: bool = False) -> dict[str, Any]:
    return {"Address": f"{address}:8300", "Voter": voter, "Leader": leader}


def test_servers_have_their_nodes_names_or_their_address() -> None:
    raft = {"Servers": [server("10.0.0.1", leader=True), server("10.0.0.2", voter=False), server("10.0.0.9")]}
    found = read_consensus(raft, {"10.0.0.1": "u1", "10.0.0.2": "u2"})
    assert found == Consensus(frozenset({"u1", "10.0.0.9:8300"}), frozenset({"u1"}))
    assert str(found) == "voters 10.0.0.9:8300, u1; leader u1"
    assert str(Consensus(frozenset(), frozenset())) == "voters none; leader none"


@pytest.mark.parametrize(
    ("voters", "leaders", "expected"),
    [("ab", "a", True), ("ab", "", False), ("ab", "ab", False), ("a", "a", False), ("abc", "a", False)],
)
def test_servers_are_complete_with_exactly_these_voters_and_one_leader(
    voters: str, leaders: str, expected: bool
) -> None:
    assert complete(Consensus(frozenset(voters), frozenset(leaders)), frozenset("ab")) is expected


@pytest.mark.parametrize(("voters", "expected"), [("abc", True), ("ab", True), ("ac", False), ("abe", False)])
def test_a_server_that_is_left_out_votes_or_not(voters: str, expected: bool) -> None:
    consensus = Consensus(frozenset(voters), frozenset("a"))
    assert complete(consensus, frozenset("abc"), frozenset("c")) is expected


def test_hosts_are_addresses_without_ports() -> None:
    assert hosts(["10.0.0.1:8300", "10.0.0.2:8300", "[fd00::1]:8300"]) == {"10.0.0.1", "10.0.0.2", "[fd00::1]"}


@pytest.mark.parametrize(
    ("rules", "seconds"),
    [
        ({"*": "10s"}, 10),
        ({"*": "10s", "web": "5s"}, 5),
        ({"*": "10s", "we*": "7s", "w*": "8s"}, 7),
        ({"website": "5s", "x*": "3s", "wex": "4s"}, 0),
        ({}, 0),
        (None, 0),
    ],
)
def test_the_longest_fitting_rule_gives_a_services_ttl(rules: dict[str, str] | None, seconds: int) -> None:
    assert service_ttl_s({"DebugConfig": {"DNSServiceTTL": rules}}, "web") == seconds


def test_an_agent_without_rules_gives_ttl_0() -> None:
    assert service_ttl_s({"DebugConfig": {}}, "web") == 0
    assert node_ttl_s({"DebugConfig": {}}) == 0
    assert node_ttl_s({"DebugConfig": {"DNSNodeTTL": "2m"}}) == 120


@pytest.mark.parametrize(("text", "seconds"), [("1m30s", 90), ("1h0m0s", 3600), ("250ms", 0), ("1.5s", 1), ("0s", 0)])
def test_gos_durations_are_whole_seconds(text: str, seconds: int) -> None:
    assert duration_s(text) == seconds
