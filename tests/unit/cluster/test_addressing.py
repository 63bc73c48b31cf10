"""Whether an address lies in a network."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from fixtures.cluster.addressing import within


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
