"""Questions and answers as bytes, and what a resolv.conf says."""

from __future__ import annotations

import io
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
import pytest

from fixtures.dns.messages import (
    Answer,
    DnsTransport,
    EncodedQuestion,
    ResolverConfiguration,
    decode,
    differing,
    encode,
    read_resolv_conf,
)
from reports.model import NotProved

NAME = "web.service.consul"


def response(question: EncodedQuestion, *, rcode: int = 0, flags: int = 0, **sections: list[str]) -> bytes:
    message = dns.message.make_response(dns.message.from_wire(question.message))
    message.set_rcode(dns.rcode.Rcode(rcode))
    message.flags |= flags
    for section, lines in sections.items():
        for line in lines:
            name, ttl, rrtype, data = line.split(" ", 3)
            getattr(message, section).append(dns.rrset.from_text(name, int(ttl), "IN", rrtype, data))
    wire = message.to_wire()
    return len(wire).to_bytes(2, "big") + wire if question.framed else wire


def read(question: EncodedQuestion, payload: bytes, error: str | None = None) -> Answer:
    return decode("u1/a1", "10.0.0.1", question, payload, error)


@pytest.mark.parametrize("transport", DnsTransport)
def test_a_question_travels_and_its_answer_is_read(transport: DnsTransport) -> None:
    question = encode(NAME, "A", transport)
    sent = dns.message.from_wire(question.message)
    assert [str(rrset) for rrset in sent.question] == [f"{NAME}. IN A"]
    assert (sent.edns, sent.payload) == ((0, 4096) if transport is DnsTransport.EDNS else (-1, 0))
    assert question.framed == (transport is DnsTransport.TCP)
    assert len(question.payload) - len(question.message) == (2 if transport is DnsTransport.TCP else 0)
    if question.framed:
        assert int.from_bytes(question.payload[:2], "big") == len(question.message)
    payload = response(question, answer=[f"{NAME}. 5 A 10.0.0.9", f"{NAME}. 5 A 10.0.0.8"])
    answer = read(question, payload)
    assert answer == Answer(
        "u1/a1", "10.0.0.1", NAME, "A", transport, "NOERROR", ("10.0.0.8", "10.0.0.9"), ttls=(5,), size=answer.size
    )
    assert answer.size == len(payload) - (2 if question.framed else 0)
    assert answer.addresses == {"10.0.0.8", "10.0.0.9"}
    assert answer.final


def test_only_records_of_the_type_asked_for_are_the_answers() -> None:
    question = encode(NAME, "A", DnsTransport.UDP)
    answer = read(question, response(question, answer=[f"{NAME}. 5 CNAME x.", "x. 7 A 10.0.0.8"]))
    assert (answer.records, answer.ttls) == (("10.0.0.8",), (5, 7))


def test_a_denial_has_its_rcode_and_authority() -> None:
    question = encode(NAME, "AAAA", DnsTransport.UDP)
    answer = read(question, response(question, rcode=3, authority=["consul. 0 SOA ns. host. 1 2 3 4 5"]))
    assert (answer.rcode, answer.records, answer.authority) == ("NXDOMAIN", (), ("SOA",))
    assert not answer.truncated and answer.final


def test_bytes_behind_an_answer_are_ignored() -> None:
    question = encode(NAME, "A", DnsTransport.UDP)
    payload = response(question, answer=[f"{NAME}. 5 A 10.0.0.9"])
    assert read(question, payload + b"\x00").records == ("10.0.0.9",)


def test_without_an_answer_there_is_no_size() -> None:
    assert read(encode(NAME, "A", DnsTransport.UDP), b"", "ETIMEDOUT").size == 0


def test_a_truncated_answer_is_read_as_such() -> None:
    question = encode(NAME, "A", DnsTransport.UDP)
    assert read(question, response(question, flags=int(dns.flags.TC))).truncated


def test_srv_leads_to_addresses_and_ports_by_its_additional_section() -> None:
    question = encode(NAME, "SRV", DnsTransport.EDNS)
    answer = read(
        question,
        response(
            question,
            answer=[f"{NAME}. 0 SRV 1 1 9000 One.addr.consul.", f"{NAME}. 0 SRV 1 1 9001 two.addr.consul."],
            additional=["one.addr.consul. 0 A 10.0.0.8", 'one.addr.consul. 0 TXT "x y z"', "other. 0 A 10.0.0.7"],
        ),
    )
    assert answer.targets == (("One.addr.consul.", 9000), ("two.addr.consul.", 9001))
    assert answer.endpoints == {("10.0.0.8", 9000)}
    assert answer.addresses == {"10.0.0.8"}


def test_an_answer_of_another_type_has_neither_addresses_nor_endpoints() -> None:
    answer = Answer("u1", "10.0.0.1", NAME, "PTR", DnsTransport.UDP, "NOERROR", ("u1.node.consul.",))
    assert answer.addresses == frozenset() and answer.endpoints == frozenset()


def test_addresses_of_aaaa_records_are_its_addresses() -> None:
    answer = Answer("u1", "10.0.0.1", NAME, "AAAA", DnsTransport.UDP, "NOERROR", ("fd00::1",))
    assert answer.addresses == {"fd00::1"}


