"""Whom an attempt reached that its destination did not get: told as what it is, and a leak only where it is one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fixtures.probes.blocked import Judgement, Leaked, describe_leaks, judge_attempts, receivers, routed
from fixtures.probes.delivery import Delivery, Endpoint, Step, Transport
from fixtures.probes.mesh import Mesh
from reports.model import Outcome
from tests.unit.probes.canned import OTHERS_HOST, OUTGOING, TO_US, A, B, C, Canned, good, sighting

DOCKER0 = "172.17.0.3"
CONTROL = Mesh((good(Transport.UDP).judged(),))


def judged(*attempts: Delivery, only_routed: bool = False) -> Judgement:
    return judge_attempts(Mesh(attempts), CONTROL, CONTROL, only_routed=only_routed)


# -- frames that a bridge floods, packets that a node routes ---------------------------------


def arriving(exchange: Canned, *, ttl: int, kind: int, step: Step = Step.REQUEST) -> Delivery:
    """Seen leaving with TTL 64, and then at its destination."""
    return exchange.undelivered().adding(sighting(step, B, kind, exchange.sent)._replace(ttl=ttl)).judged()


@pytest.mark.parametrize("step", [Step.REQUEST, Step.SYN])
@pytest.mark.parametrize(
    ("ttl", "kind", "by_a_router"),
    [(64, OTHERS_HOST, False), (63, OTHERS_HOST, True), (64, TO_US, True), (63, TO_US, True), (63, OUTGOING, False)],
    ids=["flooded", "routed and flooded", "addressed to it", "routed", "its own"],
)
def test_a_router_lowers_the_ttl_or_addresses_the_frame_anew(
    ttl: int, kind: int, by_a_router: bool, step: Step
) -> None:
    delivery = arriving(good(Transport.UDP), ttl=ttl, kind=kind, step=step)
    assert routed(delivery) is by_a_router


def test_a_packet_that_nobody_saw_leave_was_routed_only_if_it_was_addressed_to_the_destination() -> None:
    exchange = good(Transport.UDP)
    alone = replace(
        exchange.undelivered(), sightings=(sighting(Step.REQUEST, B, OTHERS_HOST, exchange.sent)._replace(ttl=63),)
    )
    assert not routed(alone.judged())


def test_a_sighting_elsewhere_or_of_an_answer_was_not_routed() -> None:
    exchange = good(Transport.UDP).undelivered()
    elsewhere = sighting(Step.REQUEST, C, TO_US, exchange.sent)._replace(ttl=63)
    answer = sighting(Step.ANSWER, B, OTHERS_HOST, exchange.sent)._replace(ttl=63)
    assert not routed(exchange.adding(elsewhere, answer).judged())


def test_a_ttl_is_compared_with_that_with_which_its_sender_first_sent_it() -> None:
    exchange = good(Transport.UDP).undelivered()
    flooded = sighting(Step.REQUEST, B, OTHERS_HOST, exchange.sent)._replace(ttl=63)
    before = (
        sighting(Step.REQUEST, C, OUTGOING, exchange.sent)._replace(ttl=65),
        sighting(Step.REQUEST, A, OTHERS_HOST, exchange.sent)._replace(ttl=65),
        sighting(Step.REQUEST, A, OUTGOING, exchange.sent)._replace(ttl=63),
    )
    assert not routed(replace(exchange, sightings=(*before, *exchange.sightings, flooded)).judged())


@pytest.mark.parametrize("transport", Transport)
def test_what_was_answered_was_addressed_to_its_destination(transport: Transport) -> None:
    assert routed(good(transport).judged())


def test_only_what_was_routed_is_a_leak_where_that_is_the_claim() -> None:
    flooded = arriving(good(Transport.UDP), ttl=64, kind=OTHERS_HOST)
    passed_on = arriving(good(Transport.TCP), ttl=63, kind=TO_US)
    judgement = judged(flooded, passed_on, only_routed=True)
    assert (judgement.leaked, judgement.elsewhere, judgement.unproved) == ((passed_on,), (flooded,), ())
    assert judged(flooded, passed_on).leaked == (flooded, passed_on)


def test_a_leak_that_was_routed_says_so() -> None:
    passed_on, flooded = (arriving(good(Transport.UDP), ttl=ttl, kind=OTHERS_HOST) for ttl in (63, 64))
    routed_line, flooded_line = (describe_leaks([leak], 1).partition("\n")[0] for leak in (passed_on, flooded))
    where = "u1/a1->u2/a2-udp port 20777 went through: seen at u2/a2 on eth0"
    assert routed_line == f"{where}, routed (its TTL was 64 and is 63) (1 of 1 attempts went through)"
    assert flooded_line == f"{where} (1 of 1 attempts went through)"


def test_of_a_leak_that_nobody_saw_leave_no_router_is_known() -> None:
    passed_on = replace(arriving(good(Transport.UDP), ttl=63, kind=TO_US), left=None)
    assert "routed" not in describe_leaks([passed_on], 1)


# -- an address that several have -------------------------------------------------------------


def answered_by(who: Endpoint | str, *, address: str | None, destination: Endpoint = B) -> Delivery:
    """A dials an address of `destination`, and `who` receives and answers it."""
    exchange = good(Transport.UDP)
    edge = replace(exchange.edge, address=address, destination=destination)
    name = who if isinstance(who, str) else who.name
    sightings = exchange.undelivered().sightings
    if isinstance(who, Endpoint):
        sightings += (sighting(Step.REQUEST, who, TO_US, exchange.sent),)
    delivery = replace(
        exchange.judged(), edge=edge, outcome=Outcome.MISDELIVERED, detail=f"{name} answered", arrived=None
    )
    return replace(delivery, answered_by=name, sightings=sightings, reply_left=None, reply_arrived=None)


def blocked(destination: Endpoint, address: str | None = None) -> Delivery:
    delivery = good(Transport.UDP).undelivered().judged()
    return replace(delivery, edge=replace(delivery.edge, destination=destination, address=address))


def test_an_address_that_the_dialler_has_too_does_not_lead_to_the_target() -> None:
    own = answered_by(A, address=DOCKER0)
    judgement = judged(own)
    assert (judgement.leaked, judgement.elsewhere) == ((), (own,))


@pytest.mark.parametrize("address", [DOCKER0, None])
def test_a_neighbour_that_may_be_reached_does_not_make_a_leak(address: str | None) -> None:
    """C is not a target of an attempt, so A may reach it; it is recorded, as the destination of a control."""
    to_c = Mesh((replace(good(Transport.UDP).judged(), edge=replace(good(Transport.UDP).edge, destination=C)),))
    neighbour = answered_by(C, address=address)
    judgement = judge_attempts(Mesh((neighbour,)), CONTROL + to_c, CONTROL + to_c)
    assert (judgement.leaked, judgement.elsewhere) == ((), (neighbour,))


def test_another_target_that_was_reached_is_a_leak_and_told_by_its_own_name() -> None:
    misled = answered_by(C, address=DOCKER0)
    judgement = judged(misled, blocked(C))
    assert judgement.leaked == (misled,)
    with pytest.raises(Leaked) as caught:
        judgement.enforce()
    assert str(caught.value).partition("\n")[0] == (
        "u1/a1->u2/a2-udp at 172.17.0.3 port 20777 reached u3/a3 instead of u2/a2: answered by u3/a3 "
        "(1 of 2 attempts went through, all between u1 and u2)"
    )


def test_a_target_that_was_reached_by_its_own_address_is_told_once() -> None:
    misled = answered_by(C, address=DOCKER0)
    direct = replace(misled, edge=replace(misled.edge, destination=C), outcome=Outcome.ANSWERED)
    judgement = judged(misled, direct)
    assert (judgement.leaked, judgement.elsewhere) == ((direct,), (misled,))
    others_direct = replace(direct, edge=replace(direct.edge, source=C, destination=B), answered_by=B.name)
    assert misled in judged(misled, others_direct, blocked(C)).leaked


def test_something_that_is_not_recorded_is_a_leak_only_at_an_address_that_nobody_else_may_have() -> None:
    unknown = "something that is not recorded"
    at_overlay, at_docker0 = (answered_by(unknown, address=address) for address in (None, DOCKER0))
    judgement = judged(at_overlay, at_docker0)
    assert (judgement.leaked, judgement.elsewhere) == ((at_overlay,), (at_docker0,))


def test_receivers_are_those_that_a_misdelivered_attempt_was_for() -> None:
    assert receivers(answered_by(C, address=DOCKER0)) == {C.name}
    assert receivers(replace(answered_by(C, address=DOCKER0), answered_by=None)) == {C.name}
    assert receivers(replace(answered_by(C, address=DOCKER0), outcome=Outcome.LOST)) == set()
    flooded = replace(answered_by("?", address=None), answered_by=None)
    assert receivers(replace(flooded, sightings=(sighting(Step.REQUEST, C, OTHERS_HOST, None),))) == set()
    assert receivers(replace(flooded, sightings=(sighting(Step.ANSWER, C, TO_US, None),))) == set()
    assert receivers(replace(flooded, sightings=(sighting(Step.SYN, C, TO_US, None),))) == {C.name}
    assert receivers(replace(flooded, sightings=(sighting(Step.SYN, B, TO_US, None),))) == set()


def test_a_target_that_was_reached_counts_whoever_else_received_it() -> None:
    """B got the packet and so did C, which is reached by an attempt of its own too."""
    both = answered_by(C, address=None)
    both = replace(both, sightings=(*both.sightings, sighting(Step.REQUEST, B, OTHERS_HOST, None)))
    to_c = replace(answered_by(C, address=None, destination=C), outcome=Outcome.ANSWERED)
    judgement = judged(both, to_c)
    assert judgement.leaked == (both, to_c)
    assert describe_leaks([both], 2).startswith(
        "u1/a1->u2/a2-udp port 20777 went through: seen at u2/a2 on eth0 (1 of 2"
    )


def test_an_answer_of_the_target_counts_at_any_of_its_addresses() -> None:
    """Even where no recorder saw the request."""
    own = replace(answered_by(B, address=DOCKER0), outcome=Outcome.ANSWERED, sightings=())
    assert judged(own).leaked == (own,)
