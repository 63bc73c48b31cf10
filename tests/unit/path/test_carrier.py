"""What a path carries is found by sending ladders of sizes, and a failure to do so hides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from fixtures.path.flows import LADDER, Carrier
from fixtures.path.transfers import Arrival, Flow, Transfer
from fixtures.probes.delivery import Endpoint
from lab.errors import HarnessError

ONE, OTHER = Endpoint("u1/a1", "u1", None, "10.32.0.1"), Endpoint("u2/a2", "u2", None, "10.32.0.2")


class Narrow(Carrier):
    """A path that carries datagrams of so many bytes, and None: none at all."""

    def __init__(self, most: int | None) -> None:
        self.most, self.ladders = most, list[int]()

    def send(self, flows: Sequence[Flow]) -> list[Transfer]:
        self.ladders.append(len(flows))
        if self.most == -1:
            raise HarnessError("node u1: the agent is gone")
        return [transfer(flow, self.most is not None and flow.size <= self.most) for flow in flows]


def transfer(flow: Flow, arrived: bool) -> Transfer:
    arrivals = (Arrival(flow.size, "sent"),) if arrived else ()
    return Transfer(flow, None if arrived else "ETIMEDOUT", 0.1, ONE.address, "sent", "", arrivals)


@pytest.mark.parametrize("size", [1422, 65507, 200])
@pytest.mark.parametrize("most", [64, 65, 100, 199])
def test_the_largest_packet_that_arrives_is_found(size: int, most: int) -> None:
    carrier = Narrow(most)
    lost = transfer(Flow(ONE, OTHER, size, dont_fragment=True), False)
    first = carrier.explain_mtus([lost]).partition(": udp")[0]
    assert f"the interface's MTU is {size + 28} bytes, the path carries {most + 28} bytes" in first
    assert max(carrier.ladders) <= LADDER


def test_a_path_that_carries_nothing_is_told() -> None:
    lost = transfer(Flow(ONE, OTHER, 1422, dont_fragment=True), False)
    assert "the path carries no packet of that kind" in Narrow(None).explain_mtus([lost])


def test_a_path_that_cannot_be_measured_is_still_a_failure() -> None:
    lost = transfer(Flow(ONE, OTHER, 1422, dont_fragment=True), False)
    text = Narrow(-1).explain_mtus([lost] * 4)
    assert text.splitlines()[0] == f"{lost}; the path's MTU could not be measured: node u1: the agent is gone"
    assert text.splitlines()[2:] == [str(lost)] * 2
    assert cast(Any, Narrow(-1)).explain_mtus([]) == ""
