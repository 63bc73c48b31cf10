"""What the diagnosis adds to a mesh."""

from __future__ import annotations

from fixtures.evidence.diagnosis import with_details
from fixtures.probes.delivery import Transport
from fixtures.probes.mesh import Mesh
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
