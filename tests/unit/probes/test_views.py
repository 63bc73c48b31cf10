"""What a container's interfaces and addresses are, according to itself and to others."""

from __future__ import annotations

from typing import Any

from fixtures.probes.views import Interface, Views, advertising_routers, read_interface


def test_views_read_as_whose_they_are() -> None:
    views = Views(frozenset({"10.0.0.2", "10.0.0.1"}), frozenset(), frozenset({"10.0.0.9"}), "u2/a2")
    assert repr(views) == (
        "on its own interfaces 10.0.0.1, 10.0.0.2, according to Docker none, in packets that u2/a2 received 10.0.0.9"
    )


def test_a_default_route_that_an_advertisement_told_is_named() -> None:
    one: dict[str, Any] = {"dst": "default", "dev": "eth0"}
    other: dict[str, Any] = {"dst": "default", "protocol": "ra"}
    routes = [
        {**one, "gateway": "fd00::1", "protocol": "boot"},
        {**one, "gateway": "fe80::9", "protocol": "ra"},
        {**other, "nexthops": [{"gateway": "fe80::8", "dev": "eth1"}, {"gateway": "fe80::9", "dev": "eth0"}]},
        {**other, "dev": "eth2"},
    ]
    assert advertising_routers(routes) == ("fe80::9 on eth0", "fe80::8 on eth1")
    assert advertising_routers([]) == ()
    views = Views(frozenset({"fd00::2"}), frozenset(), frozenset(), "u2/a2", ("fe80::9 on eth0",))
    assert repr(views).endswith("; it has a default route by router advertisement of fe80::9 on eth0")


def test_an_interface_is_read_from_what_ip_shows() -> None:
    shown = {"ifname": "eth0", "address": "02:00:00:00:00:01", "mtu": 1450, "addr_info": [{"local": "10.0.0.1"}]}
    assert read_interface(shown) == Interface("eth0", "02:00:00:00:00:01", 1450, ("10.0.0.1",))
    assert read_interface({key: shown[key] for key in ("ifname", "address", "mtu")}).addresses == ()
