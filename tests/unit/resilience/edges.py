"""Edges and deliveries for the tests of experiments: u1/a1, u1/a2 on one node, u2/a3, u3/a4 on others."""

from __future__ import annotations

from fixtures.probes.delivery import Delivery, Edge, Endpoint, Transport
from reports.model import Outcome

PLACES = {"a1": "u1", "a2": "u1", "a3": "u2", "a4": "u3"}
ENDPOINTS = {
    name: Endpoint(f"{node}/{name}", node, f"/proc/{number}/ns/net", f"10.32.0.{number}")
    for number, (name, node) in enumerate(PLACES.items(), 11)
}


def edge(source: str, destination: str) -> Edge:
    return Edge(ENDPOINTS[source], ENDPOINTS[destination], Transport.UDP)


def delivery(source: str, destination: str, outcome: Outcome = Outcome.ANSWERED) -> Delivery:
    return Delivery(edge(source, destination), outcome)
