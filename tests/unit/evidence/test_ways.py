"""The way of a probe: which place saw it, saw it changed, or saw it last."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

from fixtures.evidence.ways import picture_of, places
from fixtures.probes.delivery import Delivery, Transport
from fixtures.probes.trail import Trail
from reports.pictures.way import Mark
from tests.unit.probes.canned import NAT, good
from tests.unit.probes.test_trail import BRIDGE_1, BRIDGE_2, NIC_1, NIC_2, WAY, answer, lost, request, trail

UDP = Transport.UDP
SEEN, CHANGED, LAST, NEVER, UNKNOWN = Mark


def marks(delivery: Delivery, seen: Trail) -> list[Mark]:
    return [place.mark for place in places(delivery, WAY, seen)]


def test_a_lost_probe_is_seen_up_to_its_last_hop() -> None:
    seen = trail((BRIDGE_1, request(UDP)), (NIC_1, request(UDP)))
    assert marks(lost(UDP), seen) == [SEEN, SEEN, LAST, NEVER, NEVER, NEVER]
    found = places(lost(UDP), WAY, seen)
    assert [place.name for place in found] == ["u1/a1", "bridge br0", "NIC eth0", "NIC eth0", "bridge br0", "u2/a2"]
    assert [place.node for place in found] == ["u1", "u1", "u1", "u2", "u2", "u2"]
    assert found[0].note.startswith("sent 10.32.0.11:")


def test_a_probe_that_no_hop_saw_was_last_seen_at_its_sender() -> None:
    assert marks(lost(UDP), trail()) == [LAST, NEVER, NEVER, NEVER, NEVER, NEVER]


def test_a_probe_that_was_never_sent_is_seen_nowhere() -> None:
    never = good(UDP).unsent(101).judged()
    assert marks(never, trail()) == [NEVER] * 6
    assert places(never, WAY, trail())[0].note == "its kernel never sent it"


def test_a_rewritten_probe_is_changed_from_the_first_hop_on_that_saw_it_so() -> None:
    exchange = good(UDP)
    rewritten = exchange.changing(exchange.arrived, source=NAT).judged()
    seen = trail((BRIDGE_1, request(UDP)), *((hop, request(UDP, source=NAT)) for hop in (NIC_1, NIC_2, BRIDGE_2)))
    assert marks(rewritten, seen) == [SEEN, SEEN, CHANGED, CHANGED, CHANGED, CHANGED]
    assert places(rewritten, WAY, seen)[-1].note.startswith(f"saw {NAT}:")


def test_a_lost_answer_is_drawn_from_the_one_who_answered() -> None:
    exchange = good(UDP)
    unheard = replace(exchange.without(exchange.reply_arrived), attempt=replace(exchange.attempt, answer=None))
    found = places(unheard.judged(), WAY, trail((BRIDGE_2, answer(UDP)), (NIC_2, answer(UDP))))
    assert [place.mark for place in found] == [SEEN, SEEN, LAST, NEVER, NEVER, NEVER]
    assert found[0].name == "u2/a2" and found[-1].name == "u1/a1" and found[0].note.startswith("answered ")


def test_a_hop_that_was_not_recorded_is_not_said_to_have_seen_nothing() -> None:
    half = Trail({hop: data for hop, data in trail().hops.items() if hop is not NIC_1}, {})
    assert marks(lost(UDP), half) == [LAST, NEVER, UNKNOWN, NEVER, NEVER, NEVER]


def test_the_picture_tells_the_outcome_with_its_details() -> None:
    delivery = replace(lost(UDP), detail="never seen; last seen on u1's NIC eth0; u2's NIC eth0 never saw it")
    picture = picture_of(delivery, WAY, trail((BRIDGE_1, request(UDP))))
    assert "lost, never seen; last seen on u1's NIC eth0" in str(
        ElementTree.fromstring(picture).findtext("{http://www.w3.org/2000/svg}desc")
    )
