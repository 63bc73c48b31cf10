"""A negative claim is proved, refuted, or said to be unproved; nobody can ask for one of the three only."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace

import pytest

from fixtures.probes.blocked import (
    MOST_SHOWN,
    Judgement,
    Leaked,
    describe_leaks,
    enforce_negative_claim,
    judge_attempts,
    late_controls,
)
from fixtures.probes.delivery import Delivery, Step, Transport
from fixtures.probes.mesh import Mesh
from reports.model import NotProved, Outcome
from tests.unit.probes.canned import OTHERS_HOST, OUTGOING, TO_US, A, B, C, Canned, good, sighting
from tests.unit.probes.judge_cases import CASES
from tests.unit.probes.spoils import everywhere, socket_got

ICMP, UDP, TCP = Transport
CONTROL = good(UDP)


def mesh(*exchanges: Canned) -> Mesh:
    return Mesh(tuple(exchange.judged() for exchange in exchanges))


def judged(
    *attempts: Canned,
    before: Canned | None = CONTROL,
    after: Canned | None = CONTROL,
    no_route_is_proof: bool = False,
) -> Judgement:
    controls = [mesh(control) if control is not None else mesh() for control in (before, after)]
    return judge_attempts(mesh(*attempts), *controls, no_route_is_proof=no_route_is_proof)


def assert_proved(judgement: Judgement) -> None:
    judgement.enforce()
    assert (judgement.leaked, judgement.unproved) == ((), ())


def reason(judgement: Judgement) -> str:
    """Why it is not proved."""
    with pytest.raises(NotProved) as caught:
        judgement.enforce()
    return str(caught.value)


def leak(judgement: Judgement) -> str:
    with pytest.raises(Leaked) as caught:
        judgement.enforce()
    return str(caught.value)


# -- proved ------------------------------------------------------------------------


@pytest.mark.parametrize("transport", Transport)
def test_lost_between_two_good_controls_is_blocked(transport: Transport) -> None:
    judgement = judged(good(transport).undelivered())
    assert_proved(judgement)
    assert judgement.attempted == 1


def test_a_probe_that_only_its_sender_saw_did_not_arrive() -> None:
    """Neither packets that leave the destination nor sightings elsewhere count as arrivals."""
    attempt = good(UDP).undelivered()
    outgoing_there = sighting(Step.REQUEST, B, OUTGOING, attempt.sent)
    assert_proved(judged(attempt.adding(outgoing_there)))


# -- refuted -----------------------------------------------------------------------


def by_another_mac(exchange: Canned) -> Canned:
    """Flooded to B's interface, though not for B."""
    return exchange.undelivered().adding(exchange.arrived._replace(kind=OTHERS_HOST))


def only_a_syn(exchange: Canned) -> Canned:
    return exchange.undelivered().adding(sighting(Step.SYN, B, TO_US, exchange.sent))


LEAKS: dict[str, Callable[[Canned], Canned]] = {
    "answered": lambda exchange: exchange,
    "delivered": lambda exchange: exchange.unanswered(),
    "rewritten": everywhere(Step.REQUEST, source=C.address),
    "flooded": by_another_mac,
    "only a SYN": only_a_syn,
    "another's answer": CASES["another answers"][1],
}


@pytest.mark.parametrize("transport", Transport)
@pytest.mark.parametrize("name", LEAKS)
def test_whatever_is_seen_at_the_other_end_is_a_leak(name: str, transport: Transport) -> None:
    judgement = judged(good(transport).undelivered(), LEAKS[name](good(transport)))
    assert [delivery.edge.transport for delivery in judgement.leaked] == [transport]
    assert "(1 of 2 attempts went through)" in leak(judgement).partition("\n")[0]
    assert not judgement.unproved  # what leaked need not be seen leaving


def test_a_server_of_another_subnet_that_received_it_is_a_leak() -> None:
    assert leak(judged(CASES["another receives"][1](good(UDP))))


