"""What Docker's DNS owes to whom, and which answers are wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fixtures.dns import docker_names as owed
from fixtures.dns.docker_names import Holder, Owed
from fixtures.dns.messages import Answer, DnsTransport


def holder(label: str, address: str, *, aliases: tuple[str, ...] = ("all",), address6: str = "") -> Holder:
    node, name = label.split("/")
    subnet = name[0]
    addresses = {4: address, **({6: address6} if address6 else {})}
    return Holder(label, node, subnet, f"net-{subnet}", f"{name}0123456789abcdef", f"f-{name}", aliases, addresses)


A1, A2, A3 = holder("u1/a1", "10.32.0.1"), holder("u1/a2", "10.32.0.2"), holder("u2/a3", "10.32.0.3")
B1, B3 = holder("u1/b1", "10.32.1.1"), holder("u2/b3", "10.32.1.3")
ALL = [A1, A2, A3, B1, B3]


def answer(*records: str, rcode: str = "NOERROR", size: int = 60, name: str = "f-a2", asker: str = "u1/a1") -> Answer:
    return Answer(asker, "127.0.0.11", name, "A", DnsTransport.UDP, rcode, records=records, size=size)


def pairs(questions: list[Owed]) -> list[tuple[str, str, set[str]]]:
    return [(one.name, one.rrtype, set(one.right)) for one in questions]


@pytest.mark.parametrize(("everywhere", "seen", "hidden"), [(False, [A1, A2], [B1]), (True, [A1, A2, A3], [B1, B3])])
def test_a_container_is_owed_its_subnet_on_its_node_or_in_the_swarm(
    everywhere: bool, seen: list[Holder], hidden: list[Holder]
) -> None:
    assert owed.seen_from(A1, ALL, everywhere=everywhere) == seen
    assert owed.hidden_from(A1, ALL, everywhere=everywhere) == hidden


def test_every_name_is_asked_once_and_an_alias_leads_to_all_that_have_it() -> None:
    assert pairs(owed.every_name(A1, [A1, A2])) == [
        ("f-a1", "A", {"10.32.0.1"}), ("all", "A", {"10.32.0.1", "10.32.0.2"}), ("f-a2", "A", {"10.32.0.2"}),
    ]  # fmt: skip
    assert all(one.asker is A1 for one in owed.every_name(A1, [A1, A2]))


def test_names_are_asked_in_every_family_that_containers_have() -> None:
    both = holder("u1/a4", "10.32.0.4", address6="fd00::4")
    asked = pairs(owed.every_name(A1, [A1, both]))
    assert ("all", "AAAA", {"fd00::4"}) in asked and ("f-a4", "AAAA", {"fd00::4"}) in asked
    assert ("f-a1", "AAAA", set()) in asked, "the other one has IPv4 only"


def test_forms_are_of_a_neighbour_or_else_of_the_asker() -> None:
    asked = pairs(owed.every_form(A1, [A1, replace(A2, name="f-web")]))
    assert [name for name, _, _ in asked] == ["F-WEB", "f-wEb", "f-web.net-a", "a20123456789", "all.net-a"]
    assert [right for _, _, right in asked] == [{"10.32.0.2"}] * 4 + [{"10.32.0.1", "10.32.0.2"}]
    assert pairs(owed.every_form(A1, [A1]))[0] == ("F-A1", "A", {"10.32.0.1"})


def test_aaaa_is_owed_the_ipv6_address_or_nothing() -> None:
    both = holder("u1/a4", "10.32.0.4", address6="fd00::4")
    assert pairs(owed.every_aaaa(A1, [A1, both])) == [("f-a1", "AAAA", set()), ("f-a4", "AAAA", {"fd00::4"})]


def test_hidden_names_are_asked_with_their_network_and_without() -> None:
    asked = pairs(owed.every_hidden_name(A1, [B1]))
    assert asked == [(name, "A", set()) for name in ("f-b1", "f-b1.net-b", "all", "all.net-b")]


def test_ipv4_addresses_are_asked_by_their_reverse_name() -> None:
    both = holder("u1/a4", "10.32.0.4", address6="fd00::4")
    ((address, one),) = owed.reverse_questions(A1, [both])
    assert (address, one.name, one.rrtype) == ("10.32.0.4", "4.0.32.10.in-addr.arpa.", "PTR")


WANTED = Owed(A1, "f-a2", "A", frozenset({"10.32.0.2"}))
NOTHING = Owed(A1, "f-b1", "A", frozenset())


@pytest.mark.parametrize(
    ("question", "given", "said"),
    [
        (WANTED, answer("10.32.0.2"), None),
        (NOTHING, answer(), None),
        (WANTED, answer(), "misses 10.32.0.2"),
        (WANTED, answer("10.32.0.9"), "misses 10.32.0.2 and gets 10.32.0.9, where no container of that name is"),
        (WANTED, answer("10.32.0.2", "10.32.0.9"), "gets 10.32.0.9"),
        (WANTED, answer("10.32.0.2", rcode="SERVFAIL"), "gets no answer that says what the name leads to"),
        (NOTHING, answer(rcode="NXDOMAIN"), "gets no answer that says what the name leads to"),
        (WANTED, answer(rcode="no answer (ETIMEDOUT)"), "gets no answer that says what the name leads to and misses"),
    ],
)
def test_an_answer_is_right_when_it_is_exactly_what_docker_says(
    question: Owed, given: Answer, said: str | None
) -> None:
    failure = owed.wrong_answer(question, given)
    assert (failure is None) == (said is None)
    if failure is not None:
        assert said is not None and said in failure.what and failure.asker == "u1/a1"
        assert failure.what.endswith(str(given))


@pytest.mark.parametrize("judge", [owed.leak, owed.still_told])
def test_a_record_is_a_leak_and_silence_is_none(judge: owed.Judge) -> None:
    assert judge(NOTHING, answer()) is None and judge(NOTHING, answer(rcode="REFUSED")) is None
    told = judge(NOTHING, answer("10.32.1.1"))
    assert told is not None and told.asker == "u1/a1" and "10.32.1.1" in told.what


NODE_DENIES, NODE_IS_SILENT = answer(rcode="NXDOMAIN", asker="u1"), answer(rcode="REFUSED", asker="u1")


@pytest.mark.parametrize(
    ("given", "upstream", "said"),
    [
        (answer(rcode="NXDOMAIN"), NODE_DENIES, None),
        (answer(rcode="REFUSED"), NODE_IS_SILENT, None),
        (answer(rcode="SERVFAIL"), NODE_IS_SILENT, None),
        (answer("10.9.9.9"), answer("10.9.9.9", asker="u1"), None),
        (answer(rcode="REFUSED"), NODE_DENIES, "is not answered as its node"),
        (answer(), NODE_DENIES, "is not answered as its node"),
        (answer("10.9.9.8"), answer("10.9.9.9", asker="u1"), "is not answered as its node"),
        (answer("10.32.0.7"), NODE_IS_SILENT, "gets a record of a name that does not exist"),
    ],
)
def test_an_unknown_name_is_answered_as_on_the_node(given: Answer, upstream: Answer, said: str | None) -> None:
    failure = owed.unlike_upstream(given, upstream)
    assert (failure is None) == (said is None)
    assert failure is None or (said is not None and said in failure.what and failure.asker == "u1/a1")


def test_an_address_needs_a_name_that_leads_back() -> None:
    for nameless in (answer(rcode="NXDOMAIN"), answer(), answer("f-a2.net-a.", rcode="NXDOMAIN")):
        failure = owed.without_name("10.32.0.2", nameless)
        assert failure is not None and "10.32.0.2 has no name" in failure.what and failure.asker == "u1/a1"
    assert owed.without_name("10.32.0.2", answer("f-a2.net-a.")) is None
    assert owed.not_back("10.32.0.2", answer("10.32.0.2", "10.32.0.1")) is None
    failure = owed.not_back("10.32.0.2", answer("10.32.0.1"))
    assert failure is not None and "does not lead back" in failure.what and failure.asker == "u1/a1"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (answer("10.32.0.2", size=512), None),
        (answer(size=30), "gets no address"),
        (answer("10.32.0.9"), "gets 10.32.0.9, which is not right"),
        (answer("10.32.0.2", "10.32.0.9"), "gets 10.32.0.9, which is not right"),
        (answer("10.32.0.2", size=513), "gets 513 bytes over plain UDP"),
    ],
)
def test_a_plain_udp_answer_may_lack_addresses_and_no_more(given: Answer, said: str | None) -> None:
    question = replace(WANTED, right=frozenset({"10.32.0.2", "10.32.0.3"}))
    failure = owed.partly_wrong(question, given, 512)
    assert (failure is None) == (said is None)
    assert failure is None or (said is not None and said in failure.what and failure.asker == "u1/a1")
