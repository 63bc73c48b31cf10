"""From edges and reasons to causes, on small findings made by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import permutations

import pytest

from reports.causes import Cause, find_causes
from reports.causes.drafting import lets_cross
from reports.causes.sent import read_what
from reports.causes.statements import Names, accuse
from reports.edges import NO_CLUE, Clue, Findings, JudgedEdge, JudgedTest, Party
from reports.model import TestResult

NODES = ("u1", "u2", "u3")
CONTAINERS = {f"u{node}/{subnet}{number}": f"10.32.{place}.{node * 10 + number}"
              for node in (1, 2, 3) for place, subnet in enumerate("ab") for number in (1, 2)}  # fmt: skip
PARTIES = {name: Party(name.partition("/")[0], address) for name, address in CONTAINERS.items()}
SUBNETS = {"a": "10.32.0.0/24", "b": "10.32.1.0/24"}
NAMES = Names(NODES)


def neighbours() -> list[tuple[str, str]]:
    """Every ordered pair of containers of a subnet."""
    return [(one, other) for one, other in permutations(CONTAINERS, 2) if one[3] == other[3]]


def edge(
    source: str, destination: str, what: str = "icmp", outcome: str = "answered", clue: Clue = NO_CLUE
) -> JudgedEdge:
    return JudgedEdge(source, destination, what, "answered", outcome, outcome == "answered", clue)


def judged(requirement: str, edges: Iterable[JudgedEdge] = (), *lines: str, outcome: str = "") -> JudgedTest:
    made = tuple(edges)
    ended = outcome or ("failed" if lines or any(one.holds is False for one in made) else "passed")
    told = lines or (("an edge is not as expected",) if ended != "passed" else ())
    return JudgedTest(
        TestResult(f"suites/x/test_x.py::test_{requirement}", (requirement,), ended, told[0] if told else ""),
        made,
        told,
    )


def causes(*tests: JudgedTest) -> list[Cause]:
    explanation = find_causes(Findings(tests, PARTIES, SUBNETS), NODES)
    assert not explanation.unexplained
    return list(explanation.causes)


def mesh(
    broken: Iterable[tuple[str, str]], outcome: str = "lost", clue: Clue = NO_CLUE, what: str = "icmp"
) -> list[JudgedEdge]:
    """All neighbours, of which these pairs are broken."""
    bad = set(broken)
    return [edge(*pair, what, outcome, clue) if pair in bad else edge(*pair, what) for pair in neighbours()]


def test_a_sound_run_has_no_cause() -> None:
    assert causes(judged("NET-1", mesh([]))) == []


def test_edges_that_share_a_node_accuse_it_and_tell_what_speaks_for_it() -> None:
    (cause,) = causes(
        judged("NET-1", mesh(pair for pair in neighbours() if "u2" in pair[0][:2] or "u2" in pair[1][:2]))
    )
    assert (cause.node, cause.how, cause.certainty) == ("u2", "dropped", "inferred")
    assert cause.text == "icmp packets to and from u2 are lost" and cause.requirements == ("NET-1",)
    assert any(line.startswith("were it packets of every kind everywhere, ") for line in cause.against)


def test_the_rule_that_acted_is_named_and_what_is_lost_in_words() -> None:
    clue = Clue(
        step="request", last="u2's NIC eth0", missed="u2's tunnel vx-a", rules=(("u2", "chain input: udp drop"),)
    )
    broken = [pair for pair in neighbours() if {pair[0][:2], pair[1][:2]} == {"u1", "u2"}]
    (cause,) = causes(judged("NET-1", mesh(broken, clue=clue)))
    assert (cause.node, cause.rule, cause.hop, cause.certainty) == (
        "u2",
        "chain input: udp drop",
        "u2's NIC eth0",
        "seen",
    )
    assert cause.text.startswith("u2 drops icmp packets between u1 and u2, by `chain input: udp drop`")
    assert cause.command == "on u2: nft list ruleset"


def test_one_container_is_told_from_its_node() -> None:
    (cause,) = causes(judged("NET-1", mesh(pair for pair in neighbours() if "u2/a1" in pair)))
    assert cause.place == "to and from u2/a1" and cause.node == "u2"


def test_one_port_of_a_sweep_is_told_from_all_others() -> None:
    sweep = [edge(*pair, "tcp some of the sweep") for pair in neighbours()]
    bad = [edge(*pair, "tcp 5432", "lost") for pair in neighbours() if pair[0][:2] == "u1" and pair[1][:2] == "u2"]
    (cause,) = causes(judged("NET-5", [*sweep, *bad]))
    assert cause.what == "packets to tcp 5432" and cause.place == "from u1 to u2"


def test_a_leak_is_blamed_on_the_rule_that_joins_two_bridges() -> None:
    rules = (
        ("u1", "chain FORWARD: ct state established accept"),
        ("u2", 'chain DOCKER-USER: iifname "fn-a" oifname "fn-b" accept'),
    )
    crossing = [(one, other) for one, other in permutations(CONTAINERS, 2) if one[3] == "a" and other[3] == "b"]
    edges = [
        JudgedEdge(*pair, "tcp 443", "blocked", "answered" if pair[0][:2] == "u2" else "lost", pair[0][:2] != "u2",
                   Clue(rules=rules) if pair[0][:2] == "u2" else Clue())
        for pair in crossing
    ]  # fmt: skip
    (cause,) = causes(judged("ISO-1", edges))
    assert (cause.node, cause.how) == ("u2", "leaked") and "DOCKER-USER" in cause.rule
    assert cause.text.startswith("u2 lets packets to tcp 443 pass from it")


def test_a_setting_explains_the_packets_and_names_of_its_node() -> None:
    broken = [pair for pair in neighbours() if "u2" in (pair[0][:2], pair[1][:2])]
    (cause,) = causes(
        judged("NET-1", mesh(broken)),
        judged("CP-5", (), "u2: net.ipv4.ip_forward is 0"),
        judged("DNS-1", (), "u2/a1 gets no answer", "u2/b1 gets no answer"),
        judged("ISO-1", (), "no icmp probe of u2/a1 was seen leaving", outcome="not-proved"),
    )
    assert cause.text == "u2: net.ipv4.ip_forward is 0; so icmp packets to and from u2 are lost"
    assert set(cause.requirements) == {"NET-1", "CP-5", "DNS-1"} and (len(cause.tests), cause.unproved) == (3, 1)


def test_two_faults_on_two_nodes_are_two_causes() -> None:
    first, second = causes(
        judged("NET-1", mesh(pair for pair in neighbours() if "u2" in (pair[0][:2], pair[1][:2]))),
        judged("DNS-1", (), "u3/a1 gets no answer", "u3 gets no answer"),
    )
    assert {first.node, second.node} == {"u2", "u3"}


@pytest.mark.parametrize(("requirement", "detours"), [("PATH-6", True), ("RES-1", False)])
def test_only_the_test_that_counts_routers_finds_one_too_many(requirement: str, detours: bool) -> None:
    """A container's packet to another node passes its own one, in every run."""
    routed = [edge("u1/a1", "u2", clue=Clue(routers=1)), edge("u2/a1", "u2")]
    (cause,) = causes(judged(requirement, routed, "something else failed"))
    assert ("router too many" in cause.text) == detours


