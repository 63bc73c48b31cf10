"""Edges before and after a change, compared one by one."""

from __future__ import annotations

from dataclasses import replace

from fixtures.change.edges import (
    CROSSED,
    ISOLATED,
    RIGHT,
    UNPROVED,
    Seen,
    Survey,
    compare,
    crossings,
    reachability,
)  # fmt: skip
from fixtures.probes.delivery import Delivery, Edge, Endpoint, Transport
from reports.model import Outcome


def end(name: str) -> Endpoint:
    return Endpoint(name, name.partition("/")[0], None, "10.32.0.2")


def seen(outcome: str, source: str = "u1/a1", destination: str = "u2/a2") -> Seen:
    return Seen(outcome, f"{source}->{destination}: {outcome}\nrecords", (end(source), end(destination)))


WORKS = {
    "u1/a1->u2/a2-udp": seen("answered"),
    "u1/a1->u3/a3-udp": seen("answered", "u1/a1", "u3/a3"),
    "u3/a3->u1/a1-udp": seen("answered", "u3/a3", "u1/a1"),
}
APART = {"u1/a1->u2/b2-udp": seen(ISOLATED, "u1/a1", "u2/b2"), "u1/a1->u3/b3-udp": seen(ISOLATED, "u1/a1", "u3/b3")}
NAMES = {"u1/a1 asks for x": seen(RIGHT, "u1/a1", "u1/a1")}
BEFORE = Survey(WORKS, APART, NAMES)


def test_what_is_the_same_has_not_changed() -> None:
    found = compare(BEFORE, BEFORE)
    assert found.none and found.compared == 6 and not found.more and not found.unproved
    assert found.table() == "6 edges held before the change; 0 edges are not what they were"


def test_an_edge_that_is_lost_is_told_with_its_node() -> None:
    after = replace(BEFORE, reachable={**WORKS, "u1/a1->u2/a2-udp": seen("lost")})
    found = compare(BEFORE, after)
    assert not found.none and [one.edge for one in found.lost] == ["u1/a1->u2/a2-udp"]
    first, second = found.describe().splitlines()[:2]
    assert first == (
        "1 of 6 edges that were reachable before the change are not, all between u1 and u2, such as u1/a1->u2/a2: lost"
    )
    assert second == "u1/a1->u2/a2: lost"
    assert "u1/a1->u2/a2-udp" in found.table() and "answered     → lost" in found.table()


def test_an_answer_that_is_rewritten_does_not_hold() -> None:
    after = replace(BEFORE, reachable={**WORKS, "u1/a1->u2/a2-udp": seen("rewritten")})
    assert [one.after for one in compare(BEFORE, after).lost] == ["rewritten"]


def test_what_is_not_probed_again_does_not_hold() -> None:
    found = compare(BEFORE, Survey({}, APART, NAMES))
    assert len(found.lost) == 3 and {one.after for one in found.lost} == {"not probed"}
    assert len(compare(BEFORE, Survey(WORKS, {}, NAMES)).opened) == 2
    assert len(compare(BEFORE, Survey(WORKS, APART, {})).misled) == 1


def test_what_did_not_work_before_is_not_asked_for() -> None:
    before = replace(BEFORE, reachable={**WORKS, "u1->u2/b2-icmp": seen("lost", "u1", "u2/b2")})
    assert compare(before, before).none and compare(before, before).compared == 6
    after = replace(BEFORE, reachable={**WORKS, "u1->u2/b2-icmp": seen("answered", "u1", "u2/b2")})
    found = compare(before, after)
    assert found.none and [(one.edge, one.before, one.after) for one in found.more] == [
        ("u1->u2/b2-icmp", "lost", "answered")
    ]


def test_a_subnet_that_was_isolated_and_is_not() -> None:
    after = replace(BEFORE, crossings={**APART, "u1/a1->u2/b2-udp": seen(CROSSED, "u1/a1", "u2/b2")})
    found = compare(BEFORE, after)
    assert not found.none and len(found.opened) == 1
    assert "1 of 6 edges that were isolated before the change are not, all between u1 and u2" in found.describe()
    crossed_before = replace(BEFORE, crossings={**APART, "u1/a1->u2/b2-udp": seen(CROSSED)})
    assert compare(crossed_before, after).none, "it was not isolated before"


def test_isolation_that_cannot_be_proved_is_neither() -> None:
    unproved = {name: replace(one, outcome=UNPROVED) for name, one in APART.items()}
    found = compare(BEFORE, Survey(WORKS, unproved, NAMES, "control u1/a1->u2/a2-udp failed before"))
    assert found.none and found.unproved == "control u1/a1->u2/a2-udp failed before"
    assert compare(replace(BEFORE, crossings={}), replace(BEFORE, unproved="x")).unproved == ""


def test_a_name_that_leads_elsewhere() -> None:
    after = replace(BEFORE, names={"u1/a1 asks for x": seen("NXDOMAIN", "u1/a1", "u1/a1")})
    found = compare(BEFORE, after)
    assert not found.none and "names that led to the right addresses before the change do not" in found.describe()


def test_only_the_first_are_shown_and_all_are_counted() -> None:
    many = {f"edge {number}": seen("answered") for number in range(9)}
    found = compare(Survey(many), Survey({name: seen("lost") for name in many}))
    assert "… and 3 more" in found.describe() and found.describe().startswith("9 of 9 edges")


def test_deliveries_become_edges() -> None:
    edge = Edge(end("u1/a1"), end("u2/a2"), Transport.UDP)
    table = reachability([Delivery(edge, Outcome.LOST, "never seen")])
    assert table["u1/a1->u2/a2-udp"].outcome == "lost" and table["u1/a1->u2/a2-udp"].text.startswith(
        "u1/a1->u2/a2-udp: lost"
    )


def test_attempts_become_crossings() -> None:
    one, two = (
        Delivery(Edge(end("u1/a1"), end(name), Transport.UDP), outcome)
        for name, outcome in (("u2/b2", Outcome.LOST), ("u3/b3", Outcome.ANSWERED))
    )
    assert [seen.outcome for seen in crossings([one, two], [two], []).values()] == [ISOLATED, CROSSED]
    assert [seen.outcome for seen in crossings([one, two], [two], ["a control failed"]).values()] == [UNPROVED, CROSSED]
