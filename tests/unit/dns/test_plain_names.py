"""Whom a wrong answer accuses: the form of the question, or names as such."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.dns.expectation import Failure
from fixtures.dns.plain_names import PlainNames, own, told_with_place
from reports.model import NotProved

FAILURES = [Failure(name, f"{name} asked for SRV: no answer") for name in ("u1/a1", "u2/a2")]


def test_what_fails_where_the_plain_question_works_accuses_itself() -> None:
    assert own(FAILURES, {}) == FAILURES
    assert own(FAILURES, {"u2/a2": "misses everything"}) == FAILURES[:1]
    assert own([], {"u2/a2": "misses everything"}) == []


def test_what_fails_only_where_the_plain_question_fails_proves_nothing() -> None:
    """The reason names DNS-1, what was asked, how many more there are, and what is wrong with the plain answer."""
    with pytest.raises(NotProved) as raised:
        own(FAILURES, {"u1/a1": "u1/a1 misses 10.32.0.1", "u2/a2": "u2/a2 misses 10.32.0.1"})
    assert str(raised.value) == (
        "the plain question fails as well (see DNS-1), so nothing follows from u1/a1 asked for SRV: no answer "
        "(and so on for 1 more); u1/a1 misses 10.32.0.1"
    )


@pytest.mark.parametrize(
    ("failures", "first"),
    [
        (FAILURES[1:], "only on u2: u2/a2 asked for SRV: no answer"),
        (FAILURES, "u1/a1 asked for SRV: no answer"),
        ([Failure("somebody", "nothing")], "nothing"),
    ],
)
def test_a_node_is_named_where_only_its_askers_are_told_wrong(failures: list[Failure], first: str) -> None:
    assert told_with_place(failures, {"u1/a1": "u1", "u2/a2": "u2", "u2/b2": "u2"})[0] == first
    assert told_with_place([], {"u1/a1": "u1"}) == []
    assert told_with_place(FAILURES[1:], {"u2/a2": "u2"}) == [FAILURES[1][1]], "there is no other node"


class Asker(str):
    """Somebody of the node whose name is in his own."""

    @property
    def name(self) -> str:
        return self[:2]


class Plain:
    """A service whose plain question has these faults, or about which nothing can be said."""

    fqdn = "listed.service.consul"

    def __init__(self, faults: tuple[tuple[str, str], ...] | None) -> None:
        self.faults = faults
        self.asked: list[str] = []

    def ask_until_certain(self, ask: Any) -> Any:
        ask()
        if self.faults is None:
            raise NotProved("Consul's entries kept changing")
        return SimpleNamespace(faults=self.faults)

    def ask_all(self, askers: list[str], name: str, rrtype: str, transport: object) -> None:
        assert (name, rrtype) == (self.fqdn, "A")
        self.asked += askers


def plain_names(faults: tuple[tuple[str, str], ...] | None) -> tuple[Any, Plain]:
    plain: Any = Plain(faults)
    parties: Any = [Asker("u1/a1"), Asker("u2/a2")]
    return PlainNames(plain, plain, parties), plain


def test_only_those_are_asked_whose_answers_were_wrong() -> None:
    names, plain = plain_names(())
    assert names.own_failures([]) == [] and not plain.asked
    assert names.own_failures([FAILURES[1], FAILURES[1]]) == [f"only on u2: {FAILURES[1][1]}", FAILURES[1][1]]
    assert plain.asked == ["u2/a2"]


def test_a_plain_question_of_which_nothing_is_known_excuses_nothing() -> None:
    names, _ = plain_names(None)
    assert names.own_failures(FAILURES) == [what for _, what in FAILURES]
