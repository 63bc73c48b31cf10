"""What a change did to what was going on, by pair of nodes, and what of it exceeds a bound."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fixtures.change.marks import ENDED, SENT
from fixtures.change.outage import (
    UNDECIDED,
    UNWATCHED,
    WITH_CONTAINER,
    Away,
    NameOutage,
    Outage,
    PairOutage,
    Stop,
    Watch,
    connection_fate,
    pair_outages,
)  # fmt: skip
from tests.unit.change.cases import connection, datagrams

BEGAN, ENDED_AT = 102.0, 111.0
"""Of the command, and of the watching: a flow of the cases is sent from 100 to 110 s."""
AWAY = Away("u2/a2", "u2", 3.0, 6.0, with_node=False)


def outage(*watches: Watch, absences: dict[int, Away] | None = None, ended: float = ENDED_AT) -> PairOutage:
    (found,) = pair_outages(watches, BEGAN, ended, absences or {})
    return found


def test_nothing_lost_is_no_outage() -> None:
    found = outage(datagrams(), connection())
    assert (str(found), found.lost, found.stops, found.broken, found.longest_ms) == ("u1 → u2", 0, (), (), 0.0)
    assert found.sent == 410 and found.connections == 1 and Outage((found,), (), 20).silent


def test_a_silence_is_told_with_its_time_after_the_commands_start() -> None:
    found = outage(datagrams(lost=range(200, 225)))
    assert found.lost == 25 and found.longest_ms == pytest.approx(500)
    assert found.longest is not None and found.longest.began_s == pytest.approx(1.98)
    assert str(found.longest) == "u1/a1 → u2/a2: silent for 500 ms from 1.98 s on, 25 datagrams lost"
    assert not Outage((found,), (), 20).silent


@pytest.mark.parametrize("ahead", [(0.0, 0.0), (50.0, -4000.0)])
def test_clocks_of_the_nodes_do_not_matter(ahead: tuple[float, float]) -> None:
    found = outage(datagrams(lost=range(200, 225), ahead=ahead))
    assert found.longest is not None and found.longest.began_s == pytest.approx(1.98)
    assert found.longest_ms == pytest.approx(500) and found.lost == 25


def test_what_was_lost_before_the_command_is_not_its_outage() -> None:
    assert outage(datagrams(lost=range(20, 60))).lost == 0
    assert outage(datagrams(lost=range(88, 94))).lost == 4, "from 0.2 s before it on"


def test_what_was_sent_at_the_very_end_may_still_come() -> None:
    assert outage(datagrams(lost=range(499, 500)), ended=110.4).lost == 0
    assert outage(datagrams(lost=range(490, 500)), ended=110.6).lost == 10


def test_the_flows_of_all_subnets_count_for_their_pair() -> None:
    other = datagrams(lost=range(300, 310))
    found = outage(datagrams(lost=range(200, 203)), replace(other, flow=replace(other.flow)))
    assert found.lost == 13 and [round(stop.seconds, 3) for stop in found.stops] == [0.06, 0.2]
    assert found.sent == 820


def test_a_container_that_the_change_ended_is_not_a_lost_network() -> None:
    found = outage(datagrams(lost=range(245, 500)), connection(), absences={1: AWAY})
    assert (found.lost, found.stops, found.broken, found.with_containers) == (0, (), (), 1)
    assert found.away == (AWAY,)
    assert str(AWAY) == "u2/a2 ended at 3.0 s, started again 6.0 s"
    assert "u2 itself restarted, and u2/a2 with it at 3.0 s, it was not started" in str(
        replace(AWAY, with_node=True, until_s=None)
    )


def test_what_was_lost_before_the_container_ended_counts() -> None:
    assert outage(datagrams(lost=range(150, 160)), absences={1: AWAY}).lost == 10


def test_an_agent_that_stood_still_saw_the_container_end_later_than_it_did() -> None:
    watch = datagrams(lost=range(200, 500))
    assert outage(watch, absences={1: AWAY}).lost == 36
    watch.source.stood_still_s = 0.8
    assert outage(watch, absences={1: AWAY}).lost == 0


def test_a_node_that_went_is_looked_at_until_then() -> None:
    watch = datagrams(lost=range(245, 500))
    assert watch.destination is not None
    watch.destination.ended = 105.0
    assert outage(watch).lost == 0
    watch.destination.ended = None
    watch.source.ended = 105.0
    assert outage(watch).lost == 0


def test_a_new_container_that_was_not_reached_at_once_is_a_silence_from_its_first_datagram_on() -> None:
    (stop,) = outage(replace(datagrams(lost=range(90, 150)), later=True)).stops
    assert stop.lost == 60 and stop.over
    assert stop.began_s == pytest.approx(-0.2) and stop.seconds == pytest.approx(1.2)


def test_the_kernels_own_refusal_is_named() -> None:
    watch = datagrams(lost=range(200, 210))
    watch.source.of(SENT, 0).details[205] = 101
    (stop,) = outage(watch).stops
    assert "(its own kernel: ENETUNREACH)" in str(stop)


def test_datagrams_of_another_container_are_told() -> None:
    watch = datagrams()
    assert watch.destination is not None
    watch.destination.strays[0, 5] = 3
    found = Outage((outage(watch),), (), 20)
    assert found.pairs[0].strays == 3 and not found.silent
    assert found.beyond(1000) == ["u1 → u2: 3 datagrams came to another container"]
    assert outage(watch, absences={1: AWAY}).strays == 0, "its successor may have its address"


# -- connections ----------------------------------------------------------------------


def fate(watch: Watch, ended: float = 125.0) -> str:
    return connection_fate(watch, BEGAN, ended, {})


def test_a_connection_that_works_to_the_end() -> None:
    assert fate(connection()) == "" and fate(connection(echoed_until=98)) == ""


def test_a_connection_that_ended() -> None:
    reset = connection(echoed_until=50, said=50, more=[(ENDED, 1, 0, 105.0, 104)])
    assert fate(reset) == "the connection u1/a1 → u2/a2 ended at 3.00 s: ECONNRESET"
    closed = connection(more=[(ENDED, 1, 0, 105.0, 0)])
    assert fate(closed) == "the connection u1/a1 → u2/a2 ended at 3.00 s: it was closed"


def test_a_connection_that_carries_nothing_any_more() -> None:
    assert "carries nothing since 2.90 s, for 20 s" in fate(connection(echoed_until=50, said=250))
    waiting = fate(connection(echoed_until=50, said=140), ended=114.0)
    assert waiting.startswith(UNDECIDED), "9 s are within what TCP may take"
    assert fate(connection(echoed_until=50, said=52)) == "", "nothing was said since"
    assert "never carried anything" in fate(connection(echoed_until=0))


def test_a_connection_that_is_awaited_when_the_watching_ends_is_not_proved_to_work() -> None:
    found = outage(connection(echoed_until=50, said=62))
    assert found.broken == () and not Outage((found,), (), 20).silent
    assert found.undecided == ("the connection u1/a1 → u2/a2 carried nothing for 1.2 s when the watching ended",)
    assert "when the watching ended; that is too short" in Outage((pair(), found), (), 20).unwatched(None)
    assert fate(connection(echoed_until=50, said=60)) == "", "its answers may be on their way"


@pytest.mark.parametrize("echoed_until", [0, 50])
def test_a_connection_whose_other_end_stood_still_is_not_watched(echoed_until: int) -> None:
    watch = connection(echoed_until=echoed_until, said=250)
    assert watch.destination is not None
    watch.destination.stood_still_s = 6.0
    assert fate(watch) == UNWATCHED
    found = outage(watch, ended=125.0)
    assert found.broken == () and found.unwatched_ms == 6000
    assert "u1 → u2: not watched for 6000 ms" in Outage((found,), (), 20).unwatched(None)


def test_a_connection_that_ended_with_its_container() -> None:
    watch = connection(echoed_until=50, more=[(ENDED, 1, 0, 105.0, 104)])
    assert connection_fate(watch, BEGAN, 125.0, {1: AWAY}) == WITH_CONTAINER
    watch.source.ended = 105.0
    assert fate(watch) == WITH_CONTAINER


# -- judging ----------------------------------------------------------------------


def pair(*stops: Stop, **more: object) -> PairOutage:
    return PairOutage("u1", "u2", 500, sum(stop.lost for stop in stops), stops, **more)  # type: ignore[arg-type]


STOP = Stop("u1/a1 → u2/a2", 1.0, 0.5, 25, True)


def test_only_what_exceeds_the_bound_is_told_the_worst_first() -> None:
    slow = pair(replace(STOP, seconds=0.7))
    both = Outage((pair(STOP), slow), (), 20)
    assert both.beyond(700) == [] and len(both.beyond(699)) == 1
    assert [line.split("silent for ")[1][:6] for line in both.beyond(100)] == ["700 ms", "500 ms"]
    assert "; 25 of 500 datagrams were lost" in both.beyond(100)[0]
    cut = Outage((pair(STOP, broken=("the connection x ended",)),), (), 20)
    assert ["silent" in line for line in cut.beyond(100)] == [True, False], "a connection ended of the silence"


def test_a_lost_connection_and_a_wrong_answer_exceed_every_bound() -> None:
    broken = Outage((pair(broken=("the connection x ended",)),), (), 20)
    assert broken.beyond(10_000) == ["u1 → u2: the connection x ended"]
    wrong = NameOutage("u1/a1", "10.0.0.1", 50, 0, (("NXDOMAIN no address", 4, 1.0),))
    told = Outage((), (wrong,), 20)
    assert told.beyond(10_000) == ["u1/a1 was told NXDOMAIN no address by 10.0.0.1, 4 times from 1.00 s on"]
    assert not broken.silent and not told.silent


def test_questions_without_an_answer_exceed_the_bound_by_their_time() -> None:
    name = NameOutage("u1/a1", "10.0.0.1", 50, 20, (), (replace(STOP, seconds=0.4),))
    found = Outage((), (name,), 20)
    assert found.beyond(400) == [] and "no right answer of 10.0.0.1 for 400 ms" in found.beyond(399)[0]


def test_containers_that_were_gone_longer_than_the_bound_are_told_as_such() -> None:
    found = Outage((pair(away=(AWAY,)), pair(away=(AWAY,))), (), 20)
    assert found.away == (AWAY,) and found.beyond(3000) == []
    (line,) = found.beyond(2999)
    assert (
        line
        == "the change restarted containers, which is not a lost network: u2/a2 ended at 3.0 s, started again 6.0 s"
    )
    assert Outage((pair(away=(replace(AWAY, until_s=None),)),), (), 20).beyond(1e6)


def test_what_was_not_watched_is_not_proved() -> None:
    assert "nothing was measured" in Outage((), (), 20).unwatched(None)
    watched = Outage((pair(unwatched_ms=900.0),), (), 20)
    assert watched.unwatched(None) == "" and watched.unwatched(1000) == ""
    assert "u1 → u2: not watched for 900 ms" in watched.unwatched(500)
    assert "not watched for 1100 ms" in Outage((pair(unwatched_ms=1100.0),), (), 20).unwatched(None)
    assert Outage((pair(unwatched_ms=59.0),), (), 20).unwatched(0) == "", "three paces are the least that can be asked"
    empty = replace(pair(), sent=0)
    assert Outage((empty,), (), 20).unwatched(None) == "u1 → u2: nothing was sent"
    assert Outage((replace(empty, away=(AWAY,)),), (), 20).unwatched(None) == ""


def test_an_asker_that_stood_still_is_not_watched_either() -> None:
    held_up = NameOutage("u1/a1", "10.0.0.1", 50, 0, unwatched_ms=900.0)
    found = Outage((pair(),), (held_up,), 20)
    assert found.unwatched_ms == 900 and found.unwatched(None) == ""
    assert found.unwatched(500).startswith("questions of u1/a1: not watched for 900 ms")


def test_questions_are_not_a_pair_of_nodes() -> None:
    watch = connection()
    assert pair_outages([replace(watch, flow=replace(watch.flow, destination=None))], 0, 1, {}) == []
