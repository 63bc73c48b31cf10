"""Who reaches a container that took over an address, and since when."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fixtures.no_nat.takeover_judging import (
    AT_ONCE_S,
    Moment,
    Reach,
    Successor,
    Takeover,
    answered_since,
    describe_alone,
    judge,
    stale_entries,
    with_new_flow,
)
from fixtures.probes.delivery import Delivery, Edge, Endpoint, Transport
from reports.causes.sent import read_what
from reports.model import Outcome

OLD, NEW = "0a", "0b"
SPOKE = Moment(beat=10, at=100.2)
UNTIL = Moment(beat=300, at=104.2)
X2 = Successor("u3/new-1", "10.32.0.70", "u1/old-1")


def flow(*answers: tuple[int, str]) -> dict[str, Any]:
    """A flow with a beat every 20 ms from 100.0 on, and these answers."""
    return {
        "number": 0,
        "sent_at": [100.0 + 0.02 * beat for beat in range(300)],
        "answers": [list(one) for one in answers],
    }


def test_a_flow_that_is_answered_at_once_was_not_late() -> None:
    reach = judge("u1/a1", flow((3, OLD), (10, NEW), (11, NEW)), NEW, SPOKE, UNTIL, [10, 11])
    assert reach == Reach("u1/a1", 0.0, reach.watched_s, silent=False, came=2)
    assert reach.watched_s == pytest.approx(4.0)
    assert reach.problem is None


def test_a_flow_is_late_by_its_last_lost_beat() -> None:
    reach = judge("u1/a1", flow((3, OLD), (60, NEW)), NEW, SPOKE, UNTIL)
    assert reach.delay_s == pytest.approx(100.0 + 59 * 0.02 - 100.2) and reach.problem is None
    late = judge("u1/a1", flow((200, NEW)), NEW, SPOKE, UNTIL)
    assert late.problem == "reached only 3.78 s after its first packet (bound 2 s)"


def test_an_agent_that_stood_still_is_not_late() -> None:
    """It sent nothing for three seconds, and its next beat was answered."""
    still = {"number": 0, "sent_at": [100.0] * 10 + [103.5], "answers": [[10, NEW]]}
    assert judge("u1/a1", still, NEW, SPOKE, UNTIL).delay_s == 0.0


def test_the_bound_itself_is_in_time() -> None:
    assert Reach("u1/a1", AT_ONCE_S, 4.0).problem is None
    assert Reach("u1/a1", AT_ONCE_S + 0.01, 4.0).problem == "reached only 2.01 s after its first packet (bound 2 s)"


def test_what_is_answered_before_the_first_packet_is_noted() -> None:
    reach = judge("u1/a1", flow((8, NEW), (10, NEW)), NEW, SPOKE, UNTIL)
    assert reach.silent and reach.delay_s == 0.0
    assert not judge("u1/a1", flow((8, OLD), (10, NEW)), NEW, SPOKE, UNTIL).silent
    stopped = judge("u1/a1", flow((8, NEW)), NEW, SPOKE, UNTIL)
    assert stopped.silent and stopped.delay_s is None, "it was reached, and then no more"


@pytest.mark.parametrize(
    ("came", "text"),
    [
        ([], "not reached within 4.0 s of its first packet: no datagram of it came"),
        ([9], "not reached within 4.0 s of its first packet: no datagram of it came"),
        (
            [9, 10, 12],
            "not reached within 4.0 s of its first packet: 2 of its datagrams came there, and no answer came back",
        ),
    ],
    ids=["nothing", "only before", "no answer"],
)
def test_a_flow_that_nobody_answers_says_what_came(came: list[int], text: str) -> None:
    reach = judge("u1/a1", flow((3, OLD), (12, OLD)), NEW, SPOKE, UNTIL, came)
    assert reach.delay_s is None and reach.problem == text


def test_an_answer_of_another_container_does_not_count() -> None:
    assert answered_since(flow((10, NEW)), NEW, 10)
    assert not answered_since(flow((9, NEW)), NEW, 10)
    assert not answered_since(flow((10, OLD)), NEW, 10)


REACHED = Reach("u1/a1", 0.02, 0.3, came=9)
LOST = Reach("u2/a2", None, 4.0, details="on u2: FDB entry 02:42:0a:20:00:46 dev vx-a dst 192.168.56.3 static")


def test_a_takeover_names_who_does_not_reach_whom_and_the_entry() -> None:
    takeover = Takeover(X2, (REACHED, LOST), {"u1/a1": "new-1"}, "new-1")
    assert takeover.problems == [
        "u2/a2 → u3/new-1 at 10.32.0.70, which u1/old-1 had before: not reached within 4.0 s of its first packet: no "
        "datagram of it came; on u2: FDB entry 02:42:0a:20:00:46 dev vx-a dst 192.168.56.3 static"
    ]
    assert str(takeover).splitlines() == [
        "u3/new-1 at 10.32.0.70, which u1/old-1 had before",
        "u1/a1: reached after 0.020 s, after its first packet; 9 datagrams came",
        "u2/a2: never reached; 0 datagrams came",
        "u1/a1: a new connection was answered by new-1",
    ]
    assert "before it had sent anything" in str(Takeover(X2, (replace(REACHED, silent=True),), {}, "new-1"))


def test_a_new_connection_that_another_container_answers_is_a_problem() -> None:
    takeover = Takeover(X2, (REACHED,), {"u1/a1": "old-1", "u2/a2": "new-1"}, "new-1")
    assert takeover.problems == [
        "u1/a1 → u3/new-1 at 10.32.0.70, which u1/old-1 had before: a new connection was answered by old-1"
    ]
    assert not Takeover(X2, (REACHED,), {"u1/a1": "new-1"}, "new-1").problems


def test_stale_entries_are_those_of_the_address_and_the_mac() -> None:
    mac = "02:42:0a:20:00:46"
    neighbours = ["10.32.0.70 dev eth0 lladdr 02:42:0a:20:00:46 PERMANENT ", "10.32.0.7 dev eth0 FAILED", ""]
    fdb = [
        ("vx-a", "02:42:0A:20:00:46 dst 192.168.56.3 self static"),
        ("vx-a", "02:42:0a:20:00:47 dst 192.168.56.4 self"),
        ("fn-a", "02:42:0a:20:00:46 dev veth1 master fn-a"),
    ]
    assert stale_entries("10.32.0.70", mac, neighbours, fdb) == (
        "neighbour entry 10.32.0.70 dev eth0 lladdr 02:42:0a:20:00:46 PERMANENT, "
        "FDB entry 02:42:0A:20:00:46 dst 192.168.56.3 self static dev vx-a, "
        "FDB entry 02:42:0a:20:00:46 dev veth1 master fn-a"
    )
    assert stale_entries("10.32.0.71", "02:00", neighbours, []) == ""


def test_a_flow_over_ipv6_says_so() -> None:
    """`what` is read by the causes, which look for the family in it."""
    reach = Reach("u1/a1", 0.0, 4.0)
    four, six = (Takeover(replace(X2, address=address), (reach,), {}, "new") for address in (X2.address, "fd00::70"))
    (edge,), (edge6,) = four.judged(), six.judged()
    assert (edge.what, edge6.what) == ("udp to an address taken over", "udp over IPv6 to an address taken over")
    sent = read_what(edge6.what)
    assert (sent.transport, sent.kind, sent.family) == ("udp", "taken over", "IPv6")


def test_entries_for_an_ipv6_address_are_found() -> None:
    lines = ["fd00::70 dev eth0 lladdr 02:42:0a:20:00:46 REACHABLE", "fd00::7 dev eth0 lladdr 02:42:0a:20:00:46 STALE"]
    assert stale_entries("fd00::70", "02:42:0a:20:00:46", lines, []) == f"neighbour entry {lines[0]}"


@pytest.mark.parametrize(
    ("outcome", "detail", "text"),
    [
        (Outcome.ANSWERED, "", "a new flow is answered"),
        (Outcome.LOST, "u2/new never saw it", "a new flow is lost, u2/new never saw it"),
        (Outcome.NOT_SENT, "", "a new flow is not_sent"),
    ],
)
def test_a_new_flow_is_told_beside_the_one_that_failed(outcome: Outcome, detail: str, text: str) -> None:
    here, there = (Endpoint(name, name[:2], None, f"fd00::{name[1]}") for name in ("u1/a1", "u2/new"))
    assert describe_alone(Delivery(Edge(here, there, Transport.UDP), outcome, detail)) == text


@pytest.mark.parametrize(
    ("came", "details", "told", "expected"),
    [
        (0, "on u1: FDB entry", "a new flow is lost", "on u1: FDB entry; a new flow is lost"),
        (7, "on u1: FDB entry", "a new flow is lost", "a new flow is lost; on u1: FDB entry"),
        (7, "", "a new flow is lost", "a new flow is lost"),
        (0, "on u1: FDB entry", "", "on u1: FDB entry"),
        (0, "", "", ""),
    ],
)
def test_what_explains_a_failure_stands_first(came: int, details: str, told: str, expected: str) -> None:
    """A reason is cut off; what leads a sender's packets elsewhere explains nothing where they came."""
    reach = with_new_flow(Reach("u1/a1", None, 4.0, came=came, details=details), told)
    assert reach == Reach("u1/a1", None, 4.0, came=came, details=expected)


def test_a_reach_is_handed_over_with_how_it_ended() -> None:
    reaches = (Reach("u1/a1", 0.0, 4.0), Reach("u2/a2", None, 4.0, details="on u2: x"), Reach("u3/a3", 3.0, 4.0))
    fine, lost, late = Takeover(X2, reaches, {}, "new").judged()
    assert [one.outcome for one in (fine, lost, late)] == ["answered", "lost", "late"]
    assert [one.holds for one in (fine, lost, late)] == [True, False, False]
    assert (
        fine.clue.detail == "" and lost.clue.detail.startswith(f"{X2}: not reached") and "on u2: x" in lost.clue.detail
    )
