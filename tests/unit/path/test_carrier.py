"""What a path carries is found by sending ladders of sizes, and a failure to do so hides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fixtures.containers.fleet import Container
from fixtures.path.flows import LADDER, Carrier
from fixtures.path.transfers import Arrival, Flow, Transfer
from fixtures.probes.delivery import Endpoint
from lab.errors import HarnessError
from lab.inventory import Family
from reports.model import NotProved

ONE, OTHER = Endpoint("u1/a1", "u1", None, "10.32.0.1"), Endpoint("u2/a2", "u2", None, "10.32.0.2")
ONE_V6, OTHER_V6 = replace(ONE, address="fd00::1"), replace(OTHER, address="fd00::2")


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


def test_an_ipv6_header_is_larger() -> None:
    """A datagram of the same bytes makes a packet that is larger by 20 bytes."""
    lost = transfer(Flow(ONE_V6, OTHER_V6, 1402, dont_fragment=True), False)
    first = Narrow(1272).explain_mtus([lost]).partition(": udp")[0]
    assert "the interface's MTU is 1450 bytes, the path carries 1320 bytes" in first


class Measured(Carrier):
    """A carrier whose small datagrams leave by an interface with an MTU of 1450 bytes."""

    def __init__(self) -> None:
        links = [SimpleNamespace(mtu=1450, addresses=("10.32.0.1", "fd00::1"))]
        self._probe = cast(Any, SimpleNamespace(interfaces=lambda _: links))
        self.sent: list[Flow] = []

    def send(self, flows: Sequence[Flow]) -> list[Transfer]:
        self.sent += flows
        return [Transfer(flow, None, 0.1, flow.source.address, "sent", "", ()) for flow in flows]


def container(name: str, address: str, address6: str) -> Any:
    node = cast(Any, SimpleNamespace(name=f"u{name[1:]}"))
    return Container(name, "a", node, "id", 7, address, {}, address6=address6)


A1, A2 = container("a1", "10.32.0.1", "fd00::1"), container("a2", "10.32.0.2", "fd00::2")


@pytest.mark.parametrize(("family", "size"), [(Family.V4, 1422), (Family.V6, 1402)])
@pytest.mark.parametrize("beyond", [0, 1])
def test_a_datagram_fills_the_mtu_with_the_headers_of_its_family(family: Family, size: int, beyond: int) -> None:
    carrier = Measured()
    (flow,) = carrier.mtu_sized([(A1, A2)], beyond_bytes=beyond, family=family)
    assert (flow.size, flow.family, flow.dont_fragment) == (size + beyond, family, True)
    assert flow.refused == ("EMSGSIZE" if beyond else "")
    assert [sent.family for sent in carrier.sent] == [family], "the interface is that of the same family's packets"


def test_between_containers_and_nodes_nothing_is_sent_over_ipv6() -> None:
    """A node's own address is IPv4."""
    carrier = Measured()
    assert carrier.containers_to_nodes(Family.V6) == []
    assert [flow.size for flow in carrier.mtu_sized([(A1, A2)], [], family=Family.V6)] == [1402]


def test_what_has_no_address_of_a_family_proves_nothing() -> None:
    with pytest.raises(NotProved, match="u1/a1 has no IPv6 address of the overlay"):
        Measured().mtu_sized([(container("a1", "10.32.0.1", ""), A2)], family=Family.V6)


def test_nothing_that_is_sent_proves_nothing() -> None:
    with pytest.raises(NotProved, match="nothing was sent"):
        Carrier.send(Measured(), [])
