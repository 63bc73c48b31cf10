"""The faults of Docker's own DNS: what a spoilt answer has beside the right one."""

from __future__ import annotations

from typing import Any

import dns.message
import dns.rcode
import dns.rrset
import pytest

from lab.faults.scripts import docker_names as fault

A1: dict[str, Any] = {
    "Name": "/f-a1",
    "NetworkSettings": {"Networks": {"net-a": {"IPAddress": "10.32.0.1", "Aliases": ["All", "a10123456789"]}}},
}
B1: dict[str, Any] = {
    "Name": "/f-b1",
    "NetworkSettings": {"Networks": {"net-b": {"IPAddress": "10.32.1.1", "Aliases": None}}},
}


def known() -> fault.Records:
    records: fault.Records = {}
    assert fault.learn(records, A1) == {"net-a"} and fault.learn(records, B1) == {"net-b"}
    return records


@pytest.mark.parametrize(
    ("mode", "name", "addresses"),
    [
        ("remembered", "f-a1.", {"10.32.0.1"}),
        ("remembered", "ALL.net-a.", {"10.32.0.1"}),
        ("remembered", "f-b1.", set()),
        ("told", "f-b1.", {"10.32.1.1"}),
        ("told", "F-B1.net-b", {"10.32.1.1"}),
        ("told", "f-a1.", set()),
        ("told", "nobody.", set()),
    ],
)
def test_a_container_of_net_a_is_told_what_is_gone_or_what_is_another_networks(
    mode: str, name: str, addresses: set[str]
) -> None:
    assert fault.too_many(known(), mode, {"net-a"}, name) == addresses


def answer(rrtype: str, rcode: str, *records: str) -> bytes:
    made = dns.message.make_response(dns.message.make_query("f-b1", rrtype))
    made.answer = [dns.rrset.from_text("f-b1.", 600, "IN", rrtype, record) for record in records]
    made.set_rcode(dns.rcode.from_text(rcode))
    return made.to_wire()


def test_addresses_are_added_once_and_the_name_exists_then() -> None:
    wire = fault.spoilt(answer("A", "REFUSED", "10.32.1.2"), lambda name: {"10.32.1.1", "10.32.1.2"})
    spoilt = dns.message.from_wire(wire, one_rr_per_rrset=True)
    assert [entry[0].to_text() for entry in spoilt.answer] == ["10.32.1.2", "10.32.1.1"]
    assert spoilt.rcode() == dns.rcode.NOERROR


@pytest.mark.parametrize("wire", [answer("AAAA", "REFUSED"), answer("A", "NOERROR", "10.32.1.1")], ids=["AAAA", "A"])
def test_every_other_answer_is_passed_on_as_it_is(wire: bytes) -> None:
    assert fault.spoilt(wire, lambda name: {"10.32.1.1"}) is wire
