"""Streams: lost, doubled, not leaving and refused are told apart, and a busy node accuses no network."""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import Any

import pytest

from fixtures.no_nat.stream_judging import (
    MOST_LINES,
    Condition,
    Count,
    Stream,
    Streamed,
    find_void,
    read_condition,
    read_counts,
)
from fixtures.probes.delivery import Endpoint
from lab.errors import HarnessError

A1 = Endpoint("u1/a1", "u1", "/proc/1/ns/net", "10.32.0.1")
A2 = Endpoint("u2/a2", "u2", "/proc/2/ns/net", "10.32.0.2")
THERE, BACK = Stream(0, A1, A2), Stream(1, A2, A1)
WHOLE = Count(THERE, sent=2000, refused=0, errno=None, left=2000, distinct=2000, doubled=0, reordered=0)
LOSSY = replace(WHOLE, distinct=1979)
DEAD = replace(WHOLE, distinct=0)
OVER_IPV6 = Stream(0, replace(A1, address="fd00::1"), replace(A2, address="fd00::2"))
HEALTHY = Condition({"u1/a1": 0, "u2/a2": 0}, 0, 0, 0.0)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (WHOLE, "all 2,000 came once"),
        (LOSSY, "21 of 2,000 lost, 1.05 % (95 %: 0.69 to 1.60 %)"),
        (replace(WHOLE, doubled=3), "3 of 2,000 came twice, 0.15 % (95 %: 0.05 to 0.44 %)"),
        (replace(WHOLE, left=1900, distinct=1900), "100 of 2,000 never left u1/a1"),
        (
            replace(WHOLE, left=1900, distinct=1899),
            "1 of 2,000 lost, 0.05 % (95 %: 0.01 to 0.28 %); 100 of 2,000 never left u1/a1",
        ),
        (
            replace(WHOLE, sent=1990, refused=10, errno=errno.EPERM, left=1990, distinct=1990),
            "10 of 2,000 refused by u1/a1's own kernel (Operation not permitted)",
        ),
        (
            replace(WHOLE, sent=0, refused=2000, left=0, distinct=0),
            "2,000 of 2,000 refused by u1/a1's own kernel (no reason given)",
        ),
        (
            replace(WHOLE, distinct=1000, elsewhere={"u3/a3": 1000}),
            "1,000 of 2,000 lost, 50 % (95 %: 47.8 to 52.2 %); 1,000 came to u3/a3 instead",
        ),
    ],
    ids=["whole", "lost", "doubled", "not leaving", "both", "refused", "all refused", "elsewhere"],
)  # fmt: skip
def test_a_count_names_pair_direction_and_what_happened(count: Count, text: str) -> None:
    assert str(count) == f"u1 → u2 (u1/a1 → u2/a2): {text}"
    assert count.whole is (count is WHOLE)


def test_order_and_places_are_details_only() -> None:
    count = replace(WHOLE, reordered=2)
    assert count.whole and str(count).endswith("all 2,000 came once")
    assert count.details.endswith("all 2,000 came once; 2 came out of order, 0.10 % (95 %: 0.03 to 0.36 %)")
    gaps = replace(LOSSY, gaps=((7, 1), (9, 20)))
    assert gaps.details.endswith("1.60 %); missing: 7, 9 to 28")
    assert replace(LOSSY, gaps=((7, 1),) * 20).details.endswith("7, 7 …")


def test_a_copy_that_the_counter_missed_does_not_hide_a_loss() -> None:
    """What came has left, whatever the counter says."""
    assert replace(LOSSY, left=1970).not_leaving == 21
    assert replace(LOSSY, left=2001).lost == 21
    assert not replace(LOSSY, left=1970).whole


def test_nothing_sent_is_not_whole() -> None:
    nothing = replace(WHOLE, sent=0, left=0, distinct=0)
    assert not nothing.whole and nothing.dead


def test_a_dead_stream_is_not_a_rate_of_loss() -> None:
    streamed = Streamed((WHOLE, DEAD, LOSSY))
    assert streamed.broken == (LOSSY,) and streamed.dead == (DEAD,)
    other = replace(DEAD, elsewhere={"u3/a3": 2000})
    assert Streamed((other,)).broken == (other,) and not Streamed((other,)).dead
    assert not Streamed((WHOLE,)).broken and not Streamed((WHOLE,)).dead


