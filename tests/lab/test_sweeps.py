"""Sweeps on real kernels: what a packet filter does to one port is seen, and nothing is left behind."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from fixtures.isolation.protocols import PAYLOADS, PROTOCOLS
from fixtures.no_nat.port_judging import judge_ports
from fixtures.probes.assessment import Void
from fixtures.probes.ports import bits, chosen_ports
from fixtures.probes.sweep import Carrier, Lane, Swept
from fixtures.probes.sweeping import sweep, sweep_ports
from lab.inventory import Family
from reports.model import NotProved
from tests.lab.bench import Bench, open_bench

PORTS = chosen_ports(4711)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with open_bench() as made:
        # Connections are tracked where a rule asks for them.
        for node in made.nodes:
            made.command(
                node, "nft", "add table ip probe; add chain ip probe in { type filter hook input priority 0; }"
            )
            made.command(node, "nft", "add rule ip probe in ct state new counter")
        yield made


def lanes(bench: Bench, *carriers: Carrier, ports: tuple[int, ...] = PORTS, own: int = 0) -> list[Lane]:
    pairs = {(edge.source.name, edge.destination.name): edge for edge in bench.edges}
    return [
        Lane(edge.source, edge.destination, carrier, PROTOCOLS[Family.V4] if carrier is Carrier.IP else ports, own)
        for edge in pairs.values()
        for carrier in carriers
    ]


def swept(bench: Bench, chosen: list[Lane]) -> list[Swept]:
    with sweep(bench.agents, chosen, payloads={(Carrier.IP, Family.V4): PAYLOADS[Family.V4]}) as made:
        return sweep_ports(made)


def entries(bench: Bench, node: str) -> int:
    return int(bench.ask(node, "cat", "/proc/sys/net/netfilter/nf_conntrack_count"))


@contextlib.contextmanager
def filtering(bench: Bench, node: str, hook: str, rule: str) -> Iterator[None]:
    """A packet filter on a node, which is gone afterwards."""
    bench.command(node, "nft", f"table ip fault {{ chain x {{ type filter hook {hook} priority -300; {rule}; }}; }}")
    try:
        yield
    finally:
        bench.command(node, "nft", "delete table ip fault")


def test_every_port_arrives_and_no_connection_is_left(bench: Bench) -> None:
    found = swept(bench, lanes(bench, Carrier.UDP, Carrier.TCP))
    judged = judge_ports(found)
    assert not judged.findings and not judged.unproved, (judged.explain(), judged.unproved)
    assert all(one.seen.arrived == one.tried for one in found)
    assert all(one.seen.answered == one.tried for one in found if one.lane.carrier is Carrier.TCP)
    assert {node: entries(bench, node) for node in bench.nodes} == {"n1": 0, "n2": 0}


def test_every_other_protocol_arrives(bench: Bench) -> None:
    found = swept(bench, lanes(bench, Carrier.IP))
    assert all(one.seen.arrived == one.tried for one in found), found
    # ICMPv6 within IPv4 has entries that cannot be named by ports; they end by themselves.
    assert {node: entries(bench, node) <= 2 for node in bench.nodes} == {"n1": True, "n2": True}


def test_a_source_port_is_the_one_that_was_asked_for(bench: Bench) -> None:
    with filtering(bench, "n2", "prerouting", "udp sport 53 counter"):
        swept(bench, lanes(bench, Carrier.UDP, ports=(22, 443), own=53))
        assert "udp sport 53 counter packets 2 " in bench.ask("n2", "nft", "list table ip fault")


def test_what_the_senders_own_kernel_refuses_proves_nothing(bench: Bench) -> None:
    with filtering(bench, "n1", "output", "tcp dport 5432 drop"):
        judged = judge_ports(swept(bench, lanes(bench, Carrier.TCP)))
    assert not judged.findings
    assert judged.unproved == ("n1/c → n2/c: TCP 5432 was not seen leaving (Operation not permitted)",)


def test_a_port_that_is_not_answered_is_told(bench: Bench) -> None:
    """A recorder sees what its own kernel drops afterwards, so the port arrives here, and nothing comes back."""
    with filtering(bench, "n2", "prerouting", "tcp dport 5432 drop"):
        text = judge_ports(swept(bench, lanes(bench, Carrier.TCP))).explain()
    assert text.startswith("n1/c → n2/c: TCP 5432 arrives, and the answer never comes back (tried 4 times)"), text


def test_a_full_table_of_connections_is_not_filled(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fixtures.probes.sweep.SHARE", 1 << 40)
    with pytest.raises(NotProved, match=r"a sweep would fill a table of connections: .* entries are used; raise "):
        swept(bench, lanes(bench, Carrier.UDP))


def test_a_sweep_in_pieces_finds_the_same(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fixtures.probes.sweeping.piece_size", lambda *_: 100)
    found = swept(bench, lanes(bench, Carrier.UDP, Carrier.TCP))
    assert all(one.seen.arrived == bits(PORTS) for one in found)


def test_lost_packets_of_a_recorder_make_a_sweep_void(bench: Bench) -> None:
    asked = bench.agents["n2"].call

    def lose(operation: str, *words: object, **named: object) -> object:
        answer, body = asked(operation, *words, **named)  # type: ignore[arg-type]
        return ({"lost": 7} if operation == "finish_sweep" else answer), body

    bench.agents["n2"].call = lose  # type: ignore[method-assign, assignment]
    try:
        with pytest.raises(Void, match="node n2: its recorders lost 7 packets of a sweep"):
            swept(bench, lanes(bench, Carrier.UDP, ports=(1, 2)))
    finally:
        bench.agents["n2"].call = asked  # type: ignore[method-assign]
