"""Ways to spoil a canned exchange: what networks, impostors and clumsy recorders do to one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fixtures.probes.delivery import Served, Step, Transport
from tests.unit.probes.canned import OTHERS_HOST, OUTGOING, OWN_PORT, TO_US, A, B, C, Canned, answer_of, sighting

ICMP = Transport.ICMP
Spoil = Callable[[Canned], Canned]


def everywhere(step: Step, **fields: object) -> Spoil:
    """Rewritten on the way: only what arrives differs from what left."""

    def spoil(one: Canned) -> Canned:
        return one.changing(one.arrived if step is Step.REQUEST else one.reply_arrived, **fields)

    return spoil


def served_by(*names: str) -> Spoil:
    return lambda one: replace(one, served=tuple(Served(name, A.address, OWN_PORT) for name in names))


def heard(answer: bytes | None) -> Spoil:
    return lambda one: replace(one, attempt=replace(one.attempt, answer=answer))


def then(*spoils: Spoil) -> Spoil:
    def spoil(one: Canned) -> Canned:
        for each in spoils:
            one = each(one)
        return one

    return spoil


def answered_by_c(one: Canned) -> Canned:
    """C got it and answered in B's name."""
    reply = one.reply_left._replace(endpoint=C.name)
    arrived = one.arrived._replace(endpoint=C.name)
    made = one.without(one.arrived, one.reply_left).adding(arrived, reply)
    if one.edge.transport is ICMP:
        return made
    return then(served_by(C.name), heard(answer_of(C)))(made)


def reset(one: Canned, *, said_by_b: bool = True, seen_by_b: bool = True) -> Canned:
    """The SYN was answered by a reset."""
    header = one.reply_left.header
    made = one.undelivered().without(one.left)
    if seen_by_b:
        made = made.adding(one.at(Step.SYN, B, outgoing=False))
    if said_by_b:
        made = made.adding(sighting(Step.RESET, B, OUTGOING, header, origin=B.address))
    return made.adding(sighting(Step.RESET, A, TO_US, header, origin=B.address))


def icmp_error(origin: str, error: str, *, arrived: bool) -> Spoil:
    def spoil(one: Canned) -> Canned:
        made = one.unanswered() if arrived else one.undelivered()
        return made.adding(sighting(Step.ERROR, A, TO_US, None, error=error, origin=origin))

    return spoil


def reversed_in_time(one: Canned) -> Canned:
    return replace(one, sightings=one.sightings[::-1])


def doubled(one: Canned) -> Canned:
    return replace(one, sightings=tuple(each for each in one.sightings for _ in range(2)), served=one.served * 2)


def late(one: Canned) -> Canned:
    tardy = one.reply_arrived._replace(at=one.attempt.at + 2.5)
    return heard(None)(one.without(one.reply_arrived).adding(tardy))


def own_frame_comes_back(one: Canned) -> Canned:
    """B's own outgoing frame, and one to another MAC, have not arrived at B."""
    made = one.undelivered()
    return made.adding(one.arrived._replace(kind=OUTGOING), one.arrived._replace(kind=OTHERS_HOST))


def sender_sees_it_too(one: Canned) -> Canned:
    """What the sender sees coming in is not what it sent."""
    made = one.undelivered()
    return made.without(*made.sightings).adding(one.left._replace(kind=TO_US))


def data_lost(one: Canned) -> Canned:
    made = one.undelivered().adding(one.at(Step.SYN, B, outgoing=False))
    return replace(made, attempt=replace(made.attempt, connected=True))


def answer_not_to_us(one: Canned) -> Canned:
    return heard(None)(one.without(one.reply_arrived).adding(one.reply_arrived._replace(kind=OTHERS_HOST)))
