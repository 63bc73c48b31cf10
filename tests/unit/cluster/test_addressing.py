"""Whether an address lies in a network, and how it is told with its subnet."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from fixtures.cluster.addressing import with_home, within


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("10.32.1.0", True),
        ("10.32.1.255", True),
        ("10.32.0.255", False),
        ("10.32.2.0", False),
        ("::ffff:10.32.1.1", False),
        ("fe80::1", False),
    ],
)
def test_an_address_lies_in_its_network_only(address: str, inside: bool) -> None:
    assert within(address, IPv4Network("10.32.1.0/24")) is inside


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("10.32.0.70", "10.32.0.70 of subnet a"),
        ("10.32.1.70", "10.32.1.70 of subnet b"),
        ("172.17.0.5", "172.17.0.5 of no subnet"),
    ],
)
def test_an_address_is_told_with_its_subnet(address: str, told: str) -> None:
    assert with_home(address, {"a": IPv4Network("10.32.0.0/24"), "b": IPv4Network("10.32.1.0/24")}) == told
