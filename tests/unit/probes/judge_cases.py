"""How a canned exchange is spoilt, and what judgement has to make of it."""

from __future__ import annotations

import errno
from dataclasses import replace

from fixtures.probes.delivery import Attempt, Served, Step, Transport
from reports.model import Outcome
from tests.unit.probes.canned import NAT, OTHERS_HOST, OUTGOING, OWN_PORT, TO_US, A, B, C, answer_of, sighting
from tests.unit.probes.spoils import (
    Spoil,
    answer_not_to_us,
    answered_by_c,
    data_lost,
    doubled,
    everywhere,
    icmp_error,
    late,
    own_frame_comes_back,
    reset,
    reversed_in_time,
    sender_sees_it_too,
    served_by,
    socket_got,
    then,
)

ICMP, UDP, TCP = Transport
ALL = (ICMP, UDP, TCP)
PORTS = (UDP, TCP)


CASES: dict[str, tuple[tuple[Transport, ...], Spoil, Outcome, str]] = {
    # delivered and answered
    "all is well": (ALL, lambda exchange: exchange, Outcome.ANSWERED, ""),
    "every packet twice": (ALL, doubled, Outcome.ANSWERED, ""),
    "records out of order": (ALL, reversed_in_time, Outcome.ANSWERED, ""),
    "reset after the answer": (
        (TCP,),
        lambda exchange: exchange.adding(*(each for each in reset(exchange).sightings if each.step is Step.RESET)),
        Outcome.ANSWERED,
        "",
    ),
    "a router's recorder sees the answer too": (
        ALL,
        lambda exchange: replace(
            exchange, sightings=(exchange.reply_left._replace(endpoint="u1"), *exchange.sightings)
        ),
        Outcome.ANSWERED,
        "",
    ),
    "the answer is unheard, and who gave it unseen": (
        PORTS,
        lambda exchange: socket_got(None)(exchange.without(exchange.reply_left)),
        Outcome.DELIVERED,
        "not the socket that asked",
    ),
    "only the far end saw the request": (
        PORTS,
        lambda exchange: socket_got(None)(replace(exchange.without(exchange.left, exchange.reply_left), sent=None)),
        Outcome.DELIVERED,
        "not the socket that asked",
    ),
    "the socket reported nothing as sent": (ALL, lambda exchange: replace(exchange, sent=None), Outcome.ANSWERED, ""),
    "not answered": (
        ALL,
        lambda exchange: exchange.unanswered(),
        Outcome.DELIVERED,
        "u2/a2 received it and did not answer",
    ),
    "the sender itself refuses something": (
        ALL,
        lambda exchange: exchange.unanswered().adding(
            sighting(Step.ERROR, A, OUTGOING, None, error="port unreachable", origin=A.address)
        ),
        Outcome.DELIVERED,
        "u2/a2 received it and did not answer",
    ),
    "closed without a word": (
        PORTS,
        then(lambda exchange: exchange.unanswered(), socket_got(b"")),
        Outcome.DELIVERED,
        "u2/a2 received it and did not answer",
    ),
    "the answer is lost": (
        ALL,
        lambda exchange: socket_got(None)(exchange.without(exchange.reply_arrived)),
        Outcome.DELIVERED,
        "u2/a2's answer left it and never reached u1/a1",
    ),
    "the answer goes to another MAC": (
        ALL,
        answer_not_to_us,
        Outcome.DELIVERED,
        "u2/a2's answer left it and never reached u1/a1",
    ),
    "the answer is late": (
        PORTS,
        late,
        Outcome.DELIVERED,
        "the answer reached u1/a1 after 2.50 s, but not the socket that asked",
    ),
    "an answer to another probe": (
        PORTS,
        socket_got(answer_of(B, index=8)),
        Outcome.DELIVERED,
        "not the socket that asked",
    ),
    "an answer to another mesh": (PORTS, socket_got(answer_of(B, mesh=b"meSh")), Outcome.DELIVERED, "not the socket"),
    "no server recorded it": (PORTS, served_by(), Outcome.DELIVERED, "u2/a2's server has no record"),
    # rewritten
    "source address": (ALL, everywhere(Step.REQUEST, source=NAT), Outcome.REWRITTEN, f"source 10.32.0.11 became {NAT}"),
    "destination address": (ALL, everywhere(Step.REQUEST, destination=NAT), Outcome.REWRITTEN, f"became {NAT}"),
    "source port only": (
        PORTS,
        everywhere(Step.REQUEST, source_port=1024),
        Outcome.REWRITTEN,
        "source port 41234 became 1024",
    ),
    "source port, held against what left": (
        PORTS,
        then(lambda exchange: replace(exchange, sent=None), everywhere(Step.REQUEST, source_port=1024)),
        Outcome.REWRITTEN,
        "on the way to u2/a2: source port 41234 became 1024",
    ),
    "source port, and the sender's recorder is blind": (
        PORTS,
        then(lambda exchange: exchange.unanswered().without(exchange.left), everywhere(Step.REQUEST, source_port=1024)),
        Outcome.REWRITTEN,
        "on the way to u2/a2: source port 41234 became 1024",
    ),
    "destination port only": (
        PORTS,
        everywhere(Step.REQUEST, destination_port=9),
        Outcome.REWRITTEN,
        "destination port",
    ),
    "ICMP id": ((ICMP,), everywhere(Step.REQUEST, source_port=1), Outcome.REWRITTEN, "ICMP id 48879 became 1"),
    "ICMP sequence": ((ICMP,), everywhere(Step.REQUEST, destination_port=1), Outcome.REWRITTEN, "ICMP sequence"),
    "payload": (ALL, everywhere(Step.REQUEST, payload=b"FLNqmesh\0\0\0\7oops"), Outcome.REWRITTEN, "payload altered"),
    "answer's source address": (
        ALL,
        everywhere(Step.ANSWER, source=NAT),
        Outcome.REWRITTEN,
        "the answer, on its way back: source",
    ),
    "answer's destination port": (
        PORTS,
        everywhere(Step.ANSWER, destination_port=9),
        Outcome.REWRITTEN,
        "on its way back",
    ),
    "answer's ICMP id": (
        (ICMP,),
        everywhere(Step.ANSWER, source_port=9),
        Outcome.REWRITTEN,
        "on its way back: ICMP id",
    ),
    "answer's payload": (
        ALL,
        everywhere(Step.ANSWER, payload=b"FLNamesh\0\0\0\7oops"),
        Outcome.REWRITTEN,
        "payload altered",
    ),
    "answer's identity garbled": (
        PORTS,
        then(everywhere(Step.ANSWER, payload=b"FLNamesh\0\0\0\7garbled!"), socket_got(b"FLNamesh\0\0\0\7garbled!")),
        Outcome.REWRITTEN,
        "on its way back: payload altered",
    ),
    "answered from another address": (
        ALL,
        lambda exchange: (moved := exchange.changing(exchange.reply_left, source=NAT)).changing(
            moved.reply_arrived, source=NAT
        ),
        Outcome.REWRITTEN,
        f"came from {NAT}, dialled was 10.32.0.22",
    ),
    "answered from another port": (
        PORTS,
        lambda exchange: (moved := exchange.changing(exchange.reply_left, source_port=9)).changing(
            moved.reply_arrived, source_port=9
        ),
        Outcome.REWRITTEN,
        "in the answer: source port 20777 became 9",
    ),
    "answered to another id": (
        (ICMP,),
        lambda exchange: (moved := exchange.changing(exchange.reply_left, source_port=9)).changing(
            moved.reply_arrived, source_port=9
        ),
        Outcome.REWRITTEN,
        "in the answer: ICMP id 48879 became 9",
    ),
    "echoed other data": (
        (ICMP,),
        lambda exchange: (m := exchange.changing(exchange.reply_left, payload=b"x")).changing(
            m.reply_arrived, payload=b"x"
        ),
        Outcome.REWRITTEN,
        "in the answer: payload altered",
    ),
    "already at the sender": (
        ALL,
        lambda exchange: (moved := exchange.changing(exchange.left, source=NAT)).changing(moved.arrived, source=NAT),
        Outcome.REWRITTEN,
        f"already when it left u1/a1: source 10.32.0.11 became {NAT}",
    ),
    "left altered, arrived mended": (
        ALL,
        lambda exchange: exchange.changing(exchange.left, source=NAT),
        Outcome.REWRITTEN,
        f"source 10.32.0.11 became {NAT}; on the way to u2/a2: source {NAT} became 10.32.0.11",
    ),
    "inside the receiver: address": (
        PORTS,
        lambda exchange: replace(exchange, served=(Served(B.name, NAT, OWN_PORT),)),
        Outcome.REWRITTEN,
        f"inside u2/a2: source 10.32.0.11:41234 became {NAT}:41234",
    ),
    "inside the receiver: port": (
        PORTS,
        lambda exchange: replace(exchange, served=(Served(B.name, A.address, 1),)),
        Outcome.REWRITTEN,
        "inside u2/a2",
    ),
    "rewritten, and no answer": (
        ALL,
        then(lambda exchange: exchange.unanswered(), everywhere(Step.REQUEST, source=NAT)),
        Outcome.REWRITTEN,
        f"became {NAT}",
    ),
    # misdelivered
    "another answers": (ALL, answered_by_c, Outcome.MISDELIVERED, "u3/a3 answered"),
    "another identity": (PORTS, socket_got(answer_of(C)), Outcome.MISDELIVERED, "u3/a3 answered"),
    "another identity, recorded too": (
        PORTS,
        then(everywhere(Step.ANSWER, payload=answer_of(C)), socket_got(answer_of(C))),
        Outcome.MISDELIVERED,
        "u3/a3 answered",
    ),
    "unknown identity": (
        PORTS,
        socket_got(answer_of(B)[:12] + b"impostor"),
        Outcome.MISDELIVERED,
        "unknown identity answered",
    ),
    "no answer of ours": (PORTS, socket_got(b"HTTP/1.1 400"), Outcome.MISDELIVERED, "unknown identity answered"),
    "an impostor that nothing records": (
        PORTS,
        then(
            lambda exchange: exchange.without(exchange.reply_left),
            everywhere(Step.ANSWER, payload=answer_of(B)[:12] + b"impostor"),
            socket_got(answer_of(B)[:12] + b"impostor"),
        ),
        Outcome.MISDELIVERED,
        "unknown identity answered",
    ),
    "an impostor, and the answer is lost": (
        PORTS,
        then(lambda exchange: exchange.without(exchange.reply_arrived), socket_got(answer_of(B)[:12] + b"impostor")),
        Outcome.MISDELIVERED,
        "unknown identity answered",
    ),
    "another receives": (
        PORTS,
        then(lambda exchange: exchange.undelivered(), served_by(C.name)),
        Outcome.MISDELIVERED,
        "u3/a3 received it",
    ),
    "another receives it too": (PORTS, served_by(B.name, C.name), Outcome.MISDELIVERED, "u3/a3 received it"),
    "nobody known emits the echo": (
        (ICMP,),
        lambda exchange: exchange.without(exchange.reply_left).adding(
            exchange.left._replace(endpoint="u1"),
            exchange.reply_left._replace(endpoint="u1", kind=TO_US),
            exchange.reply_left._replace(endpoint=A.name),
        ),
        Outcome.MISDELIVERED,
        "something that is not recorded answered",
    ),
    "another takes the connection": (
        (TCP,),
        lambda exchange: replace(
            exchange.undelivered(),
            attempt=Attempt(exchange.attempt.at, exchange.attempt.source, answer=None, connected=True),
        ),
        Outcome.MISDELIVERED,
        "not u2/a2 took the connection",
    ),
    # refused and rejected
    "nobody listens (TCP)": ((TCP,), reset, Outcome.REFUSED, "reset by 10.32.0.22"),
    "nobody listens (UDP)": (
        (UDP,),
        icmp_error(B.address, "port unreachable", arrived=True),
        Outcome.REFUSED,
        "port unreachable",
    ),
    "a reset for a SYN that never arrived": (
        (TCP,),
        lambda exchange: reset(exchange, said_by_b=False, seen_by_b=False),
        Outcome.REJECTED,
        "never saw the request",
    ),
    "a reset for a SYN that nobody saw arrive": (
        (TCP,),
        lambda exchange: reset(exchange, seen_by_b=False),
        Outcome.REJECTED,
        "a reset in the name of 10.32.0.22, which never saw the request",
    ),
    "a reset that the peer never sent": (
        (TCP,),
        lambda exchange: reset(exchange, said_by_b=False),
        Outcome.REJECTED,
        "never sent one",
    ),
    "an error in the peer's name": (
        ALL,
        icmp_error(B.address, "port unreachable", arrived=False),
        Outcome.REJECTED,
        "10.32.0.22 says: port unreachable",
    ),
    "an error in the peer's name, and others see the request": (
        ALL,
        lambda exchange: icmp_error(B.address, "port unreachable", arrived=False)(exchange).adding(
            exchange.arrived._replace(endpoint="u1"),
            exchange.arrived._replace(kind=OTHERS_HOST),
            sighting(Step.ERROR, B, TO_US, None, error="port unreachable", origin=NAT),
        ),
        Outcome.REJECTED,
        "10.32.0.22 says: port unreachable",
    ),
    "a router prohibits": (
        ALL,
        icmp_error(NAT, "communication prohibited", arrived=False),
        Outcome.REJECTED,
        f"{NAT} says: communication prohibited",
    ),
    "a router lies": (ALL, icmp_error(NAT, "host unreachable", arrived=True), Outcome.REJECTED, f"{NAT} says"),
    # lost and not sent
    "lost": (ALL, lambda exchange: exchange.undelivered(), Outcome.LOST, "left the sender's interface, never seen"),
    "an error that never comes back": (
        ALL,
        lambda exchange: exchange.undelivered().adding(
            sighting(Step.ERROR, C, TO_US, None, error="host unreachable", origin=NAT)
        ),
        Outcome.LOST,
        "never seen at the receiver",
    ),
    "seen only by the wrong eyes": (ALL, own_frame_comes_back, Outcome.LOST, "never seen at the receiver"),
    "only the SYN arrives": (
        (TCP,),
        lambda exchange: exchange.undelivered().without(exchange.left).adding(exchange.at(Step.SYN, B, outgoing=False)),
        Outcome.LOST,
        "the SYN arrived at u2/a2",
    ),
    "no SYN arrives": (
        (TCP,),
        lambda exchange: exchange.undelivered().without(exchange.left),
        Outcome.LOST,
        "left the sender's",
    ),
    "data lost after the handshake": ((TCP,), data_lost, Outcome.LOST, "left the sender's"),
    "the reset is lost": (
        (TCP,),
        lambda exchange: (made := reset(exchange)).without(
            *(each for each in made.sightings if each.endpoint == A.name and not each.outgoing)
        ),
        Outcome.LOST,
        "the SYN arrived at u2/a2",
    ),
    "no route": (
        ALL,
        lambda exchange: exchange.unsent(errno.ENETUNREACH),
        Outcome.NOT_SENT,
        "u1/a1's kernel: Network is unreachable",
    ),
    "too big": (
        ALL,
        lambda exchange: exchange.unsent(errno.EMSGSIZE),
        Outcome.NOT_SENT,
        "u1/a1's kernel: Message too long",
    ),
    "nobody answers ARP": (
        ALL,
        lambda exchange: exchange.unsent(),
        Outcome.NOT_SENT,
        "u1/a1's kernel never emitted it",
    ),
    "nobody answers ARP (TCP)": (
        (TCP,),
        lambda exchange: exchange.unsent(errno.ETIMEDOUT),
        Outcome.NOT_SENT,
        "u1/a1's kernel never emitted it",
    ),
    "it only comes in": (ALL, sender_sees_it_too, Outcome.NOT_SENT, "u1/a1's kernel never emitted it"),
}