def test_what_cannot_be_read_is_told_and_has_no_records() -> None:
    question, other = encode(NAME, "A", DnsTransport.UDP), encode(NAME, "A", DnsTransport.UDP)
    assert read(question, b"", "ETIMEDOUT").rcode == "no answer (ETIMEDOUT)"
    assert read(question, b"abc").rcode.startswith("unreadable (")
    assert read(question, response(other, answer=[f"{NAME}. 5 A 10.0.0.9"])).rcode == (
        "unreadable (it answers another question)"
    )


@pytest.mark.parametrize(
    ("rcode", "final"),
    [
        ("NOERROR", True),
        ("NXDOMAIN", True),
        ("unreadable (x)", True),
        ("SERVFAIL", False),
        ("REFUSED", False),
        ("NOTIMP", False),
        ("no answer (ETIMEDOUT)", False),
    ],
)
def test_a_resolver_asks_its_next_server_after_some_answers(rcode: str, final: bool) -> None:
    assert Answer("u1", "10.0.0.1", NAME, "A", DnsTransport.UDP, rcode).final is final


def test_an_answer_tells_which_servers_were_asked_before() -> None:
    first = Answer("u1", "10.0.0.1", NAME, "A", DnsTransport.UDP, "SERVFAIL")
    second = Answer("u1", "10.0.0.2", NAME, "A", DnsTransport.UDP, "REFUSED").after(first)
    third = Answer("u1", "10.0.0.3", NAME, "A", DnsTransport.UDP, "NOERROR", ("10.0.0.9",), truncated=True)
    assert str(third.after(second)) == (
        f"u1 asked 10.0.0.3 for {NAME} A (udp): NOERROR, truncated, 10.0.0.9 "
        "(asked before: 10.0.0.1: SERVFAIL; 10.0.0.2: REFUSED)"
    )
    assert str(first) == f"u1 asked 10.0.0.1 for {NAME} A (udp): SERVFAIL, no records"


def test_answers_with_other_addresses_are_told() -> None:
    right = Answer("u1", "10.0.0.1", NAME, "A", DnsTransport.UDP, "NOERROR", ("10.0.0.8", "10.0.0.9"))
    wrong = Answer("u2", "10.0.0.1", NAME, "A", DnsTransport.UDP, "NOERROR", ("10.0.0.8",))
    assert differing([right, wrong], right.addresses) == [f"u2 gets other addresses than 10.0.0.8, 10.0.0.9: {wrong}"]
    with pytest.raises(NotProved, match="no address is expected"):
        differing([wrong], frozenset())
    with pytest.raises(NotProved, match="nobody was asked"):
        differing([], right.addresses)


def test_a_resolver_has_the_options_that_its_resolv_conf_names() -> None:
    text = "# made\nsearch lan\nnameserver 10.0.0.1\nnameserver 10.0.0.2\noptions timeout:1 ndots:0 rotate\n"
    assert read_resolv_conf(text) == ResolverConfiguration(("10.0.0.1", "10.0.0.2"), 1.0, 2)


def test_the_machines_own_resolv_conf_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read_file = dns.resolver.Resolver.read_resolv_conf
    sources: list[object] = []

    def remember(resolver: dns.resolver.Resolver, source: Any) -> None:
        sources.append(source)
        read_file(resolver, source)

    monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", remember)
    read_resolv_conf("nameserver 10.0.0.1\n")
    assert [type(source) for source in sources] == [io.StringIO]


def test_without_options_a_resolver_has_those_of_the_manual_page() -> None:
    assert read_resolv_conf("nameserver 10.0.0.1\n") == ResolverConfiguration(("10.0.0.1",), 5.0, 2)


@pytest.mark.parametrize(
    ("options", "attempts"),
    [
        ("options attempts:4", 4),
        ("options rotate attempts:3 edns0\noptions attempts:5", 5),
        ("options attempts:many", 2),
        ("options attempts:6", 5),
        ("options attempts:0", 1),
        ("options attempts", 2),
        ("; options attempts:4", 2),
        ("search attempts:4", 2),
        ("options max-attempts:4", 2),
    ],
)
def test_attempts_are_read_from_the_options(options: str, attempts: int) -> None:
    assert read_resolv_conf(f"nameserver 10.0.0.1\n{options}\n").attempts == attempts


def test_a_resolver_uses_three_servers_at_most() -> None:
    four = "".join(f"nameserver 10.0.0.{number}\n" for number in range(1, 5))
    assert read_resolv_conf(four).servers == ("10.0.0.1", "10.0.0.2", "10.0.0.3")


@pytest.mark.parametrize("text", ["", "search lan\n", "# nameserver 10.0.0.1\n", "nameserver\n"])
def test_a_resolv_conf_without_a_server_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="no line `nameserver`"):
        read_resolv_conf(text)


def test_a_server_that_is_not_an_address_is_an_error() -> None:
    with pytest.raises(ValueError, match="example"):
        read_resolv_conf("nameserver example\n")


def test_servers_take_turns_until_each_had_its_attempts() -> None:
    configuration = ResolverConfiguration(("a", "b"), attempts=2)
    assert [configuration.server_of_turn(turn) for turn in range(6)] == ["a", "b", "a", "b", None, None]
