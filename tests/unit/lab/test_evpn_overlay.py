"""The adapter evpn: its tunnels and FRR's configuration, and what it reads of BGP's and zebra's state."""

from __future__ import annotations

import json
from ipaddress import IPv4Address
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.access.cluster import NodeAccess
from lab.embedded import plan
from lab.embedded.plan import LabSpec
from lab.errors import HarnessError
from lab.overlays import adapter, evpn
from lab.overlays.evpn import BgpState, Evpn, parse_state

LAB = plan.inventory(LabSpec(name="x", overlay="evpn", nomad=False))
ALL = ("192.168.56.3", "192.168.56.5")


def overlay() -> Evpn:
    made = adapter(LAB)
    assert isinstance(made, Evpn)
    return made


def summary(**states: str) -> str:
    """`show bgp l2vpn evpn summary json`; states: {u1: Established}."""
    addresses = {"u1": "192.168.56.3", "u3": "192.168.56.5"}
    return json.dumps({"peers": {addresses[name]: {"state": state} for name, state in states.items()}})


def vnis(a: tuple[str, ...] = ALL, b: tuple[str, ...] = ALL) -> str:
    """`show evpn vni json`."""
    return json.dumps({vni: {"remoteVteps": list(own)} if own else {} for vni, own in ((4200, a), (4201, b))})


class FakeNode:
    """Node u2, whose FRR answers what it was given."""

    def __init__(self, sessions: str = "", endpoints: str = "") -> None:
        self.name, self.address, self.node = "u2", "192.168.56.4", SimpleNamespace(name="u2", interface="eth0")
        self.ran: list[str] = []
        self.stdin: list[str] = []
        self._answers = {"summary": sessions, "vni": endpoints}

    def run(self, command: str | list[str], *, stdin: str = "", **_: Any) -> Any:
        line = command if isinstance(command, str) else " ".join(command)
        self.ran.append(line)
        self.stdin.append(stdin)
        return SimpleNamespace(stdout=next((text for word, text in self._answers.items() if word in line), ""))


def node(sessions: str = "", endpoints: str = "") -> tuple[NodeAccess, FakeNode]:
    made = FakeNode(sessions, endpoints)
    return cast(NodeAccess, made), made


def test_tunnels_learn_nothing_and_suppress_arp() -> None:
    there, fake = node()
    overlay().start(there)
    made = fake.ran[0].splitlines()
    assert "ip link add vx-a type vxlan id 4200 dstport 4789 local 192.168.56.4 dev eth0 nolearning" in made
    assert "bridge link set dev vx-b learning off neigh_suppress on" in made
    assert not any("fdb append" in line for line in made), "flood lists are told by BGP"


def test_frr_is_configured_before_it_is_started() -> None:
    there, fake = node()
    overlay().start(there)
    assert fake.stdin == ["", overlay().configuration("u2"), ""]
    assert "bgpd.conf" in fake.ran[1] and fake.ran[2] == evpn.START


def test_every_node_is_a_neighbour_of_every_other_one() -> None:
    assert overlay().configuration("u2").splitlines() == [
        "router bgp 65000",
        " bgp router-id 192.168.56.4",
        " no bgp default ipv4-unicast",
        *(
            f" neighbor {address} {words}"
            for address in ALL
            for words in ("remote-as 65000", "timers 3 9", "timers connect 1", "advertisement-interval 0")
        ),
        " address-family l2vpn evpn",
        "  neighbor 192.168.56.3 activate",
        "  neighbor 192.168.56.5 activate",
        "  advertise-all-vni",
        " exit-address-family",
    ]


@pytest.mark.parametrize(
    ("sessions", "endpoints", "problem"),
    [
        (summary(u1="Established", u3="Established"), vnis(), None),
        (summary(u1="Active", u3="Established"), vnis(), "the BGP session with 192.168.56.3 is Active"),
        (summary(u3="Established"), vnis(), "BGP has no neighbour 192.168.56.3"),
        (
            summary(u1="Established", u3="Established"),
            vnis(b=("192.168.56.5",)),
            "BGP tells no tunnel endpoint 192.168.56.3 in subnet b",
        ),
        (
            summary(u1="Established", u3="Established"),
            json.dumps({}),
            "BGP tells no tunnel endpoint 192.168.56.3 in subnet a, subnet b",
        ),
    ],
)
def test_a_peer_is_established_by_its_session_and_its_endpoints(
    sessions: str, endpoints: str, problem: str | None
) -> None:
    there, _ = node(sessions, endpoints)
    first, third = overlay().peers(there)
    assert (first.name, first.address, first.established) == ("u1", IPv4Address("192.168.56.3"), problem is None)
    assert problem is None or first.detail == problem
    assert third.established is (endpoints != "{}")


def test_a_vni_without_other_nodes_has_no_list() -> None:
    assert parse_state(summary(u1="Idle"), vnis(a=())) == BgpState({"192.168.56.3": "Idle"}, {4200: (), 4201: ALL})
    assert parse_state("{}", "{}") == BgpState({}, {})


@pytest.mark.parametrize(("sessions", "endpoints"), [("% BGP instance not found", "{}"), ("{}", ""), ("[]", "{}")])
def test_an_odd_answer_of_frr_is_an_error_of_the_instrument(sessions: str, endpoints: str) -> None:
    there, _ = node(sessions, endpoints)
    with pytest.raises(HarnessError, match="node u2: vtysh"):
        overlay().peers(there)


@pytest.mark.parametrize(("vtysh", "bgpd", "lacks"), [(True, True, False), (False, True, True), (True, False, True)])
def test_a_machine_without_frr_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, vtysh: bool, bgpd: bool, lacks: bool
) -> None:
    monkeypatch.setattr(evpn, "find_program", lambda name: name if vtysh else None)
    monkeypatch.setattr(evpn, "DAEMONS", str(tmp_path))
    if bgpd:
        (tmp_path / "bgpd").touch()
    assert Evpn.lacking() == ("overlay evpn needs FRR (zebra, bgpd, vtysh); install frr" if lacks else None)
