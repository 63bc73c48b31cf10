"""The adapter wireguard: what it writes on a lab's nodes, and what it reads from `wg show dump`."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.access.cluster import NodeAccess
from lab.embedded import plan
from lab.embedded.plan import LabSpec
from lab.errors import HarnessError
from lab.overlays import adapter, wireguard
from lab.overlays.routed import CHAIN
from lab.overlays.wireguard import STALE_S, Wireguard, WireguardPeer, filter_rules, parse_dump

LAB = plan.inventory(LabSpec(name="x", overlay="wireguard", nomad=False))
NOW = 1_800_000_000
PARTS = {1: "10.32.0.64/26,10.32.1.64/26", 3: "10.32.0.192/26,10.32.1.192/26"}


def overlay() -> Wireguard:
    made = adapter(LAB)
    assert isinstance(made, Wireguard)
    return made


class FakeNode:
    """Node u2, whose shell answers what it was given."""

    def __init__(self, shown: str = "") -> None:
        self.name, self.address, self.node = "u2", "192.168.56.4", SimpleNamespace(name="u2", interface="eth0")
        self.ran: list[str] = []
        self.stdin = ""
        self._shown = shown

    def run(self, command: str | list[str], *, stdin: str = "", **_: Any) -> Any:
        self.ran.append(command if isinstance(command, str) else " ".join(command))
        self.stdin = stdin
        return SimpleNamespace(stdout=self._shown)


def node(shown: str = "") -> tuple[NodeAccess, FakeNode]:
    made = FakeNode(shown)
    return cast(NodeAccess, made), made


def line(address: str, allowed: str, handshake: int) -> str:
    return "\t".join(["KEY=", "(none)", f"{address}:51820", allowed, str(handshake), "1", "2", "25"])


def dump(*lines: str) -> str:
    return "\n".join([f"{NOW}", "PRIVATE\tPUBLIC\t51820\toff", *lines]) + "\n"


def test_it_is_declared_encrypted_and_closed_and_has_room_for_its_header() -> None:
    declared = overlay().capabilities
    assert declared.encrypted and declared.closed and declared.always and not declared.moves
    assert (overlay().mtu("a"), overlay().hops()) == (1420, 2)
    assert overlay().towards_nodes(node()[0]) == "wg0"


def test_a_peers_allowed_ips_are_its_parts_and_its_own_address() -> None:
    there, fake = node()
    overlay()._write_configuration(there, {"u1": "ONE=", "u2": "TWO=", "u3": "THREE="})
    assert "TWO=" not in fake.stdin and "PrivateKey" not in fake.stdin
    assert fake.stdin.split("[Peer]")[1].split("\n") == [
        "",
        "PublicKey = ONE=",
        "Endpoint = 192.168.56.3:51820",
        "AllowedIPs = 10.32.0.64/26, 10.32.1.64/26, 192.168.56.3/32",
        "PersistentKeepalive = 25",
        "",
        "",
    ]


def test_a_private_key_never_leaves_its_node() -> None:
    there, fake = node("PUBLIC=\n")
    assert overlay()._make_key(there) == "PUBLIC="
    assert fake.ran == [
        "set -e; umask 077; mkdir -p /var/lib/flatnet-wireguard; wg genkey >/var/lib/flatnet-wireguard/key; "
        "wg pubkey </var/lib/flatnet-wireguard/key"
    ]


def test_routes_lead_into_the_tunnel_and_nothing_leaves_beside_it_while_it_is_away() -> None:
    there, fake = node()
    overlay().start(there)
    script = fake.ran[0]
    assert "ip route replace 10.32.0.64/26 dev wg0 src 192.168.56.4" in script
    assert "ip route replace 192.168.56.3/32 dev wg0 table 4200" in script
    assert "ip rule add from 10.32.0.0/24 lookup 4200" in script
    for whole in ("10.32.0.0/24", "10.32.1.0/24", "192.168.56.5/32 table 4200"):
        assert f"ip route replace unreachable {whole} metric 4096" in script
    assert script.index(CHAIN) < script.index("type wireguard") < script.index("ip route replace 10.32.0.64/26")


def test_stopping_takes_the_interface_away() -> None:
    there, fake = node()
    overlay().stop(there)
    assert "ip link delete wg0" in fake.ran[0] and "unreachable" not in fake.ran[0]


def test_the_filter_believes_the_tunnel_and_drops_what_comes_in_clear() -> None:
    a, b = IPv4Network("10.32.0.0/24"), IPv4Network("10.32.1.0/24")
    rules = filter_rules({"fn-a": (a, IPv4Network("10.32.0.64/26")), "fn-b": (b, IPv4Network("10.32.1.64/26"))}, "wg0")
    assert rules[:2] == [
        f"-A {CHAIN} -i fn-a ! -s 10.32.0.64/26 -j DROP",
        f"-A {CHAIN} -i fn-b ! -s 10.32.1.64/26 -j DROP",
    ]
    assert rules[2:7] == [
        f"-A {CHAIN} -i fn-a -o fn-a -s 10.32.0.0/24 -j ACCEPT",
        f"-A {CHAIN} -i wg0 -o fn-a -s 10.32.0.0/24 -j ACCEPT",
        f"-A {CHAIN} -o fn-a -s 10.32.1.0/24 -j DROP",
        f"-A {CHAIN} -i wg0 -o fn-a -j ACCEPT",
        f"-A {CHAIN} -o fn-a -j DROP",
    ]
    assert rules[-2:] == [f"-A {CHAIN} -i fn-a -j ACCEPT", f"-A {CHAIN} -i fn-b -j ACCEPT"]


@pytest.mark.parametrize(
    ("lines", "u1"),
    [
        ([line("192.168.56.3", PARTS[1], NOW - STALE_S)], None),
        ([line("192.168.56.3", PARTS[1], NOW - STALE_S - 1)], f"the last handshake was {STALE_S + 1} s ago"),
        ([line("192.168.56.3", PARTS[1], 0)], "there has been no handshake"),
        ([line("192.168.56.3", "10.32.0.64/26", NOW)], "AllowedIPs have no part of subnet b"),
        ([line("192.168.56.3", "(none)", NOW)], "AllowedIPs have no part of subnet a, subnet b"),
        ([], "wg0 has no peer with that address"),
    ],
)
def test_a_peer_is_established_by_a_recent_handshake_and_what_it_is_allowed(lines: list[str], u1: str | None) -> None:
    there, _ = node(dump(*lines, line("192.168.56.5", PARTS[3], NOW)))
    first, third = overlay().peers(there)
    assert (first.name, first.address, first.established) == ("u1", IPv4Address("192.168.56.3"), u1 is None)
    assert u1 is None or first.detail == u1
    assert (third.name, third.established) == ("u3", True)


def test_a_dump_is_read_whole() -> None:
    shown = "\n".join(
        [
            "PRIVATE\tPUBLIC\t51820\toff",
            "A\t(none)\t[fd00::1]:51820\tfd00::/64,10.0.0.0/8\t5\t0\t0\toff",
            "B\t(none)\t(none)\t(none)\t0\t0\t0\toff",
        ]
    )
    assert parse_dump(shown) == [WireguardPeer(None, (IPv4Network("10.0.0.0/8"),), 5), WireguardPeer(None, (), 0)]


@pytest.mark.parametrize("shown", ["", f"{NOW}\n", f"{NOW}\nP\tQ\t1\toff\ntoo\tshort\n", "no time\nP\tQ\n"])
def test_an_odd_dump_is_an_error_of_the_instrument(shown: str) -> None:
    there, _ = node(shown)
    with pytest.raises(HarnessError, match="node u2: wg show dump"):
        overlay().peers(there)


def test_whether_a_program_forwards_is_seen_by_the_kind_of_its_interface() -> None:
    for shown, expected in (("yes\n", True), ("", False)):
        there, fake = node(shown)
        assert overlay().forwards_by_program(there) is expected
        assert "/sys/class/net/wg0/tun_flags" in fake.ran[0]


@pytest.mark.parametrize(
    ("there", "tun", "said"),
    [
        ({"wg", "wireguard-go"}, True, None),
        ({"wireguard-go"}, True, "overlay wireguard needs the program wg; install wireguard-tools and wireguard-go"),
        (
            {"wg"},
            True,
            "overlay wireguard needs wireguard-go, for kernels without WireGuard; install wireguard-go",
        ),
        ({"wg", "wireguard-go"}, False, "overlay wireguard needs /dev/net/tun; load the kernel's module tun"),
    ],
)
def test_what_a_machine_lacks_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, there: set[str], tun: bool, said: str | None
) -> None:
    monkeypatch.setattr(wireguard, "find_program", lambda name: name if name in there else None)
    device = tmp_path / "tun"
    if tun:
        device.touch()
    monkeypatch.setattr(wireguard, "TUN", device)
    assert Wireguard.lacking() == said
