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

    def spoil(exchange: Canned) -> Canned:
        return exchange.changing(exchange.arrived if step is Step.REQUEST else exchange.reply_arrived, **fields)

    return spoil


def served_by(*names: str) -> Spoil:
    return lambda exchange: replace(exchange, served=tuple(Served(name, A.address, OWN_PORT) for name in names))


def socket_got(answer: bytes | None) -> Spoil:
    return lambda exchange: replace(exchange, attempt=replace(exchange.attempt, answer=answer))


def then(*spoils: Spoil) -> Spoil:
    def spoil(exchange: Canned) -> Canned:
        for each in spoils:
            exchange = each(exchange)
        return exchange

    return spoil


def answered_by_c(exchange: Canned) -> Canned:
    """C got it and answered in B's name."""
    reply = exchange.reply_left._replace(endpoint=C.name)
    arrived = exchange.arrived._replace(endpoint=C.name)
    made = exchange.without(exchange.arrived, exchange.reply_left).adding(arrived, reply)
    if exchange.edge.transport is ICMP:
        return made
    return then(served_by(C.name), socket_got(answer_of(C)))(made)


def reset(exchange: Canned, *, said_by_b: bool = True, seen_by_b: bool = True) -> Canned:
    """The SYN was answered by a reset."""
    header = exchange.reply_left.header
    made = exchange.undelivered().without(exchange.left)
    if seen_by_b:
        made = made.adding(exchange.at(Step.SYN, B, outgoing=False))
    if said_by_b:
        made = made.adding(sighting(Step.RESET, B, OUTGOING, header, origin=B.address))
    return made.adding(sighting(Step.RESET, A, TO_US, header, origin=B.address))


def icmp_error(origin: str, error: str, *, arrived: bool) -> Spoil:
    def spoil(exchange: Canned) -> Canned:
        made = exchange.unanswered() if arrived else exchange.undelivered()
        return made.adding(sighting(Step.ERROR, A, TO_US, None, error=error, origin=origin))

    return spoil


def reversed_in_time(exchange: Canned) -> Canned:
    return replace(exchange, sightings=exchange.sightings[::-1])


def doubled(exchange: Canned) -> Canned:
    return replace(
        exchange, sightings=tuple(each for each in exchange.sightings for _ in range(2)), served=exchange.served * 2
    )


def late(exchange: Canned) -> Canned:
    tardy = exchange.reply_arrived._replace(at=exchange.attempt.at + 2.5)
    return socket_got(None)(exchange.without(exchange.reply_arrived).adding(tardy))


def own_frame_comes_back(exchange: Canned) -> Canned:
    """B's own outgoing frame, and one to another MAC, have not arrived at B."""
    made = exchange.undelivered()
    return made.adding(exchange.arrived._replace(kind=OUTGOING), exchange.arrived._replace(kind=OTHERS_HOST))


def sender_sees_it_too(exchange: Canned) -> Canned:
    """What the sender sees coming in is not what it sent."""
    made = exchange.undelivered()
    return made.without(*made.sightings).adding(exchange.left._replace(kind=TO_US))


def data_lost(exchange: Canned) -> Canned:
    made = exchange.undelivered().adding(exchange.at(Step.SYN, B, outgoing=False))
    return replace(made, attempt=replace(made.attempt, connected=True))


def answer_not_to_us(exchange: Canned) -> Canned:
    return socket_got(None)(
        exchange.without(exchange.reply_arrived).adding(exchange.reply_arrived._replace(kind=OTHERS_HOST))
    )
