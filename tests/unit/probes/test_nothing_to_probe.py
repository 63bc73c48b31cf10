"""Machinery that is given nothing to do proves nothing: without a pair no suite passes."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fixtures.path.flows import Carrier
from fixtures.probes.prober import Prober
from fixtures.session.lease import Lease
from reports.model import NotProved

ALONE = SimpleNamespace(endpoint=SimpleNamespace(name="u1/a1"), label="u1/a1")
"""The only container of a subnet."""


def prober() -> Prober:
    nothing = cast(Any, None)
    cluster = SimpleNamespace(overlay=SimpleNamespace(hops_between=lambda node, other: 1))
    fleet = SimpleNamespace(neighbours=lambda subnet: [])
    return Prober(cast(Any, cluster), cast(Any, fleet), nothing, nothing, cast(Lease, None))


MESHES: dict[str, Callable[[Any], object]] = {
    "no edge": lambda made: made.run([]),
    "one container": lambda made: made.mesh([ALONE]),
    "no source": lambda made: made.mesh([], [ALONE]),
    "no destination": lambda made: made.mesh([ALONE], []),
    "no neighbours": lambda made: made.mesh_of_neighbours("a"),
    "no neighbours on ports": lambda made: made.mesh_on_ports("a", (80, 443)),
    "no views": lambda made: made.views_of([]),
    "one container one way": lambda made: made.mesh_one_way([]),
    "no attempt": lambda made: made.assert_unreachable([], []),
}
FLOWS: dict[str, Callable[[Any], object]] = {
    "no flow": lambda made: made.carry([]),
    "no flow without a burst": lambda made: made.carry_without_burst([]),
    "no pair": lambda made: made.mtu_sized([]),
}


@pytest.mark.parametrize("case", MESHES)
def test_a_mesh_of_nobody_is_not_proved(case: str) -> None:
    with pytest.raises(NotProved, match=r"^no(body|thing) was (probed|attempted)"):
        MESHES[case](prober())


@pytest.mark.parametrize("case", FLOWS)
def test_flows_of_nobody_are_not_proved(case: str) -> None:
    nothing = cast(Any, None)
    with pytest.raises(NotProved, match=r"^nothing was sent"):
        FLOWS[case](Carrier(nothing, nothing, nothing, nothing, nothing))
