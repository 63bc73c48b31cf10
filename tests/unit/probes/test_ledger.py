"""A mesh's ledger: a row for each edge, and edges in words."""

from __future__ import annotations

import pytest

from fixtures.probes.delivery import Edge, Transport
from fixtures.probes.ledger import LEDGER, in_words, ledger_row
from reports.pictures.table import Tone
from tests.unit.probes.canned import A, B, C, good


def test_a_row_holds_what_both_ends_recorded() -> None:
    delivery = good(Transport.UDP).judged()
    assert delivery.left is not None and delivery.arrived is not None
    row = dict(zip(LEDGER, ledger_row(delivery).cells, strict=True))
    assert row == {
        "from": "u1/a1",
        "to": "u2/a2",
        "by": "udp port 20777",
        "outcome": "answered",
        "sent": str(delivery.sent),
        "seen": str(delivery.seen_by_receiver),
        "sent at": f"{delivery.left.at % 100000:.4f}",
        "seen at": f"{delivery.arrived.at % 100000:.4f}",
        "detail": "",
    }


def test_what_was_not_seen_is_a_dash() -> None:
    row = ledger_row(good(Transport.UDP).undelivered().judged(), Tone.BAD)
    cells = dict(zip(LEDGER, row.cells, strict=True))
    assert row.tone is Tone.BAD and cells["outcome"] == "lost" and cells["seen"] == cells["seen at"] == "-"
    assert cells["detail"]


def edge(source: object, destination: object, transport: Transport) -> Edge:
    return Edge(source, destination, transport)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("edges", "text"),
    [
        ([edge(A, B, Transport.UDP)], "u1/a1 → u2/a2 by udp"),
        ([edge(A, B, each) for each in Transport], "u1/a1 → u2/a2 by icmp, tcp and udp"),
        ([edge(A, B, Transport.UDP)] * 3, "u1/a1 → u2/a2 by udp, 3 times"),
        ([edge(A, B, Transport.UDP), edge(B, C, Transport.TCP)], "2 edges among 3 ends by tcp and udp"),
    ],
)
def test_edges_in_words(edges: list[Edge], text: str) -> None:
    assert in_words(edges) == text