@pytest.mark.parametrize(
    "arrival",
    [{"answered_by": "u3/c3"}, {"outcome": Outcome.MISDELIVERED}],
    ids=["answered", "misdelivered"],
)
def test_an_answer_alone_or_a_wrong_receiver_alone_is_a_leak(arrival: dict[str, object]) -> None:
    """Even where no recorder saw it."""
    delivery = replace(good(UDP).unsent().judged(), **arrival)  # type: ignore[arg-type]
    judgement = judge_attempts(Mesh((delivery,)), mesh(CONTROL), mesh(CONTROL))
    assert (judgement.leaked, judgement.unproved) == ((delivery,), ())


def test_a_leak_counts_even_when_controls_failed() -> None:
    judgement = judged(good(UDP).unanswered(), before=None, after=CASES["lost"][1](CONTROL))
    assert judgement.unproved
    assert leak(judgement)


def test_the_first_line_of_a_leak_says_who_reached_whom_and_where() -> None:
    first = leak(judged(good(UDP).unanswered())).partition("\n")[0]
    assert first == ("u1/a1->u2/a2-udp port 20777 went through: seen at u2/a2 on eth0 (1 of 1 attempts went through)")
    assert "answered by u3/a3" in leak(judged(CASES["another answers"][1](good(UDP)))).partition("\n")[0]


def test_a_leak_is_followed_by_what_both_ends_recorded() -> None:
    delivery = good(UDP).unanswered().judged()
    text = describe_leaks([delivery], 1)
    assert text.split("\n", 1)[1] == f"{delivery}\n  seen at u2/a2 on eth0"


def test_a_leak_without_sighting_or_answer_is_told_by_its_detail() -> None:
    delivery = replace(good(UDP).undelivered().judged(), outcome=Outcome.MISDELIVERED, detail="u3/c3 received it")
    assert "went through: u3/c3 received it (" in describe_leaks([delivery], 1)


def test_an_attempt_that_left_the_destination_is_not_seen_there() -> None:
    """The place of a leak is where a packet came in."""
    delivery = good(UDP).judged()
    turned = replace(delivery, sightings=(good(UDP).reply_left, good(UDP).left), answered_by="u2/a2")
    assert "went through: answered by u2/a2" in describe_leaks([turned], 1)


@pytest.mark.parametrize(("count", "more"), [(MOST_SHOWN, ""), (MOST_SHOWN + 1, "… and 1 more"), (15, "… and 3 more")])
def test_many_leaks_are_counted_and_some_shown(count: int, more: str) -> None:
    text = describe_leaks([socket_got(None)(good(UDP)).judged()] * count, 20)
    assert f"({count} of 20 attempts went through)" in text
    assert text.count("\n  seen at") == MOST_SHOWN
    assert text.splitlines()[-1].startswith(more) if more else "more;" not in text


def test_no_leak_has_no_description() -> None:
    assert describe_leaks([], 3) == ""


# -- not proved --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "spoilt"),
    [(when, spoilt) for when in ("before", "after") for spoilt in ("not answered", "lost", "another identity")],
)
def test_a_failed_control_proves_nothing(when: str, spoilt: str) -> None:
    controls = {"before": CONTROL, "after": CONTROL, when: CASES[spoilt][1](CONTROL)}
    judgement = judged(good(UDP).undelivered(), before=controls["before"], after=controls["after"])
    failed = mesh(controls[when]).deliveries[0]
    assert reason(judgement) == (
        f"control u1/a1->u2/a2-udp port 20777 failed {when}: {failed.outcome}, {failed.detail}"
    )


@pytest.mark.parametrize("when", ["before", "after"])
def test_without_a_control_nothing_is_proved(when: str) -> None:
    controls = {"before": CONTROL, "after": CONTROL, when: None}
    judgement = judged(good(UDP).undelivered(), before=controls["before"], after=controls["after"])
    assert reason(judgement) == f"no control was tried; no control reached u2/a2 {when}"


