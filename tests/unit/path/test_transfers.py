"""A transfer is intact only when both ends recorded the same bytes; an impaired instrument accuses no path."""

from dataclasses import replace
from typing import Any

import pytest

from fixtures.path.transfers import (
    AgentCondition,
    Arrival,
    Flow,
    Transfer,
    find_impairment,
    read_condition,
    read_transfer,
)
from fixtures.probes.delivery import Endpoint
from reports.causes.sent import read_what

A1 = Endpoint("u1/a1", "u1", "/proc/1/ns/net", "10.32.0.1")
A2 = Endpoint("u2/a2", "u2", "/proc/2/ns/net", "10.32.0.2")
DATAGRAM = Flow(A1, A2, 1472)
STREAM = Flow(A1, A2, 1 << 20, "tcp")
ANSWERED = Transfer(DATAGRAM, None, 0.25, "10.32.0.1", "s1", "", (Arrival(1472, "s1"),))
STREAMED = Transfer(STREAM, None, 0.25, "10.32.0.1", "s1", "s2", (Arrival(1 << 20, "s1", "s2"),))
HEALTHY = AgentCondition(0.0, 7, 7)


@pytest.mark.parametrize("transfer", [ANSWERED, STREAMED], ids=["datagram", "stream"])
def test_a_transfer_that_both_ends_recorded_alike_is_intact(transfer: Transfer) -> None:
    assert transfer.intact


@pytest.mark.parametrize(
    "transfer",
    [
        replace(ANSWERED, error="ETIMEDOUT"),
        replace(ANSWERED, error="EMSGSIZE", arrivals=()),
        replace(ANSWERED, arrivals=()),
        replace(ANSWERED, arrivals=ANSWERED.arrivals * 2),
        replace(ANSWERED, arrivals=(Arrival(1472, "other"),)),
        replace(ANSWERED, arrivals=(Arrival(1471, "s1"),)),
        replace(STREAMED, received_back="other"),
        replace(STREAMED, arrivals=(Arrival(1 << 20, "other", "s2"),)),
        replace(STREAMED, arrivals=(Arrival((1 << 20) - 1, "s1", "s2"),)),
        replace(STREAMED, arrivals=(Arrival(1 << 20, "s1"),)),
    ],
    ids=[
        "no answer", "refused", "nothing arrived", "arrived twice", "altered", "cut", "altered on the way back",
        "stream altered", "stream cut", "nothing sent back",
    ],
)  # fmt: skip
def test_any_difference_between_the_ends_is_not_intact(transfer: Transfer) -> None:
    assert transfer.intact is False


@pytest.mark.parametrize(
    ("transfer", "text"),
    [
        (ANSWERED, "u1/a1->u2/a2 udp 1472 bytes: answered after 0.250 s; arrived: 1472 bytes"),
        (
            replace(ANSWERED, flow=replace(DATAGRAM, dont_fragment=True), error="EMSGSIZE", arrivals=()),
            "u1/a1->u2/a2 udp 1472 bytes, DF: EMSGSIZE after 0.250 s; arrived: nothing",
        ),
        (
            replace(ANSWERED, flow=replace(DATAGRAM, one_way=True)),
            "u1/a1->u2/a2 udp 1472 bytes: sent after 0.250 s; arrived: 1472 bytes",
        ),
        (
            replace(ANSWERED, arrivals=(Arrival(1472, "s1"), Arrival(9, "other"))),
            "u1/a1->u2/a2 udp 1472 bytes: answered after 0.250 s; arrived: 1472 bytes, 9 bytes ALTERED",
        ),
        (STREAMED, "u1/a1->u2/a2 tcp 1048576 bytes: both directions done after 0.250 s; arrived: 1048576 bytes"),
        (
            replace(STREAMED, received_back="other"),
            "u1/a1->u2/a2 tcp 1048576 bytes: what came back was ALTERED after 0.250 s; arrived: 1048576 bytes",
        ),
        (
            replace(STREAMED, arrivals=(*STREAMED.arrivals, Arrival(9, "other", "other"))),
            "u1/a1->u2/a2 tcp 1048576 bytes: what came back was ALTERED after 0.250 s; "
            "arrived: 1048576 bytes, 9 bytes ALTERED",
        ),
        (
            replace(STREAMED, error="ECONNRESET", received_back="other"),
            "u1/a1->u2/a2 tcp 1048576 bytes: ECONNRESET after 0.250 s; arrived: 1048576 bytes",
        ),
    ],
    ids=["answered", "refused", "one way", "twice", "stream", "altered back", "stream twice", "reset"],
)
def test_a_transfer_says_who_to_whom_what_and_what_arrived(transfer: Transfer, text: str) -> None:
    assert str(transfer) == text


def reply(**changes: Any) -> dict[str, Any]:
    return {"error": None, "took": 0.25, "source": "10.32.0.1", "sent": "s1", "received": "s2", "came": 0, **changes}


