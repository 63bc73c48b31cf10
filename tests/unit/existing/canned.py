"""A small cluster as one reading finds it: u1 with web, u2 with db, a bridge and a tunnel on each node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

from fixtures.existing.model import Attachment, Namespace, Place, Running, View
from fixtures.existing.netlink import PERMANENT, REACHABLE, Address, FdbEntry, Link, Neighbour

OVERLAY = IPv4Network("10.32.0.0/16")
SUBNETS = {"a": IPv4Network("10.32.0.0/24"), "b": IPv4Network("10.32.1.0/24")}
WEB, DB = ("u1", 11), ("u2", 12)
NODE1, NODE2 = ("u1", 1), ("u2", 2)
WEB_ADDRESS, DB_ADDRESS, GONE = "10.32.0.2", "10.32.0.130", "10.32.0.99"
WEB_MAC, DB_MAC, GONE_MAC = "02:42:0a:20:00:02", "02:42:0a:20:00:82", "02:42:0a:20:00:63"
UNDERLAY = {"192.168.56.3": "u1", "192.168.56.4": "u2"}


def container(name: str, node: str, address: str = "", mac: str = "", **more: Any) -> Running:
    attachments = (Attachment("flatnet-a", address, mac),) if address else ()
    return Running(node, name, more.pop("id", f"{name}-id".ljust(64, "0")), 100, attachments, **more)


def inside(place: Place, name: str, address: str, mac: str, *, port: int, **more: Any) -> Namespace:
    """A container's namespace: eth0 with index 2, whose veth has index `port` on the node."""
    return Namespace(
        place[0],
        place[1],
        name,
        f"/proc/{place[1]}/ns/net",
        links=(Link(1, "lo", "00:00:00:00:00:00"), Link(2, "eth0", mac, "veth", None, port)),
        addresses=(Address(1, "127.0.0.1", 8), Address(2, address, 24)),
        **more,
    )


def node(place: Place, *, port: int, **more: Any) -> Namespace:
    """A node's own namespace: fn-a with index 3, vx-a with index 4, and a container's veth."""
    return Namespace(
        place[0],
        place[1],
        place[0],
        "/proc/self/ns/net",
        links=(
            Link(2, "eth0", f"02:00:00:00:00:0{place[1]}"),
            Link(3, "fn-a", f"02:00:00:00:03:0{place[1]}", "bridge"),
            Link(4, "vx-a", f"02:00:00:00:04:0{place[1]}", "vxlan", 3),
            Link(port, f"veth{port}", f"02:00:00:00:0{port}:0{place[1]}", "veth", 3, 2),
        ),
        addresses=(
            Address(2, next(a for a, name in UNDERLAY.items() if name == place[0]), 24),
            Address(3, f"10.32.0.{250 + place[1]}", 24),
        ),
        **more,
    )


def healthy() -> View:
    web, db = container("web", "u1", WEB_ADDRESS, WEB_MAC), container("db", "u2", DB_ADDRESS, DB_MAC)
    return View(
        overlay=(OVERLAY,),
        containers=(web, db),
        namespaces={
            NODE1: node(
                NODE1, port=7, fdb=(FdbEntry(7, WEB_MAC, REACHABLE), FdbEntry(4, DB_MAC, REACHABLE, "192.168.56.4"))
            ),
            NODE2: node(
                NODE2, port=8, fdb=(FdbEntry(8, DB_MAC, REACHABLE), FdbEntry(4, WEB_MAC, PERMANENT, "192.168.56.3"))
            ),
            WEB: inside(
                WEB, "u1/web", WEB_ADDRESS, WEB_MAC, port=7, neighbours=(Neighbour(2, DB_ADDRESS, DB_MAC, REACHABLE),)
            ),
            DB: inside(
                DB, "u2/db", DB_ADDRESS, DB_MAC, port=8, neighbours=(Neighbour(2, WEB_ADDRESS, WEB_MAC, PERMANENT),)
            ),
        },
        inhabitants={WEB: (web,), DB: (db,)},
        devices={NODE1: frozenset({"fn-a", "vx-a"}), NODE2: frozenset({"fn-a", "vx-a"})},
        nodes=UNDERLAY,
        read_at=100.0,
    )


def changed(view: View, place: Place, **changes: Any) -> View:
    """The view with other tables in one namespace."""
    return replace(view, namespaces={**view.namespaces, place: replace(view.namespaces[place], **changes)})


def with_more(view: View, place: Place, **more: tuple[Any, ...]) -> View:
    """The view with more entries in one namespace's tables: `fdb=(…,)`."""
    known = view.namespaces[place]
    return changed(view, place, **{name: (*getattr(known, name), *entries) for name, entries in more.items()})


def renamed(view: View, inhabitants: Mapping[Place, tuple[Running, ...]]) -> View:
    """The view with other containers in the namespaces."""
    every = tuple(found for several in inhabitants.values() for found in several)
    return replace(view, inhabitants=inhabitants, containers=every)