def test_a_control_to_another_destination_proves_nothing() -> None:
    edge = replace(CONTROL.edge, source=B, destination=A)
    elsewhere = Mesh((replace(CONTROL.judged(), edge=edge, answered_by=A.name),))
    judgement = judge_attempts(mesh(good(UDP).undelivered()), elsewhere, elsewhere)
    assert reason(judgement) == "no control reached u2/a2 before; no control reached u2/a2 after"


def test_destinations_without_a_control_are_named_in_order() -> None:
    attempts = [replace(good(UDP).undelivered(), edge=replace(good(UDP).edge, destination=end)) for end in (C, B, A)]
    judgement = judge_attempts(mesh(*attempts), Mesh(()), mesh(CONTROL))
    assert [reason.split()[3] for reason in judgement.unproved[1:4]] == ["u1/a1", "u2/a2", "u3/a3"]


LATE = socket_got(None)(CONTROL)
"""A control whose answer reached the sender's interface after the window."""


def late(attempt: Canned, before: Canned, after: Canned) -> str:
    return late_controls(mesh(attempt), mesh(before), mesh(after))


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_control_that_was_answered_too_late_is_told(when: str) -> None:
    """The answer reached the sender, so a longer window may prove the claim."""
    controls = (LATE, CONTROL) if when == "before" else (CONTROL, LATE)
    assert late(good(UDP).undelivered(), *controls) == f"control {LATE.edge} was answered too late (1 of 2)"


def test_controls_that_were_answered_in_time_or_not_at_all_are_not_late() -> None:
    attempt = good(UDP).undelivered()
    assert late(attempt, CONTROL, CONTROL) == ""
    assert late(attempt, LATE, CONTROL.unanswered()) == ""
    assert late_controls(mesh(attempt), mesh(LATE), mesh(CONTROL.undelivered(), LATE)) == ""


def test_an_attempt_that_arrived_counts_however_late_the_controls_are() -> None:
    assert late(good(UDP), LATE, LATE) == ""


def test_without_an_attempt_nothing_is_proved() -> None:
    assert reason(judged()) == "nothing was attempted"


def unsent_attempts(*attempts: Canned, no_route_is_proof: bool = False) -> tuple[str, ...]:
    return judged(*attempts, no_route_is_proof=no_route_is_proof).unproved


def to(address: str, attempt: Canned) -> Canned:
    return replace(attempt, edge=replace(attempt.edge, address=address))


def test_an_attempt_that_was_not_seen_leaving_proves_nothing() -> None:
    assert reason(judged(good(UDP).unsent())) == "no udp probe of u1/a1 for u2/a2 at 10.32.0.22 was seen leaving"


def test_one_attempt_of_several_of_the_same_kind_has_to_be_seen_leaving() -> None:
    assert unsent_attempts(good(UDP).unsent(), good(UDP).undelivered()) == ()
    assert unsent_attempts(good(UDP).undelivered(), good(UDP).unsent()) == ()
    assert unsent_attempts(good(UDP).unsent(), good(UDP).unanswered()) == ()


def test_every_transport_and_every_address_has_to_be_seen_leaving() -> None:
    assert unsent_attempts(good(TCP).unsent(), good(UDP).undelivered()) == (
        "no tcp probe of u1/a1 for u2/a2 at 10.32.0.22 was seen leaving",
    )
    assert unsent_attempts(to("10.32.9.9", good(UDP).unsent()), good(UDP).undelivered()) == (
        "no udp probe of u1/a1 for u2/a2 at 10.32.9.9 was seen leaving",
    )