def test_the_worst_stream_is_in_the_first_line() -> None:
    worse, doubled = replace(LOSSY, stream=BACK, distinct=1900), replace(WHOLE, doubled=50)
    streamed = Streamed((WHOLE, LOSSY, worse, doubled))
    assert streamed.broken == (worse, doubled, LOSSY)
    first, *rest = streamed.explain(streamed.broken).splitlines()
    assert first == "3 of 4 streams, such as u2 → u1 (u2/a2 → u1/a1): 100 of 2,000 lost, 5.00 % (95 %: 4.13 to 6.04 %)"
    assert rest == [count.details for count in streamed.broken]
    assert Streamed((LOSSY,)).explain([LOSSY]) == f"{LOSSY}\n{LOSSY.details}"


def test_many_streams_are_not_all_printed() -> None:
    counts = (LOSSY,) * (MOST_LINES + 3)
    lines = Streamed(counts).explain(counts).splitlines()
    assert len(lines) == MOST_LINES + 2 and lines[-1] == "… and 3 more; the attachment has every stream"
    assert len(Streamed(counts).explain(counts[:MOST_LINES]).splitlines()) == MOST_LINES + 1


BACKLOG = "its processors did not take 3 packets in time (net.core.netdev_max_backlog)"
FULL = "its kernel had no room for 1 neighbours; raise net.ipv4.neigh.default.gc_thresh3"


@pytest.mark.parametrize(
    ("node", "condition", "text"),
    [
        ("u2", replace(HEALTHY, overflows={"u2/a2": 5}), "the socket in u2/a2 had no room for 5 datagrams that came"),
        ("u1", replace(HEALTHY, backlog=3), BACKLOG),
        ("u2", replace(HEALTHY, backlog=3), BACKLOG),
        ("u1", replace(HEALTHY, full=1), FULL),
        ("u2", replace(HEALTHY, stood_still_s=1.5), "its probe agent stood still for 1.5 s (is the node overloaded?)"),
    ],
    ids=["socket", "sender's backlog", "receiver's backlog", "neighbours", "stood still"],
)  # fmt: skip
def test_what_a_busy_node_lost_is_not_the_networks(node: str, condition: Condition, text: str) -> None:
    conditions = {"u1": HEALTHY, "u2": HEALTHY, node: condition}
    assert find_void([WHOLE, LOSSY], conditions) == f"node {node}: {text}; nothing can be said of {LOSSY}"
    assert find_void([WHOLE], conditions) is None, "everything came"
    assert find_void([replace(LOSSY, stream=Stream(2, A1, replace(A1, name="u3/a3", node="u3")))], {
        "u1": HEALTHY, "u2": replace(condition, backlog=9), "u3": HEALTHY,
    }) is None, "another node was busy"  # fmt: skip


def test_a_sender_that_stood_still_lost_nothing() -> None:
    sender = Condition({"u1/a1": 0}, 0, 0, 5.0)
    assert find_void([LOSSY], {"u1": sender, "u2": Condition({"u2/a2": 0}, 0, 0, 0.0)}) is None


def test_doubled_datagrams_are_not_excused_by_a_busy_node() -> None:
    assert find_void([replace(WHOLE, doubled=1)], {"u1": replace(HEALTHY, backlog=9), "u2": HEALTHY}) is None


def test_what_cannot_be_read_excuses_nothing() -> None:
    unknown = Condition({"u2/a2": 0}, None, None, 1.0)
    assert find_void([LOSSY], {"u1": unknown, "u2": unknown}) is None


