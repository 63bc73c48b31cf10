"""What a container's interfaces and addresses are, according to itself and to others."""

from __future__ import annotations

from fixtures.probes.views import Interface, Views, read_interface


def test_views_read_as_whose_they_are() -> None:
    views = Views(frozenset({"10.0.0.2", "10.0.0.1"}), frozenset(), frozenset({"10.0.0.9"}), "u2/a2")
    assert repr(views) == (
        "on its own interfaces 10.0.0.1, 10.0.0.2, according to Docker none, in packets that u2/a2 received 10.0.0.9"
    )


def test_an_interface_is_read_from_what_ip_shows() -> None:
    shown = {"ifname": "eth0", "address": "02:00:00:00:00:01", "mtu": 1450, "addr_info": [{"local": "10.0.0.1"}]}
    assert read_interface(shown) == Interface("eth0", "02:00:00:00:00:01", 1450, ("10.0.0.1",))
    assert read_interface({key: shown[key] for key in ("ifname", "address", "mtu")}).addresses == ()