def test_what_is_not_proved_alone_has_no_cause() -> None:
    assert causes(judged("NET-2", (), "the exchange failed, so it proves nothing", outcome="not-proved")) == []


def test_an_accepted_failure_needs_no_cause() -> None:
    test = judged("CP-5", (), "u2: net.ipv4.ip_forward is 0")
    assert find_causes(Findings((test,)), NODES, [test.result.nodeid]).causes == ()


def test_requirements_of_no_family_and_no_node_are_guesses_of_their_own() -> None:
    found = causes(judged("ONE-1", (), "one is two"), judged("ONE-2", (), "two is three"))
    assert [(cause.certainty, cause.requirements) for cause in found] == [("guess", ("ONE-1",)), ("guess", ("ONE-2",))]


@pytest.mark.parametrize(
    ("lines", "node"),
    [
        (["u2: ip_forward is 0"], "u2"),
        (["Consul on u2 checks u2/a2 at 10.0.0.1"], "u2"),
        (["x: u1: voters u1, u2; leader u1; u2: does not run; u3: voters u1, u2; leader u1"], "u2"),
        (["x: u1: leader none; u2: leader none; u3: leader none"], ""),
        (["72 of 396 edges, all with an end on u3, such as u3->u1/a1-icmp: lost", "u1/a1 saw nothing"], "u3"),
        (["after the stop of u1's Consul: u2/a1 gets none", "after the stop of u1's Consul: u2/b1 gets none"], "u2"),
        (["u1/a1 gets none", "u2/a1 gets none"], ""),
        (["u2 gets other ports", "u2/a1 gets other ports", "port 9 leads elsewhere: u1 asked", "so: u3 asked"], "u2"),
        (["nobody is named"], ""),
    ],
)  # fmt: skip
def test_whom_a_reason_accuses(lines: list[str], node: str) -> None:
    assert accuse(lines, NAMES).node == node


def test_a_leak_has_two_sides_and_accuses_none_of_them() -> None:
    assert accuse(["u1/a1 sent ARP: received by u2/b1"], NAMES, two_sided=True).node == ""
    assert accuse(["u2/a1 sent ARP: received by u2/b1"], NAMES, two_sided=True).node == "u2"


@pytest.mark.parametrize(
    ("what", "transport", "port", "size", "kind", "via"),
    [
        ("icmp", "icmp", 0, 0, "", ""),
        ("udp 53 from port 53", "udp", 53, 0, "", ""),
        ("udp 8192 bytes", "udp", 0, 8192, "", ""),
        ("tcp some of the sweep", "tcp", 0, 0, "sweep", ""),
        ("udp stream", "udp", 0, 0, "stream", ""),
        ("udp 20777 (frame to u2's bridge fn-a as router)", "udp", 20777, 0, "frame", "u2"),
        ("icmp (a stranger's, routed by u2)", "icmp", 0, 0, "frame", "u2"),
        ("icmp (frame to a MAC)", "icmp", 0, 0, "frame", ""),
    ],
)
def test_what_is_sent_is_read_from_its_words(
    what: str, transport: str, port: int, size: int, kind: str, via: str
) -> None:
    sent = read_what(what)
    assert (sent.transport, sent.port, sent.size, sent.kind, sent.via) == (transport, port, size, kind, via)


def test_a_rule_lets_packets_cross_when_it_names_two_interfaces() -> None:
    assert lets_cross("*filter: -A DOCKER-USER -i fn-a -o fn-b -j ACCEPT")
    assert not lets_cross("*filter: -A FORWARD -i fn-a -o fn-a -j ACCEPT")
    assert not lets_cross("chain FORWARD: ct state established accept")


def test_a_cause_is_a_mapping_of_verdict_json() -> None:
    (cause,) = causes(judged("CP-5", (), "u2: net.ipv4.ip_forward is 0"))
    data = replace(cause, hop="u2's NIC eth0").document()
    assert (data["sentence"], data["guess"], data["tests"]) == (cause.text, False, ["suites/x/test_x.py::test_CP-5"])
    assert data["where"] == "u2, u2's NIC eth0"
