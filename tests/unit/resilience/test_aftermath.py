"""An experiment's findings and the text of its report."""

from __future__ import annotations

from fixtures.resilience.aftermath import Aftermath
from fixtures.resilience.flows import Continuity
from fixtures.resilience.gaps import Gap

LOST = Gap("u1/a1->u2/a3-udp", 4.0, 4.5, 1, "lost")
FLOWS = Continuity(sent=400, lost=2, unwatched_s=0.05)
STOP = Gap("u2/a3->u1/a1-tcp", 5.0, 7.0, 2, "lost")


def test_nothing_found_is_harmless() -> None:
    aftermath = Aftermath()
    assert aftermath.harmless and aftermath.text == "nothing was found"


def test_a_finding_is_not_harmless_and_is_what_prints() -> None:
    aftermath = Aftermath(["first", "second"], ["a note"])
    assert not aftermath.harmless and aftermath.text == "first\nsecond"


def test_a_stop_of_traffic_is_a_finding_and_a_lost_exchange_is_not() -> None:
    aftermath = Aftermath()
    aftermath.add_traffic([LOST], 3.0, None)
    aftermath.add_traffic([LOST], 3.0, Continuity(sent=9, lost=1))
    assert aftermath.harmless
    aftermath.add_traffic([LOST, STOP], 3.0, None)
    (finding,) = aftermath.findings
    assert f"stopped once: {STOP.describe(3.0)} (" in finding


def test_a_flow_that_stopped_is_one_too() -> None:
    aftermath = Aftermath()
    aftermath.add_traffic([STOP], 3.0, Continuity(("u1/a1 → u2/a2: silent for 900 ms",), sent=90, lost=45))
    (finding,) = aftermath.findings
    assert "stopped 2 times, first: u1/a1 → u2/a2: silent for 900 ms (" in finding
    assert finding.splitlines()[1:] == [STOP.describe(3.0)]


def test_a_recovery_failed_when_it_was_waited_for_and_did_not_come() -> None:
    assert not Aftermath().recovery_failed()
    assert Aftermath(bound_s=60.0).recovery_failed()
    assert not Aftermath(bound_s=60.0, recovery_s=0.0).recovery_failed()


def test_the_report_holds_notes_recovery_traffic_and_findings() -> None:
    aftermath = Aftermath(
        ["10.32.0.9 is held twice"], ["   0.10 s  u3: power off"], recovery_s=0.0, attempts=3, bound_s=75.0
    )
    assert aftermath.report([LOST, STOP], rounds=40, edges=12, pause_s=0.256, flows=FLOWS).splitlines() == [
        "   0.10 s  u3: power off",
        "recovered after 0.00 s, seen at attempt 3, bound 75 s",
        "traffic between nodes that were not disturbed: 40 rounds on 12 edges, the longest time between two probes "
        "on one edge 0.26 s, 1 stops, 1 lost exchanges between two that worked; 400 datagrams that agents sent between "
        "these nodes by themselves: 2 lost, 0 stops, the longest pause of a sender 0.05 s",
        "10.32.0.9 is held twice",
    ]


def test_the_report_says_when_nothing_recovered() -> None:
    for aftermath in (Aftermath(), Aftermath(bound_s=75.0), Aftermath(recovery_s=3.0)):
        assert aftermath.report([], rounds=0, edges=0, pause_s=0.0, flows=None).splitlines()[0] == "not recovered"