@pytest.mark.parametrize("number", [errno.ENOBUFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_a_sender_without_memory_is_not_the_network(number: int) -> None:
    refused = replace(LOSSY, sent=1990, refused=10, errno=number)
    assert "node u1: " in str(find_void([refused], {"u1": HEALTHY, "u2": HEALTHY}))
    assert find_void([replace(refused, errno=errno.EPERM)], {"u1": HEALTHY, "u2": HEALTHY}) is None


def tally(**changes: Any) -> dict[str, Any]:
    return {"distinct": 2000, "doubled": 0, "reordered": 0, "gaps": [], **changes}


def answer(**changes: Any) -> dict[str, Any]:
    return {
        "left": [],
        "receivers": [],
        "full": [None, None],
        "backlog": [7, 9],
        "stood_still": 0.5,
        "processors": [[500, 1000], [510, 1200]],
        **changes,
    }


def test_counts_are_read_from_both_agents() -> None:
    answers = {
        "u1": answer(
            left=[{"stream": 0, "sent": 1990, "refused": 10, "error": 1, "left": 1980}],
            receivers=[{"came": [[0, tally(distinct=4, doubled=1)]], "overflows": 0}],
        ),
        "u2": answer(
            left=[{"stream": 1, "sent": 2000, "refused": 0, "error": None, "left": 2000}],
            receivers=[{"came": [[0, tally(distinct=1979, doubled=2, reordered=3, gaps=[[5, 2]])]], "overflows": 0}],
        ),
    }
    there, back = read_counts([THERE, BACK], {"u1": ["u1/a1"], "u2": ["u2/a2"]}, answers).counts
    assert there == Count(THERE, 1990, 10, 1, 1980, 1979, 2, 3, ((5, 2),), {"u1/a1": 5})
    assert back == Count(BACK, 2000, 0, None, 2000, 0, 0, 0, (), {})


def test_a_stream_that_no_agent_counted_is_an_error() -> None:
    with pytest.raises(HarnessError, match="counts of streams: its answer cannot be read"):
        read_counts([THERE], {"u1": []}, {"u1": answer()})


def test_a_condition_is_what_grew_meanwhile() -> None:
    own = answer(receivers=[{"came": [], "overflows": 4}], full=[1, 3])
    assert read_condition(["u2/a2"], own, (5, 9), by_program=False) == Condition({"u2/a2": 4}, 2, 2, 0.5)
    lab = answer(receivers=[{"came": [], "overflows": 4}])
    assert read_condition(["u2/a2"], lab, (5, 9), by_program=False) == Condition({"u2/a2": 4}, 2, 4, 0.5), (
        "the runner reads it for a lab"
    )
    assert read_condition([], answer(backlog=[None, 9]), (None, 9), by_program=False) == Condition({}, None, None, 0.5)
    assert read_condition([], answer(backlog=[9, 7], full=[3, 1]), (1, 2), by_program=False) == Condition({}, 0, 0, 0.5)


def test_a_starved_program_that_forwards_packets_is_a_busy_node() -> None:
    """Weave's router by sleeve: what it does not fetch in time, no counter of the kernel shows."""
    starved = read_condition([], answer(backlog=[7, 7]), (0, 0), by_program=True)
    assert starved.starved == 0.05
    assert find_void([LOSSY], {"u1": starved, "u2": HEALTHY}) == (
        "node u1: its processors were idle for 5% of the time only, "
        f"and a program forwards the overlay's packets there; nothing can be said of {LOSSY}"
    )
    assert find_void([WHOLE], {"u1": starved, "u2": HEALTHY}) is None


@pytest.mark.parametrize(
    "processors",
    [[[500, 1000], [520, 1200]], [None, [520, 1200]], [[500, 1000], None], [[500, 1000], [500, 1000]]],
    ids=["idle for a tenth", "unknown before", "unknown after", "no time passed"],
)
def test_a_program_with_time_to_spare_excuses_nothing(processors: list[list[int] | None]) -> None:
    condition = read_condition([], answer(backlog=[7, 7], processors=processors), (0, 0), by_program=True)
    assert find_void([LOSSY], {"u1": condition, "u2": HEALTHY}) is None


def test_where_the_kernel_forwards_busy_processors_excuse_nothing() -> None:
    """It counts what it drops itself."""
    assert read_condition([], answer(backlog=[7, 7]), (0, 0), by_program=False).starved is None


def test_a_stream_over_ipv6_says_so() -> None:
    six = replace(LOSSY, stream=OVER_IPV6)
    assert str(six).startswith("u1 → u2 (u1/a1 → u2/a2) over IPv6: 21 of 2,000 lost")
    assert (six.judged().what, LOSSY.judged().what) == ("udp stream over IPv6", "udp stream")
