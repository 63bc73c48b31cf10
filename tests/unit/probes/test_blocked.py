"""The sandwich's judgement: blocked is proved, or it is said what is missing."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace

import pytest

from fixtures.probes.blocked import Sandwich, weigh
from fixtures.probes.delivery import Step, Transport
from fixtures.probes.mesh import Mesh
from reports.model import NotProved
from tests.unit.probes.canned import OTHERS_HOST, A, B, C, Canned, good, sighting
from tests.unit.probes.judge_cases import CASES
from tests.unit.probes.spoils import everywhere, heard

ICMP, UDP, TCP = Transport
CONTROL = good(UDP)


def mesh(*ledgers: Canned) -> Mesh:
    return Mesh(tuple(one.judged() for one in ledgers))


def sandwich(
    *tried: Canned, before: Canned | None = CONTROL, after: Canned | None = CONTROL, refusal: bool = False
) -> Sandwich:
    bread = [mesh(*([slice_] if slice_ is not None else [])) for slice_ in (before, after)]
    return weigh(mesh(*tried), *bread, refusal_is_proof=refusal)


def unproved(one: Sandwich) -> str:
    with pytest.raises(NotProved) as caught:
        one.proved()
    return str(caught.value)


@pytest.mark.parametrize("transport", Transport)
def test_lost_between_two_good_controls_is_blocked(transport: Transport) -> None:
    one = sandwich(good(transport).undelivered())
    one.proved()
    assert not one.leaked and not one.unproved
    assert len(one.controls.deliveries) == 2


def by_another_mac(one: Canned) -> Canned:
    """Flooded to B's interface, though not for B."""
    return one.undelivered().adding(one.arrived._replace(kind=OTHERS_HOST))


def only_a_syn(one: Canned) -> Canned:
    return one.undelivered().adding(sighting(Step.SYN, B, 0, one.sent))


LEAKS: dict[str, Callable[[Canned], Canned]] = {
    "answered": lambda one: one,
    "delivered": lambda one: one.unanswered(),
    "rewritten": everywhere(Step.REQUEST, source=C.address),
    "flooded": by_another_mac,
    "only a SYN": only_a_syn,
    "another's answer": CASES["another answers"][1],
}


@pytest.mark.parametrize("transport", Transport)
@pytest.mark.parametrize("leak", LEAKS)
def test_whatever_is_seen_at_the_other_end_is_a_leak(leak: str, transport: Transport) -> None:
    one = sandwich(good(transport).undelivered(), LEAKS[leak](good(transport)))
    assert [each.edge.transport for each in one.leaked] == [transport]
    assert "1 of 2 attempts went through" in str(one)
    one.proved()  # a leak is a proof too


def test_a_leak_says_where_it_was_seen() -> None:
    assert "seen at u2/a2 on eth0" in str(sandwich(good(UDP).unanswered()))
    assert "answered by u3/a3" in str(sandwich(CASES["another answers"][1](good(UDP))))


def test_a_server_of_another_subnet_that_received_it_is_a_leak() -> None:
    assert sandwich(CASES["another receives"][1](good(UDP))).leaked


@pytest.mark.parametrize(
    ("when", "spoilt"),
    [(when, spoilt) for when in ("before", "after") for spoilt in ("not answered", "lost", "another identity")],
)
def test_a_failed_control_proves_nothing(when: str, spoilt: str) -> None:
    bread = {"before": CONTROL, "after": CONTROL, when: CASES[spoilt][1](CONTROL)}
    words = unproved(sandwich(good(UDP).undelivered(), before=bread["before"], after=bread["after"]))
    assert f"control u1/a1->u2/a2-udp port 20777 failed {when}" in words


@pytest.mark.parametrize("when", ["before", "after"])
def test_no_control_proves_nothing(when: str) -> None:
    bread = {"before": CONTROL, "after": CONTROL, when: None}
    words = unproved(sandwich(good(UDP).undelivered(), before=bread["before"], after=bread["after"]))
    assert "no control was tried" in words


def test_a_control_that_reaches_somebody_else_proves_nothing() -> None:
    elsewhere = replace(CONTROL, edge=replace(CONTROL.edge, source=B, destination=A))
    turned = Mesh((replace(CONTROL.judged(), edge=elsewhere.edge, answered_by=A.name),))
    one = weigh(mesh(good(UDP).undelivered()), turned, turned)
    assert "no control reached u2/a2 before" in unproved(one) and "no control reached u2/a2 after" in unproved(one)


def test_no_attempt_proves_nothing() -> None:
    assert "nothing was attempted" in unproved(sandwich())


@pytest.mark.parametrize("transport", Transport)
def test_what_never_left_was_not_blocked(transport: Transport) -> None:
    words = unproved(sandwich(good(transport).unsent(errno.ENETUNREACH)))
    assert words == f"no {transport} probe of u1/a1 for u2/a2 at 10.32.0.22 was seen leaving"


def test_one_that_left_proves_for_those_that_could_not() -> None:
    sandwich(good(UDP).unsent(errno.ENETUNREACH), good(UDP).undelivered()).proved()
    assert unproved(sandwich(good(UDP).unsent(errno.ENETUNREACH), good(TCP).undelivered()))
    other = good(UDP).unsent(errno.ENETUNREACH)
    assert unproved(sandwich(replace(other, edge=replace(other.edge, address="10.32.9.9")), good(UDP).undelivered()))


@pytest.mark.parametrize("code", [errno.ENETUNREACH, errno.EHOSTUNREACH])
def test_no_route_is_a_proof_where_that_is_the_claim(code: int) -> None:
    one = sandwich(good(UDP).unsent(code), refusal=True)
    one.proved()
    assert not one.leaked


@pytest.mark.parametrize("code", [errno.EMSGSIZE, errno.ENOBUFS, errno.EADDRNOTAVAIL, None])
def test_no_other_refusal_is_a_proof(code: int | None) -> None:
    assert unproved(sandwich(good(UDP).unsent(code), refusal=True))
    assert unproved(sandwich(good(UDP).unsent(errno.ENETUNREACH), good(UDP).unsent(code), refusal=True))


def test_many_leaks_are_counted_and_some_shown() -> None:
    text = str(sandwich(*[heard(None)(good(UDP))] * 15))
    assert "15 of 15 attempts went through" in text and "and 3 more" in text
    assert "more; the ledger" not in str(sandwich(good(UDP)))


def test_no_route_is_no_proof_unless_that_is_said_to_be_the_claim() -> None:
    assert weigh(mesh(good(UDP).unsent(errno.ENETUNREACH)), mesh(CONTROL), mesh(CONTROL)).unproved
