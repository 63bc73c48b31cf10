"""What the diagnosis adds to a mesh."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn, cast

from fixtures.cluster.nodes import Cluster
from fixtures.evidence.attachments import Evidence
from fixtures.evidence.diagnosis import Diagnosis, with_details
from fixtures.probes.delivery import Transport
from fixtures.probes.mesh import Mesh
from fixtures.probes.trail import Trail
from lab.errors import HarnessError
from tests.unit.probes.canned import good


def test_details_are_added_to_their_deliveries_only_and_nothing_else_changes() -> None:
    lost, second = (good(Transport.UDP).undelivered().judged() for _ in range(2))
    answered = good(Transport.UDP).judged()
    mesh = Mesh((lost, answered, second), round_trips=3)
    made = with_details(mesh, {id(lost): "last seen on u1's NIC eth0", id(answered): "nothing else"})
    assert [delivery.detail for delivery in made.deliveries] == [
        f"{lost.detail}; last seen on u1's NIC eth0",
        "nothing else",
        second.detail,
    ]
    assert [delivery.outcome for delivery in made.deliveries] == [delivery.outcome for delivery in mesh.deliveries]
    assert made.round_trips == 3


class Silent:
    """A cluster whose nodes do not answer."""

    nodes: ClassVar[dict[str, Any]] = {}

    def each(self, do: object) -> NoReturn:
        raise HarnessError("node u1: no answer in time")

    def agents(self) -> NoReturn:
        self.each(None)


class Attached(Evidence):
    """Evidence that keeps what is attached."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def text(self, name: str, content: str) -> None:
        self.texts[name] = content


def test_evidence_that_cannot_be_collected_changes_nothing() -> None:
    diagnosis, evidence = Diagnosis(cast(Cluster, Silent())), Attached()
    leaked = good(Transport.UDP).judged()
    mesh = Mesh((leaked,), trail=Trail({}, {}))
    assert diagnosis.hops_to_record([leaked.edge]) == {}
    diagnosis.explain_leaks(mesh, mesh.deliveries, evidence)
    assert evidence.texts["evidence"] == "it could not be collected: node u1: no answer in time"
    evidence.texts.clear()
    assert diagnosis.explain_failures(mesh, mesh.deliveries, evidence) is mesh
    assert evidence.texts["evidence"] == "it could not be collected: node u1: no answer in time"
