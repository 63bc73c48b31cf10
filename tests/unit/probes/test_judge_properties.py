"""What holds of judgement whatever is changed, doubled, mixed up or missing."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from fixtures.probes.delivery import Step, Transport
from lab.errors import HarnessError
from reports.model import Outcome
from tests.unit.probes.canned import B, answer_of, good
from tests.unit.probes.judge_cases import ALL, PORTS
from tests.unit.probes.spoils import socket_got

FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "source": st.ip_addresses(v=4).map(str),
        "destination": st.ip_addresses(v=4).map(str),
        "source_port": st.integers(0, 65535),
        "destination_port": st.integers(0, 65535),
        "payload": st.binary(max_size=24),
    },
)


@given(st.sampled_from(ALL), st.sampled_from(["left", "arrived", "reply_left", "reply_arrived"]), FIELDS)
def test_a_changed_header_is_never_answered(transport: Transport, place: str, fields: dict[str, object]) -> None:
    exchange = good(transport)
    spot = getattr(exchange, place)
    spoilt = exchange.changing(spot, **fields)
    changed = getattr(spoilt, place).header != spot.header
    assert (spoilt.judged().outcome is Outcome.ANSWERED) is not changed


@given(st.sampled_from(PORTS), st.binary(max_size=32))
def test_no_other_answer_is_the_right_one(transport: Transport, answer: bytes) -> None:
    exchange = socket_got(answer)(good(transport))
    assert (exchange.judged().outcome is Outcome.ANSWERED) is (answer == answer_of(B))


@given(st.data(), st.sampled_from(ALL))
def test_order_and_duplicates_change_nothing(data: st.DataObject, transport: Transport) -> None:
    exchange = good(transport)
    mixed = data.draw(st.permutations(exchange.sightings * 2))
    assert replace(exchange, sightings=tuple(mixed)).judged().outcome is Outcome.ANSWERED


@given(st.data(), st.sampled_from(ALL), st.sets(st.sampled_from(range(6)), min_size=1))
def test_with_anything_missing_it_is_not_answered(data: st.DataObject, transport: Transport, gone: set[int]) -> None:
    exchange = good(transport)
    left = [each for number, each in enumerate(exchange.sightings) if number not in gone and each.step is not Step.SYN]
    lost = len(left) < sum(each.step is not Step.SYN for each in exchange.sightings)
    try:
        outcome: Outcome | None = replace(exchange, sightings=tuple(left)).judged().outcome
    except HarnessError:
        outcome = None
    assert (outcome is Outcome.ANSWERED) is not lost
