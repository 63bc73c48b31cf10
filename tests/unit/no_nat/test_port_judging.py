"""What a sweep says of ports that do not lead to the container."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest

from fixtures.no_nat.port_judging import Judgement, Trouble, judge_ports
from fixtures.probes.delivery import Endpoint
from fixtures.probes.ports import bits
from fixtures.probes.sweep import Carrier, Lane, Seen, Swept

PORTS = (22, 443, 5432, 50000, 60000, 65535)
ALL = bits(PORTS)
ENDS = {name: Endpoint(f"{name}/a", name, f"/{name}", f"10.0.0.{name[1]}") for name in ("u1", "u2", "u3")}


def swept(
    way: str = "u1 u2", carrier: Carrier = Carrier.TCP, *, passes: int = 1, late: int = 0, **seen: object
) -> Swept:
    source, destination = way.split()
    whole = Seen(left=ALL, arrived=ALL, answered=ALL if carrier is Carrier.TCP else 0)
    lane = Lane(ENDS[source], ENDS[destination], carrier, PORTS)
    return Swept(lane, replace(whole, **seen), passes, late)  # type: ignore[arg-type]


def without(*ports: int) -> int:
    return ALL & ~bits(ports)


def told(*found: Swept) -> str:
    judged = judge_ports([*found, swept("u2 u3"), swept("u3 u1")])
    return judged.explain()


def troubles(one: Swept) -> list[Trouble]:
    return [finding.trouble for finding in judge_ports([one]).findings]


@pytest.mark.parametrize("carrier", [Carrier.UDP, Carrier.TCP])
def test_a_whole_sweep_has_no_finding(carrier: Carrier) -> None:
    assert judge_ports([swept(carrier=carrier)]) == Judgement((), (), (), (swept(carrier=carrier).lane,))


def test_a_port_that_never_arrives_is_blocked() -> None:
    one = swept(arrived=without(5432), answered=without(5432), passes=4)
    assert troubles(one) == [Trouble.BLOCKED]
    assert told(one) == (
        "u1/a → u2/a: TCP 5432 is blocked: it left 4 times and never arrived (1 of 3 pairs: from u1 to u2)"
    )


def test_both_directions_are_told_as_one_thing() -> None:
    ways = [swept(way, arrived=without(5432), answered=without(5432), passes=4) for way in ("u1 u2", "u2 u1")]
    assert told(*ways).endswith("(2 of 4 pairs: between u1 and u2)") and "\n" not in told(*ways)


def test_udp_is_blocked_too() -> None:
    one = swept(carrier=Carrier.UDP, arrived=without(50000, 60000, 65535))
    assert told(one).startswith("u1/a → u2/a: UDP 50000…65535 (3 tried) is blocked: it left once and never arrived")


def test_a_reset_of_something_on_the_way_is_told() -> None:
    one = swept(arrived=without(443))
    assert troubles(one) == [Trouble.RESET]
    reset = "is reset on the way: a reset came back in the name of u2/a, which never saw the SYN"
    assert told(one).startswith(f"u1/a → u2/a: TCP 443 {reset}")


def test_a_reset_of_the_container_itself_is_an_answer() -> None:
    assert troubles(swept()) == []


def test_an_icmp_error_is_told_with_its_sender() -> None:
    says = "10.0.0.9: host prohibited (for 443)"
    one = swept(carrier=Carrier.UDP, arrived=without(443), rejected=bits([443, 22]), origins=(says,))
    assert troubles(one) == [Trouble.REJECTED], "port 22 did arrive: its own host answered"
    assert f"UDP 443 is rejected on the way: {says}" in told(one)


def test_an_answer_that_never_comes_back_is_a_finding_for_tcp_alone() -> None:
    one = swept(answered=without(443), passes=4)
    assert troubles(one) == [Trouble.SILENT]
    assert "TCP 443 arrives, and the answer never comes back (tried 4 times)" in told(one)
    assert troubles(swept(carrier=Carrier.UDP, answered=0)) == []


def test_a_mapped_port_is_told() -> None:
    one = swept(changed=((443, 8443),))
    assert troubles(one) == [Trouble.MAPPED] and "TCP 443 is mapped: 443 arrived as 8443" in told(one)


def test_what_another_container_gets_is_told() -> None:
    one = swept(carrier=Carrier.UDP, arrived=0, elsewhere=(("u3/a", True, 6, 22, "eth0"),))
    assert "every UDP port (6 tried) arrives at u3/a instead" in told(one)
    flooded = replace(one.seen, arrived=without(443), elsewhere=(("u3/a", False, 6, 22, "eth0"),))
    assert "is blocked" in told(replace(one, seen=flooded)), "a bridge floods frames to everybody"


@pytest.mark.parametrize("elsewhere", [(), (("u3/a", False, 6, 22, "eth0"),)], ids=["lost", "flooded"])
def test_where_nothing_arrives_at_all_nothing_is_said_of_ports(elsewhere: tuple[object, ...]) -> None:
    """The path is broken, which NET-1 tells; a port that is blocked beside it is told all the same."""
    dead = [swept(way, carrier=Carrier.UDP, arrived=0, elsewhere=elsewhere, passes=4) for way in ("u1 u2", "u2 u1")]
    judged = judge_ports([*dead, swept("u1 u3", arrived=without(443), answered=without(443))])
    assert [finding.ports for finding in judged.findings] == [bits([443])]
    assert judged.unproved == (
        "u1/a → u2/a: every UDP port (6 tried) is blocked: it left 4 times and never arrived: nothing is said of ports "
        "(see NET-1) (and so on for 1 more pairs and transports)",
    )


def test_a_port_that_was_not_seen_leaving_proves_nothing() -> None:
    one = swept(left=without(443), arrived=without(443), answered=without(443), errno=errno.EPERM)
    judged = judge_ports([one])
    assert judged.findings == ()
    assert judged.unproved == ("u1/a → u2/a: TCP 443 was not seen leaving (Operation not permitted)",)


def test_nothing_swept_is_nothing_proved() -> None:
    assert judge_ports([]).unproved == ("no pair of containers was swept",)
    empty = replace(swept(), lane=replace(swept().lane, ports=()), seen=Seen())
    assert judge_ports([empty]).unproved == ("u1/a → u2/a: no TCP port was tried",)


def test_loss_is_told_and_is_no_finding() -> None:
    judged = judge_ports([swept(late=bits([443])), swept("u2 u1")])
    assert judged.findings == () and judged.unproved == ()
    assert judged.loss == (
        "loss: 1 of 6 ports were lost once and arrived when tried again, such as u1/a → u2/a: TCP 443 (see NET-8)",
    )
    assert told(swept(late=bits([443]), arrived=without(22), answered=without(22))).endswith("(see NET-8)")


def test_many_findings_are_cut() -> None:
    many = [swept(f"u1 u{2 + number % 2}", arrived=ALL & ~bits([port]), answered=ALL & ~bits([port]))
            for number, port in enumerate([22, 443, 5432, 50000, 60000] * 2)]  # fmt: skip
    more = [replace(one, seen=replace(one.seen, arrived=one.seen.arrived & ~bits([65535]), answered=0)) for one in many]
    lines = judge_ports([*many, *more]).explain().splitlines()
    assert len(lines) == 13 and lines[-1].endswith("more; the attached table lists every pair")
