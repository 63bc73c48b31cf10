"""One exchange as both ends would have recorded it, which tests then change in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from fixtures.probes.agent import formats
from fixtures.probes.delivery import Attempt, Delivery, Edge, Endpoint, Header, Served, Sighting, Step, Transport
from fixtures.probes.judge import judge

A = Endpoint("u1/a1", "u1", "/proc/11/ns/net", "10.32.0.11")
B = Endpoint("u2/a2", "u2", "/proc/22/ns/net", "10.32.0.22")
C = Endpoint("u3/a3", "u3", "/proc/33/ns/net", "10.32.0.33")
NAT = "172.17.0.1"
PORT, OWN_PORT, IDENTIFIER = 20777, 41234, 0xBEEF
MESH, INDEX = b"mesh", 7
SECRETS = {A.name: b"secret-A", B.name: b"secret-B", C.name: b"secret-C"}
OTHERS_HOST, OUTGOING, TO_US = formats.OTHER_HOST, formats.OUTGOING, formats.TO_HOST


@dataclass(frozen=True)
class Canned:
    """What both ends recorded of one edge; `judged` is its delivery."""

    edge: Edge
    sent: Header | None
    attempt: Attempt
    sightings: tuple[Sighting, ...]
    served: tuple[Served, ...] = ()
    identities: Mapping[bytes, str] = field(default_factory=lambda: {secret: name for name, secret in SECRETS.items()})

    def judged(self) -> Delivery:
        return judge(self.edge, self.attempt, self.sent, self.sightings, self.served, self.identities)

    def at(self, step: Step, endpoint: Endpoint, *, outgoing: bool) -> Sighting:
        """The sighting of that step at that place."""
        (found,) = [
            sighting
            for sighting in self.sightings
            if (sighting.step, sighting.endpoint, sighting.outgoing) == (step, endpoint.name, outgoing)
        ]
        return found

    def without(self, *gone: Sighting) -> Canned:
        return replace(self, sightings=tuple(sighting for sighting in self.sightings if sighting not in gone))

    def adding(self, *more: Sighting) -> Canned:
        return replace(self, sightings=self.sightings + more)

    def changing(self, sighting: Sighting, **fields: object) -> Canned:
        """With other header fields at one place."""
        assert sighting.header is not None
        other = sighting._replace(header=sighting.header._replace(**fields))  # type: ignore[arg-type]
        return replace(self, sightings=tuple(other if each == sighting else each for each in self.sightings))

    @property
    def left(self) -> Sighting:
        return self.at(Step.REQUEST, self.edge.source, outgoing=True)

    @property
    def arrived(self) -> Sighting:
        return self.at(Step.REQUEST, self.edge.destination, outgoing=False)

    @property
    def reply_left(self) -> Sighting:
        return self.at(Step.ANSWER, self.edge.destination, outgoing=True)

    @property
    def reply_arrived(self) -> Sighting:
        return self.at(Step.ANSWER, self.edge.source, outgoing=False)

    def unanswered(self) -> Canned:
        """The request arrived; the answer was never made."""
        made = self.without(self.reply_left, self.reply_arrived)
        return replace(made, attempt=replace(self.attempt, answer=None))

    def undelivered(self) -> Canned:
        """The request left and was never seen again."""
        made = self.unanswered()
        gone = [sighting for sighting in made.sightings if not sighting.outgoing]
        return replace(made.without(*gone), served=(), attempt=replace(made.attempt, connected=False))

    def unsent(self, errno: int | None = None) -> Canned:
        """The sender's own kernel emitted nothing."""
        attempt = Attempt(at=self.attempt.at, errno=errno)
        return replace(self, sent=None, attempt=attempt, sightings=(), served=())


def sighting(
    step: Step,
    endpoint: Endpoint,
    kind: int,
    header: Header | None,
    *,
    at: float = 0.0,
    error: str = "",
    origin: str = "",
) -> Sighting:
    return Sighting(step, endpoint.name, "eth0", kind, 64, at, header, error, origin)


def answer_of(endpoint: Endpoint, *, mesh: bytes = MESH, index: int = INDEX) -> bytes:
    return formats.ANSWER + mesh + index.to_bytes(4, "big") + SECRETS[endpoint.name]


def good(transport: Transport) -> Canned:
    """An exchange from A to B in which nothing went wrong."""
    asked = formats.request_payload(MESH, INDEX)
    if transport is Transport.ICMP:
        sent = Header(transport, A.address, B.address, IDENTIFIER, INDEX, asked)
        reply = Header(transport, B.address, A.address, IDENTIFIER, INDEX, asked)
    else:
        sent = Header(transport, A.address, B.address, OWN_PORT, PORT, asked)
        reply = Header(transport, B.address, A.address, PORT, OWN_PORT, answer_of(B))
    sightings = [
        sighting(Step.REQUEST, A, OUTGOING, sent, at=10.0),
        sighting(Step.REQUEST, B, TO_US, sent, at=10.1),
        sighting(Step.ANSWER, B, OUTGOING, reply, at=10.2),
        sighting(Step.ANSWER, A, TO_US, reply, at=10.3),
    ]
    if transport is Transport.TCP:
        empty = sent._replace(payload=b"")
        sightings[:0] = [sighting(Step.SYN, A, OUTGOING, empty, at=9.8), sighting(Step.SYN, B, TO_US, empty, at=9.9)]
    echo = transport is Transport.ICMP
    return Canned(
        Edge(A, B, transport, None if echo else PORT),
        sent,
        Attempt(
            at=9.7,
            source=(A.address, sent.source_port),
            answer=None if echo else reply.payload,
            connected=transport is Transport.TCP,
        ),
        tuple(sightings),
        () if echo else (Served(B.name, A.address, OWN_PORT),),
    )