def record(**changes: Any) -> dict[str, Any]:
    return {"tag": "00", "peer": "10.32.0.1", "came": 1 << 20, "received": "s1", **changes}


def test_a_transfer_is_read_from_both_agents_answers() -> None:
    assert read_transfer(STREAM, reply(), [record(sent="s2")]) == STREAMED
    assert read_transfer(DATAGRAM, reply(received=""), [record(came=1472)]) == ANSWERED


def test_an_error_is_kept_by_its_name() -> None:
    failed = read_transfer(DATAGRAM, reply(error=[110, "ETIMEDOUT", "Connection timed out"], source=None), [])
    assert (failed.error, failed.lost, failed.source_address, failed.arrivals) == ("ETIMEDOUT", True, None, ())
    assert not read_transfer(DATAGRAM, reply(error=[90, "EMSGSIZE", "Message too long"]), []).lost
    assert not ANSWERED.lost


@pytest.mark.parametrize(
    ("condition", "impairment"),
    [
        (HEALTHY, None),
        (AgentCondition(1.0, 7, 7), None),
        (AgentCondition(1.1, 7, 7), "its probe agent stood still for 1.1 s (is the node overloaded?)"),
        (
            AgentCondition(0.0, 7, 8),
            "its kernel had no room for neighbours; raise net.ipv4.neigh.default.gc_thresh3",
        ),
        (AgentCondition(0.0, 8, 7), None),
        (AgentCondition(0.0, None, 8), None),
        (AgentCondition(0.0, 7, None), None),
    ],
    ids=["healthy", "a short pause", "stood still", "a full table", "counted from 0 again", "no count", "no new count"],
)
def test_what_impairs_an_agent_is_named(condition: AgentCondition, impairment: str | None) -> None:
    assert condition.impairment == impairment


def test_the_runners_count_stands_for_a_node_that_cannot_read_its_own() -> None:
    assert read_condition({"stood_still": 0.5, "full": [None, None]}, (3, 4)) == AgentCondition(0.5, 3, 4)
    assert read_condition({"stood_still": 0.5, "full": [None, 2]}, (3, 4)) == AgentCondition(0.5, 3, 4)
    assert read_condition({"stood_still": 0.5, "full": [1, None]}, (3, 4)) == AgentCondition(0.5, 1, None)
    assert read_condition({"stood_still": 0.5, "full": [1, 2]}, (3, 4)) == AgentCondition(0.5, 1, 2)
    assert read_condition({"stood_still": 0.5, "full": [0, 0]}, (3, 4)) == AgentCondition(0.5, 0, 0)


@pytest.mark.parametrize("node", ["u1", "u2"], ids=["the source's node", "the destination's node"])
def test_an_impaired_node_explains_a_lost_answer(node: str) -> None:
    lost = replace(ANSWERED, error="ETIMEDOUT")
    conditions = {"u1": HEALTHY, "u2": HEALTHY, "u3": HEALTHY, node: AgentCondition(2.0, 7, 7)}
    assert find_impairment([ANSWERED, lost], conditions) == (
        f"node {node}: its probe agent stood still for 2.0 s (is the node overloaded?); nothing can be said of {lost}"
    )


def test_an_impaired_node_explains_nothing_else() -> None:
    impaired = AgentCondition(2.0, 7, 7)
    lost = replace(ANSWERED, error="ETIMEDOUT")
    refused = replace(ANSWERED, error="EMSGSIZE")
    assert find_impairment([ANSWERED, refused], {"u1": impaired, "u2": impaired}) is None
    assert find_impairment([lost], {"u1": HEALTHY, "u2": HEALTHY, "u3": impaired}) is None
    assert find_impairment([], {"u1": impaired}) is None


@pytest.mark.parametrize(
    ("whole", "address", "line", "what"),
    [
        (False, None, "udp 1472 bytes over IPv6", "udp 1472 bytes over IPv6"),
        (True, None, "udp 1472 bytes, unfragmented over IPv6", "udp 1472 bytes unfragmented over IPv6"),
        (True, "2001:2::2", "udp 1472 bytes, unfragmented over IPv6", "udp 1472 bytes unfragmented over IPv6"),
        (True, "198.18.0.2", "udp 1472 bytes, DF", "udp 1472 bytes DF"),
    ],
)
def test_a_flow_says_its_family(whole: bool, address: str | None, line: str, what: str) -> None:
    """The family is that of the address that is dialled; the causes read it, and the size, from `what`."""
    flow = Flow(A1, replace(A2, address="fd00::2"), 1472, dont_fragment=whole, address=address)
    assert str(flow) == f"u1/a1->u2/a2 {line}" and flow.what == what
    sent = read_what(replace(ANSWERED, flow=flow).judged().what)
    assert (sent.transport, sent.size, sent.family == "IPv6") == ("udp", 1472, "IPv6" in what)