def spoil(delivery: Delivery, **changes: object) -> Delivery:
    return replace(delivery, sightings=tuple(seen._replace(**changes) for seen in delivery.sightings))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [{"endpoint": C.name}, {"kind": TO_US}, {"step": Step.ANSWER}, {"step": Step.ERROR}],
    ids=["elsewhere", "incoming", "an answer", "an error"],
)
def test_only_a_request_that_leaves_its_sender_was_seen_leaving(changes: dict[str, object]) -> None:
    attempt = spoil(good(UDP).undelivered().judged(), **changes)
    judgement = judge_attempts(Mesh((attempt,)), mesh(CONTROL), mesh(CONTROL))
    assert "was seen leaving" in reason(judgement)


def test_a_syn_that_leaves_was_seen_leaving() -> None:
    attempt = spoil(good(UDP).undelivered().judged(), step=Step.SYN)
    assert_proved(judge_attempts(Mesh((attempt,)), mesh(CONTROL), mesh(CONTROL)))


@pytest.mark.parametrize("code", [errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENONET, errno.EACCES, errno.EPERM])
def test_no_route_is_a_proof_only_where_that_is_the_claim(code: int) -> None:
    assert_proved(judged(good(UDP).unsent(code), no_route_is_proof=True))
    assert reason(judged(good(UDP).unsent(code)))
    default = judge_attempts(mesh(good(UDP).unsent(code)), mesh(CONTROL), mesh(CONTROL))
    assert reason(default)


@pytest.mark.parametrize("code", [errno.EMSGSIZE, errno.ENOBUFS, errno.EADDRNOTAVAIL, None])
def test_no_other_refusal_is_a_proof(code: int | None) -> None:
    assert unsent_attempts(good(UDP).unsent(code), no_route_is_proof=True)
    mixed = (good(UDP).unsent(errno.ENETUNREACH), good(UDP).unsent(code))
    assert unsent_attempts(*mixed, no_route_is_proof=True)


def test_an_attempt_that_was_sent_is_not_refused_for_want_of_a_route() -> None:
    """An ICMP error sets errno too, after the packet left; where nobody saw it leave, that proves nothing."""
    lost = replace(good(UDP).unsent(errno.ENETUNREACH).judged(), outcome=Outcome.LOST, errno=errno.ENETUNREACH)
    judgement = judge_attempts(Mesh((lost,)), mesh(CONTROL), mesh(CONTROL), no_route_is_proof=True)
    assert reason(judgement)


def test_reasons_are_listed_before_each_other_in_the_order_of_the_proof() -> None:
    judgement = judged(good(UDP).unsent(), before=None)
    assert judgement.unproved == (
        "no control was tried",
        "no control reached u2/a2 before",
        "no udp probe of u1/a1 for u2/a2 at 10.32.0.22 was seen leaving",
    )


# -- one call for all three ----------------------------------------------------------


def test_a_leak_is_an_assertion_error_and_is_told_before_any_doubt() -> None:
    with pytest.raises(AssertionError, match=r"^u1 reached u2$"):
        enforce_negative_claim("u1 reached u2", ["no control was tried"])


def test_five_reasons_are_enough() -> None:
    with pytest.raises(NotProved, match=r"^1; 2; 3; 4; 5$"):
        enforce_negative_claim("", list("123456"))


def test_a_leak_names_the_node_that_all_leaks_share_and_what_the_first_one_crossed() -> None:
    """An edge's name accuses nobody; the place does."""
    leaked = good(UDP).judged()
    elsewhere = replace(leaked, edge=replace(leaked.edge, source=C, destination=C))
    quiet = replace(elsewhere, arrived=None, answered_by=None, outcome=Outcome.LOST, sightings=())
    judgement = judge_attempts(Mesh((leaked, quiet)), mesh(CONTROL), mesh(CONTROL))
    with pytest.raises(Leaked) as caught:
        judgement.enforce("u2's bridge fn-a, u2's bridge fn-b")
    first = str(caught.value).partition("\n")[0]
    assert first.endswith(
        "(1 of 2 attempts went through, all between u1 and u2; it crossed u2's bridge fn-a, u2's bridge fn-b)"
    )
